"""The closing summary: what came in, what went on, what was turned away and why, and what the student learned.

Everything in it is read from the warehouse, so that it says what is there and not what a run believes; only time,
memory and checks come from the record of the last run, `last_run.json` beside the tables.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import polars as pl

from synth_assets.assets.checks import data_docs_folder
from synth_assets.assets.ingredients import student_asset
from synth_assets.assets.resources import command_line
from synth_assets.assets.run_report import TRUST_PAGE, report_file
from synth_assets.assets.running import CheckOutcome
from synth_assets.assets.storing import stages_of
from synth_assets.assets.tuning import load_student
from synth_assets.errors import WarehouseError
from synth_assets.evaluation import accuracy_table, compare, paired_difference
from synth_assets.evaluation.accuracy import ALL_LEAVES
from synth_assets.evaluation.comparison import MEASURED, TASK
from synth_assets.frames import from_frame
from synth_assets.recipe import Recipe
from synth_assets.records import BenchmarkAnswer, HarnessScore
from synth_assets.storage import Warehouse
from synth_assets.storage.atomic import write_beside

MAX_DESCRIPTION = 200


@dataclass(frozen=True)
class LastRun:
    """What the warehouse does not know of a run: its course.

    `made`: what the run made, empty if all was current; `left`: what it should have made and did not.
    """

    recipe: str = ""
    run_id: str = ""
    is_success: bool = True
    errors: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    peak_mib: int = 0
    checks: list[CheckOutcome] = field(default_factory=list)


def write_last_run(warehouse: Warehouse, last: LastRun) -> str:
    """Keep the record; of a run that found all current, time and memory are those of the run that made it. Gives its id."""
    file = warehouse.folder / "last_run.json"
    if not last.made and last.is_success and file.is_file():
        before = read_last_run(warehouse)
        if before.recipe == last.recipe:
            last = replace(last, made=before.made, seconds=before.seconds, peak_mib=before.peak_mib, run_id=before.run_id)
    try:
        os.replace(write_beside(file, json.dumps(asdict(last), indent=2).encode()), file)
    except OSError as error:
        sys.stderr.write(f"the record of this run cannot be kept, `summary` will tell of the one before: {error}\n")
    return last.run_id


def read_last_run(warehouse: Warehouse) -> LastRun:
    """Raises WarehouseError if there has been none."""
    file = warehouse.folder / "last_run.json"
    try:
        said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return LastRun(**said | {"checks": [CheckOutcome(**check) for check in said["checks"]]})
    except FileNotFoundError as error:
        remedy = "run `synth-assets demo` first"
        raise WarehouseError("there has been no run yet", value=str(warehouse.folder), remedy=remedy) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "run `synth-assets demo` again"
        raise WarehouseError(f"{file} cannot be read: {error}", remedy=remedy) from error


def closing_summary(recipe: Recipe, warehouse: Warehouse, last: LastRun) -> str:
    """The whole text; what is not there yet, or is left from before a run that failed, is left out."""
    stages = [stage for stage, asset in stages_of(recipe).items() if asset not in last.left]
    parts = [_head(last), _counts(warehouse, stages), _reasons(warehouse, stages), _checks(last)]
    if "evaluation" not in last.left:
        parts.append(_accuracy(recipe, warehouse))
    if "harness_scores" not in last.left:
        parts.append(_harness(recipe, warehouse))
    parts.append(_places(recipe, warehouse, last))
    return "\n\n".join(part for part in parts if part)


def _head(last: LastRun) -> str:
    state = "finished" if last.is_success else "FAILED"
    lines = [f"\n{last.recipe}: {state}"]
    if last.made:
        lines.append(f"  {last.seconds:.0f} s, at most {last.peak_mib:,} MiB of memory")
    elif last.is_success:
        lines.append("  everything was current, nothing was made again")
    if last.left:
        lines.append(f"  not made: {', '.join(last.left)}")
    return "\n".join(lines + [f"  {line}" for error in last.errors for line in error.splitlines()])


def _counts(warehouse: Warehouse, stages: Sequence[str]) -> str:
    if not stages or not warehouse.has_table("stage_counts"):
        return ""
    rows = (
        warehouse.read_table("stage_counts")
        .filter(pl.col("stage").is_in(stages))
        .group_by("stage", maintain_order=True)
        .agg(pl.col("num_in", "num_kept", "num_rejected", "num_failed").sum())
    )
    width = max([12, *map(len, rows["stage"])])
    lines = [
        f"  {stage:<{width}} {num_in:>8,} = {kept:>8,} + {rejected:>8,} + {failed:>6,}"
        for stage, num_in, kept, rejected, failed in rows.iter_rows()
    ]
    if rows["num_failed"].sum():
        lines.append(f"  to ask the failed calls again: {command_line('demo --retry failed')}")
    return "\n".join([f"{'Rows':<{width + 2}} {'in':>8} = {'kept':>8} + {'rejected':>8} + {'failed':>6}", *lines])


def _reasons(warehouse: Warehouse, stages: Sequence[str]) -> str:
    if not warehouse.has_table("rejected_samples"):
        return ""
    rows = (
        warehouse.read_table("rejected_samples")
        .filter(pl.col("stage").is_in(stages))
        .group_by("stage", "rejection_reason", maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)
    )
    lines = [f"  {count:>8,}  {reason} ({stage})" for stage, reason, count in rows.iter_rows()]
    return "\n".join(["Turned away because", *lines]) if lines else ""


def _checks(last: LastRun) -> str:
    if not last.checks:
        return ""
    failed = [check for check in last.checks if not check.has_passed]
    lines = [f"Checks: {len(last.checks) - len(failed)} passed, {len(failed)} failed"]
    for check in failed:
        kind = "STOPPED by" if check.is_blocking else "warning"
        lines.append(f"  {kind} {check.asset}.{check.name}: {_cut(check.description)}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_DESCRIPTION else line[: MAX_DESCRIPTION - 1] + "…"


def _accuracy(recipe: Recipe, warehouse: Warehouse) -> str:
    if not warehouse.has_table("evaluation"):
        return ""
    answers = from_frame(warehouse.read_table("evaluation"), BenchmarkAnswer)
    confidence = recipe.evaluation.confidence
    whole = accuracy_table(answers, confidence).filter(pl.col("leaf_path") == ALL_LEAVES)
    lines = [f"Right answers on the held-out questions ({confidence:.0%} intervals)"]
    for row in whole.iter_rows(named=True):
        share = f"{row['accuracy']:>6.1%}  ({row['ci_low']:.1%} to {row['ci_high']:.1%})"
        lines.append(f"  {row['suite']:<9} {row['model']:<6} {share}, {row['num_questions']:,} questions")
    for suite in whole["suite"].unique(maintain_order=True):
        gain = paired_difference(answers, suite, confidence)
        points = f"{100 * gain.difference:+.1f} points ({100 * gain.ci_low:+.1f} to {100 * gain.ci_high:+.1f})"
        lines.append(f"  {suite:<9} tuned against base: {points}")
    return "\n".join(lines)


def _harness(recipe: Recipe, warehouse: Warehouse) -> str:
    if recipe.evaluation.harness is None or not warehouse.has_table("harness_scores"):
        return ""
    lines = ["Public tasks, by the lm-evaluation-harness (percent ± one standard error)"]
    for row in compare(from_frame(warehouse.read_table("harness_scores"), HarnessScore), recipe.evaluation.harness):
        lines.append(f"  {row[TASK]:<22} base {row['base']:>11}, tuned {row['tuned']:>11} ({row[MEASURED]})")
    return "\n".join(lines)


def _places(recipe: Recipe, warehouse: Warehouse, last: LastRun) -> str:
    lines = ["Where it lies", f"  tables     {warehouse.folder / 'tables'}", f"  SQL        {warehouse.snapshot}"]
    student = student_asset(recipe)
    if warehouse.has_table(student) and student not in last.left:
        lines.append(f"  adapter    {warehouse.folder / load_student(warehouse, recipe).adapter_path}")
    if last.run_id and (report := report_file(warehouse, last.run_id)).is_file():
        lines += [f"  report     {report}", f"  trust      {report.with_name(TRUST_PAGE)}"]
    if (docs := data_docs_folder(warehouse) / "index.html").is_file():
        lines.append(f"  Data Docs  {docs}")
    return "\n".join([*lines, f"Look at it: {command_line('dev')}, then http://127.0.0.1:3000"])
