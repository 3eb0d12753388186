"""The three clouds that every joint measure compares, and how equally many rows of each are drawn.

All these measures depend on the number of rows, so each is taken at a number that the three have in common, and what two
real samples reach at that number, reference and holdout, is the yardstick.

Limit: rows that are drawn are repeated less often than all of them are. 50 texts ten times over are 50 texts four times over
among 200 drawn rows; a reference of hundreds of rows sees more than one of a hundred.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draw:
    """Positions in each cloud, equally many, each row at most once."""

    reference: NDArray[np.int64]
    holdout: NDArray[np.int64]
    synthetic: NDArray[np.int64]


@dataclass(frozen=True)
class Clouds:
    """Embeddings (n, d) of one embedder, finite and usually of unit length; `subject`: a branch, or `all`.

    Raises ValueError where widths differ or a number is not finite.
    """

    reference: Floats
    holdout: Floats
    synthetic: Floats
    subject: str = "all"
    least: int = MIN_REFERENCE
    """Fewer rows than this in any cloud, and nothing is compared."""

    def __post_init__(self) -> None:
        for name in ("reference", "holdout", "synthetic"):
            rows = np.asarray(getattr(self, name), dtype=np.float64)
            if rows.ndim != 2 or rows.shape[1] != np.asarray(self.reference).shape[-1]:
                raise ValueError(
                    f"{name} embeddings of shape {rows.shape}, reference {np.shape(self.reference)}: (n, d) each"
                )
            if not np.isfinite(rows).all():
                raise ValueError(f"{name} embeddings hold numbers that are not finite: embed the texts again")
            object.__setattr__(self, name, rows)

    @property
    def num_real(self) -> int:
        """Rows of the smaller real cloud."""
        return min(len(self.reference), len(self.holdout))

    def too_few(self, measure: str) -> Estimate | None:
        """What to say instead of a figure, where there are too few rows."""
        if min(self.num_real, len(self.synthetic)) >= self.least:
            return None
        return insufficient(measure, self.subject, self.num_real, len(self.synthetic), self.least)

    def draws(self, num_draws: int, size: int, seed: int) -> Iterator[Draw]:
        """`num_draws` draws without replacement of at most `size` rows of each cloud."""
        rng = np.random.default_rng(seed)
        num_rows = min(size, self.num_real, len(self.synthetic))
        for _ in range(num_draws):
            yield Draw(*(rng.permutation(len(x))[:num_rows] for x in (self.reference, self.holdout, self.synthetic)))


def squared_distances(left: Floats, right: Floats) -> Floats:
    """(n, d), (m, d) -> (n, m), never negative.

    What is smaller than the rounding of the lengths is 0, so that the same text twice is at no distance.
    """
    lengths = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
    squared: Floats = lengths - 2 * left @ right.T
    return np.where(squared > 1e-12 * lengths, squared, 0.0)
