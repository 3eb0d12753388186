"""Study results -> tables in Markdown, placed between markers, so that no figure in a document is typed by hand.

<!-- study NAME: METRIC, METRIC by arm -->      one row a metric and arm, over all leaves
<!-- study NAME: METRIC, METRIC by leaf -->     one row a leaf, one column a metric (and arm)
<!-- end -->
"""

import json
import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"(<!-- study (\w+): ([\w, ]+) by (arm|leaf) -->\n).*?(<!-- end -->)", re.DOTALL)
Row = dict[str, Any]


def render_document(text: str, studies: Path) -> str:
    """The text with every marked table rendered anew from `studies`/NAME.json."""

    def fill(match: re.Match[str]) -> str:
        opening, study, metrics, how, closing = match.groups()
        rows = json.loads((studies / f"{study}.json").read_text())["rows"]
        wanted = [metric.strip() for metric in metrics.split(",")]
        table = _by_arm(rows, wanted) if how == "arm" else _by_leaf(rows, wanted)
        return f"{opening}\n{table}\n\n{closing}"

    return _BLOCK.sub(fill, text)


def _by_arm(rows: list[Row], metrics: list[str]) -> str:
    lines = ["| metric | arm | value | 95 % interval | n |", "|---|---|---|---|---|"]
    for metric in metrics:
        for row in rows:
            if row["metric"] == metric and row["subject"] == "all":
                interval = "" if row["ci_low"] is None else f"{_percent(row['ci_low'])} to {_percent(row['ci_high'])}"
                lines.append(f"| {metric} | {row['arm']} | {_percent(row['value'])} | {interval} | {row['n']} |")
    return "\n".join(lines)


def _by_leaf(rows: list[Row], metrics: list[str]) -> str:
    columns = list(dict.fromkeys((r["metric"], r["arm"]) for m in metrics for r in rows if r["metric"] == m))
    leaves = sorted({r["subject"] for r in rows if r["metric"] in metrics and r["subject"] != "all"})
    cells = {(r["metric"], r["arm"], r["subject"]): _percent(r["value"]) for r in rows}
    heads = [metric if len({a for m, a in columns if m == metric}) == 1 else f"{metric}, {arm}" for metric, arm in columns]
    lines = ["| leaf node | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for leaf in leaves:
        values = [cells.get((metric, arm, leaf), "-") for metric, arm in columns]
        lines.append(f"| {leaf} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def _percent(share: float) -> str:
    """Shares as percent; an AUC reads as well so."""
    return f"{100 * share:.1f} %"
