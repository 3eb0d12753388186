"""Two whole tables compared: every measure held against the gates' defaults, a test a column, and the scores of SDMetrics.

`p_value` is of the two-sample test of the column (Kolmogorov-Smirnov; chi-square for categories), which takes rows for
independent; `differs` says which are rejected among all columns at a false discovery rate of .05 (Benjamini, Hochberg
1995), the share of false finds being what a list of columns answers for; the measures beside it count false stops, and share
one level (Bonferroni, `compare`). With many rows any difference is, so nothing is gated on the tests.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

from synth_assets.intervals import benjamini_hochberg
from synth_assets.quality.estimates import MIN_REFERENCE, hold
from synth_assets.quality.fidelity.columns import present, share_codes, to_numbers
from synth_assets.quality.fidelity.compare import compare_features
from synth_assets.quality.fidelity.marginals import ks_complement_of
from synth_assets.quality.fidelity.scores import TableScores, score_tables
from synth_assets.quality.fidelity.tables import ComparableTables
from synth_assets.recipe import GATES
from synth_assets.records import Measurement

Q = 0.05


@dataclass(frozen=True)
class ColumnTest:
    column: str
    p_value: float
    differs: bool


@dataclass(frozen=True)
class TableComparison:
    """All that is said, before it is written down in one way or another."""

    names: tuple[str, str]
    tables: ComparableTables
    measurements: tuple[Measurement, ...]
    tests: tuple[ColumnTest, ...]
    scores: TableScores

    @property
    def is_broken(self) -> bool:
        """Whether a blocking tolerance is."""
        return any(row.severity == "block" and row.verdict in ("failed", "not_computable") for row in self.measurements)


def compare_tables(tables: ComparableTables, names: tuple[str, str], min_rows: int = MIN_REFERENCE) -> TableComparison:
    """Held against the defaults of the recipe's gates; rows count as independent."""
    numeric = [name for name, kind in tables.kinds.items() if kind in ("numeric", "date")]
    categorical = [name for name, kind in tables.kinds.items() if kind == "categorical"]
    estimates = compare_features(
        tables.reference, tables.synthetic, None, numeric=numeric, categorical=categorical, min_rows=min_rows
    )
    held = []
    for estimate in estimates:
        declared = GATES[estimate.measure]
        held.append(hold(estimate, "fidelity_report", declared.gate.value, declared.direction, declared.gate.severity))
    tests = _test_columns(tables, numeric, categorical)
    return TableComparison(names, tables, tuple(held), tests, score_tables(tables.reference, tables.synthetic, tables.kinds))


def _test_columns(tables: ComparableTables, numeric: Sequence[str], categorical: Sequence[str]) -> tuple[ColumnTest, ...]:
    p_values = {name: _ks_p_value(tables.reference[name], tables.synthetic[name]) for name in numeric}
    p_values |= {name: _chi_square_p_value(tables.reference[name], tables.synthetic[name]) for name in categorical}
    known = {name: value for name, value in p_values.items() if math.isfinite(value)}
    rejected = dict(zip(known, benjamini_hochberg(list(known.values()), Q), strict=True))
    return tuple(ColumnTest(name, value, rejected.get(name, False)) for name, value in p_values.items())


def _ks_p_value(reference: pl.Series, synthetic: pl.Series) -> float:
    """Asymptotic: Q(D sqrt(n m / (n + m))), Kolmogorov's distribution."""
    from scipy.special import kolmogorov

    real, made = present(to_numbers(reference)), present(to_numbers(synthetic))
    if not len(real) or not len(made):
        return math.nan
    return float(kolmogorov((1 - ks_complement_of(real, made)) * math.sqrt(len(real) * len(made) / (len(real) + len(made)))))


def _chi_square_p_value(reference: pl.Series, synthetic: pl.Series) -> float:
    """Of homogeneity of the two tables' counts; NaN for less than two categories."""
    from scipy.special import chdtrc

    codes, num_codes = share_codes(reference, synthetic)
    counts = np.stack([np.bincount(each, minlength=num_codes)[1:] for each in codes]).astype(np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or not counts.sum(axis=1).all():
        return math.nan
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(chdtrc(counts.shape[1] - 1, ((counts - expected) ** 2 / expected).sum()))


def comparison_json(comparison: TableComparison) -> dict[str, Any]:
    """Plain data; what is no number is null."""
    tables, scores = comparison.tables, asdict(comparison.scores)
    return _plain_dict({
        "real": {"table": comparison.names[0], "num_rows": tables.reference.height},
        "synthetic": {"table": comparison.names[1], "num_rows": tables.synthetic.height},
        "columns": tables.kinds,
        "left_out": list(tables.left_out),
        "is_broken": comparison.is_broken,
        "measures": [asdict(row) for row in comparison.measurements],
        "tests": [asdict(test) for test in comparison.tests],
        "sdmetrics": scores,
    })  # fmt: skip


def _plain_dict(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _plain(each) for key, each in values.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return _plain_dict(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
