"""Are the groups there in the declared shares?

RR_g = (n_g / n) / target_g, n being the rows that speak of exactly one group. In logarithms, so that .8 and 1.25 are equally
far from 1 and one threshold, at_most ln 1.25, serves both sides.

An interval that reaches into the band is a pass only where there are rows enough: where half of the declared share, which
must be caught, would not fail in 95 % of cases, the verdict is insufficient_reference.

Limit: the interval takes rows for independent. Those of one leaf are alike, so where few leaves speak of a group it is too
narrow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

from synth_assets.intervals import wilson_interval
from synth_assets.quality.estimates import MIN_REFERENCE, PERHAPS_CHANCE, Estimate, insufficient, not_assessed
from synth_assets.quality.fairness.groups import UNDECLARED, assign_groups, name_rows
from synth_assets.recipe import GATES, GroupAttribute

MEASURE = "representation_log_ratio"
TOLERANCE = GATES[MEASURE].gate.value
MUST_BE_CAUGHT = 0.625
"""Times the lower end of the band: half of the declared share, where the gate asks for .8."""
POWER = 0.95


def estimate_representation(
    attributes: dict[str, GroupAttribute],
    texts: Sequence[str],
    row_ids: Sequence[str],
    *,
    confidence: float = 0.95,
    least: int = MIN_REFERENCE,
    tolerance: float = TOLERANCE,
) -> list[Estimate]:
    """ln RR of each declared group with its Wilson interval, subject `attribute/group`; at_most ln 1.25.

    `bound` is how far the interval as a whole lies from 0, 0 if it holds 0. So a group fails only where the whole interval
    lies outside [.8, 1.25] (`tolerance`, its logarithm): few rows are no proof that a group is missing. Fewer than `least`
    assigned rows, or too few to tell what must be caught: insufficient. A group that is not there at all has no logarithm
    (the value is null) and is judged by its interval.
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
                found.append(_estimate(subject, len(ids), total, target, confidence, words, tolerance))
    return found


def _estimate(
    subject: str, num: int, total: int, target: float, confidence: float, words: str, tolerance: float
) -> Estimate:  # fmt: skip
    low, high = (_log(end / target) for end in wilson_interval(num, total, confidence))
    value, bound = _log(num / total / target), distance_from_zero(low, high)
    found = Estimate(MEASURE, subject, value, low, high, num_synthetic=total, bound=bound, words=words)
    if bound > tolerance:
        return found
    share = MUST_BE_CAUGHT * math.exp(-tolerance) * target
    if not _can_tell(share, total, target, confidence, tolerance):
        few = f"too few rows: a share of {share:.2g}, which must be caught, cannot be told from chance"
        return replace(found, words=f"{few}; {words}", verdict="insufficient_reference")
    return replace(found, words=f"{PERHAPS_CHANCE}; {words}") if abs(value) > tolerance else found


def _can_tell(share: float, total: int, target: float, confidence: float, tolerance: float) -> bool:
    """Whether as many rows as such a group has at most, in `POWER` of cases, lie below the band with their interval."""
    most = share * total + NormalDist().inv_cdf(POWER) * math.sqrt(total * share * (1 - share))
    _, high = wilson_interval(min(total, math.ceil(most)), total, confidence)
    return -_log(high / target) > tolerance


def distance_from_zero(low: float, high: float) -> float:
    """0 if the interval holds 0, else the end that is nearer to it; NaN for an end that is no number."""
    if math.isnan(low) or math.isnan(high):
        return math.nan
    return max(0.0, low, -high)


def _log(ratio: float) -> float:
    return math.log(ratio) if ratio > 0 else -math.inf
