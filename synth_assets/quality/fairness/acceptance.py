"""Do judges and reward keep rows of every group alike? The four-fifths rule, within leaves.

US Uniform Guidelines on Employee Selection Procedures, 29 CFR 1607.4 D: a group whose rate of selection is below four fifths
of the highest group's is treated worse. A group that is more frequent in leaves of which the filter keeps less would look
treated worse for no fault of judge or reward model, so rates are compared within each leaf and the comparisons pooled
(Mantel-Haenszel).

Limits: a bias that works through the leaves themselves (all leaves on one group's matters are cut) is not seen here, but in
representation. Which group is highest is read off the data; that pulls ratios below 1 a little where nothing differs, and is
why the interval's upper end is judged.

An interval that reaches .8 is a pass only where there are rows enough: where a ratio of .6, which must be caught, would not
fail in 95 % of cases, the verdict is insufficient_reference. At a rate of .75 that takes 250 rows a group; with 100, a third
of such ratios passed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import polars as pl

from synth_assets.intervals import Floats
from synth_assets.quality.estimates import MIN_REFERENCE, PERHAPS_CHANCE, Estimate, insufficient, not_assessed
from synth_assets.quality.fairness.groups import UNDECLARED, assign_groups, name_rows
from synth_assets.recipe import GATES, GroupAttribute

MEASURE = "acceptance_ratio"
TOLERANCE = GATES[MEASURE].gate.value
MUST_BE_CAUGHT = 0.75
"""Times the threshold: a ratio of .6, where the gate asks for .8."""
POWER = 0.95


class Table(NamedTuple):
    """Counts of one leaf each: kept and scored rows of the group, and of those that it is compared with."""

    kept: Floats
    scored: Floats
    other_kept: Floats
    other_scored: Floats


def estimate_acceptance(
    attributes: dict[str, GroupAttribute], scored: pl.DataFrame, *, least: int = MIN_REFERENCE, confidence: float = 0.95,
    tolerance: float = TOLERANCE,
) -> list[Estimate]:  # fmt: skip
    """Ratio of each group's acceptance to that of the group accepted most, subject `attribute/group`; at_least .8.

    `scored`: synthetic_sample_id, leaf_path, text (what the groups' words are looked for in) and is_kept, one row for each
    row that got a verdict, of a judge or by its reward: what was taken out for its form, as a duplicate or as an overlap
    with a benchmark would dilute the figure. The group accepted most has the highest ratio to all others. `bound` is
    ci_high: a group fails only where the whole interval lies below .8, the gate's `tolerance`. Fewer than `least` rows of
    either group in leaves that hold both, or too few to tell what must be caught: insufficient.
    """
    if not attributes:
        return [not_assessed(MEASURE, "all", UNDECLARED)]
    found = []
    for name, attribute in attributes.items():
        assigned = assign_groups(scored["text"].to_list(), attribute)
        rows = scored.with_columns(group=pl.Series(assigned.groups, dtype=pl.String)).drop_nulls("group")
        best = _accepted_most(rows, list(attribute.groups))
        if best is None:
            words = f"no leaf holds rows of two groups; {assigned.describe()}"
            found.append(not_assessed(MEASURE, name, words))
            continue
        for group in attribute.groups:
            if group != best:
                compared = _compare(rows, name, group, best, least, confidence, assigned.describe(), tolerance)
                found.append(compared)
    return found


def stratified_ratio(table: Table, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mantel-Haenszel ratio of two rates over strata, with its interval; NaN where no stratum can compare.

    sum a_i n0_i / N_i over sum b_i n1_i / N_i; variance of its logarithm by S. Greenland, J. Robins 1985, Biometrics 41:55:
    sum (m_i n1_i n0_i - a_i b_i N_i) / N_i^2 over the product of the two sums. Where one side kept none, the interval's one
    end is of the number that the other's rates would have had expected, and of the most that could have been expected where
    none was found, -ln of the level on one side (Poisson).
    """
    most_where_none = -math.log((1 - confidence) / 2)
    a, n1, b, n0 = table
    both = (n1 > 0) & (n0 > 0)
    a, n1, b, n0 = a[both], n1[both], b[both], n0[both]
    total = n1 + n0
    upper, lower = float((a * n0 / total).sum()), float((b * n1 / total).sum())
    if upper == lower == 0:
        return math.nan, math.nan, math.nan
    if upper == 0:
        return 0.0, 0.0, most_where_none / float((b / n0 * n1).sum())
    if lower == 0:
        return math.inf, float((a / n1 * n0).sum()) / most_where_none, math.inf
    variance = float((((a + b) * n1 * n0 - a * b * total) / total**2).sum()) / (upper * lower)
    ratio, spread = upper / lower, math.exp(NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(max(0.0, variance)))
    return ratio, ratio / spread, ratio * spread


def _compare(
    rows: pl.DataFrame, attribute: str, group: str, best: str, least: int, confidence: float, left_out: str,
    tolerance: float,
) -> Estimate:  # fmt: skip
    table = _table(rows, group, [best])
    both = (table.scored > 0) & (table.other_scored > 0)
    subject = f"{attribute}/{group}"
    num_rows, num_best = int(table.scored[both].sum()), int(table.other_scored[both].sum())
    if min(num_rows, num_best) < least:
        return insufficient(MEASURE, subject, num_best, num_rows, least)
    ratio, low, high = stratified_ratio(table, confidence)
    turned_away = rows.filter((pl.col("group") == group) & ~pl.col("is_kept"))["synthetic_sample_id"].to_list()
    words = (
        f"{group}: {_rate(table.kept[both], num_rows)} kept, {best}: {_rate(table.other_kept[both], num_best)}; "
        f"turned away: {name_rows(turned_away) or 'none'}; {left_out}"
    )
    found = Estimate(MEASURE, subject, ratio, low, high, num_best, num_rows, bound=high, words=words)
    if not high >= tolerance or not tolerance:
        return found
    if not _can_tell(Table(*(each[both] for each in table)), tolerance, confidence):
        few = f"too few rows: a ratio of {MUST_BE_CAUGHT * tolerance:.2g}, which must be caught, cannot be told from chance"
        return replace(found, words=f"{few}; {words}", verdict="insufficient_reference")
    return replace(found, words=f"{PERHAPS_CHANCE}; {words}") if ratio < tolerance else found


def _can_tell(table: Table, tolerance: float, confidence: float) -> bool:
    """Whether the ratio that must be caught, with these rows, would lie below the tolerance with its interval, and that
    in `POWER` of cases: its logarithm must be so many standard errors below, at both levels on one side."""
    assumed = table._replace(kept=MUST_BE_CAUGHT * tolerance * table.other_kept / table.other_scored * table.scored)
    ratio, _, high = stratified_ratio(assumed, confidence)
    levels = NormalDist().inv_cdf(POWER) / NormalDist().inv_cdf((1 + confidence) / 2)
    return high * math.exp(levels * math.log(high / ratio)) < tolerance


def _rate(kept: Floats, num: int) -> str:
    return f"{int(kept.sum())} of {num}"


def _accepted_most(rows: pl.DataFrame, groups: Sequence[str]) -> str | None:
    """The group with the highest ratio to all other groups together, the first of equals; None if none can be compared."""
    tables = {group: _table(rows, group, [other for other in groups if other != group]) for group in groups}
    comparable = [group for group, table in tables.items() if ((table.scored > 0) & (table.other_scored > 0)).any()]
    ratios = {group: stratified_ratio(tables[group])[0] for group in comparable}
    return max(comparable, key=lambda group: -1.0 if math.isnan(ratios[group]) else ratios[group], default=None)


def _table(rows: pl.DataFrame, group: str, others: Sequence[str]) -> Table:
    is_group, is_other = pl.col("group") == group, pl.col("group").is_in(list(others))
    counts = (
        rows.group_by("leaf_path")
        .agg(
            kept=(is_group & pl.col("is_kept")).sum(),
            scored=is_group.sum(),
            other_kept=(is_other & pl.col("is_kept")).sum(),
            other_scored=is_other.sum(),
        )
        .sort("leaf_path")
    )
    return Table(*(counts[name].to_numpy().astype(np.float64) for name in Table._fields))
