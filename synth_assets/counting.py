"""Rows in, and rows out: counted by leaf, and held against one another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from synth_assets.records import RejectedSample, StageCounts


def count_by_leaf(
    stage: str, num_in: Mapping[str, int], kept: Iterable[Any], turned_away: Iterable[RejectedSample]
) -> list[StageCounts]:
    """By leaf path; `num_in` is counted where rows go in. Raises CountsError if a row was lost or made up."""
    num_kept = Counter(row.leaf_path for row in kept)
    ended = Counter((row.leaf_path, row.outcome) for row in turned_away)
    paths = sorted({*num_in, *num_kept, *(path for path, _ in ended)})
    return [
        StageCounts(stage, path, num_in.get(path, 0), num_kept[path], ended[path, "rejected"], ended[path, "failed"]).check()
        for path in paths
    ]


def counts_or_zero(stage: str, leaf_path: str, counts: Sequence[StageCounts]) -> list[StageCounts]:
    """The counts; where no row went in at all, one of that path that says so."""
    return list(counts) or [StageCounts(stage, leaf_path, 0, 0, 0, 0)]


def sum_counts(stage: str, counts: Iterable[StageCounts]) -> StageCounts:
    """Over all leaves."""
    columns = zip(*(astuple(each)[2:] for each in counts), strict=True)
    return StageCounts(stage, "", *([sum(column) for column in columns] or [0, 0, 0, 0]))
