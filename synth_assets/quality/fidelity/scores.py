"""A whole table as SDMetrics 0.32 scores it: QualityReport (shapes, pair trends) and DiagnosticReport (validity, structure).

The scores are widely known, so they are reported, to 1e-9 the same; the gates are others, since these are lenient. Where
SDMetrics has ways of its own, this follows them, and only here:

- a synthetic category without a real row counts as one with a millionth of a row,
- in a pair of a number and a category, each table's numbers are binned over their own range, with ten bins, and
  what reaches the last edge falls in with the missing ones,
- pairs count only if the real rows are correlated beyond .5 (Pearson) or associated beyond .3 (Cramér's V),
- texts take no part.

Two differences remain. SDMetrics draws 50,000 rows, differently each time, for pairs of categories (`num_rows_subsample`);
here all are taken. And the structure compares types as Polars reads them, which knows more types than pandas.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from synth_assets.quality.fidelity.columns import (
    NUM_BINS,
    Floats,
    Indices,
    Kind,
    bin_edges,
    count_codes,
    share_codes,
    to_bins,
    to_numbers,
)
from synth_assets.quality.fidelity.dependence import (
    cell_similarity_of,
    cells_of,
    correlation_matrix,
    count_cells,
    cramers_v_of,
)
from synth_assets.quality.fidelity.marginals import (
    SDMETRICS_UNSEEN,
    boundary_adherence_of,
    category_adherence_of,
    category_coverage_of,
    missing_value_similarity,
    range_coverage_of,
    rounded_ks_complement_of,
    tv_complement_of,
)

MIN_CORRELATION = 0.5
MIN_ASSOCIATION = 0.3
Pair = tuple[Floats, Floats]
Measure = Callable[[Floats, Floats], float]
Codes = tuple[list[Indices], int]


@dataclass(frozen=True)
class Score:
    """One measure of one column, or of a pair ("a ~ b"). `counts`: it enters the table's score."""

    measure: str
    subject: str
    value: float
    counts: bool = True


@dataclass(frozen=True)
class TableScores:
    """Means over columns and pairs, in [0, 1]; NaN where nothing counts."""

    column_shapes: float
    column_pair_trends: float
    quality: float
    data_validity: float
    data_structure: float
    diagnostic: float
    details: tuple[Score, ...]


def score_tables(reference: pl.DataFrame, synthetic: pl.DataFrame, kinds: Mapping[str, Kind]) -> TableScores:
    """Scores over the columns of `kinds`, which both tables hold.

    Each column is turned into numbers or codes once, and each pair of columns counted once, for all measures.
    """
    categories = [name for name, kind in kinds.items() if kind == "categorical"]
    numbers = {
        name: (to_numbers(reference[name]), to_numbers(synthetic[name]))
        for name, kind in kinds.items() if kind in ("numeric", "date")
    }  # fmt: skip
    coded = {name: _code(pair) for name, pair in numbers.items()}
    coded |= {name: share_codes(reference[name], synthetic[name]) for name in categories}
    counted = {name: _count(coded[name]) for name in categories}
    shapes = [
        *_of_numbers("KSComplement", rounded_ks_complement_of, numbers),
        *(Score("TVComplement", name, tv_complement_of(*each, unseen=SDMETRICS_UNSEEN)) for name, each in counted.items()),
    ]
    validity = [
        *_of_numbers("BoundaryAdherence", boundary_adherence_of, numbers),
        *(Score("CategoryAdherence", name, category_adherence_of(*each)) for name, each in counted.items()),
    ]
    others = [
        *_of_numbers("RangeCoverage", range_coverage_of, numbers),
        *(Score("CategoryCoverage", name, category_coverage_of(*each)) for name, each in counted.items()),
        *(
            Score("MissingValueSimilarity", name, missing_value_similarity(reference[name], synthetic[name]))
            for name in [*numbers, *categories]
        ),
    ]
    order = [name for name, kind in kinds.items() if kind != "text"]
    pairs = [*_correlation_scores(numbers), *_contingency_scores(coded, order, set(numbers))]
    shape, pair, valid = _mean(shapes), _mean(pairs), _mean(validity)
    structure = _structure(reference, synthetic)
    quality, diagnostic = _mean_of([shape, pair]), _mean_of([valid, structure])
    return TableScores(shape, pair, quality, valid, structure, diagnostic, (*shapes, *pairs, *validity, *others))


def _of_numbers(name: str, measure: Measure, numbers: Mapping[str, Pair]) -> list[Score]:
    return [Score(name, column, measure(real, made)) for column, (real, made) in numbers.items()]


def _correlation_scores(numbers: Mapping[str, Pair]) -> list[Score]:
    names = list(numbers)
    real, made = (correlation_matrix([pair[side] for pair in numbers.values()], "pearson") for side in (0, 1))
    return [
        Score(
            "CorrelationSimilarity",
            f"{names[low]} ~ {names[high]}",
            float(1 - abs(real[low, high] - made[low, high]) / 2),
            bool(abs(real[low, high]) > MIN_CORRELATION),
        )
        for low, high in combinations(range(len(names)), 2)
    ]


def _contingency_scores(coded: Mapping[str, Codes], names: Sequence[str], numbers: set[str]) -> list[Score]:
    scores = []
    room: list[Indices] | None = None  # for the cells of the two tables: new memory for each pair takes longer than counting
    for first, second in combinations(names, 2):
        if first in numbers and second in numbers:
            continue
        (first_codes, num_first), (second_codes, num_second) = coded[first], coded[second]
        room = room or [np.empty(len(each), dtype=np.int64) for each in first_codes]
        real, made = (cells_of(first_codes[at], second_codes[at], num_second, room[at]) for at in (0, 1))
        cells, real_counts, made_counts = count_cells(real, made, num_first * num_second)
        value = cell_similarity_of(real_counts, made_counts)
        association = cramers_v_of(cells, real_counts, num_second)
        scores.append(Score("ContingencySimilarity", f"{first} ~ {second}", value, association > MIN_ASSOCIATION))
    return scores


def _code(pair: Pair) -> Codes:
    return [to_bins(each, bin_edges(each), is_open=False) for each in pair], NUM_BINS + 2


def _count(coded: Codes) -> tuple[Floats, Floats]:
    (real, made), num_codes = coded
    return count_codes(real, num_codes), count_codes(made, num_codes)


def _structure(reference: pl.DataFrame, synthetic: pl.DataFrame) -> float:
    """Columns of the same name and type, as a share of all."""
    real, made = (set(zip(frame.columns, map(str, frame.dtypes), strict=True)) for frame in (reference, synthetic))
    return len(real & made) / len(real | made) if real | made else math.nan


def _mean(scores: Sequence[Score]) -> float:
    return _mean_of([score.value for score in scores if score.counts])


def _mean_of(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return float(np.mean(there)) if there else math.nan
