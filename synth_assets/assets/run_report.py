"""The report of a run, as an asset: one HTML file that stands by itself, for people who do not open Dagster.

It is made last, from the tables and from what Dagster wrote down of the run. Whatever a person or a model wrote is
escaped by the template. Of a run that failed there is one as well, with what went wrong and the tables as they stand: the
command line writes it at its end, for other runs a sensor does.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth_assets.assets.both_methods import SAMPLES, SCORES, counted_as, read_both
from synth_assets.assets.calibration import rates_of_judges
from synth_assets.assets.checks import check_keys
from synth_assets.assets.comparisons import wins
from synth_assets.assets.display import bars, histogram, image_uris
from synth_assets.assets.evaluation import accuracy_bars
from synth_assets.assets.leasing import making
from synth_assets.assets.reward_report import shown_figures
from synth_assets.assets.running import failures, latest_checks
from synth_assets.assets.storing import of_stages
from synth_assets.assets.trust_report import write_trust_report
from synth_assets.assets.verdicts import current_reports
from synth_assets.evaluation import accuracy_table, caveats, compare
from synth_assets.evaluation.accuracy import ALL_LEAVES
from synth_assets.frames import from_frame, schema_of
from synth_assets.recipe import Recipe
from synth_assets.records import TABLES, BenchmarkAnswer, HarnessScore
from synth_assets.storage import Warehouse
from synth_assets.storage.atomic import write_beside

REPORT_TAG = "synth_assets/report"
TRUST_PAGE = "trust.html"
#: The assets whose tables it shows last, of those that the recipe has.
SHOWN_LAST = ("evaluation", "judge_calibration", "comparisons", "harness_scores", "student_report")
CALLS = {"num_calls_made": "calls made", "num_calls_served_from_journal": "from the journal"}


@dg.asset(deps=["preference_pairs", *SHOWN_LAST, "reward_report"], group_name="stage_5_evaluation", kinds={"python", "html"})
def run_report(
    context: dg.AssetExecutionContext, recipe: dg.ResourceParam[Recipe], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[Any]:
    """Two pages on the whole run: rows, rejections, rewards, checks, accuracy and costs; and whether it can be trusted.

    They need no server and no network; open the files in any browser.
    """
    with making(context, recipe, warehouse) as made_of:
        file = write_report(recipe, warehouse, context.instance, context.run.run_id)
        trust = file.with_name(TRUST_PAGE)
        metadata: dict[str, Any] = {
            "report": dg.MetadataValue.url(file.absolute().as_uri()),
            "file": dg.MetadataValue.path(str(file)),
            "trust_report": dg.MetadataValue.url(trust.absolute().as_uri()),
            "trust_file": dg.MetadataValue.path(str(trust)),
            "inputs_id": made_of,
        }
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(made_of))


def write_report(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, run_id: str) -> Path:
    """Render both pages and put them where `report_file` says; the one on trust lies beside it."""
    page = render_report(recipe, warehouse, instance, run_id)
    file = report_file(warehouse, run_id)
    os.replace(write_beside(file, page.encode()), file)
    current = current_reports(recipe, warehouse, instance)
    write_trust_report(recipe, warehouse, file.with_name(TRUST_PAGE), current)
    return file


def report_of_failed_runs(recipe: Recipe, warehouse: Warehouse) -> dg.SensorDefinition:
    """Writes the report of every run that fails, and names it in the run's tags."""

    @dg.run_failure_sensor(name="report_of_failed_runs", default_status=dg.DefaultSensorStatus.RUNNING)
    def report(context: dg.RunFailureSensorContext) -> None:
        """Writes the report of a run that failed; the run's tag `synth_assets/report` says where it lies."""
        run_id = context.dagster_run.run_id
        file = write_report(recipe, warehouse, context.instance, run_id)
        context.instance.add_run_tags(run_id, {REPORT_TAG: str(file)})

    return report


def report_file(warehouse: Warehouse, run_id: str) -> Path:
    return warehouse.artefact_dir("reports", run_id) / "report.html"


