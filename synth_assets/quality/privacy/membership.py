"""Membership attacks on the tuned student: do likelihoods tell rows that it was trained on from rows that it was not?

Two attacks, each a score that is higher for what looks like a training row:

- `calibrated_loss`: mean loss under the base minus mean loss under the student. The base takes away what is easy for any
  model (L. Watson et al. 2022, arXiv 2111.08440; the reference attack of N. Carlini et al. 2021, arXiv 2012.07805);
- `min_k`: mean log-probability of the 20 % least likely tokens (Min-K%, W. Shi et al. 2024, arXiv 2310.16789), without a
  base to compare with.

Rows of one leaf are compared with rows of the same leaf alone: were members and others of other leaves, easy leaves would
look like membership. Both must come of one distribution, as training and validation rows of one mix do.

A third figure is a control: `min_k` under the *base*, which has seen neither. Where that is not 0.5, members and others
differ in something else, and the attacks' figures mean nothing (M. Duan et al. 2024, arXiv 2402.07841).

An attack that finds nothing shows that this attack finds nothing; it is no proof of privacy. So the severity is warn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient
from synth_assets.roles import TokenLogprobs

Floats = NDArray[np.float64]
AUC, TPR, CONTROL = "membership_auc", "membership_tpr_at_1_fpr", "membership_control_auc"
FALSE_POSITIVES = 0.01


@dataclass(frozen=True)
class RowLikelihoods:
    """What the tuned student and its base make of one row's response."""

    leaf_path: str
    student: TokenLogprobs
    base: TokenLogprobs


def calibrated_loss(row: RowLikelihoods) -> float:
    """Nats per token that the base finds the response harder than the student does."""
    return row.base.mean_loss - row.student.mean_loss


def min_k_logprob(row: RowLikelihoods, share: float = 0.2) -> float:
    """Mean log-probability of the least likely `share` of the response's tokens, one at least; under the student."""
    return _lowest(row.student, share)


def _lowest(tokens: TokenLogprobs, share: float = 0.2) -> float:
    logprobs = sorted(tokens.logprobs)
    lowest = logprobs[: max(1, math.floor(share * len(logprobs)))]
    return math.fsum(lowest) / len(lowest)


ATTACKS = {"calibrated_loss": calibrated_loss, "min_k": min_k_logprob}


def attack_student(
    members: Sequence[RowLikelihoods], others: Sequence[RowLikelihoods], *, num_draws: int = 1000,
    confidence: float = 0.95, least: int = MIN_REFERENCE, seed: int = 0,
) -> list[Estimate]:  # fmt: skip
    """AUC and true positives at 1 % false ones, of each attack (`subject`), and the control's AUC; all at_most, and warn.

    `members`: training rows; `others`: rows of the same leaves that were held out. The bound is `ci_low`: what is shown to
    leak. An AUC of 0.5 and a TPR of 0.01 are chance. The control's bound is how far its interval lies from 0.5.
    `num_reference` counts the others, `num_synthetic` the members, of leaves that have both. insufficient_reference below
    `least` rows on either side.
    """
    estimates = []
    for name, score in ATTACKS.items():
        scores = tuple(np.array([score(row) for row in rows], dtype=np.float64) for rows in (members, others))
        leaves = tuple([row.leaf_path for row in rows] for rows in (members, others))
        estimates += membership_estimates(
            name, scores[0], leaves[0], scores[1], leaves[1], num_draws=num_draws, confidence=confidence, least=least,
            seed=seed,
        )  # fmt: skip
    known = [np.array([_lowest(row.base) for row in rows], dtype=np.float64) for rows in (members, others)]
    control, _ = membership_estimates(
        "base_min_k", known[0], [row.leaf_path for row in members], known[1], [row.leaf_path for row in others],
        num_draws=num_draws, confidence=confidence, least=least, seed=seed,
    )  # fmt: skip
    return [*estimates, _as_control(control)]


def _as_control(auc: Estimate) -> Estimate:
    if auc.ci_low is None or auc.ci_high is None:
        return replace(auc, measure=CONTROL)
    distance = auc.value if math.isnan(auc.value) else max(0.0, auc.ci_low - 0.5, 0.5 - auc.ci_high)
    return replace(auc, measure=CONTROL, bound=distance)


