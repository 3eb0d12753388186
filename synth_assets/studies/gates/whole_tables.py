"""Good tables of every stage, with random content: small, and whole. Three leaf nodes and those of topics (`whole_prompts`),
what was made of them, pairs (`whole_pairs`), the counts."""

from __future__ import annotations

from random import Random
from typing import Any

from synth_assets.recipe import HarnessSection, JudgesSection, Recipe, Threshold
from synth_assets.records import (
    BenchmarkAnswer,
    BenchmarkQuestion,
    Checkpoint,
    Comparison,
    DocumentChunk,
    HarnessScore,
    JudgedCase,
    KeptSample,
    LeafNode,
    RealExample,
    RejectedSample,
    RewardFigure,
    ScoredSample,
    SeedExample,
    StageCounts,
    SyntheticSample,
    TrainingExample,
)
from synth_assets.studies.gates.random_text import random_text
from synth_assets.studies.gates.whole_pairs import ALIGNMENT, PREFERENCES, tables_of_pairs
from synth_assets.studies.gates.whole_prompts import PROMPTS, tables_of_prompts

Tables = dict[str, list[Any]]
LEAVES = ("compositional_skills/a", "compositional_skills/b", "knowledge/c")


def with_every_stage(recipe: Recipe) -> Recipe:
    """The recipe with judges, a harness, prompts from topics, pairs, alignment, and a quota that the good tables meet."""
    harness = HarnessSection.model_validate({"tasks": ({"name": "mmlu"}, {"name": "synth_assets_taxonomy"})})
    bound = Threshold(value=0.5, reason="half of the cases, for small tables")
    judges = JudgesSection(min_true_positive_rate=bound, max_false_positive_rate=bound)
    return recipe.model_copy(
        update={
            "generation": recipe.generation.model_copy(update={"num_samples_per_leaf": 4}),
            "evaluation": recipe.evaluation.model_copy(update={"harness": harness}),
            "judges": judges,
            "prompt_synthesis": PROMPTS,
            "preferences": PREFERENCES,
            "alignment": ALIGNMENT,
        }
    )


def good_tables(rng: Random) -> Tables:
    """Every table that a stage's suite reads, without a defect."""
    leaves = [
        LeafNode(f"leaf{n}", path, path.split("/")[0], random_text(rng), "me", 3, "", "", "", "", (), f"{path}/qna.yaml", 5)  # type: ignore[arg-type]
        for n, path in enumerate(LEAVES)
    ]
    samples = [_sample(leaf, n, rng) for leaf in leaves for n in range(4)]
    prompted = tables_of_prompts(rng)
    kept = [
        KeptSample(s.synthetic_sample_id, s.leaf_node_id, s.leaf_path, s.branch, None, s.instruction, s.response, 3.0)
        for s in (*(sample for sample in samples if sample.candidate_index < 2), *prompted["prompted_samples"][::2])
    ]
    filtered = _of_filter(samples, len(kept), len(prompted["scored_prompted_samples"]), rng)
    questions = [BenchmarkQuestion(f"q{n}", LEAVES[0], "taxonomy", None, random_text(rng), "x") for n in range(10)]
    questions += [BenchmarkQuestion(f"k{n}", "known", "retained", None, random_text(rng), "x") for n in range(10)]
    return _joined(prompted, filtered, tables_of_pairs(rng), _of_seeds(leaves, rng), _of_student(rng), {
        "taxonomy": leaves,
        "taxonomy_faults": [],
        "document_faults": [],
        "document_chunks": [
            DocumentChunk(f"chunk{n}", "leaf2", LEAVES[2], "d.md", "", n, n + 9, random_text(rng)) for n in range(4)
        ],
        "synthetic_samples": samples,
        "reward_filtered_set": kept,
        "training_mix": _mix(kept, rng),
        "benchmark_questions": questions,
        "evaluation": _answers(questions),
    })  # fmt: skip


def _joined(*parts: Tables) -> Tables:
    """Of counts and rejected rows each part has its own."""
    tables: Tables = {}
    for part in parts:
        for name, rows in part.items():
            tables.setdefault(name, []).extend(rows)
    return tables


