"""From a sample back to all that made it, and on to all that was made of it."""

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, TO_THE_MIX, MadeTeacher, made_recipe, materialize

from synth_assets.errors import WarehouseError
from synth_assets.roles import GenerationRequest
from synth_assets.storage import Warehouse
from synth_assets.trace import find_sample, trace_sample, trace_text


def test_a_kept_and_a_rejected_sample_are_traced(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_MIX).success
    samples = {row["synthetic_sample_id"]: row for row in warehouse.read_table("synthetic_samples").to_dicts()}
    kept = warehouse.read_table("reward_filtered_set")["synthetic_sample_id"][0]
    traced = trace_sample(recipe, warehouse, kept)
    assert traced["sample"] == samples[kept] and traced["leaf_node"]["leaf_path"] == samples[kept]["leaf_path"]
    assert [seed["seed_example_id"] for seed in traced["seed_examples"]] == samples[kept]["seed_example_ids"]
    assert [call["step"] for call in traced["calls"]] == ["instruction", "response"]
    assert samples[kept]["instruction"] in traced["calls"][0]["text"]
    assert traced["calls"][0]["prompt"] == samples[kept]["instruction_prompt"]
    assert traced["calls"][1]["prompt"] == samples[kept]["response_prompt"]
    assert [(row["stage"], row["outcome"]) for row in traced["decisions"]] == [
        ("generation", "kept"), ("scoring", "kept"), ("filter", "kept"),
    ]  # fmt: skip
    assert len(traced["training"]) == 1 and traced["training"][0]["source"] == "synthetic"
    assert json.loads(json.dumps(traced)) == traced
    text = trace_text(traced)
    for part in (kept, samples[kept]["instruction"], "correctness", "training", traced["leaf_node"]["file"]):
        assert part in text

    rejected = warehouse.read_table("rejected_samples").row(0, named=True)
    traced = trace_sample(recipe, warehouse, rejected["synthetic_sample_id"])
    assert traced["decisions"][-1]["rejection_reason"] == rejected["rejection_reason"] and not traced["training"]
    assert rejected["rejection_reason"] in trace_text(traced)


def test_a_candidate_that_was_turned_away_is_traced_to_its_seeds_and_calls(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")

    class Forgetful(MadeTeacher):
        """Answers nothing to every third question."""

        def _text(self, request: GenerationRequest) -> str:
            return "" if len(request.messages) > 1 and request.seed % 3 == 0 else super()._text(request)

    engines = replace(MADE_ENGINES, open_text_model=lambda spec, folder=None: nullcontext(Forgetful()))
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_MIX[:4], engines=engines).success
    rejected = warehouse.read_table("rejected_samples").filter(pl.col("rejection_reason") == "empty").row(0, named=True)
    traced = trace_sample(recipe, warehouse, rejected["synthetic_sample_id"])
    assert traced["sample"] is None and traced["rejected"] == rejected
    assert [call["step"] for call in traced["calls"]][-2:] == ["instruction", "response"]
    assert traced["calls"][-2]["text"] == rejected["instruction"] and traced["calls"][-1]["text"] == ""
    assert {seed["leaf_path"] for seed in traced["seed_examples"]} == {rejected["leaf_path"]}
    text = trace_text(traced)
    assert "prompt for the instruction" in text and rejected["instruction"] in text and "nothing but white space" in text


def test_a_beginning_of_an_id_will_do_if_no_other_has_it(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_MIX[:4]).success
    ids = warehouse.read_table("synthetic_samples")["synthetic_sample_id"].to_list()
    assert find_sample(warehouse, ids[0][:12]) == ids[0]
    with pytest.raises(WarehouseError, match="more than one"):
        find_sample(warehouse, "")
    with pytest.raises(WarehouseError, match="no sample id"):
        find_sample(warehouse, "zz")
