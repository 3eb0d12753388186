"""Records and frames are two faces of one thing; ids depend on content and on nothing else."""

import dataclasses
import math

import polars as pl
import pytest

from synth_assets.errors import CountsError
from synth_assets.frames import from_frame, schema_of, to_frame
from synth_assets.records import (
    REWARD_ATTRIBUTES,
    TABLES,
    RewardAttributes,
    StageCounts,
    SyntheticSample,
    content_id,
)

SAMPLE = SyntheticSample(
    synthetic_sample_id="s1", leaf_node_id="l1", leaf_path="knowledge/x", branch="knowledge", context=None,
    instruction="Héllo?", response="Yes", seed_example_ids=("a", "b"), document_chunk_id=None,
    instruction_prompt="p", response_prompt="q", teacher="t", candidate_index=3, request_seed=2**62,
    num_prompt_tokens=10, num_response_tokens=1, response_logprob=-0.25,
)  # fmt: skip


def test_content_id_is_known_stable_and_keeps_parts_apart() -> None:
    assert content_id("seed_example", "a", None, 1) == "a6b3e84d3e257226"
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("1") != content_id(1)
    assert content_id({"a": 1, "b": 2}) == content_id({"b": 2, "a": 1})
    with pytest.raises(ValueError):
        content_id(math.nan)


def test_frames_and_records_are_inverse() -> None:
    grounded = dataclasses.replace(SAMPLE, context="here", seed_example_ids=(), document_chunk_id="d")
    frame = to_frame([SAMPLE, grounded], SyntheticSample)
    assert frame.schema == schema_of(SyntheticSample)
    assert from_frame(frame, SyntheticSample) == [SAMPLE, grounded]


def test_no_record_still_gives_the_schema() -> None:
    for record_type in TABLES.values():
        frame = to_frame([], record_type)
        assert frame.height == 0 and frame.schema == schema_of(record_type)


def test_a_value_of_a_wrong_type_is_refused() -> None:
    for field, value in [
        ("candidate_index", "3"),
        ("candidate_index", 1.5),
        ("teacher", None),
        ("teacher", 7),
    ]:
        wrong = dataclasses.replace(SAMPLE, **{field: value})
        with pytest.raises((TypeError, pl.exceptions.PolarsError)):
            to_frame([SAMPLE, wrong], SyntheticSample)


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SAMPLE.response = "no"  # type: ignore[misc]


def test_attributes_are_in_helpsteer_order_and_weighted() -> None:
    assert REWARD_ATTRIBUTES == ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
    weights = dict(zip(REWARD_ATTRIBUTES, (1.0, 10.0, 100.0, 0.0, -1.0), strict=True))
    assert RewardAttributes(1.0, 2.0, 3.0, 4.0, 5.0).weighted_sum(weights) == 316.0


@pytest.mark.parametrize("counts", [(5, 3, 1, 0), (5, 3, 1, 2), (1, 2, -1, 0)])
def test_counts_that_do_not_add_up_are_an_error(counts: tuple[int, int, int, int]) -> None:
    with pytest.raises(CountsError, match="stage reward"):
        StageCounts("reward", "a", *counts).check()


def test_counts_that_add_up_pass_through() -> None:
    assert StageCounts("reward", "a", 5, 3, 1, 1).check().num_kept == 3
