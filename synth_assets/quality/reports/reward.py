"""What the reward model does on these samples: what a cut lets pass, what drives the reward, and whom it agrees with.

acceptance            share of the samples whose reward is at least the threshold (arm), by leaf and over all
length_correlation    Spearman's correlation of reward and words of the response, within leaf; `all`: mean over leaves
leaf_variance_share   share of the rewards' variance that lies between leaves (eta squared)
judge_correlation     Spearman's correlation of reward and mean rank of the judges' verdicts, within leaf
auc_within_leaf       probability that a right response is rewarded above a wrong one of its leaf; needs a verifier
accepted_share        calibration: share of right (else of kept) samples in each fifth of the rewards, lowest first

Within leaf, since leaves differ in length and difficulty: over all samples the two would be confounded. Intervals of shares
are Wilson's; those over leaves draw whole leaves with replacement (`intervals.cluster_bootstrap`). Limits: judges are asked
before the reward model, and what they refuse has no reward, so their agreement is seen on accepted samples alone; a leaf in
which one of the two does not vary has no correlation and is left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from synth_assets.intervals import Floats, Indices, cluster_bootstrap, wilson_interval
from synth_assets.judging import rank_of
from synth_assets.quality.fidelity.dependence import correlation
from synth_assets.quality.privacy.membership import within_leaf_auc
from synth_assets.recipe import RewardCut
from synth_assets.records import RewardFigure, ScoredSample, SyntheticSample

#: Whether a response is right, None where nobody can say.
IsRight = Callable[[SyntheticSample], bool | None]
ALL = "all"
MIN_ROWS, MIN_OF_EACH = 10, 5
NUM_THRESHOLDS, NUM_BINS = 9, 5


@dataclass(frozen=True)
class _Row:
    leaf_path: str
    reward: float
    num_words: int
    rank: float | None
    is_right: bool | None
    is_kept: bool


@dataclass(frozen=True)
class Sampling:
    """How intervals are drawn."""

    num_draws: int
    confidence: float
    seed: int


def measure_rewards(
    samples: Sequence[SyntheticSample], scored: Sequence[ScoredSample], kept: Collection[str], cut: RewardCut,
    sampling: Sampling, is_right: IsRight | None = None,
) -> list[RewardFigure]:  # fmt: skip
    """All figures, in the order above; `kept`: ids of the samples that the filter kept. None for no scored sample."""
    rows = _rows(samples, scored, set(kept), is_right)
    if not rows:
        return []
    return [
        *_acceptance(rows, cut, sampling.confidence),
        *_over_leaves("length_correlation", "words", rows, _length_correlation, sampling),
        _leaf_variance(rows, sampling),
        *_over_leaves("judge_correlation", "judges", rows, _judge_correlation, sampling),
        *_over_leaves("auc_within_leaf", "verifier", rows, _auc, sampling),
        *_calibration(rows, sampling.confidence),
    ]


def _rows(
    samples: Sequence[SyntheticSample], scored: Sequence[ScoredSample], kept: set[str], is_right: IsRight | None
) -> list[_Row]:
    rewards = {score.synthetic_sample_id: score.reward for score in scored}
    return [
        _Row(
            sample.leaf_path, rewards[sample.synthetic_sample_id], len(sample.response.split()),
            mean(map(rank_of, sample.verdicts)) if sample.verdicts else None,
            is_right(sample) if is_right else None, sample.synthetic_sample_id in kept,
        )
        for sample in samples
        if math.isfinite(rewards.get(sample.synthetic_sample_id, math.nan))
    ]  # fmt: skip


def _by_leaf(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    leaves: dict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        leaves[row.leaf_path].append(row)
    return dict(sorted(leaves.items()))


def _acceptance(rows: Sequence[_Row], cut: RewardCut, confidence: float) -> Iterator[RewardFigure]:
    """At the recipe's own cut where it is absolute, and at evenly spaced quantiles of the rewards."""
    levels = np.linspace(0, 1, NUM_THRESHOLDS + 2)[1:-1]
    at = {float(value) for value in np.quantile([row.reward for row in rows], levels)}
    thresholds = sorted(at | ({cut.value} if cut.mode == "absolute" and cut.value is not None else set()))
    for subject, members in {ALL: rows, **_by_leaf(rows)}.items():
        for threshold in thresholds:
            accepted = [row.reward >= threshold for row in members]
            yield _share("acceptance", f"{threshold:.4g}", subject, accepted, confidence)


