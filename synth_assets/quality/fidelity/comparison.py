"""What every measure needs to know of the tables that are compared, and how a figure becomes an estimate.

Three things are said here instead of a pass or a failure that would mean nothing. Of a difference that cannot be told from
chance the words say so. Where one of `MUST_BE_CAUGHT` times the tolerance could not be told from it either, there are too
few rows, or too few clusters, for the gate: `insufficient_reference`, whatever the figure is. So a difference of that size
never passes. And a column that is the same in nearly all rows has no variance to compare (`too_alike`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from synth_assets.quality.estimates import PERHAPS_CHANCE, Estimate, insufficient, not_assessed
from synth_assets.quality.fidelity.columns import Floats, Indices, present, to_numbers
from synth_assets.quality.fidelity.resampling import Side, least_shown, of_size, percentile

RowsT = TypeVar("RowsT", Floats, Indices)
_NUM_THINNED = 10
MUST_BE_CAUGHT: Mapping[str, float] = {"mean_shift": 1.7, "variance_ratio": 1.7, "category": 2.0, "correlation": 2.0}
"""Times the tolerance: a shift by .43 standard deviations (.5 less what chance takes from it), a doubled variance, a fifth
of the rows in another category, correlations that differ by .4."""
MIN_APART = 10
"""Of so many rows that could as well stand in either of two tables of one size, none stands in one of them by chance in one
of five hundred cases: 2 x 2^-10."""


class Gap(NamedTuple):
    """How far the synthetic rows lie below the holdout, and what is to be said of it."""

    size: float
    words: str


@dataclass(frozen=True)
class Comparison:
    """The two tables, their draws, and what all measures need to know."""

    reference: pl.DataFrame
    synthetic: pl.DataFrame
    holdout: pl.DataFrame | None
    sides: tuple[Side, Side]
    confidence: float
    min_rows: int
    tolerances: Mapping[str, float]
    """Measure -> threshold of its gate."""
    margin: float
    seed: int
    real_sides: tuple[Side, Side] | None = None
    """Draws of the reference and of the holdout; None without a holdout."""

    def estimate(
        self, measure: str, subject: str, value: float, interval: tuple[float, float], bound: float, words: str = ""
    ) -> Estimate:
        """`failed` where the difference is infinite: it is no figure, and yet the columns differ."""
        size = (self.reference.height, self.synthetic.height)
        if math.isinf(value):
            words = "constant in one of the tables and not in the other, or two different constants"
            return Estimate(measure, subject, math.nan, None, None, *size, words=words, verdict="failed")
        words = words if math.isfinite(value) else "no figure: constant, without rows, or with infinite numbers"
        bound = bound if math.isfinite(value) else math.nan
        return Estimate(measure, subject, value, *interval, *size, bound=bound, words=words)

    def difference(
        self, measure: str, subject: str, value: float, draws: Sequence[Floats], num_together: int,
        chance: Floats | None = None,
    ) -> Estimate:  # fmt: skip
        """Of a family of `num_together`; the bound is the value, or 0 where chance alone may have made it.

        `draws`: of the difference, in one or several ways; the first is the interval's. `chance`: draws of what two real
        samples differ by. A difference that is larger in one leaf than in another scatters with the leaves that are drawn,
        and among few that hid shifts by a whole standard deviation and turned correlations; between real samples the leaves
        go out. So what must be caught is held against those as well; of smaller differences they show too many in clean
        tables.
        """
        interval = of_size(percentile(draws[0], self.confidence)) if value else (0.0, 0.0)
        least = min(self.least_shown(each, num_together) for each in draws)
        large = MUST_BE_CAUGHT[measure] * self.tolerances[measure]
        if chance is not None:
            least = min(least, max(large, self.least_shown(chance, num_together)))
        if not value < least:
            return self.estimate(measure, subject, value, interval, value)
        if least > large:
            return self.undecided(measure, subject, value, interval, large)
        words = f"{PERHAPS_CHANCE}, which at this size makes up to {least:.2g}" if value else ""
        return self.estimate(measure, subject, value, interval, 0.0, words)

    def undecided(
        self, measure: str, subject: str, value: float, interval: tuple[float, float], must_be_caught: float
    ) -> Estimate:
        """The figure, of which nothing is said: chance makes differences that must be caught."""
        size = f"{self.reference.height} real and {self.synthetic.height} synthetic rows"
        if self._is_clustered:
            size += f" in {self._num_clusters} clusters (leaf nodes)"
        words = f"{size} are too few: a difference of {must_be_caught:.2g}, which must be caught, cannot be told from chance"
        found = self.estimate(measure, subject, value, interval, value, words)
        return replace(found, verdict="insufficient_reference")

    def least_shown(self, draws: Floats, num_together: int) -> float:
        return least_shown(draws, num_together, self._num_clusters, self.confidence)

    @property
    def _num_clusters(self) -> int:
        return min(int(side.weights.shape[1]) for side in self.sides)

    @property
    def _is_clustered(self) -> bool:
        """Drawn together on both sides, as `draw_clusters` does it with what is named."""
        return self.sides[0].weights is self.sides[1].weights

    def as_of_synthetic(self, draws: Floats) -> Floats:
        """Draws of reference and holdout, made as wide as for as many synthetic rows."""
        assert self.holdout is not None
        real, held_out, made = (1 / max(1, each.height) for each in (self.reference, self.holdout, self.synthetic))
        return draws * math.sqrt((real + made) / (real + held_out))

    def gap(self, made: RowsT, held_out: RowsT, measure: Callable[[RowsT], float], draws: Floats, num_together: int) -> Gap:
        """How far the synthetic rows lie below the holdout; nowhere beyond it where chance alone may have made the gap.

        Both are thinned out to the smaller number of rows, cluster by cluster, and the mean of ten is taken. The chance of
        the reference is in both figures and goes out, that of the holdout comes in: taken for as wide as the draws.
        """
        assert self.real_sides is not None
        num_rows = min(len(made), len(held_out))

        def mean(rows: RowsT, side: Side) -> float:
            if len(rows) == num_rows:
                return measure(rows)
            return float(np.mean([measure(rows[chosen]) for chosen in self._thin(side, num_rows)]))

        gap = mean(held_out, self.real_sides[1]) - mean(made, self.sides[1])
        least = self.least_shown(draws, num_together)
        if not 0 < gap < least:
            return Gap(gap, "")
        words = f"{gap:.2g} below the holdout, {PERHAPS_CHANCE}, which at this size makes up to {least:.2g}"
        return Gap(0.0, words)

    def _thin(self, side: Side, num_rows: int) -> list[Indices]:
        """Rows chosen at random, of each cluster its share: chance in the shares would be a difference of its own."""
        if num_rows not in self._known_rows:
            rng = np.random.default_rng(self.seed)
            steps = len(side.clusters) / max(1, num_rows)
            self._known_rows[num_rows] = [
                np.lexsort((rng.random(len(side.clusters)), side.clusters))[
                    ((np.arange(num_rows) + rng.random()) * steps).astype(np.int64)
                ]
                for _ in range(_NUM_THINNED)
            ]
        return self._known_rows[num_rows]

    @cached_property
    def _known_rows(self) -> dict[int, list[Indices]]:
        """The same for all columns and pairs, so that they are drawn once."""
        return {}

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

    def too_alike(self, measure: str, subject: str, columns: Sequence[str]) -> Estimate | None:
        """An estimate that says so, if a column hardly varies: of one column in both tables, of a pair in either.

        A table varies where at least `MIN_APART` rows have another value than the most frequent one of both tables, and as
        many as let so many be expected in the other table. A column that varies in one table alone has a variance to
        compare: in the other there is none. It has no correlation.
        """
        varies = [self._varies(name) for name in columns]
        if all(any(each) if len(columns) == 1 else all(each) for each in varies):
            return None
        words = (
            f"the same in nearly all rows: fewer than {MIN_APART}, or what would be {MIN_APART} in the other table, differ"
        )
        none = not_assessed(measure, subject, words)
        return replace(none, num_reference=self.reference.height, num_synthetic=self.synthetic.height)

    def _varies(self, name: str) -> tuple[bool, bool]:
        """Whether reference and synthetic rows do."""
        if name not in self._known_to_vary:
            real, made = (present(to_numbers(frame[name])) for frame in (self.reference, self.synthetic))
            self._known_to_vary[name] = _vary(real, made)
        return self._known_to_vary[name]

    @cached_property
    def _known_to_vary(self) -> dict[str, tuple[bool, bool]]:
        return {}


def _vary(real: Floats, made: Floats) -> tuple[bool, bool]:
    """Whether each of two columns does (`Comparison.too_alike`); both where one has no row, of which there is no figure."""
    if not len(real) or not len(made):
        return True, True
    values, counts = np.unique(np.concatenate([real, made]), return_counts=True)
    most_frequent = values[counts.argmax()]
    apart = [int((numbers != most_frequent).sum()) for numbers in (real, made)]
    least = [MIN_APART * max(1, len(own) / len(other)) for own, other in ((real, made), (made, real))]
    return apart[0] >= least[0], apart[1] >= least[1]


def _count_present(column: pl.Series) -> int:
    return len(column) - (column.fill_nan(None) if column.dtype.is_float() else column).null_count()
