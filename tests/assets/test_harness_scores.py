"""The asset harness_scores through Dagster: the real harness on the embedded student, tuned for a few steps."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, TO_THE_MIX, made_definitions, made_recipe, materialize, open_made_text_model

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import plan_run
from synth_assets.assets.jobs import JOB_NAME
from synth_assets.assets.resources import Engines
from synth_assets.definitions import assets_of
from synth_assets.inference import open_text_model
from synth_assets.recipe import CheckpointChoice, Gate, ModelSpec, Recipe, read_recipe, resolve_path
from synth_assets.roles import TextModel
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary

NUM_QUESTIONS = 60
NUM_STEPS = 10  # in one phase with two candidates
EMBEDDED = read_recipe(scale="smoke")
LAST = [
    "fidelity_report", "privacy_report", "diversity_report", "collapse_report", "lora_checkpoint", "evaluation",
    "student_report", "harness_scores", "run_report",
]  # fmt: skip
SUITES = ("taxonomy", "retained")


def with_harness(recipe: Recipe, **said: Any) -> Recipe:
    document = recipe.model_dump(mode="json")
    document["evaluation"]["harness"] = {"tasks": [{"name": f"synth_assets_{suite}"} for suite in SUITES]} | said
    return Recipe.model_validate_json(json.dumps(document))


def _recipe(folder: Path) -> Recipe:
    """The made pipeline, but with the embedded student and questions for it."""
    recipe = made_recipe(folder, resolve_path(EMBEDDED.student.path))
    lines = [line for file in resolve_path(EMBEDDED.evaluation.benchmark).glob("*.jsonl") for line in file.open()]
    chosen = [line for suite in SUITES for line in [x for x in lines if json.loads(x)["suite"] == suite][:NUM_QUESTIONS]]
    (folder / "benchmark/questions.jsonl").write_text("".join(chosen), encoding="utf-8")
    published = {"LABRADORITE-13B": 0.5889, "<b>MERLINITE</b>": 0.6488}
    tasks = [{"name": "synth_assets_taxonomy", "published": published}, {"name": "synth_assets_retained"}]
    phases = tuple(phase.model_copy(update={"max_steps": NUM_STEPS // 2}) for phase in recipe.tuning.phases)
    choice = CheckpointChoice(by="benchmark", num_candidates=2, benchmark=str(resolve_path("data/selection")))
    said = {"phases": phases, "checkpoint_choice": choice, "replay_share": 0.0, "replay_buffer": None}
    tuning = recipe.tuning.model_copy(update=said)
    shown = Gate(value=0.0, severity="info", reason="for the tests: nothing is replayed")
    trust = recipe.trust.model_copy(update={"gates": {"real_share_below_depth_2": shown}})
    return with_harness(recipe.model_copy(update={"tuning": tuning, "trust": trust}), tasks=tasks)


def _open_text_model(spec: ModelSpec, folder: Path | None = None) -> AbstractContextManager[TextModel]:
    """A made teacher, and the real student, which transformers run as the harness does."""
    if "student" not in spec.path:
        return open_made_text_model(spec, folder)
    return open_text_model(spec.model_copy(update={"engine": "transformers"}), folder)


@dataclass(frozen=True)
class Made:
    recipe: Recipe
    warehouse: Warehouse
    instance: dg.DagsterInstance
    result: dg.ExecuteInProcessResult

    def stale(self, recipe: Recipe) -> list[str]:
        return plan_run(assets_of(recipe), check_keys(recipe), recipe, self.warehouse, self.instance).assets


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("harness")
    recipe, warehouse = _recipe(folder), Warehouse(folder / "warehouse")
    engines = Engines(_open_text_model, MADE_ENGINES.open_reward_model)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, *LAST], engines=engines)
        assert result.success, [event for event in result.all_events if event.is_failure]
        yield Made(recipe, warehouse, instance, result)


@pytest.mark.slow
def test_the_harness_says_what_our_own_evaluation_says(made: Made) -> None:
    answers = made.warehouse.read_table("evaluation")
    ours = {
        (f"synth_assets_{suite}", model): (right, num)
        for suite, model, right, num in answers.group_by("suite", "model")
        .agg(pl.col("is_right").mean(), num=pl.len())
        .iter_rows()
    }
    scores = made.warehouse.read_table("harness_scores")
    theirs = {(task, model): (value, num) for task, model, value, num in
              scores.select("task", "model", "value", "num_questions").iter_rows()}  # fmt: skip
    assert theirs == ours and len(ours) == 4
    assert 0 < ours["synth_assets_retained", "tuned"][0] <= ours["synth_assets_retained", "base"][0]


@pytest.mark.slow
def test_its_checks_pass_and_report_and_summary_tell_of_it(made: Made) -> None:
    judged = {
        c.check_name: c.passed for c in made.result.get_asset_check_evaluations() if c.asset_key.path == ["harness_scores"]
    }
    assert judged["every_task_has_both_figures"] and judged["value_is_a_share"] and all(judged.values())
    (report,) = made.result.asset_materializations_for_node("run_report")
    page = Path(str(report.metadata["file"].value)).read_text(encoding="utf-8")
    for part in (
        "Public tasks",
        "synth_assets_taxonomy",
        "exact_match, 0 shots, 60 questions",
        "58.89",
        "LABRADORITE-13B",
        "±",
    ):
        assert part in page, part
    assert "<b>MERLINITE" not in page and "no published figure" not in page
    (scores,) = made.result.asset_materializations_for_node("harness_scores")
    assert "lm-eval 0." in str(scores.metadata["harness"].value) and "LABRADORITE" in str(
        scores.metadata["comparison_in_percent"].value
    )
    assert "synth_assets_retained" in closing_summary(made.recipe, made.warehouse, LastRun(made=["taxonomy"]))


@pytest.mark.slow
def test_what_makes_it_anew(made: Made) -> None:
    assert made.stale(made.recipe) == []
    assert made.stale(with_harness(made.recipe)) == ["run_report"], "other published figures"
    assert made.stale(with_harness(made.recipe, limit=5)) == ["harness_scores", "run_report"]
    evaluation = made.recipe.evaluation.model_copy(update={"harness": None})
    assert made.stale(made.recipe.model_copy(update={"evaluation": evaluation})) == ["run_report"]


def test_only_recipes_that_declare_tasks_have_it(tmp_path: Path) -> None:
    recipe = made_recipe(tmp_path)
    plain = [asset.key.path[-1] for asset in assets_of(recipe)]
    assert "harness_scores" not in plain and "harness_scores" not in check_keys(recipe)
    asked = [asset.key.path[-1] for asset in assets_of(with_harness(recipe))]
    assert [name for name in asked if name != "harness_scores"] == plain
    assert asked.index("evaluation") < asked.index("harness_scores") < asked.index("run_report")


def test_the_report_waits_for_it(tmp_path: Path) -> None:
    """As the job's steps are run, not only as the graph is drawn."""
    job = made_definitions(with_harness(made_recipe(tmp_path)), Warehouse(tmp_path / "warehouse")).resolve_job_def(JOB_NAME)
    upstream = {
        name: {handle.node_name for handle in job.graph.dependency_structure.all_upstream_outputs_from_node(name)}
        for name in ("harness_scores", "run_report")
    }
    assert upstream["harness_scores"] >= {"lora_checkpoint", "evaluation"}
    assert upstream["run_report"] >= {"evaluation", "harness_scores"}
