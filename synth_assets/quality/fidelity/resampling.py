"""Draws of whole clusters, made once for all columns, and applied to sums by cluster instead of to rows.

A mean, a variance, a correlation, a share or a distribution function on a grid is a function of sums over rows. With the
sums of each cluster at hand a draw is one row of weights, and a thousand draws of all columns are one matrix product: a
hundred thousand rows take as long as a hundred.

Clusters (leaf nodes) of the same name are drawn *together* in the reference and in the synthetic rows: the leaves are the
same tasks on both sides, and what a leaf has of its own must not count as a difference. Where no clusters are named,
rows count as independent, and random groups of them are drawn, on each side for itself. More than `MAX_CLUSTERS` clusters
are put together at random into so many.

Limits: below ten clusters intervals of this kind are too narrow, and below `MIN_CLUSTERS` rows are drawn instead (in
groups), which is narrower still. What is told from chance (`least_shown`) makes up for few clusters, and where too little is
then left that can be shown, `comparison` says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from synth_assets.quality.fidelity.columns import Floats, Indices, share_codes

MIN_CLUSTERS = 5
MAX_CLUSTERS = 1000
NUM_GROUPS = 200


@dataclass(frozen=True)
class Side:
    """`clusters`: one number a row; `weights`: how often a draw holds a cluster, shape (num_draws, num_clusters)."""

    clusters: Indices
    weights: Floats

    def draw(self, values: Floats) -> Floats:
        """Sums over the rows of each draw: (rows, k) -> (num_draws, k)."""
        return self.weights @ np.stack([self._sum(column) for column in values.T], axis=1)

    def count(self, codes: Indices, num_codes: int) -> Floats:
        """Rows of each code in each draw, shape (num_draws, num_codes)."""
        num_clusters = self.weights.shape[1]
        cells = np.bincount(self.clusters * num_codes + codes, minlength=num_clusters * num_codes)
        return self.weights @ cells.reshape(num_clusters, num_codes).astype(np.float64)

    def shares(self, codes: Indices, num_codes: int, *, left_out: int | None = None) -> Floats:
        """Share of each code in each draw, without one that is left out; NaN in a draw that holds no row."""
        counts = self.count(codes, num_codes)
        if left_out is not None:
            counts[:, left_out] = 0
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.full_like(counts, np.nan)
        np.divide(counts, totals, out=shares, where=totals > 0)
        return shares

    def determines(self, codes: Indices, num_codes: int) -> bool:
        """Whether every cluster holds one code only."""
        num_cells = len(np.unique(self.clusters.astype(np.int64) * num_codes + codes))
        return num_cells == len(np.unique(self.clusters))

    def _sum(self, values: Floats) -> Floats:
        return np.bincount(self.clusters, weights=values, minlength=self.weights.shape[1]).astype(np.float64)

    def draw_products(self, columns: Floats, others: Floats) -> Floats:
        """Sums of products of two columns over each draw: (rows, k) and (rows, l) -> (num_draws, k, l)."""
        num_clusters, shape = self.weights.shape[1], (columns.shape[1], others.shape[1])
        order = np.argsort(self.clusters, kind="stable")
        ends = np.cumsum(np.bincount(self.clusters, minlength=num_clusters))
        columns, others = columns[order], others[order]
        products = np.zeros((num_clusters, shape[0] * shape[1]))
        for cluster, end in enumerate(ends):
            start = ends[cluster - 1] if cluster else 0
            products[cluster] = (columns[start:end].T @ others[start:end]).ravel()
        return (self.weights @ products).reshape(-1, *shape)


def draw_clusters(reference: pl.Series | int, synthetic: pl.Series | int, num_draws: int, seed: int) -> tuple[Side, Side]:
    """The draws of both sides: of clusters that are named a row, or of rows, where only their number is given."""
    rng = np.random.default_rng(seed)
    if isinstance(reference, pl.Series) and isinstance(synthetic, pl.Series):
        (real, made), num_codes = share_codes(reference, synthetic)
        is_used = np.bincount(np.concatenate([real, made]), minlength=num_codes) > 0
        num_clusters = int(is_used.sum())
        if num_clusters >= MIN_CLUSTERS:
            number = np.cumsum(is_used) - 1
            if num_clusters > MAX_CLUSTERS:
                number = rng.permutation(num_codes)[: len(number)] % MAX_CLUSTERS
                num_clusters = MAX_CLUSTERS
            weights = _weights(rng, num_draws, num_clusters)
            return Side(number[real], weights), Side(number[made], weights)
    return _groups(rng, _height(reference), num_draws), _groups(rng, _height(synthetic), num_draws)


def _height(rows: pl.Series | int) -> int:
    return rows if isinstance(rows, int) else len(rows)


def _groups(rng: np.random.Generator, num_rows: int, num_draws: int) -> Side:
    num_groups = max(1, min(num_rows, NUM_GROUPS))
    return Side(rng.permutation(num_rows) % num_groups, _weights(rng, num_draws, num_groups))


def _weights(rng: np.random.Generator, num_draws: int, num_clusters: int) -> Floats:
    return rng.multinomial(num_clusters, np.full(num_clusters, 1 / num_clusters), size=num_draws).astype(np.float64)


def draw_shares(codes: Indices, num_codes: int, left_out: int, num_draws: int, rng: np.random.Generator) -> Floats:
    """Shares as `Side.shares` gives them, but of rows that are drawn one by one: (num_draws, num_codes)."""
    counts = np.bincount(codes, minlength=num_codes)
    counts[left_out] = 0
    total = int(counts.sum())
    if not total:
        return np.full((num_draws, num_codes), np.nan)
    shares: Floats = rng.multinomial(total, counts / total, size=num_draws) / total
    return shares


def percentile(draws: Floats, confidence: float) -> tuple[float, float]:
    """Ends of the interval; (nan, nan) if fewer than half of the draws are finite."""
    finite = draws[np.isfinite(draws)]
    if 2 * len(finite) < len(draws) or not len(finite):
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def of_size(interval: tuple[float, float]) -> tuple[float, float]:
    """From the interval of a difference to that of its size."""
    low, high = interval
    if low <= 0 <= high:
        return 0.0, max(-low, high)
    return min(abs(low), abs(high)), max(abs(low), abs(high))


def least_shown(draws: Floats, num_together: int, num_clusters: int, confidence: float) -> float:
    """The least difference that, by itself or with the others of its family, is told from chance.

    t sd(draws) sqrt(k / (k - 1)), t Student's quantile at a level of (1 - confidence) / `num_together` on two sides
    (Bonferroni), so that among as many clean columns or pairs one is shown in about 1 - confidence of cases. Draws of k
    clusters scatter too little by the root, and the spread of few is itself uncertain: hence k - 1 degrees of freedom
    (Cameron, Miller 2015, J. Hum. Resour. 50:317, VI). 0 without enough finite draws: nothing is then put down to chance.
    """
    from scipy.special import stdtrit

    finite = draws[np.isfinite(draws)]
    if 2 * len(finite) < len(draws) or not len(finite):
        return 0.0
    degrees = max(1, num_clusters - 1)
    t = stdtrit(degrees, 1 - (1 - confidence) / (2 * max(1, num_together)))
    return float(t * finite.std() * math.sqrt(1 + 1 / degrees))


def basic(value: float, point: float, draws: Floats, confidence: float) -> tuple[float, float]:
    """Basic (reflected) interval of a similarity in [0, 1]: 2 point - quantiles of the draws, moved to `value`.

    A similarity of two samples lies below that of their populations, by chance alone, and a draw from the samples below
    theirs once more, by about as much: the reflection takes that off. Davison, Hinkley 1997, Bootstrap Methods, 5.2.1.
    `point`: the figure by the same grid or approximation as the draws.
    """
    low, high = percentile(draws, confidence)
    return max(0.0, value + point - high), min(1.0, value + point - low)
