"""`synth-assets status`: before, what a change will cost; after, what it did."""

import json
from pathlib import Path

import dagster as dg
from made_pipeline import made_recipe, materialize

from synth_assets.assets.status import read_status, status_json, status_text
from synth_assets.definitions import ASSETS, assets_of
from synth_assets.recipe import RewardCut
from synth_assets.storage import Warehouse, read_journal

COUNTING = "foundational_skills/counting"


def test_what_an_edited_leaf_will_cost_and_did(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        empty = read_status(assets_of(recipe)[:7], recipe, warehouse, instance)
        assert {asset.state for asset in empty.assets} == {"missing"} == {leaf.state for leaf in empty.leaves}
        assert (empty.next_run.num_teacher_calls, empty.next_run.num_reward_calls) == (3 * 16, 3 * 8)
        assert materialize(recipe, warehouse, instance).success
        made = read_status(assets_of(recipe)[:7], recipe, warehouse, instance)
        assert {asset.state for asset in made.assets} == {"current"}
        assert made.next_run.assets == [] and "find everything current" in status_text(made)

        leaf = tmp_path / "taxonomy" / COUNTING / "qna.yaml"
        leaf.write_text(leaf.read_text(encoding="utf-8").replace("Count to", "Go to"), encoding="utf-8")
        status = read_status(assets_of(recipe)[:7], recipe, warehouse, instance)
        assert [leaf.leaf_path for leaf in status.leaves if leaf.state == "stale"] == [COUNTING]
        assert status.next_run.num_teacher_calls == 16 and status.next_run.num_reward_calls == 8
        text = status_text(status)
        assert "1 of 3 leaf nodes: about 16 calls of the teacher and 8 of the reward model" in text
        assert f"{COUNTING}" in text and "stale" in text
        before = sum(1 for _ in read_journal(warehouse.folder / "journal"))
        materialize(recipe, warehouse, instance, status.next_run.assets, status.next_run.leaf_paths)
        assert sum(1 for _ in read_journal(warehouse.folder / "journal")) - before == 16  # its answers had scores already


def test_a_failed_check_and_a_running_run_are_told(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    cut = RewardCut.model_validate({"mode": "absolute", "value": 99.0})
    strict = recipe.model_copy(update={"reward": recipe.reward.model_copy(update={"cut": cut})})
    with dg.DagsterInstance.ephemeral() as instance:
        assert not materialize(strict, warehouse, instance).success
        job = dg.define_asset_job("synthesize", selection=[ASSETS[0]])
        definition = dg.Definitions(assets=[ASSETS[0]], jobs=[job], resources={"recipe": 1, "warehouse": 2})
        instance.create_run_for_job(definition.resolve_job_def("synthesize"), status=dg.DagsterRunStatus.STARTED)
        status = read_status(assets_of(recipe)[:7], strict, warehouse, instance)
    states = {asset.asset: asset.state for asset in status.assets}
    assert states["reward_filtered_set"] == "failed" and states["training_mix"] == "missing"
    assert any("reward_filtered_set_has_rows" in check for check in status.failed_checks)
    assert len(status.running) == 1 and "synthesize, started" in status.running[0]
    assert json.loads(json.dumps(status_json(status)))["next_run"]["assets"]
    assert status.next_run.at.endswith("02:00+00:00")
