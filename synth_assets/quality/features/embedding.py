"""Features of a row's embedding: how near it is to its leaf's real rows, and where it lies along their main axes.

Nothing is fitted on what is judged: centroids and axes are the reference's. Axes show more variance on the rows that they
are fitted on than on any others, so who compares leaves those rows out. A reference row is compared with the centroid of the
*other* rows of its leaf: with itself in it, every real row of a leaf of five seeds would look nearer than any synthetic one
could be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
NUM_COMPONENTS = 8


@dataclass(frozen=True)
class Components:
    """Principal axes: `mean` (d,), `axes` (k, d), and the share of variance that each explains (k,)."""

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    explained: NDArray[np.float64]

    def transform(self, embeddings: Embeddings) -> NDArray[np.float64]:
        """(n, d) -> (n, k)."""
        return (embeddings.astype(np.float64) - self.mean) @ self.axes.T


@dataclass(frozen=True)
class LeafCentroids:
    """Sum of the embeddings and number of reference rows of each leaf."""

    sums: dict[str, NDArray[np.float64]]
    counts: dict[str, int]

    def cosines(self, embeddings: Embeddings, leaf_paths: Sequence[str], *, are_reference: bool) -> list[float | None]:
        """Cosine of each row to its leaf's centroid; None where the leaf has no (other) reference row."""
        return [
            self._cosine(row.astype(np.float64), leaf, are_reference)
            for row, leaf in zip(embeddings, leaf_paths, strict=True)
        ]

    def _cosine(self, row: NDArray[np.float64], leaf: str, is_reference: bool) -> float | None:
        if self.counts.get(leaf, 0) - is_reference < 1:
            return None
        others = self.sums[leaf] - row if is_reference else self.sums[leaf]
        length = float(np.linalg.norm(others) * np.linalg.norm(row))
        return float(others @ row) / length if length > 0 else None


def fit_components(embeddings: Embeddings, num_components: int = NUM_COMPONENTS) -> Components:
    """Principal components of (n, d) embeddings; fewer than asked for where n - 1 or d is smaller.

    Each axis points to where its largest entry is positive, so that the same rows give the same signs anywhere.
    Raises ValueError for fewer than two rows, or for numbers that are not finite.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
        raise ValueError(f"components need two rows or more of finite numbers, not an array of shape {rows.shape}")
    mean = rows.mean(axis=0)
    _, singular, axes = np.linalg.svd(rows - mean, full_matrices=False)
    num_kept = min(num_components, len(rows) - 1, rows.shape[1])
    axes = axes[:num_kept]
    signs = np.sign(axes[np.arange(num_kept), np.abs(axes).argmax(axis=1)])
    total = float((singular**2).sum())
    explained = singular[:num_kept] ** 2 / total if total > 0 else np.zeros(num_kept)
    return Components(mean, axes * signs[:, None], explained)


def fit_leaf_centroids(reference: Embeddings, leaf_paths: Sequence[str]) -> LeafCentroids:
    """Centroids of the reference's leaves. `leaf_paths`: one a row."""
    sums: dict[str, NDArray[np.float64]] = {}
    counts: dict[str, int] = {}
    for row, leaf in zip(reference.astype(np.float64), leaf_paths, strict=True):
        sums[leaf] = sums[leaf] + row if leaf in sums else row
        counts[leaf] = counts.get(leaf, 0) + 1
    return LeafCentroids(sums, counts)


def embedding_features(
    embeddings: Embeddings,
    leaf_paths: Sequence[str],
    components: Components,
    centroids: LeafCentroids,
    *,
    are_reference: bool = False,
) -> pl.DataFrame:
    """`leaf_cosine` (null where there is none) and `component_1` ... of each row, as Float64, in the order of the rows."""
    columns: dict[str, pl.Series] = {
        "leaf_cosine": pl.Series(centroids.cosines(embeddings, leaf_paths, are_reference=are_reference), dtype=pl.Float64)
    }
    for number, values in enumerate(components.transform(embeddings).T, 1):
        columns[f"component_{number}"] = pl.Series(values, dtype=pl.Float64)
    return pl.DataFrame(columns)
