"""The graph through Dagster in one process, with engines that need no model: rows, gates, and what is current."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, TO_THE_MIX, made_recipe, materialize

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import stale_assets
from synth_assets.assets.resources import resources
from synth_assets.definitions import ASSETS
from synth_assets.recipe import Recipe, RewardCut
from synth_assets.records import RejectedSample
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary

LATER = ["lora_checkpoint", "evaluation"]


def with_cut(recipe: Recipe, mode: str, value: float) -> Recipe:
    cut = RewardCut.model_validate({"mode": mode, "value": value})
    return recipe.model_copy(update={"reward": recipe.reward.model_copy(update={"cut": cut})})


def test_the_graph_up_to_the_training_mix(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance)
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        assert result.success and not failed, failed
        for name in TO_THE_MIX:
            (made,) = result.asset_materializations_for_node(name)
            assert made.metadata["dagster/row_count"].value == warehouse.read_table(name).height > 0
            assert any(isinstance(value, dg.MarkdownMetadataValue) for value in made.metadata.values())
    counts = {row[0]: row[1:] for row in warehouse.read_table("stage_counts").iter_rows()}
    assert list(counts) == ["generation", "scoring", "filter"]
    assert counts["generation"][1] == counts["scoring"][0] == counts["filter"][0] == 3 * 8
    turned_away = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "filter")
    assert turned_away.height == counts["filter"][2]
    assert (warehouse.folder / "artefacts/data_docs/all_stages/index.html").is_file()
    text = closing_summary(recipe, warehouse, LastRun(made=["taxonomy"], seconds=3.0, peak_mib=99))
    assert "low_reward (filter)" in text and "99 MiB" in text and "Data Docs" in text


def test_two_runs_from_scratch_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    recipe = made_recipe(tmp_path)
    tables = []
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        warehouse = Warehouse(tmp_path / name)
        with dg.DagsterInstance.ephemeral() as instance:
            assert materialize(recipe.model_copy(update={"seed": seed}), warehouse, instance).success
        tables.append({table: warehouse.table_path(table).read_bytes() for table in warehouse.table_names()})
    assert tables[0] == tables[1]
    for table in ("synthetic_samples", "reward_filtered_set", "training_mix"):
        assert tables[0][table] != tables[2][table]
    assert tables[0]["seed_examples"] == tables[2]["seed_examples"]


def test_a_gate_that_fails_stops_the_next_stage(tmp_path: Path) -> None:
    recipe, warehouse = with_cut(made_recipe(tmp_path), "absolute", 99.0), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance)
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert not result.success
    assert "reward_filtered_set_has_rows" in failed
    assert warehouse.read_table("reward_filtered_set").height == 0
    reasons = {row.rejection_reason for row in _rejected(warehouse) if row.stage == "filter"}
    assert reasons == {"low_reward"}
    assert not warehouse.has_table("training_mix")


def test_what_is_current_is_not_made_again(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")

    def stale(of: Recipe = recipe) -> list[str]:
        return stale_assets(ASSETS, check_keys(of), of, warehouse, instance)

    with dg.DagsterInstance.ephemeral() as instance:
        assert stale() == [*TO_THE_MIX, *LATER]
        assert materialize(recipe, warehouse, instance).success
        assert stale() == LATER
        assert stale(with_cut(recipe, "leaf_quantile", 0.25)) == ["reward_filtered_set", "training_mix", *LATER]
        assert stale(recipe.model_copy(update={"seed": 8})) == [*TO_THE_MIX[3:], *LATER]

        (tmp_path / "replay.jsonl").write_text('{"prompt": "a", "response": "b", "leaf_path": "c"}\n', encoding="utf-8")
        assert stale() == ["training_mix", *LATER]
        warehouse.table_path("scored_samples").unlink()
        assert stale() == [*TO_THE_MIX[4:], *LATER]
        leaf = tmp_path / "taxonomy/foundational_skills/counting/qna.yaml"
        leaf.write_text(leaf.read_text(encoding="utf-8").replace("done 1", "done one"), encoding="utf-8")
        assert stale() == [*TO_THE_MIX, *LATER]


def test_an_asset_whose_checks_have_not_run_is_not_current(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        given = resources(recipe, warehouse, MADE_ENGINES)
        assert dg.materialize([ASSETS[0]], resources=given, instance=instance).success
        assert stale_assets(ASSETS[:1], check_keys(recipe), recipe, warehouse, instance) == ["taxonomy"]
        assert materialize(recipe, warehouse, instance, ["taxonomy"]).success
        assert stale_assets(ASSETS[:1], check_keys(recipe), recipe, warehouse, instance) == []


@pytest.mark.slow
def test_the_whole_graph_with_a_tiny_student(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, *LATER])
        assert result.success
        assert stale_assets(ASSETS, check_keys(recipe), recipe, warehouse, instance) == []
        (made,) = result.asset_materializations_for_node("lora_checkpoint")
        assert Path(str(made.metadata["adapter"].value), "adapter_model.safetensors").is_file()
        assert Path(str(made.metadata["tuned_student"].value), "model.safetensors").is_file()
        assert "data:image/png" in str(made.metadata["loss_curve"].value)
    assert warehouse.read_table("evaluation").height == 2 * 8
    text = closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    assert "taxonomy  base" in text and "tuned against base" in text and "adapter" in text


def _rejected(warehouse: Warehouse) -> list[RejectedSample]:
    return [RejectedSample(*row) for row in warehouse.read_table("rejected_samples").iter_rows()]
