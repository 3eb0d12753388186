"""The report on the reward model: its figures are of the tables that are there, and a recipe without it is as it was."""

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import TO_THE_MIX, made_recipe, materialize

from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.assets.made_of import code_version
from synth_assets.definitions import assets_of
from synth_assets.recipe import Recipe, RewardReportSection, Threshold
from synth_assets.records import area_path, is_generated
from synth_assets.storage import Warehouse
from tests.prompted_pipeline import PROMPTING_ENGINES, TO_THE_PROMPTED_MIX, prompted_recipe

MADE = (*TO_THE_MIX, "reward_report")


def reporting(recipe: Recipe, report: RewardReportSection | None = None) -> Recipe:
    reward = recipe.reward.model_copy(update={"report": report or RewardReportSection()})
    return recipe.model_copy(update={"reward": reward})


def test_a_recipe_without_it_is_as_it_was_and_with_it_nothing_else_changes(tmp_path: Path) -> None:
    plain = made_recipe(tmp_path)
    names = {asset.key.path[-1] for asset in assets_of(reporting(plain))}
    assert names - {asset.key.path[-1] for asset in assets_of(plain)} == {"reward_report"}
    assert "report" not in plain.reward.model_dump(mode="json")
    for name in names:
        assert code_version(name, plain) == code_version(name, reporting(plain)), name
        assert "reward_report" not in INGREDIENTS[name].upstream, "no asset is made of it"


@pytest.mark.slow
def test_samples_from_topics_are_in_it_with_their_area(tmp_path: Path) -> None:
    recipe, warehouse = reporting(prompted_recipe(tmp_path)), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        names = [*TO_THE_PROMPTED_MIX, "reward_report"]
        assert materialize(recipe, warehouse, instance, names, engines=PROMPTING_ENGINES).success
    found, prompted = warehouse.read_table("reward_report"), warehouse.read_table("scored_prompted_samples")
    num = warehouse.read_table("scored_samples").height + prompted.height
    accepted = found.filter(pl.col("metric") == "acceptance")
    assert set(accepted.filter(pl.col("subject") == "all")["n"]) == {num} and prompted.height
    areas = set(map(area_path, prompted["leaf_path"]))
    assert {subject for subject in accepted["subject"] if is_generated(subject)} == areas and len(areas) == 4
    of_areas = accepted.filter(pl.col("subject").is_in(areas)).unique("subject")
    assert of_areas["n"].sum() == prompted.height


@pytest.mark.slow
def test_its_figures_and_its_warnings(tmp_path: Path) -> None:
    recipe, warehouse = reporting(made_recipe(tmp_path)), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, MADE)
        assert result.success
        found = warehouse.read_table("reward_report")
        scored = warehouse.read_table("scored_samples")
        overall = found.filter((pl.col("metric") == "acceptance") & (pl.col("subject") == "all"))
        for arm, value, n in overall.select("arm", "value", "n").iter_rows():
            assert n == scored.height
            assert value == pytest.approx(scored.filter(pl.col("reward") >= float(arm)).height / n, abs=1.5 / n)
        bins = found.filter(pl.col("metric") == "accepted_share")
        assert bins["n"].sum() == scored.height and set(bins["arm"]) == {"kept"}
        checks = {
            each.check_name: each for each in result.get_asset_check_evaluations() if each.asset_key.path[-1] == MADE[-1]
        }
        assert checks["leaves_do_not_drive_the_reward"].passed and checks["reward_report_has_rows"].passed
        assert {name for name, each in checks.items() if each.severity == dg.AssetCheckSeverity.WARN} == {
            "leaves_do_not_drive_the_reward", "length_does_not_drive_the_reward",
        }  # fmt: skip
        strict = RewardReportSection(max_leaf_variance_share=Threshold(value=0.0, reason="for the test: no difference"))
        result = materialize(reporting(recipe, strict), warehouse, instance, MADE)
        assert result.success, "a warning stops nothing"
        failed = {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
        assert "leaves_do_not_drive_the_reward" in failed
