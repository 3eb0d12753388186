"""What the studies share: the bundled taxonomy's samples, generated and scored as in the pipeline, and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import cast

from synth_assets.assets.currency import material_of_files
from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import BY_PATH
from synth_assets.generation import generate_samples
from synth_assets.inference import open_reward_model, open_text_model
from synth_assets.recipe import Recipe
from synth_assets.records import (
    Branch,
    KeptSample,
    LeafNode,
    RejectedSample,
    ScoredSample,
    SeedExample,
    SyntheticSample,
    content_id,
)
from synth_assets.reward import score_samples
from synth_assets.taxonomy import Material


@dataclass(frozen=True)
class ScoredGeneration:
    """One seed's samples with their rewards (by sample id), and what generation rejected."""

    seed: int
    samples: tuple[SyntheticSample, ...]
    rejected: tuple[RejectedSample, ...]
    scored: tuple[ScoredSample, ...]

    @property
    def reward_of(self) -> dict[str, float]:
        return {row.synthetic_sample_id: row.reward for row in self.scored}


def bundled_material(recipe: Recipe) -> Material:
    return material_of_files(recipe)


def material_of_kinds(kinds: Sequence[LeafKind], num_seeds: int = 5) -> Material:
    """Leaf nodes with fresh seeds for kinds that have no file in the bundled taxonomy (freeform skills)."""
    leaf_nodes, seeds = [], []
    for kind in kinds:
        rng = Random(f"unseen-{kind.leaf_path}")
        leaf_id = content_id("leaf_node", kind.leaf_path)
        about = (kind.leaf_path, cast(Branch, kind.branch), kind.description, "study", 3)
        leaf_nodes.append(LeafNode(leaf_id, *about, "", "", "", "", (), "", num_seeds))
        for position in range(num_seeds):
            instance = kind.draw(rng)
            seed_id = content_id("seed_example", kind.leaf_path, position)
            seeds.append(SeedExample(seed_id, leaf_id, kind.leaf_path, position, None, instance.question, instance.answer))
    return Material(tuple(leaf_nodes), tuple(seeds), ())


def generate_and_score(recipe: Recipe, material: Material, seeds: Sequence[int]) -> list[ScoredGeneration]:
    """Generate with the recipe's teacher for each seed, then score with its reward model; one engine each.

    Without judges: the studies set the reward model against the exact verifiers.
    """
    assert recipe.reward_model is not None
    with open_text_model(recipe.teacher) as teacher:
        outcomes = [
            generate_samples(material.leaf_nodes, material.seed_examples, material.chunks, teacher, recipe.generation, seed)
            for seed in seeds
        ]
    with open_reward_model(recipe.reward_model) as reward_model:
        scores = [score_samples(o.samples, reward_model, recipe.reward.weights, recipe.generation.prompts) for o in outcomes]
    return [
        ScoredGeneration(seed, tuple(o.samples), tuple(o.rejected), tuple(s.scored))
        for seed, o, s in zip(seeds, outcomes, scores, strict=True)
    ]


def instance_of(sample: SyntheticSample | KeptSample) -> Instance | None:
    """The world's instance that a sample's instruction states, or None where it is no member of its leaf."""
    return BY_PATH[sample.leaf_path].read(sample.instruction, sample.context or "")


def is_right(sample: SyntheticSample) -> bool:
    """Whether the instruction is a valid member of its leaf and the response its right answer."""
    instance = instance_of(sample)
    return instance is not None and BY_PATH[sample.leaf_path].is_right(instance, sample.response)