def _sample(leaf: LeafNode, number: int, rng: Random) -> SyntheticSample:
    return SyntheticSample(
        f"{leaf.leaf_node_id}-{number}", leaf.leaf_node_id, leaf.leaf_path, leaf.branch, None, random_text(rng),
        random_text(rng), ("seed",), None, "p", "q", "teacher", number, rng.randrange(99), 9, 3, -rng.random(),
    )  # fmt: skip


def _mix(kept: list[KeptSample], rng: Random) -> list[TrainingExample]:
    mix = [
        TrainingExample(
            f"t{n}", k.synthetic_sample_id, k.leaf_path, "train", "stacked", "synthetic", n, f"{k.instruction} {n}", "x"
        )
        for n, k in enumerate(kept)
    ]
    replayed = range(len(kept) // 2)
    return mix + [
        TrainingExample(
            f"r{n}", None, "known", "train", "stacked", "replay", len(kept) + n, f"{random_text(rng)} r{n}", "x"
        )
        for n in replayed
    ]  # fmt: skip


def _answers(questions: list[BenchmarkQuestion]) -> list[BenchmarkAnswer]:
    num_right = {("base", "taxonomy"): 1, ("tuned", "taxonomy"): 8, ("base", "retained"): 10, ("tuned", "retained"): 9}
    return [
        BenchmarkAnswer(
            q.benchmark_question_id, q.leaf_path, q.suite, arm, "x",
            int(q.benchmark_question_id[1:]) < num_right[arm, q.suite],
        )
        for arm in ("base", "tuned")
        for q in questions
    ]  # fmt: skip


def _of_seeds(leaves: list[LeafNode], rng: Random) -> Tables:
    paths = [leaf.leaf_path for leaf in leaves for _ in range(5)]
    return {
        "seed_examples": [
            SeedExample(f"{x.leaf_node_id}-{n}", x.leaf_node_id, x.leaf_path, n, None, random_text(rng), random_text(rng))
            for x in leaves
            for n in range(5)
        ],
        "real_examples": [
            RealExample(f"real{n}", "reference" if n % 2 else "holdout", path, None, random_text(rng), random_text(rng))
            for n, path in enumerate(paths)
        ],
        "judge_calibration": [
            JudgedCase(f"j{n}", "pair", LEAVES[0], "compositional_skills", "s", "none", text, "A.", "3", "so", n < 5, n < 4)
            for n, text in enumerate(random_text(rng) for _ in range(10))
        ],
    }


def _of_filter(samples: list[SyntheticSample], num_kept: int, num_prompted: int, rng: Random) -> Tables:
    """Scores are of the samples from seeds, kept and rejected rows of both kinds."""
    marks = [3 * rng.random() for _ in samples]
    num_in = len(samples) + num_prompted
    return {
        "rejected_samples": [
            RejectedSample(f"{stage}{n}", LEAVES[0], stage, "rejected", "why", "", "", "", n)
            for stage, num in (("generation", 3), ("filter", num_in - num_kept))
            for n in range(num)
        ],
        "scored_samples": [
            ScoredSample(s.synthetic_sample_id, s.leaf_path, 3, mark, 3, 2, 1, 3.0, "rm")
            for s, mark in zip(samples, marks, strict=True)
        ],
        "reward_report": [
            RewardFigure("length_correlation", "words", "all", 0.2, None, None, len(samples)),
            RewardFigure("leaf_variance_share", "leaf", "all", 0.2, None, None, len(samples)),
        ],
        "stage_counts": [
            StageCounts("generation", "a", 15, 12, 3, 0),
            StageCounts("scoring", "a", 12, 12, 0, 0),
            StageCounts("filter", "a", num_in, num_kept, num_in - num_kept, 0),
        ],
    }


def _of_student(rng: Random) -> Tables:
    outcomes = ["inconsistent" if n < 4 else "base" for n in range(10)]
    return {
        "lora_checkpoint": [Checkpoint("c", "s", "stacked", 0, "p", "0" * 64, 1000, 9, 3.0, rng.random(), None, None, True)],
        "comparisons": [
            Comparison(f"o{n}", LEAVES[0], None, random_text(rng), "a", "b", "A", "B", "so", "so", outcome)  # type: ignore[arg-type]
            for n, outcome in enumerate(outcomes)
        ],
        "harness_scores": [
            HarnessScore(task, arm, 5, "acc", rng.random(), None, 100, False)
            for arm in ("base", "tuned")
            for task in ("mmlu", "synth_assets_taxonomy")
        ],
    }
