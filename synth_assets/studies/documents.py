"""Study results -> tables in Markdown, placed between markers, so that no figure in a document is typed by hand.

<!-- study NAME: METRIC, METRIC by arm -->      one row a metric and arm, over all leaves
<!-- study NAME: METRIC, METRIC by leaf -->     one row a leaf, one column a metric (and arm); likewise by step,
                                                judge, generator, world
<!-- study NAME: METRIC, METRIC by generation -->   one row a metric and arm, one column a generation, with intervals
<!-- study NAME: METRIC, METRIC by gate -->    one row a gate on trust, with what was planted; likewise by check, for the
                                                checks of stages (their subject is "suite.check")
<!-- end -->

A figure that a study wrote as a whole number is a count; a perplexity, or a ratio of two, is shown as it is; any other is a
share.
"""

import json
import re
from pathlib import Path
from typing import Any

from synth_assets.studies.gates.planted import DEFECTS

_BLOCK = re.compile(
    r"(<!-- study ([\w-]+): ([\w, ]+) by "
    r"(arm|leaf|step|judge|generator|generation|gate|check|world) -->\n).*?(<!-- end -->)",
    re.DOTALL,
)
SUBJECTS = {
    "leaf": "leaf node",
    "step": "step",
    "judge": "judge, branch",
    "generator": "generator",
    "world": "measure, leaf nodes, world",
}
Row = dict[str, Any]
DOCUMENTS = ("README.md", "data/studies/README.md")


def render_document(text: str, studies: Path) -> str:
    """The text with every marked table rendered anew from `studies`/NAME.json."""

    def fill(match: re.Match[str]) -> str:
        opening, study, metrics, how, closing = match.groups()
        rows = json.loads((studies / f"{study}.json").read_text())["rows"]
        wanted = [metric.strip() for metric in metrics.split(",")]
        table = _by_subject(rows, wanted, SUBJECTS[how]) if how in SUBJECTS else _OTHERWISE[how](rows, wanted)
        return f"{opening}\n{table}\n\n{closing}"

    return _BLOCK.sub(fill, text)


def _by_arm(rows: list[Row], metrics: list[str]) -> str:
    lines = ["| metric | arm | value | 95 % interval | n |", "|---|---|---|---|---|"]
    for metric in metrics:
        for row in rows:
            if row["metric"] == metric and row["subject"] == "all":
                interval = "" if row["ci_low"] is None else f"{_shown(row['ci_low'])} to {_shown(row['ci_high'])}"
                lines.append(f"| {metric} | {row['arm']} | {_shown(row['value'])} | {interval} | {row['n']} |")
    return "\n".join(lines)


def _by_generation(rows: list[Row], metrics: list[str]) -> str:
    subjects = list(dict.fromkeys(row["subject"] for row in rows if row["metric"] in metrics))
    lines = ["| metric | arm | " + " | ".join(subjects) + " |", "|---" * (len(subjects) + 2) + "|"]
    for metric, arm in dict.fromkeys((row["metric"], row["arm"]) for m in metrics for row in rows if row["metric"] == m):
        cells = {row["subject"]: _with_interval(row) for row in rows if (row["metric"], row["arm"]) == (metric, arm)}
        lines.append(f"| {metric} | {arm} | " + " | ".join(cells.get(subject, "-") for subject in subjects) + " |")
    return "\n".join(lines)


def _by_gate(rows: list[Row], metrics: list[str]) -> str:
    return _by_checks(rows, metrics, "gate", has_suite=False)


def _by_check(rows: list[Row], metrics: list[str]) -> str:
    return _by_checks(rows, metrics, "check", has_suite=True)


def _by_checks(rows: list[Row], metrics: list[str], title: str, *, has_suite: bool) -> str:
    """The arm says what a failure does."""
    wanted = [row for row in rows if row["metric"] in metrics and ("." in row["subject"]) == has_suite]
    heads = [title, "severity", *metrics, *([] if has_suite else ["planted defect"])]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    cells = {(row["subject"], row["metric"]): _shown(row["value"]) for row in wanted}
    for subject, arm in dict.fromkeys((row["subject"], row["arm"]) for row in wanted):
        defect = [] if has_suite else [DEFECTS[subject.removesuffix("_warn")]]
        shown = [subject, arm, *(cells.get((subject, metric), "-") for metric in metrics), *defect]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _with_interval(row: Row) -> str:
    figures = [_shown(row[name], row["metric"]) for name in ("value", "ci_low", "ci_high") if row[name] is not None]
    return figures[0] if len(set(figures)) == 1 else f"{figures[0]} ({figures[1]} to {figures[2]})"


def _by_subject(rows: list[Row], metrics: list[str], title: str) -> str:
    columns = list(dict.fromkeys((r["metric"], r["arm"]) for m in metrics for r in rows if r["metric"] == m))
    subjects = sorted({r["subject"] for r in rows if r["metric"] in metrics and r["subject"] != "all"})
    cells = {(r["metric"], r["arm"], r["subject"]): _shown(r["value"]) for r in rows}
    heads = [metric if len({a for m, a in columns if m == metric}) == 1 else f"{metric}, {arm}" for metric, arm in columns]
    lines = [f"| {title} | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for subject in subjects:
        values = [cells.get((metric, arm, subject), "-") for metric, arm in columns]
        lines.append(f"| {subject} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _shown(value: float, metric: str = "") -> str:
    """Shares as percent; an AUC reads as well so."""
    if "perplexity" in metric:
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.1f} %"


_OTHERWISE = {"arm": _by_arm, "generation": _by_generation, "gate": _by_gate, "check": _by_check}
