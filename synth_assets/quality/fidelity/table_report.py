"""A comparison of two tables as text for a terminal, and as a page of HTML that stands by itself.

Means, variances and correlations come first, since they are asked for first; then shapes, categories and pairs, at last the
scores of SDMetrics. Of pairs the worst dozen is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from synth_assets.errors import TableError
from synth_assets.quality.fidelity.columns import Floats, present, to_numbers
from synth_assets.quality.fidelity.dependence import correlation, correlation_matrix
from synth_assets.quality.fidelity.table_comparison import ColumnTest, TableComparison
from synth_assets.quality.plots import draw_correlations, draw_distributions, draw_shares
from synth_assets.records import Measurement

TITLES = {
    "mean_shift": "Means: |difference| in standard deviations of the real rows",
    "variance_ratio": "Variances: |ln(synthetic / real)|",
    "correlation": "Correlations: |difference| of Spearman's coefficients",
    "shape": "Shapes: 1 - Kolmogorov-Smirnov distance",
    "category": "Categories: 1 - total variation distance",
    "pair_association": "Pairs: 1 - total variation distance of the contingency tables",
}
PAIRED = ("correlation", "pair_association")
CORRECTED = "95 % interval, bias taken off"
"""Of similarities, which chance alone lowers: such an interval may lie above the value."""
_SHOWN_PAIRS = 12


PAIRED = ("correlation", "pair_association")
CORRECTED = "95 % interval, bias taken off"
"""Of similarities, which chance alone lowers: such an interval may lie above the value."""
_SHOWN_PAIRS = 12
_MAX_PICTURES = 40


def rows_of(comparison: TableComparison, measure: str) -> list[dict[str, str]]:
    """What is shown of a measure, worst first for pairs, of which only the first dozen are shown."""
    found = [row for row in comparison.measurements if row.measure == measure]
    if measure in PAIRED:
        worst = -1 if measure == "correlation" else 1
        found.sort(key=lambda row: worst * row.value if row.value is not None else -math.inf)
        found = found[:_SHOWN_PAIRS]
    tests = {test.column: test for test in comparison.tests}
    rows = [_row(comparison, row, tests.get(row.subject)) for row in found]
    if len(rows) > 1 and len({row["why"] for row in rows}) == 1:
        rows[1:] = [{**row, "why": ""} for row in rows[1:]]
    return [{name: cell for name, cell in row.items() if name != "why" or any(each["why"] for each in rows)} for row in rows]


def _row(comparison: TableComparison, row: Measurement, test: ColumnTest | None) -> dict[str, str]:
    shown = {"column" if " ~ " not in row.subject else "pair": row.subject}
    shown |= _sides(comparison, row)
    shown["value"] = _number(row.value)
    name = "95 % interval" if row.measure in ("mean_shift", "variance_ratio", "correlation") else CORRECTED
    shown[name] = f"{_number(row.ci_low)} to {_number(row.ci_high)}" if row.ci_low is not None else ""
    if row.measure in ("shape", "category") and test is not None:
        shown["p"] = _number(test.p_value) + (" differs" if test.differs else "")
    shown["verdict"] = row.verdict.replace("_", " ") + (", blocking" if _is_blocked(row) else "")
    shown["why"] = row.detail
    return shown


def _is_blocked(row: Measurement) -> bool:
    return row.severity == "block" and row.verdict in ("failed", "not_computable")


def _sides(comparison: TableComparison, row: Measurement) -> dict[str, str]:
    """What real and synthetic rows have, where that is one number each."""
    tables = comparison.tables
    if row.measure == "correlation":
        names = row.subject.split(" ~ ")
        frames = ("real", tables.reference), ("synthetic", tables.synthetic)
        return {
            side: _number(correlation(to_numbers(frame[names[0]]), to_numbers(frame[names[1]]), "spearman"))
            for side, frame in frames
        }
    if row.measure not in ("mean_shift", "variance_ratio"):
        return {}
    real, made = (present(to_numbers(frame[row.subject])) for frame in (tables.reference, tables.synthetic))
    with np.errstate(all="ignore"):
        if row.measure == "variance_ratio":
            return {
                f"sd, {name}": _number(float(each.std()))
                for name, each in (("real", real), ("synthetic", made))
                if len(each)
            }
        return {
            name: _mean(tables.reference[row.subject].dtype, each) for name, each in (("real", real), ("synthetic", made))
        }


def _mean(dtype: pl.DataType, numbers: Floats) -> str:
    if not len(numbers):
        return ""
    if dtype.is_temporal() and dtype != pl.Duration:
        return str(pl.Series([int(numbers.mean())]).cast(pl.Int32 if dtype == pl.Date else pl.Int64).cast(dtype)[0])
    return _number(float(numbers.mean()))


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"


def score_rows(comparison: TableComparison) -> list[dict[str, str]]:
    names = {
        "quality": "QualityReport", "column_shapes": "Column Shapes", "column_pair_trends": "Column Pair Trends",
        "diagnostic": "DiagnosticReport", "data_validity": "Data Validity", "data_structure": "Data Structure",
    }  # fmt: skip
    return [{"SDMetrics": name, "score": _number(getattr(comparison.scores, key)) or "none"} for key, name in names.items()]


def heading(comparison: TableComparison) -> list[str]:
    tables = comparison.tables
    sizes = (tables.reference.height, tables.synthetic.height)
    lines = [
        f"{kind} {name}: {size:,} rows"
        for kind, name, size in zip(("real", "synthetic"), comparison.names, sizes, strict=True)
    ]
    blocked = [row for row in comparison.measurements if _is_blocked(row)]
    lines.append(f"{len(blocked) or 'no'} blocking tolerance{'s' if len(blocked) > 1 else ''} broken")
    return lines + [f"left out: {each}" for each in tables.left_out]


def comparison_text(comparison: TableComparison) -> str:
    """For a terminal: a table a measure."""
    parts = ["\n".join(heading(comparison))]
    for measure, title in TITLES.items():
        if rows := rows_of(comparison, measure):
            rest = _rest(comparison, measure)
            parts.append("\n".join([title, _aligned(rows), *([f"  {rest}"] if rest else [])]))
    return "\n\n".join([*parts, "As SDMetrics scores them\n" + _aligned(score_rows(comparison))])


def _rest(comparison: TableComparison, measure: str) -> str:
    num_hidden = sum(row.measure == measure for row in comparison.measurements) - _SHOWN_PAIRS
    return f"and {num_hidden} more pairs, not worse; --json has them all" if measure in PAIRED and num_hidden > 0 else ""


def _aligned(rows: Sequence[dict[str, str]]) -> str:
    names = [name for name in rows[0] if any(row.get(name) for row in rows)]
    table = [names, *([row.get(name, "") for name in names] for row in rows)]
    widths = [min(64, max(len(line[at]) for line in table)) for at in range(len(names))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table)
    return "\n".join("  " + line for line in lines)


def render_comparison(comparison: TableComparison) -> str:
    """One HTML page; all that comes from the tables is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    sections = [
        {"title": title, "rows": rows_of(comparison, measure), "rest": _rest(comparison, measure)}
        for measure, title in TITLES.items()
    ]
    return environment.get_template("table_report.html.j2").render(
        heading=heading(comparison), sections=sections, scores=score_rows(comparison), pictures=_pictures(comparison)
    )


