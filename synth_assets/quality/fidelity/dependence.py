"""Two columns at a time: correlations of numbers, associations of categories.

Ranks are those of Polars, mean ranks for ties. Missing values are left out pair by pair, and ranks are then taken anew in
that pair. CorrelationSimilarity, 1 - |difference| / 2, is SDMetrics' and lenient: .6 against .4 still scores .9; the gates
look at the difference itself.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import polars as pl

from synth_assets.quality.fidelity.columns import (
    NUM_BINS,
    Floats,
    Indices,
    bin_edges,
    count_codes,
    share_codes,
    to_bins,
    to_numbers,
)

Coefficient = Literal["pearson", "spearman"]
_MAX_CELLS = 4_000_000
"""Beyond so many cells only those that hold rows are counted."""


def rank(numbers: Floats) -> Floats:
    """Mean ranks from 1; NaN where missing."""
    return pl.Series(numbers).fill_nan(None).rank("average").cast(pl.Float64).fill_null(np.nan).to_numpy()


def correlation_matrix(columns: list[Floats], coefficient: Coefficient) -> Floats:
    """Shape (k, k). NaN where a column is constant, holds infinite numbers, or fewer than two rows are complete."""
    if not columns:
        return np.empty((0, 0))
    matrix = np.full((len(columns), len(columns)), np.nan)
    whole = [at for at, column in enumerate(columns) if not np.isnan(column).any()]
    if whole and len(columns[0]) > 1:
        ranked = [rank(columns[at]) if coefficient == "spearman" else columns[at] for at in whole]
        matrix[np.ix_(whole, whole)] = _correlate(np.stack(ranked))
    for low in range(len(columns)):
        for high in range(low, len(columns)):
            if low not in whole or high not in whole:
                matrix[low, high] = matrix[high, low] = correlation(columns[low], columns[high], coefficient)
    return matrix


def correlation(first: Floats, second: Floats, coefficient: Coefficient) -> float:
    """Of the rows in which neither is missing."""
    is_there = ~(np.isnan(first) | np.isnan(second))
    first, second = first[is_there], second[is_there]
    if len(first) < 2:
        return math.nan
    if coefficient == "spearman":
        first, second = rank(first), rank(second)
    return float(_correlate(np.stack([first, second]))[0, 1])


def _correlate(columns: Floats) -> Floats:
    """(k, rows) -> (k, k)."""
    with np.errstate(invalid="ignore", over="ignore"):
        centred = columns - columns.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.einsum("ij,ij->i", centred, centred))
        norms[(columns.min(axis=1) == columns.max(axis=1)) | ~np.isfinite(norms)] = np.nan
        correlations: Floats = np.clip(centred @ centred.T / np.outer(norms, norms), -1, 1)
        return correlations


def correlation_similarity(reference: pl.DataFrame, synthetic: pl.DataFrame, coefficient: Coefficient = "pearson") -> float:
    """1 - |rho_r - rho_s| / 2 of two columns each (SDMetrics' CorrelationSimilarity)."""
    real, made = ([to_numbers(column) for column in frame.get_columns()] for frame in (reference, synthetic))
    return 1 - abs(correlation(real[0], real[1], coefficient) - correlation(made[0], made[1], coefficient)) / 2


def contingency_similarity(reference: pl.DataFrame, synthetic: pl.DataFrame, num_bins: int = NUM_BINS) -> float:
    """1 - 1/2 sum |P_r - P_s| over the cells of two columns each (SDMetrics' ContingencySimilarity).

    Numbers and dates fall into equal bins of the reference's range; missing values are a category.
    """
    if not reference.height or not synthetic.height:
        return math.nan
    coded = [to_codes(reference[name], synthetic[name], num_bins=num_bins) for name in reference.columns]
    ((first_real, first_made), num_first), ((second_real, second_made), num_second) = coded
    real = cells_of(first_real, second_real, num_second)
    return cell_similarity(real, cells_of(first_made, second_made, num_second), num_first * num_second)


def to_codes(reference: pl.Series, *others: pl.Series, num_bins: int = NUM_BINS) -> tuple[list[Indices], int]:
    """Of each column, the reference first: bins of numbers and dates, codes of all else; and how many there are."""
    if reference.dtype.is_numeric() or reference.dtype.is_temporal():
        numbers = [to_numbers(column) for column in (reference, *others)]
        edges = bin_edges(numbers[0], num_bins)
        return [to_bins(each, edges) for each in numbers], num_bins + 2
    return share_codes(reference, *others)


def cells_of(first: Indices, second: Indices, num_second: int) -> Indices:
    """One number for the two codes of each row."""
    return first * num_second + second


def cell_similarity(real: Indices, made: Indices, num_cells: int) -> float:
    """1 - 1/2 sum |P_r - P_s| over the cells; NaN without rows."""
    if not len(real) or not len(made):
        return math.nan
    if num_cells > _MAX_CELLS:
        found, together = np.unique(np.concatenate([real, made]), return_inverse=True)
        real, made, num_cells = together[: len(real)], together[len(real) :], len(found)
    shares = count_codes(real, num_cells) / len(real) - count_codes(made, num_cells) / len(made)
    return float(1 - np.abs(shares).sum() / 2)


def cramers_v(first: Indices, second: Indices, num_first: int, num_second: int) -> float:
    """Association of two columns of codes: sqrt(chi^2 / n / (min(r, c) - 1)) over the codes that occur.

    chi^2 / n = sum O^2 / (R C) - 1 with the rows' and columns' sums R and C. H. Cramér 1946, Mathematical Methods of
    Statistics, 21.9; without correction of bias, as scipy's `association`. NaN where one of them has less than two codes.
    """
    rows, columns = count_codes(first, num_first), count_codes(second, num_second)
    smaller = min((rows > 0).sum(), (columns > 0).sum())
    if smaller < 2:
        return math.nan
    cells = cells_of(first, second, num_second)
    if num_first * num_second <= _MAX_CELLS:
        counts = np.bincount(cells)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(cells, return_counts=True)
    excess = (counts.astype(np.float64) ** 2 / (rows[found // num_second] * columns[found % num_second])).sum() - 1
    return math.sqrt(max(0.0, float(excess)) / (int(smaller) - 1))
