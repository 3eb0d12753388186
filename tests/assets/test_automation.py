"""What starts runs by itself, and what stops them."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from made_pipeline import ASSETS_TO_THE_MIX, MADE_ENGINES, TO_THE_MIX, made_recipe, materialize

from synth_assets.assets.automation import READ_FROM_FILES, automation
from synth_assets.assets.checks import check_keys
from synth_assets.assets.leaf_partitions import partition_key
from synth_assets.definitions import build_definitions
from synth_assets.recipe import Recipe, RewardCut, Threshold, read_recipe
from synth_assets.storage import Warehouse

COUNTING = "foundational_skills/counting"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def nightly(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> dg.RunRequest:
    schedule, _ = automation(ASSETS_TO_THE_MIX, recipe, warehouse)
    with dg.build_schedule_context(instance, datetime(2026, 1, 2, tzinfo=UTC)) as context:
        (request,) = schedule.evaluate_tick(context).run_requests or ()
    return request


def names(request: dg.RunRequest) -> list[str]:
    return [key.path[-1] for key in request.asset_selection or ()]


def test_the_night_makes_what_is_missing_or_stale(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.instance_for_test() as instance:
        first = nightly(recipe, warehouse, instance)
        assert names(first) == list(TO_THE_MIX) and len(instance.get_dynamic_partitions("leaf_nodes")) == 3
        assert {first.tags[START], first.tags[END]} <= set(instance.get_dynamic_partitions("leaf_nodes"))
        assert materialize(recipe, warehouse, instance).success
        second = nightly(recipe, warehouse, instance)
        assert names(second) == list(READ_FROM_FILES) and START not in second.tags
        leaf = tmp_path / "taxonomy" / COUNTING / "qna.yaml"
        leaf.write_text(leaf.read_text(encoding="utf-8").replace("Count", "Go"), encoding="utf-8")
        third = nightly(recipe, warehouse, instance)
        assert names(third) == list(TO_THE_MIX)
        assert (third.tags[START], third.tags[END]) == (partition_key(COUNTING),) * 2


def test_a_threshold_that_was_changed_is_judged_in_the_night(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    quality = recipe.quality.model_copy(update={"min_kept_share": Threshold(value=0.2, reason="another threshold")})
    with dg.instance_for_test() as instance:
        assert materialize(recipe, warehouse, instance).success
        request = nightly(recipe.model_copy(update={"quality": quality}), warehouse, instance)
    assert names(request) == list(READ_FROM_FILES)
    assert {key.asset_key.path[-1] for key in request.asset_check_keys or ()} >= {"reward_filtered_set", "taxonomy"}


def test_the_sensor_waits_for_the_files_to_rest_and_starts_one_run(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    _, sensor = automation(ASSETS_TO_THE_MIX, recipe, warehouse)
    leaf, cursor = tmp_path / "taxonomy" / COUNTING / "qna.yaml", None
    with dg.DagsterInstance.ephemeral() as instance:

        def tick() -> dg.RunRequest | str:
            nonlocal cursor
            with dg.build_sensor_context(instance, cursor=cursor) as context:
                said = sensor.evaluate_tick(context)
            cursor = said.cursor
            return said.run_requests[0] if said.run_requests else str(said.skip_message)

        assert tick() == "watching from now on"
        assert len(instance.get_dynamic_partitions("leaf_nodes")) == 3
        assert materialize(recipe, warehouse, instance).success
        assert tick() == "no file was changed"
        leaf.write_text(leaf.read_text(encoding="utf-8").replace("Count", "Go"), encoding="utf-8")
        assert tick() == "files are being changed"
        request = tick()
        assert isinstance(request, dg.RunRequest) and request.tags[START] == partition_key(COUNTING)
        assert names(request) == list(TO_THE_MIX)
        assert tick() == "no file was changed"
        os.utime(leaf, (1, 1))
        assert tick() == "files are being changed"
        assert isinstance(tick(), dg.RunRequest)  # what the last request was to make has not been made yet
        leaf.write_text("seed_examples: [", encoding="utf-8")
        tick()
        assert isinstance(tick(), dg.RunRequest)  # the leaf is left out and its rows are retired


def test_a_run_over_the_job_that_the_night_asks_for(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    job = build_definitions(recipe, warehouse, MADE_ENGINES).resolve_job_def("synthesize")
    with dg.instance_for_test() as instance:
        request = nightly(recipe, warehouse, instance)
        result = job.execute_in_process(
            instance=instance, asset_selection=list(request.asset_selection or ()), tags=dict(request.tags)
        )
        assert result.success
        assert len(result.asset_materializations_for_node("synthetic_samples")) == 3


def test_a_failed_gate_stops_later_runs_as_well(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    cut = RewardCut.model_validate({"mode": "absolute", "value": 99.0})
    strict = recipe.model_copy(update={"reward": recipe.reward.model_copy(update={"cut": cut})})
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
        assert not materialize(strict, warehouse, instance, ["reward_filtered_set"]).success
        later = materialize(strict, warehouse, instance, ["training_mix"])
        assert not later.success
        said = str(later.failure_data_for_node("training_mix").error.cause)
        assert "GateError: training_mix is not made: the check reward_filtered_set_has_rows" in said
        assert materialize(recipe, warehouse, instance, ["reward_filtered_set", "training_mix"]).success


def test_every_asset_that_reads_files_declares_its_freshness() -> None:
    specs = build_definitions(read_recipe(), Warehouse(Path("/tmp/none")), MADE_ENGINES).resolve_all_asset_specs()
    assert {spec.key.path[-1] for spec in specs if spec.freshness_policy} == set(READ_FROM_FILES)
    assert set(check_keys(read_recipe())) <= {spec.key.path[-1] for spec in specs}