def render_report(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, run_id: str) -> str:
    """The whole page."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    answers = from_frame(_table(warehouse, "evaluation"), BenchmarkAnswer)
    accuracy = accuracy_table(answers, recipe.evaluation.confidence)
    checks = sorted(latest_checks(check_keys(recipe), instance), key=lambda check: check.has_passed)
    samples = read_both(SAMPLES, recipe, warehouse)
    return environment.get_template("run_report.html.j2").render(
        recipe=recipe.label,
        run_id=run_id,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        errors=failures(instance, run_id),
        headline=_headline(accuracy, recipe, warehouse),
        checks=checks,
        num_passed=sum(check.has_passed for check in checks),
        confidence=f"{recipe.evaluation.confidence:.0%}",
        accuracy=accuracy.filter(pl.col("leaf_path") == ALL_LEAVES).drop("leaf_path").to_dicts(),
        pictures_accuracy=_accuracy_pictures(accuracy),
        judges=_judges(recipe, warehouse),
        compared=_compared(recipe, warehouse),
        rewards=_rewards(recipe, warehouse),
        harness=_harness(recipe, warehouse),
        pictures_rows=_row_pictures(recipe, warehouse),
        costs=_costs(instance, run_id),
        num_prompt_tokens=int(samples["num_prompt_tokens"].sum()),
        num_response_tokens=int(samples["num_response_tokens"].sum()),
        shown=_shown,
        **_tables(recipe, warehouse, accuracy),
    )


def _table(warehouse: Warehouse, name: str) -> pl.DataFrame:
    """The table as it stands; one without rows if a run that failed has not come so far."""
    return warehouse.read_table(name) if warehouse.has_table(name) else pl.DataFrame(schema=schema_of(TABLES[name]))


def _tables(recipe: Recipe, warehouse: Warehouse, accuracy: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    counts, rejected = (of_stages(name, recipe, warehouse) for name in ("stage_counts", "rejected_samples"))
    kept = _table(warehouse, "reward_filtered_set")
    numbers = pl.col("num_in", "num_kept", "num_rejected", "num_failed").sum()
    by_reason = rejected.group_by("stage", "rejection_reason", maintain_order=True)
    return {
        "stages": counts.group_by("stage", maintain_order=True).agg(numbers).to_dicts(),
        "reasons": by_reason.agg(rows=pl.len()).sort("rows", descending=True).to_dicts(),
        "leaves": _leaves(recipe, warehouse, accuracy).to_dicts(),
        "kept": kept.unique("leaf_path", keep="first", maintain_order=True)
        .select("leaf_path", "context", "instruction", "response", "reward").to_dicts(),
        "rejected": rejected.unique(["stage", "rejection_reason"], keep="first", maintain_order=True)
        .select("stage", "rejection_reason", "leaf_path", "detail", "instruction", "response").to_dicts(),
    }  # fmt: skip


def _judges(recipe: Recipe, warehouse: Warehouse) -> list[dict[str, Any]]:
    """The error rates of the judges, of a recipe that has some."""
    if recipe.judges is None:
        return []
    return rates_of_judges(_table(warehouse, "judge_calibration"), recipe.evaluation.confidence).to_dicts()


def _rewards(recipe: Recipe, warehouse: Warehouse) -> list[dict[str, Any]]:
    """What the reward model does on the samples, over all leaves, of a recipe that wants to know."""
    if recipe.reward.report is None:
        return []
    return shown_figures(_table(warehouse, "reward_report")).to_dicts()


def _compared(recipe: Recipe, warehouse: Warehouse) -> list[dict[str, Any]]:
    """Whose open answers the judge prefers, of a recipe that has open questions."""
    if recipe.evaluation.open_questions is None:
        return []
    return wins(_table(warehouse, "comparisons"), recipe.evaluation.confidence).to_dicts()


def _harness(recipe: Recipe, warehouse: Warehouse) -> dict[str, Any] | None:
    """The comparison in public tasks, of a recipe that declares them."""
    declared = recipe.evaluation.harness
    if declared is None:
        return None
    scores = from_frame(_table(warehouse, "harness_scores"), HarnessScore)
    return {"rows": compare(scores, declared), "caveats": caveats(scores, declared)}


def _leaves(recipe: Recipe, warehouse: Warehouse, accuracy: pl.DataFrame) -> pl.DataFrame:
    """The taxonomy's leaves one by one; of generated topics, of which there may be many, their areas."""
    areas = counted_as(recipe, warehouse)

    def by_leaf(frame: pl.DataFrame) -> Any:
        return frame.with_columns(pl.col("leaf_path").replace(areas)).group_by("leaf_path")

    samples, kept = read_both(SAMPLES, recipe, warehouse), _table(warehouse, "reward_filtered_set")
    rewards = by_leaf(read_both(SCORES, recipe, warehouse)).agg(mean_reward=pl.col("reward").mean())
    right = accuracy.filter(pl.col("suite") == "taxonomy").pivot("model", index="leaf_path", values="accuracy")
    leaves = _table(warehouse, "taxonomy").select("leaf_path", seeds="num_seed_examples")
    generated = pl.DataFrame({"leaf_path": sorted(set(areas.values())), "seeds": 0}, schema=leaves.schema)
    leaves = pl.concat([leaves, generated]) if areas else leaves
    parts = [by_leaf(samples).agg(samples=pl.len()), rewards, by_leaf(kept).agg(kept=pl.len()), right]
    for part in parts:
        leaves = leaves.join(part, on="leaf_path", how="left", maintain_order="left")
    return leaves


