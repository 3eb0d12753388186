"""Prompt synthesis with a real model: the embedded teacher knows none of these requests, yet every row ends once."""

from collections import Counter

import pytest
from prompting import CHUNKS, section

from synth_assets.generation import REASONS
from synth_assets.generation.prompt_synthesis import PROMPT_REASONS, synthesize_prompts, synthesize_topics
from synth_assets.inference import open_text_model
from synth_assets.recipe import ModelSpec, PromptCounts, PromptTokens

pytestmark = pytest.mark.slow
COUNTS = PromptCounts(
    open_question=2, writing_task=2, closed_question=2, maths_problem=2, coding_problem=2, two_turn=2, dialogue=1
)


def test_rows_add_up_whatever_a_model_says() -> None:
    settings = section(
        num_prompts=COUNTS, constrained_share=1.0, max_new_tokens=PromptTokens(topics=32, prompt=24, turn=24),
        num_dialogue_turns=2,
    )  # fmt: skip
    spec = ModelSpec(path="data/models/teacher", engine="transformers", dtype="float32", max_model_len=256, max_num_seqs=64)
    with open_text_model(spec) as teacher:
        topics = synthesize_topics(teacher, settings, 7)
        outcome = synthesize_prompts(topics.topics, CHUNKS, teacher, settings, 7)
    assert topics.counts.num_in == len(topics.topics) + len(topics.rejected) > 4
    counts = outcome.counts
    assert counts.num_in == len(outcome.prompts) + len(outcome.rejected) > 10
    assert {row.rejection_reason for row in [*topics.rejected, *outcome.rejected]} <= {
        *REASONS,
        *PROMPT_REASONS,
        "engine_error",
    }
    kept = Counter(prompt.kind for prompt in outcome.prompts)
    missing = {row.kind: row.num_missing for row in outcome.shortfalls}
    for kind, wanted in COUNTS.model_dump().items():
        assert kept[kind] + missing.get(kind, 0) == wanted
    assert all(row.detail for row in outcome.rejected)
