"""Good tables of prompts from topics, with random content: what a recipe with `PROMPTS` makes, one row of each stage turned
away."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from synth_assets.constraints import write_constraint
from synth_assets.constraints.form import NoCommas
from synth_assets.generation.prompt_synthesis.leaves import leaf_nodes_of_topics, named_topic
from synth_assets.recipe import PromptCounts, PromptSynthesisSection, PromptTokens
from synth_assets.records import (
    LeafNode,
    PromptedSample,
    PromptKind,
    RejectedSample,
    ScoredSample,
    StageCounts,
    SyntheticPrompt,
    Topic,
)
from synth_assets.studies.gates.random_text import random_text

PROMPTS = PromptSynthesisSection(
    num_macro_topics=2, manual_topics=("Baking",), num_subtopics=2, maths_keywords=("primes",),
    num_prompts=PromptCounts(open_question=6, maths_problem=2), constrained_share=0.5, topic_temperature=0.9,
    prompt_temperature=0.8, max_new_tokens=PromptTokens(topics=40, prompt=30, turn=20), budget_factor=2.0,
)  # fmt: skip
_CONSTRAINT = write_constraint(NoCommas())
_ANSWERING = "answering"


def tables_of_prompts(rng: Random) -> dict[str, list[Any]]:
    """With the counts and rejected rows of their stages."""
    topics = _topics(rng)
    leaves = leaf_nodes_of_topics(topics)
    prompts = _prompts(topics, rng)
    samples = _samples(prompts[:-1], leaves, rng)
    scores = [
        ScoredSample(s.synthetic_sample_id, s.leaf_path, 3, 3 * rng.random(), 3, 2, 1, 3.0, "rm") for s in samples
    ]  # fmt: skip
    rejected = [("prompt_topics", "duplicate_topic"), ("prompt_synthesis", "duplicate"), (_ANSWERING, "breaks_constraints")]
    return {
        "prompt_topics": topics,
        "generated_leaf_nodes": leaves,
        "synthetic_prompts": prompts,
        "prompted_samples": samples,
        "scored_prompted_samples": scores,
        "rejected_samples": [
            RejectedSample(f"{stage}0", leaves[0].leaf_path, stage, "rejected", reason, "", "q", "a, b", 0)
            for stage, reason in rejected
        ],
        "stage_counts": [
            StageCounts("prompt_topics", "p", len(topics) + 1, len(topics), 1, 0),
            StageCounts("prompt_synthesis", "p", len(prompts) + 1, len(prompts), 1, 0),
            StageCounts(_ANSWERING, "p", len(prompts), len(samples), 1, 0),
            StageCounts("prompted_scoring", "p", len(samples), len(samples), 0, 0),
        ],
    }


def _topics(rng: Random) -> list[Topic]:
    """Three subjects with two topics each, and a keyword of mathematics."""
    subjects = [named_topic("general", PROMPTS.manual_topics[0])]
    subjects += [
        named_topic("general", f"{random_text(rng)} {n}", None, "model", "teacher", ("{}",), 1)
        for n in range(PROMPTS.num_macro_topics)
    ]
    below = [
        named_topic("general", f"{random_text(rng)} {n}", subject.name, "model", "teacher", ("{}",), 1)
        for subject in subjects
        for n in range(PROMPTS.num_subtopics)
    ]
    return [*subjects, *below, named_topic("maths", PROMPTS.maths_keywords[0])]


def _prompts(topics: Sequence[Topic], rng: Random) -> list[SyntheticPrompt]:
    """As many of each kind as `PROMPTS` asks for, no two on one subject; those with constraints are last."""
    general, maths = [topic for topic in topics if topic.area == "general"], topics[-1]
    question: PromptKind = "open_question"
    constrained: PromptKind = "instruction_following"
    kinds = [question] * 6 + [constrained] * 3
    asked = list(zip(kinds, rng.sample(general, len(kinds)), strict=True))
    asked[6:6] = [("maths_problem", maths)] * 2
    return [_prompt(n, kind, topic, random_text(rng)) for n, (kind, topic) in enumerate(asked)]


def _prompt(number: int, kind: PromptKind, topic: Topic, text: str) -> SyntheticPrompt:
    constraints = (_CONSTRAINT,) if kind == "instruction_following" else ()
    return SyntheticPrompt(
        f"prompt{number}", kind, topic.leaf_path, topic.topic_id, topic.name, text, (text,), None, None, "", "",
        constraints, None, "teacher", number, ("{}",), 1,
    )  # fmt: skip


def _samples(prompts: Sequence[SyntheticPrompt], leaves: Sequence[LeafNode], rng: Random) -> list[PromptedSample]:
    ids = {leaf.leaf_path: leaf.leaf_node_id for leaf in leaves}
    return [
        PromptedSample(
            f"prompted{n}", ids[prompt.leaf_path], prompt.leaf_path, "foundational_skills", None, prompt.text,
            random_text(rng), (), None, "p", "p", "teacher", 0, rng.randrange(99), 9, 3, -rng.random(),
            synthetic_prompt_id=prompt.synthetic_prompt_id, kind=prompt.kind,
        )
        for n, prompt in enumerate(prompts)
    ]  # fmt: skip
