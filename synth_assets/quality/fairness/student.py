"""Does the student answer questions on every group alike?

A gap may come from harder questions on one group, so this is a figure to look into. With fewer than 400 questions a group a
gap of ten points is within chance (each interval is +-5 points wide at best): then the figure is shown, and is no verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from synth_assets.intervals import wilson_interval
from synth_assets.quality.estimates import Estimate, insufficient, not_assessed
from synth_assets.quality.fairness.groups import UNDECLARED, assign_groups, name_rows
from synth_assets.recipe.trust import GroupAttribute

GAP = "student_accuracy_gap"
WORST = "student_accuracy_worst_ratio"
LEAST = 400


def estimate_accuracy(
    attributes: dict[str, GroupAttribute],
    texts: Sequence[str],
    question_ids: Sequence[str],
    are_right: Sequence[bool],
    *,
    confidence: float = 0.95,
    least: int = LEAST,
) -> list[Estimate]:
    """`student_accuracy_gap`, max - min over groups (at_most), and worst group over the mean of groups (at_least).

    The gap's interval is R. Newcombe's (1998, Stat. Med. 17:873, method 10) for the best and the worst group, and `bound`
    its lower end: a gap fails only where it is shown. Which groups those are is read off the data, so among many equal
    groups the gap is somewhat too large. Below `least` questions in a group the figures stand beside insufficient_reference.
    """
    if not attributes:
        return [not_assessed(measure, "all", UNDECLARED) for measure in (GAP, WORST)]
    found = []
    for name, attribute in attributes.items():
        groups = assign_groups(texts, attribute).groups
        rows: dict[str, list[bool]] = {group: [] for group in attribute.groups}
        wrong: dict[str, list[str]] = {group: [] for group in attribute.groups}
        for group, question, is_right in zip(groups, question_ids, are_right, strict=True):
            if group is not None:
                rows[group].append(is_right)
                wrong[group] += [] if is_right else [question]
        found += _of_attribute(name, rows, wrong, confidence, least)
    return found


def _of_attribute(
    name: str, rows: dict[str, list[bool]], wrong: dict[str, list[str]], confidence: float, least: int
) -> list[Estimate]:
    fewest = min(len(each) for each in rows.values())
    short = {measure: insufficient(measure, name, fewest, fewest, least) for measure in (GAP, WORST)}
    if fewest == 0:
        return list(short.values())
    shares = {group: sum(each) / len(each) for group, each in rows.items()}
    best, worst = max(shares, key=lambda group: shares[group]), min(shares, key=lambda group: shares[group])
    mean = sum(shares.values()) / len(shares)
    gap = shares[best] - shares[worst]
    ratio = shares[worst] / mean if mean > 0 else math.nan
    if fewest < least:
        return [replace(short[GAP], value=gap), replace(short[WORST], value=ratio)]
    low, high = _newcombe(sum(rows[best]), len(rows[best]), sum(rows[worst]), len(rows[worst]), confidence)
    told = ", ".join(f"{group} {sum(each)} of {len(each)}" for group, each in rows.items())
    words = f"right: {told}; {worst} wrong: {name_rows(wrong[worst]) or 'none'}"
    return [
        Estimate(GAP, name, gap, low, high, fewest, fewest, bound=low, words=words),
        Estimate(WORST, name, ratio, num_reference=fewest, num_synthetic=fewest, words=words),
    ]


def _newcombe(right: int, num: int, other_right: int, other_num: int, confidence: float) -> tuple[float, float]:
    """Interval of the difference of two proportions from the Wilson intervals of each."""
    first, second = right / num, other_right / other_num
    low, high = wilson_interval(right, num, confidence)
    other_low, other_high = wilson_interval(other_right, other_num, confidence)
    gap = first - second
    return gap - math.hypot(first - low, other_high - second), gap + math.hypot(high - first, second - other_low)
