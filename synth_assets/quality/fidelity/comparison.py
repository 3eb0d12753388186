"""What every measure needs to know of the tables that are compared, and how a figure becomes an estimate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np
import polars as pl

from synth_assets.quality.estimates import Estimate, insufficient
from synth_assets.quality.fidelity.columns import Floats, Indices
from synth_assets.quality.fidelity.resampling import Side, is_shown, of_size, percentile

RowsT = TypeVar("RowsT", Floats, Indices)
_NUM_THINNED = 10


@dataclass(frozen=True)
class Comparison:
    """The two tables, their draws, and what all measures need to know."""

    reference: pl.DataFrame
    synthetic: pl.DataFrame
    holdout: pl.DataFrame | None
    sides: tuple[Side, Side]
    confidence: float
    min_rows: int
    floor: float
    margin: float
    seed: int
    real_sides: tuple[Side, Side] | None = None
    """Draws of the reference and of the holdout; None without a holdout."""

    def estimate(self, measure: str, subject: str, value: float, interval: tuple[float, float], bound: float) -> Estimate:
        """`failed` where the difference is infinite: it is no figure, and yet the columns differ."""
        size = (self.reference.height, self.synthetic.height)
        if math.isinf(value):
            words = "constant in one of the tables and not in the other, or two different constants"
            return Estimate(measure, subject, math.nan, None, None, *size, words=words, verdict="failed")
        words = "" if math.isfinite(value) else "no figure: constant, without rows, or with infinite numbers"
        bound = bound if math.isfinite(value) else math.nan
        return Estimate(measure, subject, value, *interval, *size, bound=bound, words=words)

    def difference(
        self, measure: str, subject: str, value: float, draws: Floats, num_together: int, chance: Floats | None = None
    ) -> Estimate:
        """Of a family of `num_together`; the bound is the value, or 0 where chance alone may have made it.

        `chance`: other draws by which it may be told from chance as well.
        """
        interval = of_size(percentile(draws, self.confidence)) if value else (0.0, 0.0)
        is_shown = self.is_shown(value, draws, num_together)
        if not is_shown and chance is not None:
            is_shown = self.is_shown(value, chance, num_together)
        bound = value if is_shown else 0.0
        return self.estimate(measure, subject, value, interval, bound)

    def is_shown(self, value: float, draws: Floats, num_together: int) -> bool:
        num_clusters = min(side.weights.shape[1] for side in self.sides)
        return is_shown(value, draws, num_together, num_clusters, self.confidence)

    def gap(
        self, made: RowsT, held_out: RowsT, measure: Callable[[RowsT], float], draws: Floats, num_together: int
    ) -> float:
        """How far the synthetic rows lie below the holdout; nowhere beyond it where chance alone may have made the gap.

        Both are thinned out to the smaller number of rows, and the mean of ten is taken. The chance of the reference is
        in both figures and goes out, so that half of the variance of the draws is left.
        """
        num_rows = min(len(made), len(held_out))

        def mean(rows: RowsT) -> float:
            if len(rows) == num_rows:
                return measure(rows)
            return float(np.mean([measure(rows[chosen]) for chosen in _thin(len(rows), num_rows, self.seed)]))

        gap = mean(held_out) - mean(made)
        return gap if self.is_shown(gap, draws / math.sqrt(2), num_together) else min(gap, 0.0)

    @cached_property
    def _num_present(self) -> tuple[dict[str, int], dict[str, int]]:
        """Rows of each table that hold a value, by column."""
        real, made = ({each.name: _count_present(each) for each in frame} for frame in (self.reference, self.synthetic))
        return real, made

    def too_few(self, measure: str, subject: str, columns: Sequence[str]) -> Estimate | None:
        """An estimate that says so, if a column has too few rows. No synthetic row at all is no matter of few."""
        num_real, num_made = (min(counts[name] for name in columns) for counts in self._num_present)
        if num_real >= self.min_rows and (num_made >= self.min_rows or num_made == 0):
            return None
        return insufficient(measure, subject, num_real, num_made, self.min_rows)


@lru_cache(maxsize=2)
def _thin(num_all: int, num_rows: int, seed: int) -> list[Indices]:
    """Rows chosen at random, the same for all columns and pairs, so that they are drawn once."""
    rng = np.random.default_rng(seed)
    return [rng.permutation(num_all)[:num_rows] for _ in range(_NUM_THINNED)]


def _count_present(column: pl.Series) -> int:
    return len(column) - (column.fill_nan(None) if column.dtype.is_float() else column).null_count()
