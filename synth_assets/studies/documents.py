"""Study results -> tables in Markdown, placed between markers, so that no figure in a document is typed by hand.

<!-- study NAME: METRIC, METRIC by arm -->      one row a metric and arm, over all leaves
<!-- study NAME: METRIC, METRIC by leaf -->     one row a leaf, one column a metric (and arm); likewise by step,
                                                judge, generator
<!-- end -->

A figure that a study wrote as a whole number is a count, any other a share.
"""

import json
import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"(<!-- study (\w+): ([\w, ]+) by (arm|leaf|step|judge|generator) -->\n).*?(<!-- end -->)", re.DOTALL)
SUBJECTS = {"leaf": "leaf node", "step": "step", "judge": "judge, branch", "generator": "generator"}
Row = dict[str, Any]


def render_document(text: str, studies: Path) -> str:
    """The text with every marked table rendered anew from `studies`/NAME.json."""

    def fill(match: re.Match[str]) -> str:
        opening, study, metrics, how, closing = match.groups()
        rows = json.loads((studies / f"{study}.json").read_text())["rows"]
        wanted = [metric.strip() for metric in metrics.split(",")]
        table = _by_arm(rows, wanted) if how == "arm" else _by_subject(rows, wanted, SUBJECTS[how])
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


def _shown(value: float) -> str:
    """Shares as percent; an AUC reads as well so."""
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.1f} %"