def write_report(comparison: TableComparison, file: Path) -> None:
    """Raises TableError where the page cannot be written."""
    try:
        file.write_text(render_comparison(comparison), encoding="utf-8")
    except OSError as error:
        remedy = "name a file in a folder that is there and may be written"
        raise TableError(f"the report cannot be written: {error.strerror}", value=str(file), remedy=remedy) from error


def _pictures(comparison: TableComparison) -> list[str]:
    """The correlations, then a picture a column, of the first forty."""
    tables = comparison.tables
    frames = (tables.reference, tables.synthetic)
    numeric = [name for name, kind in tables.kinds.items() if kind != "categorical"]
    real, made = (correlation_matrix([to_numbers(frame[name]) for name in numeric], "spearman") for frame in frames)
    pictures = [draw_correlations(real, made, numeric, "Spearman correlations")] if len(numeric) > 1 else []
    for name, kind in list(tables.kinds.items())[:_MAX_PICTURES]:
        if kind == "categorical":
            pictures.append(draw_shares(_count(frames[0][name]), _count(frames[1][name]), name))
        else:
            numbers = [to_numbers(frame[name]) for frame in frames]
            unit = "days or ticks since 1970" if kind == "date" else ""
            pictures.append(draw_distributions(numbers[0], numbers[1], name, unit))
    return [picture for picture in pictures if picture]


def _count(column: pl.Series) -> dict[str, int]:
    counted = column.cast(pl.String).drop_nulls().value_counts().sort(column.name)
    return dict(counted.iter_rows())
