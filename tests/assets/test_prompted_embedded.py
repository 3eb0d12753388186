"""Prompts from topics by the embedded teacher, which was never taught any of it: what it cannot do is rows with a reason."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from synth_assets.assets.resources import Engines
from synth_assets.generation import REASONS
from synth_assets.generation.prompt_synthesis import PROMPT_REASONS
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse
from tests.made_pipeline import made_recipe, materialize
from tests.prompted_pipeline import PROMPT_ASSETS, with_prompts

pytestmark = pytest.mark.slow
COUNTS = {"open_question": 3, "writing_task": 2, "closed_question": 3, "maths_problem": 2, "coding_problem": 2,
          "two_turn": 2, "dialogue": 1}  # fmt: skip


def test_every_candidate_is_accounted_for(tmp_path: Path) -> None:
    tokens = {"topics": 32, "prompt": 24, "turn": 24}
    said = with_prompts(made_recipe(tmp_path), num_prompts=COUNTS, max_new_tokens=tokens).model_dump(mode="json")
    for role in ("teacher", "reward_model"):
        said[role] |= {"engine": "transformers", "dtype": "float32"}
    recipe, warehouse = Recipe.model_validate_json(json.dumps(said)), Warehouse(tmp_path / "warehouse")
    names = ["taxonomy", "seed_examples", "document_chunks", *PROMPT_ASSETS]
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, names, engines=Engines())
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        blocking = {c.check_name for c in result.get_asset_check_evaluations() if not c.passed and c.blocking}
    assert result.success and not blocking and "prompt_quotas_are_met" in failed
    stage = pl.col("stage")
    rejected, counts = warehouse.read_table("rejected_samples"), warehouse.read_table("stage_counts")
    tables = dict(zip(("prompt_topics", "prompt_synthesis", "answering", "prompted_scoring"), PROMPT_ASSETS, strict=True))
    for name, table in tables.items():
        of_stage, ended = counts.filter(stage == name), rejected.filter(stage == name).height
        assert of_stage["num_in"].sum() == warehouse.read_table(table).height + ended
    assert rejected.filter(stage == "prompt_synthesis").height > 10
    assert set(rejected["rejection_reason"]) <= {*REASONS, *PROMPT_REASONS, "engine_error"} and all(rejected["detail"])
    assert counts.filter(stage == "prompt_synthesis")["num_failed"].sum() == 0
