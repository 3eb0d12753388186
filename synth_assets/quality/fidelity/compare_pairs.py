"""Correlations and associations, a pair of columns at a time; see `compare` for what is held against the tolerance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from synth_assets.quality.estimates import Estimate
from synth_assets.quality.fidelity.columns import Floats, Indices, to_numbers
from synth_assets.quality.fidelity.comparison import Comparison
from synth_assets.quality.fidelity.dependence import (
    cell_similarity,
    cells_of,
    correlation_matrix,
    number_cells,
    rank,
    to_codes,
)
from synth_assets.quality.fidelity.resampling import Side, basic


@dataclass(frozen=True)
class _Codes:
    """A column of the three tables as codes; `held_out` is not looked at where there is no holdout."""

    real: Indices
    made: Indices
    held_out: Indices
    num_codes: int


def compare_correlations(at_hand: Comparison, names: Sequence[str]) -> list[Estimate]:
    columns = [[to_numbers(frame[name]) for name in names] for frame in (at_hand.reference, at_hand.synthetic)]
    real, made = (correlation_matrix(each, "spearman") for each in columns)
    drawn_real, drawn_made = (draw_correlations(*pair) for pair in zip(at_hand.sides, columns, strict=True))
    chance = _draw_chance(at_hand, names, columns[0])
    estimates = []
    for low, high in combinations(range(len(names)), 2):
        pair, subject = (names[low], names[high]), f"{names[low]} ~ {names[high]}"
        value = float(abs(made[low, high] - real[low, high]))
        draws = drawn_made[:, low, high] - drawn_real[:, low, high]
        by_chance = None if chance is None else chance[:, low, high]
        found = at_hand.too_few("correlation", subject, pair) or at_hand.too_alike("correlation", subject, pair)
        num_together = len(names) * (len(names) - 1) // 2
        estimates.append(found or at_hand.difference("correlation", subject, value, [draws], num_together, by_chance))
    return estimates


def _draw_chance(at_hand: Comparison, names: Sequence[str], real: Sequence[Floats]) -> Floats | None:
    """Draws of what the coefficients of two real samples differ by; None without a holdout."""
    if at_hand.holdout is None or at_hand.real_sides is None or not at_hand.holdout.height:
        return None
    held_out = [to_numbers(at_hand.holdout[name]) for name in names]
    drawn = [draw_correlations(*pair) for pair in zip(at_hand.real_sides, (real, held_out), strict=True)]
    return at_hand.as_of_synthetic(drawn[1] - drawn[0])


def draw_correlations(side: Side, columns: Sequence[Floats]) -> Floats:
    """Pearson's coefficient of the ranks of all rows, each pair over the rows that have both: (num_draws, k, k)."""
    if not columns or not len(columns[0]):
        return np.full((len(side.weights), len(columns), len(columns)), np.nan)
    with np.errstate(all="ignore"):
        ranks = np.stack([rank(column) for column in columns], axis=1)
        is_there = ~np.isnan(ranks)
        ranks = np.where(is_there, ranks / len(ranks) - 0.5, 0.0)
        there = is_there.astype(np.float64)
        counts, sums = side.draw_products(there, there), side.draw_products(ranks, there)
        squares, products = side.draw_products(ranks**2, there), side.draw_products(ranks, ranks)
        variances = squares - sums**2 / counts
        covariances = products - sums * sums.transpose(0, 2, 1) / counts
        both = variances * variances.transpose(0, 2, 1)
        return np.where(both > 0, covariances / np.sqrt(both), np.nan)


def compare_associations(at_hand: Comparison, names: Sequence[str]) -> list[Estimate]:
    coded = {name: _code(at_hand, name) for name in names}
    pairs = list(combinations(names, 2))
    return [_association(at_hand, pair, coded, len(pairs)) for pair in pairs]


def _code(at_hand: Comparison, name: str) -> _Codes:
    """Codes of the reference, the synthetic and the holdout's rows, by one key."""
    tables = (at_hand.synthetic, at_hand.holdout) if at_hand.holdout is not None else (at_hand.synthetic,)
    codes, num_codes = to_codes(at_hand.reference[name], *(table[name] for table in tables))
    return _Codes(codes[0], codes[1], codes[-1], num_codes)


def _association(at_hand: Comparison, pair: tuple[str, str], coded: Mapping[str, _Codes], num_together: int) -> Estimate:
    subject = " ~ ".join(pair)
    if few := at_hand.too_few("pair_association", subject, pair):
        return few
    first, second = (coded[name] for name in pair)
    num_cells = first.num_codes * second.num_codes
    real = cells_of(first.real, second.real, second.num_codes)
    made = cells_of(first.made, second.made, second.num_codes)
    value = cell_similarity(real, made, num_cells)
    interval, draws = (math.nan, math.nan), np.full(1, math.nan)
    if len(made):
        cells, *numbered = number_cells(real, made, num_cells)
        shares = [side.shares(each, len(cells)) for side, each in zip(at_hand.sides, numbered, strict=True)]
        draws = 1 - np.abs(shares[0] - shares[1]).sum(axis=1) / 2
        interval = basic(value, value, draws, at_hand.confidence)
    if at_hand.holdout is None:
        found = at_hand.estimate("pair_association", subject, value, interval, value)
        why = "no real holdout, so what two real samples differ by is not known"
        return found if math.isnan(value) else replace(found, words=why, verdict="not_assessed")
    held_out = cells_of(first.held_out, second.held_out, second.num_codes)
    gap = at_hand.gap(made, held_out, lambda cells: cell_similarity(real, cells, num_cells), draws, num_together)
    return at_hand.estimate("pair_association", subject, value, interval, gap.size, gap.words)