def _headline(accuracy: pl.DataFrame, recipe: Recipe, warehouse: Warehouse) -> list[str]:
    whole = accuracy.filter((pl.col("leaf_path") == ALL_LEAVES) & (pl.col("suite") == "taxonomy"))
    share = dict(whole.select("model", "accuracy").iter_rows())
    kept, made = _table(warehouse, "reward_filtered_set").height, read_both(SAMPLES, recipe, warehouse).height
    prompts = read_both(("prompted_samples",), recipe, warehouse).height
    of_prompts = f", {prompts:,} of them from topics" if prompts else ""
    return [
        f"{_table(warehouse, 'taxonomy').height} leaf nodes, {made:,} synthetic samples{of_prompts}, {kept:,} of them kept.",
        f"Right answers to held-out questions: {share.get('base', 0):.1%} before tuning, {share.get('tuned', 0):.1%} after.",
    ]


def _row_pictures(recipe: Recipe, warehouse: Warehouse) -> list[str]:
    rejected = of_stages("rejected_samples", recipe, warehouse).group_by("rejection_reason", maintain_order=True).len()
    scored = read_both(SCORES, recipe, warehouse).select("synthetic_sample_id", "reward")
    kept_ids = _table(warehouse, "reward_filtered_set")["synthetic_sample_id"].implode()
    is_kept = pl.col("synthetic_sample_id").is_in(kept_ids)
    rewards = {
        "kept": scored.filter(is_kept)["reward"].to_list(), "rejected": scored.filter(~is_kept)["reward"].to_list(),
    }  # fmt: skip
    pictures = [
        bars(dict(rejected.iter_rows()), "Turned away because", "rows"),
        histogram(rewards, "Rewards of kept and rejected samples", "reward"),
    ]
    return [uri for picture in pictures for uri in image_uris(picture)]


def _accuracy_pictures(accuracy: pl.DataFrame) -> list[str]:
    by_leaf = accuracy.filter(pl.col("leaf_path") != ALL_LEAVES)
    suites = by_leaf["suite"].unique(maintain_order=True)
    return [uri for suite in suites for uri in image_uris(accuracy_bars(by_leaf.filter(pl.col("suite") == suite), suite))]


def _costs(instance: dg.DagsterInstance, run_id: str) -> list[dict[str, Any]]:
    """Seconds and model calls of each asset that this run has made; its checks have lines of their own."""
    made: dict[str, Mapping[str, Any]] = {}
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    for record in records:
        event = record.event_log_entry.dagster_event
        if event and event.step_key:
            made[event.step_key] = {name: value.value for name, value in event.materialization.metadata.items()}
    return [
        {"step": step.step_key, "seconds": round(step.end_time - step.start_time, 1)}
        | {title: made.get(step.step_key, {}).get(name) for name, title in CALLS.items()}
        for step in instance.get_run_step_stats(run_id)
        if step.start_time and step.end_time
    ]


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
