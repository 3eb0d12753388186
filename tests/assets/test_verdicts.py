"""A student waits for verdicts on the data that it is tuned on: not on earlier data, and not for want of a failed check."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, REPORTS, TO_THE_MIX, TO_THE_STUDENT, made_recipe, materialize

from synth_assets.assets.currency import material_of_files
from synth_assets.assets.ingredients import INGREDIENTS, upstream_of
from synth_assets.assets.leaf_partitions import range_tags
from synth_assets.assets.resources import resources
from synth_assets.assets.running import failures
from synth_assets.assets.trust import collapse_report
from synth_assets.assets.verdicts import all_before, open_gates, open_gates_of_data
from synth_assets.definitions import ASSETS
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse


class RecordingWarehouse(Warehouse):
    """Remembers which tables were read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: set[str] = set()

    def read_table(self, name: str) -> pl.DataFrame:
        self.read.add(name)
        return super().read_table(name)


def changed(recipe: Recipe, section: str, **changes: object) -> Recipe:
    said = recipe.model_dump(mode="json")
    said[section].update(changes)
    return Recipe.model_validate_json(json.dumps(said))


def why_not(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> str:
    assert not result.success
    return "\n".join(failures(instance, result.run_id))


def test_a_report_vouches_for_what_it_was_made_of_and_only_when_it_was_judged(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")

    def gates() -> list[str]:
        return [str(gate) for gate in open_gates(["collapse_report"], recipe, warehouse, instance)]

    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
        assert gates() == ["collapse_report was never made"]
        assert open_gates_of_data(recipe, warehouse, instance)[0].asset == "fidelity_report"
        told = why_not(materialize(recipe, warehouse, instance, ["lora_checkpoint"]), instance)
        assert "fidelity_report was never made" in told and "materialize fidelity_report with its checks" in told

        given = resources(recipe, warehouse, MADE_ENGINES)
        assert dg.materialize([collapse_report], resources=given, instance=instance).success
        assert gates() and all("was not run on what is there now" in each for each in gates())
        assert materialize(recipe, warehouse, instance, ["collapse_report"]).success
        assert gates() == []
        warehouse.write_table("training_mix", warehouse.read_table("training_mix").head(3))
        assert gates() == ["collapse_report was made of other data, or by another recipe, than is there now"]


@pytest.mark.slow
def test_a_student_of_other_data_than_was_judged_is_not_made(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path, tiny_teacher), RecordingWarehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
        for report in REPORTS:
            warehouse.read.clear()
            assert materialize(recipe, warehouse, instance, [report]).success
            counted = {*upstream_of(report, recipe), *INGREDIENTS[report].tables}
            assert warehouse.read - {"measures"} == counted, "a report is current by what it reads, by all of it"
        assert open_gates_of_data(recipe, warehouse, instance) == []
        other = changed(recipe, "generation", num_samples_per_leaf=5)
        told = why_not(materialize(other, warehouse, instance, [*TO_THE_MIX, "lora_checkpoint"]), instance)
        assert "lora_checkpoint is not made: fidelity_report was made of other data" in told
        assert "materialize fidelity_report with its checks, then lora_checkpoint" in told
        assert not warehouse.has_table("lora_checkpoint")
        assert materialize(other, warehouse, instance, [*REPORTS, "lora_checkpoint"]).success
        assert open_gates_of_data(other, warehouse, instance) == []


@pytest.mark.slow
def test_a_mix_that_no_report_has_seen_is_not_tuned_on(tmp_path: Path, tiny_teacher: Path) -> None:
    """The filter is made again with another rule, and the reports on what it keeps; the mix is still the old one."""
    recipe, warehouse = made_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    lenient = changed(recipe, "reward", cut={"mode": "leaf_quantile", "value": 0.2})
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(lenient, warehouse, instance).success
        judged = ["reward_filtered_set", "fidelity_report", "diversity_report", "privacy_report", "collapse_report"]
        assert materialize(recipe, warehouse, instance, judged).success
        (gate,) = open_gates_of_data(recipe, warehouse, instance)
        assert gate.asset == "training_mix" and "was made of other data" in gate.why
        told = why_not(materialize(recipe, warehouse, instance, ["lora_checkpoint"]), instance)
        assert "lora_checkpoint is not made: training_mix was made of other data" in told


def test_what_another_run_has_made_the_same_is_judged_as_well(tmp_path: Path) -> None:
    """Of two runs at once one makes a table again, in the same way, before the other goes on."""
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    names = ["taxonomy", "seed_examples", "document_chunks", "synthetic_samples", "scored_samples", "reward_filtered_set"]
    assets = [asset for asset in ASSETS if asset.key.path[-1] in names]
    leaves = [leaf.leaf_path for leaf in material_of_files(recipe).leaf_nodes]

    def gates(of: Recipe) -> list[str]:
        return [str(gate) for gate in open_gates(["synthetic_samples", "reward_filtered_set"], of, warehouse, instance)]

    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, names).success
        tags, given = range_tags(instance, leaves), resources(recipe, warehouse, MADE_ENGINES)
        assert dg.materialize(assets, resources=given, instance=instance, tags=tags).success
        assert gates(recipe) == []
        other = changed(recipe, "generation", num_samples_per_leaf=5)
        given = resources(other, warehouse, MADE_ENGINES)
        assert dg.materialize(assets, resources=given, instance=instance, tags=tags).success
        assert gates(other) and all("was not run on what is there now" in each for each in gates(other))


def test_a_pass_by_other_thresholds_is_none(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    stricter = changed(recipe, "quality", max_failed_share={"value": 0.001, "reason": "for the tests: nearly none"})
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, ["taxonomy", "seed_examples"]).success
        assert list(open_gates(["seed_examples"], recipe, warehouse, instance)) == []
        found = {gate.why for gate in open_gates(["seed_examples"], stricter, warehouse, instance)}
        assert found == {"was run with other thresholds than the recipe's"}


def test_what_stands_before_a_student_is_named_in_the_pipelines_order(tmp_path: Path) -> None:
    before = all_before(["lora_checkpoint"], made_recipe(tmp_path))
    assert before == list(TO_THE_STUDENT)
