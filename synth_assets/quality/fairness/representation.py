"""Are the groups there in the declared shares?

RR_g = (n_g / n) / target_g, n being the rows that speak of exactly one group. In logarithms, so that .8 and 1.25 are equally
far from 1 and one threshold, at_most ln 1.25, serves both sides.

Limit: the interval takes rows for independent. Those of one leaf are alike, so where few leaves speak of a group it is too
narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_assets.intervals import wilson_interval
from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient, not_assessed
from synth_assets.quality.fairness.groups import UNDECLARED, assign_groups, name_rows
from synth_assets.recipe.trust import GroupAttribute

MEASURE = "representation_log_ratio"


def estimate_representation(
    attributes: dict[str, GroupAttribute],
    texts: Sequence[str],
    row_ids: Sequence[str],
    *,
    confidence: float = 0.95,
    least: int = MIN_REFERENCE,
) -> list[Estimate]:
    """ln RR of each declared group with its Wilson interval, subject `attribute/group`; at_most ln 1.25.

    `bound` is how far the interval as a whole lies from 0, 0 if it holds 0. So a group fails only where the whole interval
    lies outside [.8, 1.25]: few rows are no proof that a group is missing. Fewer than `least` assigned rows: insufficient.
    A group that is not there at all has no logarithm (the value is null) and is judged by its interval.
    """
    if not attributes:
        return [not_assessed(MEASURE, "all", UNDECLARED)]
    found = []
    for name, attribute in attributes.items():
        if not attribute.targets:
            found.append(not_assessed(MEASURE, name, f"no target shares are declared under trust.groups.{name}.targets"))
            continue
        assigned = assign_groups(texts, attribute)
        total = assigned.counts.total()
        for group, target in attribute.targets.items():
            subject = f"{name}/{group}"
            if total < least:
                found.append(insufficient(MEASURE, subject, total, len(texts), least))
            elif target == 0:
                found.append(not_assessed(MEASURE, subject, "a target share of 0 leaves no ratio"))
            else:
                ids = [row for row, of in zip(row_ids, assigned.groups, strict=True) if of == group]
                words = f"{len(ids)} of {total} rows, target {target:.0%}: {name_rows(ids)}; {assigned.describe()}"
                found.append(_estimate(subject, len(ids), total, target, confidence, words))
    return found


def _estimate(subject: str, num: int, total: int, target: float, confidence: float, words: str) -> Estimate:
    low, high = (_log(end / target) for end in wilson_interval(num, total, confidence))
    return Estimate(
        MEASURE, subject, _log(num / total / target), low, high, num_synthetic=total,
        bound=distance_from_zero(low, high), words=words,
    )  # fmt: skip


def distance_from_zero(low: float, high: float) -> float:
    """0 if the interval holds 0, else the end that is nearer to it; NaN for an end that is no number."""
    if math.isnan(low) or math.isnan(high):
        return math.nan
    return max(0.0, low, -high)


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
