"""The report of a run, as an asset: one HTML file that stands by itself, for people who do not open Dagster.

It is made last, from the tables and from what Dagster wrote down of the run. Whatever a person or a model wrote is
escaped by the template.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth_assets.assets.checks import check_keys
from synth_assets.assets.display import bars, histogram, interval_bars
from synth_assets.assets.evaluation import evaluation
from synth_assets.assets.leasing import making
from synth_assets.assets.running import latest_checks
from synth_assets.assets.storing import load
from synth_assets.evaluation import accuracy_table
from synth_assets.evaluation.accuracy import ALL_LEAVES
from synth_assets.recipe import Recipe
from synth_assets.records import BenchmarkAnswer
from synth_assets.storage import Warehouse

CALLS = {"num_calls_made": "calls made", "num_calls_served_from_journal": "from the journal"}
_IMAGE = re.compile(r"\((data:image/png;base64,[^)]*)\)")


@dg.asset(deps=[evaluation], group_name="stage_5_evaluation", kinds={"python", "html"})
def run_report(
    context: dg.AssetExecutionContext, recipe: dg.ResourceParam[Recipe], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[Any]:
    """One page on the whole run: rows, rejections, rewards, checks, accuracy by leaf node, costs and samples.

    It needs no server and no network; open the file in any browser.
    """
    with making(context, recipe, warehouse) as made_of:
        run_id = context.run.run_id
        file = report_file(warehouse, run_id)
        file.write_text(render_report(recipe, warehouse, context.instance, run_id), encoding="utf-8")
        metadata: dict[str, Any] = {
            "report": dg.MetadataValue.url(file.absolute().as_uri()),
            "file": dg.MetadataValue.path(str(file)),
            "inputs_id": made_of,
        }
        return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(made_of))


def report_file(warehouse: Warehouse, run_id: str) -> Path:
    return warehouse.artefact_dir("reports", run_id) / "report.html"


def render_report(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, run_id: str) -> str:
    """The whole page."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    answers = load(warehouse, BenchmarkAnswer)
    accuracy = accuracy_table(answers, recipe.evaluation.confidence)
    checks = sorted(latest_checks(check_keys(recipe), instance), key=lambda check: check.has_passed)
    samples = warehouse.read_table("synthetic_samples")
    return environment.get_template("run_report.html.j2").render(
        recipe=f"{recipe.name} at scale {recipe.scale}, seed {recipe.seed}",
        run_id=run_id,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        headline=_headline(accuracy, warehouse),
        checks=checks,
        num_passed=sum(check.has_passed for check in checks),
        confidence=f"{recipe.evaluation.confidence:.0%}",
        accuracy=accuracy.filter(pl.col("leaf_path") == ALL_LEAVES).drop("leaf_path").to_dicts(),
        pictures_accuracy=_accuracy_pictures(accuracy),
        pictures_rows=_row_pictures(warehouse),
        costs=_costs(instance, run_id),
        num_prompt_tokens=int(samples["num_prompt_tokens"].sum()),
        num_response_tokens=int(samples["num_response_tokens"].sum()),
        shown=_shown,
        **_tables(warehouse, accuracy),
    )


def _tables(warehouse: Warehouse, accuracy: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    counts, rejected = warehouse.read_table("stage_counts"), warehouse.read_table("rejected_samples")
    kept = warehouse.read_table("reward_filtered_set")
    numbers = pl.col("num_in", "num_kept", "num_rejected", "num_failed").sum()
    by_reason = rejected.group_by("stage", "rejection_reason", maintain_order=True)
    return {
        "stages": counts.group_by("stage", maintain_order=True).agg(numbers).to_dicts(),
        "reasons": by_reason.agg(rows=pl.len()).sort("rows", descending=True).to_dicts(),
        "leaves": _leaves(warehouse, accuracy).to_dicts(),
        "kept": kept.unique("leaf_path", keep="first", maintain_order=True)
        .select("leaf_path", "context", "instruction", "response", "reward").to_dicts(),
        "rejected": rejected.unique(["stage", "rejection_reason"], keep="first", maintain_order=True)
        .select("stage", "rejection_reason", "leaf_path", "detail", "instruction", "response").to_dicts(),
    }  # fmt: skip


def _leaves(warehouse: Warehouse, accuracy: pl.DataFrame) -> pl.DataFrame:
    def rows_of(name: str, column: str) -> pl.DataFrame:
        return warehouse.read_table(name).group_by("leaf_path").agg(pl.len().alias(column))

    rewards = warehouse.read_table("scored_samples").group_by("leaf_path").agg(mean_reward=pl.col("reward").mean())
    right = accuracy.filter(pl.col("suite") == "taxonomy").pivot("model", index="leaf_path", values="accuracy")
    leaves = warehouse.read_table("taxonomy").select("leaf_path", seeds="num_seed_examples")
    parts = [rows_of("synthetic_samples", "samples"), rewards, rows_of("reward_filtered_set", "kept"), right]
    for part in parts:
        leaves = leaves.join(part, on="leaf_path", how="left", maintain_order="left")
    return leaves


def _headline(accuracy: pl.DataFrame, warehouse: Warehouse) -> list[str]:
    whole = accuracy.filter((pl.col("leaf_path") == ALL_LEAVES) & (pl.col("suite") == "taxonomy"))
    share = dict(whole.select("model", "accuracy").iter_rows())
    kept, made = warehouse.read_table("reward_filtered_set").height, warehouse.read_table("synthetic_samples").height
    return [
        f"{warehouse.read_table('taxonomy').height} leaf nodes, {made:,} synthetic samples, {kept:,} of them kept.",
        f"Right answers to held-out questions: {share.get('base', 0):.1%} before tuning, {share.get('tuned', 0):.1%} after.",
    ]


def _row_pictures(warehouse: Warehouse) -> list[str]:
    rejected = warehouse.read_table("rejected_samples").group_by("rejection_reason", maintain_order=True).len()
    scored = warehouse.read_table("scored_samples").select("synthetic_sample_id", "reward")
    kept_ids = warehouse.read_table("reward_filtered_set")["synthetic_sample_id"].implode()
    is_kept = pl.col("synthetic_sample_id").is_in(kept_ids)
    rewards = {
        "kept": scored.filter(is_kept)["reward"].to_list(), "rejected": scored.filter(~is_kept)["reward"].to_list(),
    }  # fmt: skip
    pictures = [
        bars(dict(rejected.iter_rows()), "Turned away because", "rows"),
        histogram(rewards, "Rewards of kept and rejected samples", "reward"),
    ]
    return [uri for picture in pictures for uri in _IMAGE.findall(picture.value)]


def _accuracy_pictures(accuracy: pl.DataFrame) -> list[str]:
    pictures = []
    for suite in accuracy["suite"].unique(maintain_order=True):
        rows = accuracy.filter((pl.col("suite") == suite) & (pl.col("leaf_path") != ALL_LEAVES))
        arms = {
            arm: list(rows.filter(pl.col("model") == arm).select("accuracy", "ci_low", "ci_high").iter_rows())
            for arm in ("base", "tuned")
        }
        leaves = rows["leaf_path"].unique(maintain_order=True).to_list()
        pictures += _IMAGE.findall(interval_bars(leaves, arms, f"Right answers, suite {suite}", "share").value)
    return pictures


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