def membership_estimates(
    attack: str, members: Floats, member_leaves: Sequence[str], others: Floats, other_leaves: Sequence[str], *,
    num_draws: int = 1000, confidence: float = 0.95, least: int = MIN_REFERENCE, seed: int = 0,
) -> list[Estimate]:  # fmt: skip
    """The same from scores, one a row and higher for members; rows are drawn within leaf and side for the intervals.

    Scores that are no numbers make the estimate one as well (not_computable), and are never left out in silence.
    """
    leaves = _by_leaf(members, member_leaves, others, other_leaves)
    num_members, num_others = (sum(len(leaf[side]) for leaf in leaves) for side in (0, 1))
    if min(num_members, num_others) < least:
        return [insufficient(measure, attack, num_others, num_members, least) for measure in (AUC, TPR)]
    rng = np.random.default_rng(seed)
    drawn = [_drawn(leaves, rng) for _ in range(num_draws)]
    estimates = []
    for measure, statistic in ((AUC, within_leaf_auc), (TPR, true_positive_rate)):
        value = statistic(leaves)
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        low, high = np.quantile([statistic(each) for each in drawn], tails) if math.isfinite(value) else (math.nan,) * 2
        estimates.append(
            Estimate(measure, attack, value, float(low), float(high), num_others, num_members, bound=float(low))
        )
    return estimates


Leaf = tuple[Floats, Floats]


def within_leaf_auc(leaves: Sequence[Leaf]) -> float:
    """Chance that a member scores above another row of its leaf, ties counting half; each leaf weighs mn / (m + n).

    That is van Elteren's stratified Wilcoxon statistic (1960, Bull. Inst. Int. Stat. 37:351). NaN where a score is none.
    """
    total = weights = 0.0
    for members, others in leaves:
        if np.isnan(members).any() or np.isnan(others).any():
            return math.nan
        ordered = np.sort(others)
        below = np.searchsorted(ordered, members, "left") + np.searchsorted(ordered, members, "right")
        weight = len(members) * len(others) / (len(members) + len(others))
        total += weight * float(below.mean()) / 2 / len(others)
        weights += weight
    return total / weights


def true_positive_rate(leaves: Sequence[Leaf], false_positives: float = FALSE_POSITIVES) -> float:
    """Share of members above the score that at most that share of the others lies above (N. Carlini et al. 2022, arXiv
    2112.03570: what an attack finds with certainty counts, not what it finds on average).

    Scores are taken relative to the mean of their leaf, members and others alike. NaN where a score is none.
    """
    centred = [(members - centre, others - centre) for members, others in leaves for centre in [_centre(members, others)]]
    ordered = np.sort(np.concatenate([others for _, others in centred]))
    if np.isnan(ordered).any() or any(np.isnan(members).any() for members, _ in centred):
        return math.nan
    limit = ordered[len(ordered) - 1 - math.floor(false_positives * len(ordered))]
    return float((np.concatenate([members for members, _ in centred]) > limit).mean())


def _centre(members: Floats, others: Floats) -> float:
    return float(np.concatenate([members, others]).mean())


def _by_leaf(
    members: Floats, member_leaves: Sequence[str], others: Floats, other_leaves: Sequence[str]
) -> list[Leaf]:  # fmt: skip
    """Scores of members and others of each leaf that has both."""
    rows: dict[str, tuple[list[float], list[float]]] = {}
    for side, (scores, leaves) in enumerate(((members, member_leaves), (others, other_leaves))):
        for score, leaf in zip(scores, leaves, strict=True):
            rows.setdefault(leaf, ([], []))[side].append(float(score))
    return [(np.array(a), np.array(b)) for _, (a, b) in sorted(rows.items()) if a and b]


def _drawn(leaves: Sequence[Leaf], rng: np.random.Generator) -> list[Leaf]:
    return [
        (members[rng.integers(len(members), size=len(members))], others[rng.integers(len(others), size=len(others))])
        for members, others in leaves
    ]