def _calibration(rows: Sequence[_Row], confidence: float) -> Iterator[RewardFigure]:
    """Fifths by rank of the reward, equal rewards in the order of the samples."""
    known = [row for row in rows if row.is_right is not None]
    arm, judged = ("right", known) if known else ("kept", list(rows))
    ordered = sorted(judged, key=lambda row: row.reward)
    for number in range(NUM_BINS):
        members = ordered[number * len(ordered) // NUM_BINS : (number + 1) * len(ordered) // NUM_BINS]
        if members:
            subject = f"{number + 1} of {NUM_BINS}, {members[0].reward:.3g} to {members[-1].reward:.3g}"
            good = [bool(row.is_right) if known else row.is_kept for row in members]
            yield _share("accepted_share", arm, subject, good, confidence)


def _share(metric: str, arm: str, subject: str, good: Sequence[bool], confidence: float) -> RewardFigure:
    low, high = wilson_interval(sum(good), len(good), confidence)
    return RewardFigure(metric, arm, subject, sum(good) / len(good), low, high, len(good))


def _over_leaves(
    metric: str, arm: str, rows: Sequence[_Row], statistic: Callable[[Sequence[_Row]], float], sampling: Sampling
) -> Iterator[RewardFigure]:
    """`all` first, then each leaf in which the statistic is a number; nothing where there is no such leaf."""
    found = {path: (statistic(members), len(members)) for path, members in _by_leaf(rows).items()}
    found = {path: figure for path, figure in found.items() if math.isfinite(figure[0])}
    if not found:
        return
    values = np.array([value for value, _ in found.values()])
    low, high = _interval(lambda drawn: float(values[drawn[0]].mean()), list(found), sampling)
    yield RewardFigure(metric, arm, ALL, float(values.mean()), low, high, sum(num for _, num in found.values()))
    for path, (value, num) in found.items():
        yield RewardFigure(metric, arm, path, value, None, None, num)


def _leaf_variance(rows: Sequence[_Row], sampling: Sampling) -> RewardFigure:
    paths = [row.leaf_path for row in rows]
    codes = np.unique(paths, return_inverse=True)[1]
    rewards = np.array([row.reward for row in rows])

    def share(drawn: Sequence[Indices]) -> float:
        return _eta_squared(rewards[drawn[0]], codes[drawn[0]])

    value = _eta_squared(rewards, codes)
    low, high = _interval(share, paths, sampling)
    return RewardFigure("leaf_variance_share", "leaf", ALL, _number(value), low, high, len(rows))


def _interval(
    statistic: Callable[[Sequence[Indices]], float],
    leaves: Sequence[str],
    sampling: Sampling,
) -> tuple[float | None, float | None]:
    """None for fewer than two leaves: nothing can be drawn anew."""
    if len(set(leaves)) < 2:
        return None, None
    low, high = cluster_bootstrap(
        statistic, [leaves], num_draws=sampling.num_draws, confidence=sampling.confidence, seed=sampling.seed
    )
    return _number(low), _number(high)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _eta_squared(rewards: Floats, codes: Indices) -> float:
    """Sum of squares between leaves over the whole; NaN where all rewards are the same."""
    total = float(((rewards - rewards.mean()) ** 2).sum())
    counts, sums = np.bincount(codes), np.bincount(codes, weights=rewards)
    there = counts > 0
    between = float((counts[there] * (sums[there] / counts[there] - rewards.mean()) ** 2).sum())
    return between / total if total else math.nan


def _length_correlation(rows: Sequence[_Row]) -> float:
    return _spearman([row.reward for row in rows], [float(row.num_words) for row in rows])


def _judge_correlation(rows: Sequence[_Row]) -> float:
    judged = [(row.reward, row.rank) for row in rows if row.rank is not None]
    return _spearman([reward for reward, _ in judged], [rank for _, rank in judged])


def _spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """NaN for fewer than MIN_ROWS rows, and where one of the two does not vary."""
    if len(one) < MIN_ROWS or min(len(set(one)), len(set(other))) < 2:
        return math.nan
    return correlation(np.array(one), np.array(other), "spearman")


def _auc(rows: Sequence[_Row]) -> float:
    """Ties half; NaN for fewer than MIN_OF_EACH right or wrong ones."""
    right = np.array([row.reward for row in rows if row.is_right is True])
    wrong = np.array([row.reward for row in rows if row.is_right is False])
    return within_leaf_auc([(right, wrong)]) if min(len(right), len(wrong)) >= MIN_OF_EACH else math.nan
