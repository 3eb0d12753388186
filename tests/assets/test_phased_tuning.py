"""Phases through Dagster: a mix of several, candidates that are examined, and what reads their table."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import TO_THE_MIX, made_recipe, materialize

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import plan_run
from synth_assets.assets.tuning import load_tuned, tuned_student_folder
from synth_assets.definitions import assets_of
from synth_assets.export import model_card
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary
from synth_assets.trace import trace_sample, trace_text

LATER = [
    "fidelity_report", "privacy_report", "diversity_report", "collapse_report", "lora_checkpoint", "evaluation",
    "student_report", "run_report",
]  # fmt: skip


def _phased(folder: Path, student: Path | None = None) -> Recipe:
    """Two phases of two steps, each ending with the best of two candidates."""
    said = made_recipe(folder, student).model_dump(mode="json")
    (folder / "selection").mkdir()
    row = {"leaf_path": "foundational_skills/counting", "context": None, "answer": "1"}
    questions = [row | {"suite": suite, "question": f"Which {suite} to choose?"} for suite in ("taxonomy", "retained")]
    (folder / "selection/questions.jsonl").write_text("".join(json.dumps(each) + "\n" for each in questions))
    choice = {"by": "benchmark", "num_candidates": 2, "benchmark": str(folder / "selection")}
    said["tuning"] |= {"strategy": "phased", "checkpoint_choice": choice}
    for phase in said["tuning"]["phases"]:
        phase["max_steps"] = 2
    return Recipe.model_validate_json(json.dumps(said))


def test_the_mix_of_two_phases_passes_its_checks(tmp_path: Path) -> None:
    recipe, warehouse = _phased(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance)
        failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
        assert result.success and not failed
        other = recipe.model_copy(update={"tuning": recipe.tuning.model_copy(update={"strategy": "stacked"})})
        assert plan_run(assets_of(other), check_keys(other), other, warehouse, instance).assets == ["training_mix", *LATER]
        learning = recipe.tuning.model_copy(update={"learning_rate": 1e-3})
        other = recipe.model_copy(update={"tuning": learning})
        assert plan_run(assets_of(other), check_keys(other), other, warehouse, instance).assets == LATER
    mix = warehouse.read_table("training_mix")
    assert mix["phase"].unique(maintain_order=True).to_list() == ["knowledge", "skills"]
    again = mix.filter(pl.col("source") == "earlier_phase")
    assert again.height and set(again["phase"]) == {"skills"}
    assert again["leaf_path"].str.starts_with("knowledge/").all()


@pytest.mark.slow
def test_candidates_are_examined_and_the_chosen_one_is_the_student(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = _phased(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, *LATER])
        blocked = [c.check_name for c in result.get_asset_check_evaluations() if not c.passed and c.blocking]
        assert result.success and not blocked
        assert plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets == []
        (made,) = result.asset_materializations_for_node("lora_checkpoint")
        said = {name: value.value for name, value in made.metadata.items()}
        questions = tmp_path / "selection/questions.jsonl"
        questions.write_text(questions.read_text().replace("to choose", "to take"))
        stale = plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets
        assert stale == ["reward_filtered_set", "training_mix", *LATER]
    table = warehouse.read_table("lora_checkpoint")
    columns = ("phase", "phase_position", "num_steps", "selection_score", "is_chosen")
    assert table.select(columns).rows() == [  # the made student is never right: the earlier one is taken
        ("knowledge", 0, 1, 0.0, True), ("knowledge", 0, 2, 0.0, False),
        ("skills", 1, 1, 0.0, True), ("skills", 1, 2, 0.0, False),
    ]  # fmt: skip
    assert "skills" in str(said["candidates"]) and "data:image/png" in str(said["loss_curve"])
    # one question, four candidates; the first step of a warm-up changes nothing, so one of them is known already
    assert (said["num_calls_made"], said["num_calls_served_from_journal"]) == (3, 1)
    tuned = load_tuned(warehouse)
    assert tuned.checkpoint_id == table["checkpoint_id"][2]
    assert said["tuned_student"] == str(tuned_student_folder(warehouse, recipe, tuned))
    assert not list((warehouse.folder / "artefacts/candidates").glob("*/*/*")), "merged candidates are not kept"
    assert tuned.adapter_path in closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    card = model_card(recipe, warehouse)
    assert f"`{tuned.checkpoint_id}`" in card and "| knowledge | 1 |" in card and "| skills | 1 |" in card
    mix = warehouse.read_table("training_mix").filter(pl.col("synthetic_sample_id").is_not_null())
    twice = mix.group_by("synthetic_sample_id").len().filter(pl.col("len") > 1)["synthetic_sample_id"][0]
    text = trace_text(trace_sample(recipe, warehouse, twice))
    assert "train, synthetic, phase knowledge" in text and "train, earlier_phase, phase skills" in text
