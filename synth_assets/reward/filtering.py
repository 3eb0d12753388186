"""The filter: reward cut, overlap with what is held out, refusals, exact duplicates, near-duplicates, in this order.

A sample leaves with the first reason that holds. Of duplicates the better rewarded stays; equal rewards are decided by
the sample's id, so that the outcome does not depend on the order of the rows. Near-duplicates are taken greedily in that
order: a sample is compared with those that stay, never with one that was itself rejected. What is refused, and why, is
given: what rows give away is for others to judge. Duplicates are looked for among the texts as they would be kept: two that
differ in nothing but a redacted value are one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TypeVar

from synth_assets.counting import count_by_leaf, sum_counts
from synth_assets.errors import CountsError
from synth_assets.recipe import FilterSection, RewardCut
from synth_assets.records import (
    REFUSAL_REASONS,
    BenchmarkQuestion,
    KeptSample,
    RealExample,
    Refusals,
    RejectedSample,
    ScoredSample,
    StageCounts,
    SyntheticSample,
    area_path,
    is_generated,
)
from synth_assets.reward.benchmark_overlap import BenchmarkIndex
from synth_assets.reward.duplicates import NearDuplicateIndex, text_key
from synth_assets.reward.scoring import NOT_FINITE, rejected_row

STAGE = "filter"
LOW_REWARD = "low_reward"
BENCHMARK_OVERLAP = "benchmark_overlap"
EXACT_DUPLICATE = "exact_duplicate"
NEAR_DUPLICATE = "near_duplicate"
REASONS = (LOW_REWARD, BENCHMARK_OVERLAP, *REFUSAL_REASONS, EXACT_DUPLICATE, NEAR_DUPLICATE)

RowT = TypeVar("RowT", SyntheticSample, RejectedSample)
Pair = tuple[SyntheticSample, ScoredSample]


NO_REFUSALS = Refusals()


@dataclass(frozen=True)
class FilterOutcome:
    """A scored sample is in exactly one of the two lists, both in the order of the samples given."""

    kept: list[KeptSample]
    rejected: list[RejectedSample]
    leaf_counts: list[StageCounts]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


def filter_samples(
    samples: Sequence[SyntheticSample],
    scored: Sequence[ScoredSample],
    cut: RewardCut,
    filter_settings: FilterSection,
    benchmark_questions: Iterable[BenchmarkQuestion],
    refusals: Refusals = NO_REFUSALS,
    holdout: Iterable[RealExample] = (),
) -> FilterOutcome:
    """Decide over every scored sample. A sample without a score has failed before and is not counted here.

    `holdout`: real rows; a sample that is one of them goes with what overlaps the benchmark. A reward that is no finite
    number is `failed`. Raises CountsError for a score without its sample, or a second score.
    """
    pairs = _pair(samples, scored)
    ended: dict[str, RejectedSample] = {}
    alive = sorted(pairs, key=lambda pair: (-pair[1].reward, pair[1].synthetic_sample_id))
    alive = _drop(alive, ended, lambda pair: "" if math.isfinite(pair[1].reward) else "no finite number", NOT_FINITE)
    alive = _cut_by_reward(alive, ended, cut)
    benchmark = BenchmarkIndex(benchmark_questions, filter_settings.overlap_ngram, holdout)
    alive = _drop(alive, ended, lambda pair: _overlap(benchmark, pair[0]), BENCHMARK_OVERLAP)
    for reason in REFUSAL_REASONS:
        alive = _drop(alive, ended, partial(_refused, refusals, reason), reason)
    alive = [(_rewritten(sample, refusals), score) for sample, score in alive]
    alive = _drop(alive, ended, _exact_duplicate_of(), EXACT_DUPLICATE)
    alive = _drop(alive, ended, _near_duplicate_of(filter_settings.near_duplicate_threshold), NEAR_DUPLICATE)
    kept = [_kept(_rewritten(sample, refusals), score) for sample, score in pairs if sample.synthetic_sample_id not in ended]
    rejected = [
        _rewritten(ended[sample.synthetic_sample_id], refusals) for sample, _ in pairs if sample.synthetic_sample_id in ended
    ]
    num_in = Counter(score.leaf_path for score in scored)
    return FilterOutcome(kept, rejected, count_by_leaf(STAGE, num_in, kept, rejected))


def _pair(samples: Sequence[SyntheticSample], scored: Sequence[ScoredSample]) -> list[Pair]:
    """Samples with their scores, in the order of the samples."""
    scores = {score.synthetic_sample_id: score for score in scored}
    by_id = {sample.synthetic_sample_id: sample for sample in samples}
    orphans = sorted(set(scores) - set(by_id))
    if orphans or len(scores) != len(scored) or len(by_id) != len(samples):
        raise CountsError(
            "scores and samples do not match one to one",
            value=orphans or f"{len(scored)} scores, {len(samples)} samples: some id occurs twice",
            remedy="score the samples of this run again (materialize scored samples and the filtered set together)",
        )
    return [(sample, scores[name]) for name, sample in by_id.items() if name in scores]


def _drop(pairs: list[Pair], ended: dict[str, RejectedSample], detail_of: Callable[[Pair], str], reason: str) -> list[Pair]:
    """The pairs for which `detail_of` has nothing to say; the others end with the reason."""
    alive = []
    for pair in pairs:
        if detail := detail_of(pair):
            row = rejected_row(pair[0], STAGE, reason, detail, is_failure=reason == NOT_FINITE)
            ended[pair[0].synthetic_sample_id] = row
        else:
            alive.append(pair)
    return alive


def _cut_by_reward(pairs: list[Pair], ended: dict[str, RejectedSample], cut: RewardCut) -> list[Pair]:
    """`pairs` come best first. leaf_quantile drops floor(share x n) of a leaf's n finite rewards, none drops none.

    Generated topics have few rows each, of which a share would often be none: their areas count as their leaves.
    """
    limit = cut.value
    if limit is None:
        return pairs
    if cut.mode == "absolute":
        return _drop(pairs, ended, lambda pair: _below(pair[1].reward, limit), LOW_REWARD)
    leaves: dict[str, list[str]] = {}
    for sample, _ in pairs:
        leaves.setdefault(_ranked_with(sample), []).append(sample.synthetic_sample_id)
    dropped = {name for names in leaves.values() for name in names[len(names) - math.floor(limit * len(names)) :]}

    def detail_of(pair: Pair) -> str:
        if pair[0].synthetic_sample_id not in dropped:
            return ""
        of_what = "leaf" if _ranked_with(pair[0]) == pair[0].leaf_path else "area"
        return f"reward {pair[1].reward:.4f} is among the lowest {limit:.0%} of its {of_what}"

    return _drop(pairs, ended, detail_of, LOW_REWARD)


def _ranked_with(sample: SyntheticSample) -> str:
    """The path of those among whom the sample's reward has its place; what has no seeds was made from a topic."""
    is_prompted = not sample.seed_example_ids and is_generated(sample.leaf_path)
    return area_path(sample.leaf_path) if is_prompted else sample.leaf_path


