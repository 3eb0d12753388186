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
    present,
    share_codes,
    to_bins,
    to_numbers,
)

Coefficient = Literal["pearson", "spearman"]
_MAX_CELLS = 4_000_000
"""Beyond so many cells only those that hold rows are counted."""
_BLOCK = 2048
"""Rows at a time that a processor's cache holds."""
_LEAST_SHARE = 1e-3
"""Of a sum of squares that must be left when it is taken about the pair's own mean, lest digits be lost."""


def rank(numbers: Floats) -> Floats:
    """Mean ranks from 1; NaN where missing."""
    return pl.Series(numbers).fill_nan(None).rank("average").cast(pl.Float64).fill_null(np.nan).to_numpy()


def correlation_matrix(columns: list[Floats], coefficient: Coefficient) -> Floats:
    """Shape (k, k). NaN where a column is constant, holds infinite numbers, or fewer than two rows are complete."""
    if not columns:
        return np.empty((0, 0))
    matrix = np.full((len(columns), len(columns)), np.nan)
    is_whole = np.array([not np.isnan(column).any() for column in columns])
    whole, is_open = np.flatnonzero(is_whole), np.full(matrix.shape, True)
    if coefficient == "pearson" and not is_whole.all():
        matrix = _correlate_with_gaps(columns)
    elif len(whole) and len(columns[0]) > 1:
        ranked = [rank(columns[at]) if coefficient == "spearman" else columns[at] for at in whole]
        matrix[np.ix_(whole, whole)] = _correlate(np.stack(ranked))
        is_open[np.ix_(whole, whole)] = False
    for low, high in zip(*np.nonzero(np.triu(is_open & np.isnan(matrix))), strict=True):
        matrix[low, high] = matrix[high, low] = correlation(columns[low], columns[high], coefficient)
    return matrix


def _correlate_with_gaps(columns: list[Floats]) -> Floats:
    """k columns -> (k, k), each pair over its complete rows, from sums; NaN where their differences are not to be trusted.

    Centred on a column's mean, its sums lose no digits, unless the complete rows of a pair lie apart from the rest.
    """
    with np.errstate(all="ignore"):
        centres = np.array([[present(column).mean()] if len(present(column)) else [0.0] for column in columns])
        num_columns = len(columns)
        together = np.zeros((3 * num_columns, 2 * num_columns))
        for start in range(0, len(columns[0]), _BLOCK):
            centred = np.stack([column[start : start + _BLOCK] for column in columns]) - centres
            is_there = ~np.isnan(centred)
            centred[~is_there] = 0
            both = np.concatenate([is_there, centred])
            together += np.concatenate([both, centred**2]) @ both.T
        counts, all_squares = together[:num_columns, :num_columns], together[2 * num_columns :, :num_columns]
        sums, products = np.hsplit(together[num_columns : 2 * num_columns], 2)
        squares = all_squares - sums**2 / counts
        is_sure = squares > _LEAST_SHARE * all_squares
        correlations = np.clip((products - sums * sums.T / counts) / np.sqrt(squares) / np.sqrt(squares.T), -1, 1)
        return np.where(is_sure & is_sure.T, correlations, np.nan)


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


def cells_of(first: Indices, second: Indices, num_second: int, room: Indices | None = None) -> Indices:
    """One number for the two codes of each row; written into `room`, if given."""
    cells: Indices = np.multiply(first, num_second, out=room, dtype=np.int64)
    cells += second
    return cells


def cell_similarity(real: Indices, made: Indices, num_cells: int) -> float:
    """1 - 1/2 sum |P_r - P_s| over the cells; NaN without rows."""
    return cell_similarity_of(*count_cells(real, made, num_cells)[1:])


def count_cells(real: Indices, made: Indices, num_cells: int) -> tuple[Indices, Indices, Indices]:
    """The cells, in order, and the rows of each table in them. Where there are very many, only those that hold rows."""
    cells = np.arange(num_cells) if num_cells <= _MAX_CELLS else None
    if cells is None:
        cells, real, made = number_cells(real, made, num_cells)
    return cells, np.bincount(real, minlength=len(cells)), np.bincount(made, minlength=len(cells))


def number_cells(real: Indices, made: Indices, num_cells: int) -> tuple[Indices, Indices, Indices]:
    """The cells that hold rows, in order, and for each row of the two tables where its cell stands among them."""
    if num_cells > _MAX_CELLS:
        cells, together = np.unique(np.concatenate([real, made]), return_inverse=True)
        return cells, together[: len(real)], together[len(real) :]
    is_used = np.zeros(num_cells, dtype=np.bool_)
    is_used[real] = is_used[made] = True
    number = np.cumsum(is_used, dtype=np.int64) - 1
    return np.flatnonzero(is_used), number[real], number[made]


def cell_similarity_of(real: Indices, made: Indices) -> float:
    """From the rows of both tables in each cell."""
    if not real.any() or not made.any():
        return math.nan
    return float(1 - np.abs(real / real.sum() - made / made.sum()).sum() / 2)


def cramers_v(first: Indices, second: Indices, num_first: int, num_second: int) -> float:
    """Association of two columns of codes: sqrt(chi^2 / n / (min(r, c) - 1)) over the codes that occur.

    chi^2 / n = sum O^2 / (R C) - 1 with the rows' and columns' sums R and C. H. Cramér 1946, Mathematical Methods of
    Statistics, 21.9; without correction of bias, as scipy's `association`. NaN where one of them has less than two codes.
    """
    cells = cells_of(first, second, num_second)
    found, counts, _ = count_cells(cells, cells[:0], num_first * num_second)
    return cramers_v_of(found, counts, num_second)


def cramers_v_of(cells: Indices, counts: Indices, num_second: int) -> float:
    """From the rows in each cell, of which there are `num_second` to a code of the first column."""
    cells, counts = cells[counts > 0], counts[counts > 0]
    at_first, at_second = np.divmod(cells, num_second)
    rows, columns = np.bincount(at_first, weights=counts), np.bincount(at_second, weights=counts)
    smaller = min((rows > 0).sum(), (columns > 0).sum())
    if smaller < 2:
        return math.nan
    excess = (counts.astype(np.float64) ** 2 / (rows[at_first] * columns[at_second])).sum() - 1
    return math.sqrt(max(0.0, float(excess)) / (int(smaller) - 1))
