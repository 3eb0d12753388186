"""Columns of two tables as arrays: numbers with NaN for what is missing, categories as codes that both tables share.

Dates and times are numbers of days or ticks. Null and NaN are the same: missing. Infinite numbers stay what they are, and a
figure made of them is no number.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.signedinteger[Any]]
"""Codes take as little room as they can: a product of two may not fit into their type."""
Kind = Literal["numeric", "date", "categorical", "text"]

NUM_BINS = 10
MISSING = 0
"""The code of a missing category."""
_MOST_EDGES = 64
"""Up to so many it is faster to compare all rows with each edge than to search the edges for each row: six times for ten."""
_FIRST_ROWS = 2000
"""Among so many nearly all categories occur; to look for them in all rows takes as long as to code those."""


def to_numbers(series: pl.Series) -> Floats:
    """One float a row; NaN where missing. Raises TypeError for a column that holds no numbers, dates or truth values."""
    if not (series.dtype.is_numeric() or series.dtype.is_temporal() or series.dtype in (pl.Boolean, pl.Null)):
        raise TypeError(f"column {series.name} is {series.dtype}; name it among the categorical columns")
    physical = series.to_physical() if series.dtype.is_temporal() else series
    numbers: Floats = physical.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return numbers


def present(numbers: Floats) -> Floats:
    """Those that are not missing."""
    is_there: NDArray[np.bool_] = ~np.isnan(numbers)
    return numbers if is_there.all() else numbers[is_there]


def share_codes(*columns: pl.Series) -> tuple[list[Indices], int]:
    """For each column a code a row, 0 where missing and the same for the same value in all of them; and how many codes.

    Values are compared as they are written, so that a truth value, a whole number and a text may all be categories.
    """
    if all(column.dtype == pl.Boolean for column in columns):
        return [_from_one(column) for column in columns], 3
    texts = [_as_texts(column) for column in columns]
    values = _distinct([each.head(_FIRST_ROWS) for each in texts])
    coded = [each.cast(pl.Enum(values), strict=False) for each in texts]
    if any(code.null_count() > each.null_count() for each, code in zip(texts, coded, strict=True)):
        unknown = [each.filter(code.is_null()) for each, code in zip(texts, coded, strict=True)]
        values = pl.concat([values, _distinct(unknown)])
        coded = [each.cast(pl.Enum(values)) for each in texts]
    return [_from_one(code.to_physical()) for code in coded], len(values) + 1


def _from_one(codes: pl.Series) -> Indices:
    numbers: Indices = (codes.cast(pl.Int32) + 1).fill_null(MISSING).to_numpy()
    return numbers


def _distinct(texts: list[pl.Series]) -> pl.Series:
    return pl.concat([pl.Series("value", each) for each in texts]).unique(maintain_order=True).drop_nulls()


def _as_texts(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.cast(pl.String)


def bin_edges(reference: Floats, num_bins: int = NUM_BINS) -> Floats:
    """Edges of equal bins over the reference's range, shape (num_bins + 1,); numpy.histogram_bin_edges.

    Over [0, 1] if no number is finite. Of a range that holds fewer floats than bins, edges coincide.
    """
    ends = np.array([reference.min(), reference.max()]) if len(reference) else reference
    if not np.isfinite(ends).all():
        ends = reference[np.isfinite(reference)]
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.histogram_bin_edges(ends, bins=num_bins), dtype=np.float64)
    except ValueError:  # the range holds fewer floats than bins, or is itself beyond them
        return 2 * np.linspace(ends.min() / 2, ends.max() / 2, num_bins + 1)


def to_bins(numbers: Floats, edges: Floats, *, is_open: bool = True) -> Indices:
    """The bin of each number, as numpy.digitize counts; missing ones in a bin of their own, after the last.

    `is_open`: the outer bins reach to infinity (SDMetrics' ContingencySimilarity). Otherwise what reaches the last edge
    falls in with the missing ones, as in SDMetrics' ColumnPairTrends.
    """
    edges = edges.copy()
    if is_open:
        edges[0], edges[-1] = -np.inf, np.inf
    if len(edges) > _MOST_EDGES:
        return np.digitize(numbers, edges)
    bins = np.full(len(numbers), len(edges), dtype=np.int16)
    for edge in edges:
        bins -= numbers < edge
    return bins


def count_codes(codes: Indices, num_codes: int) -> Floats:
    return np.bincount(codes, minlength=num_codes).astype(np.float64)