def _refused(refusals: Refusals, of_reason: str, pair: Pair) -> str:
    reason, detail = refusals.refused.get(pair[0].synthetic_sample_id, ("", ""))
    return detail if reason == of_reason else ""


def _rewritten(row: RowT, refusals: Refusals) -> RowT:
    """Without what was found in it, whatever it was rejected for: a table of rejected rows is read and shown as well."""
    texts = refusals.rewritten.get(row.synthetic_sample_id)
    return row if texts is None else replace(row, **asdict(texts))


def _overlap(benchmark: BenchmarkIndex, sample: SyntheticSample) -> str:
    return benchmark.overlap(sample.context, sample.instruction, sample.response)


def _below(reward: float, limit: float) -> str:
    return f"reward {reward:.4f} is below {limit:.4f}" if reward < limit else ""


def _exact_duplicate_of() -> Callable[[Pair], str]:
    seen: dict[tuple[str, ...], str] = {}

    def detail_of(pair: Pair) -> str:
        first = seen.setdefault(text_key(pair[0]), pair[0].synthetic_sample_id)
        return f"the same texts as {first}" if first != pair[0].synthetic_sample_id else ""

    return detail_of


def _near_duplicate_of(threshold: float) -> Callable[[Pair], str]:
    index = NearDuplicateIndex(threshold)

    def detail_of(pair: Pair) -> str:
        found = index.nearest(pair[0])
        return f"Jaccard similarity {found[0]:.3f} to {found[1]}" if found else ""

    return detail_of


def _kept(sample: SyntheticSample, score: ScoredSample) -> KeptSample:
    return KeptSample(
        synthetic_sample_id=sample.synthetic_sample_id,
        leaf_node_id=sample.leaf_node_id,
        leaf_path=sample.leaf_path,
        branch=sample.branch,
        context=sample.context,
        instruction=sample.instruction,
        response=sample.response,
        reward=score.reward,
        generation_depth=sample.generation_depth,
        synthetic_ancestry=sample.synthetic_ancestry,
    )
