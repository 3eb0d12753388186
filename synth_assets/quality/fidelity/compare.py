"""Reference and synthetic rows compared column by column and pair by pair: one estimate for each, with its interval.

What is held against the tolerance (`bound`), and why. A check is a measure over *all* its columns, so a figure that errs
in one column of twenty makes the whole check cry wolf. Demanding `ci_high <= tolerance` asks small samples for a proof that
they cannot give: at 600 real rows in 17 leaves, with 12 numeric columns, it stopped 80 % of clean tables over a variance
and 68 % over a correlation. `ci_low <= tolerance` stopped none, but missed a tenth of shifts by half a standard deviation
in skewed columns, and half of their doubled variances. So differences are held by their value: the tolerance lies halfway
between what is clean and what must be caught, which is about twice as much. And where a value is not told from 0 at the
level that befits so many columns (Bonferroni), the bound is 0, so that small samples raise no false alarm, and the words say
so. That does not say that they are alike. So where not even what must be caught could be told from chance, the verdict is
`insufficient_reference` (`comparison`): nothing of that size passes. Chance is measured where nothing differs: a mean also
by its difference alone, without the spread that it is divided by, what must be caught also by what reference and holdout
differ by. With the draws of the interval alone, which vary with the difference itself, one in four correlations that had
turned their sign, by 1.0 in 17 leaves, was put down to chance, and at 5 leaves one in six shifts by a standard deviation
that differed from leaf to leaf.

Bonferroni and not a false discovery rate: one failed column of twenty stops a run, so what counts is how often *any* clean
one fails. A page that lists columns, of which some may be false finds, is another matter (`table_comparison`).

Rates over 24 simulated worlds, 600 real against 2,000 synthetic rows in 17 leaves, 12 numeric (3 lognormal) and 3
categorical columns, before pair_association was given all of its chance. Caught: mean + .5 sd 100 % (lognormal 96 %),
variance x 2 100 % (lognormal 75 %), sign of a correlation of .6 or .3 100 %, half of the categories gone 100 %. False alarms
of a whole check: 0 %, pair_association 4 %. Those of the closed world are in `data/studies/gates.json`.

By number of leaves, 24 worlds each, 40 real against 120 synthetic rows a leaf, 10 numeric columns, a holdout: caught and
passed of what is planted, the rest being too few; and how many clean worlds are too few for the mean, or variance, of some
column. No clean mean or variance failed.

| leaves | mean + .5 sd | + 1 sd, .4 of it by leaf | variance x 2 | clean: too few for means, variances |
|---|---|---|---|---|
| 5 | 88 %, 8 % | 100 %, 0 % | 83 %, 8 % | 92 %, 96 % |
| 6 | 96 %, 0 % | 100 %, 0 % | 83 %, 17 % | 21 %, 75 % |
| 8 | 100 %, 0 % | 100 %, 0 % | 100 %, 0 % | 0 %, 33 % |
| 12 | 100 %, 0 % | 100 %, 0 % | 100 %, 0 % | 0 %, 8 % |
| 17 | 100 %, 0 % | 100 %, 0 % | 100 %, 0 % | 0 %, 0 % |

| measure | value | bound | direction |
|---|---|---|---|
| mean_shift | |mean_s - mean_r| / sd_r | value, 0 if not told from chance | at_most |
| variance_ratio | |ln(var_s / var_r)| | likewise | at_most |
| correlation | |rho_s - rho_r|, Spearman, each pair of numeric columns | likewise | at_most |
| category | TVComplement | ci_high: of many categories chance alone takes a share; see below | at_least |
| shape | KSComplement | value, and see below | at_least |
| pair_association | ContingencySimilarity, each pair of columns | holdout's - synthetic's, if told from chance | at_most |

Two real samples differ as well. The yardstick is the same measure between reference and holdout, at the same number of
rows: the larger of the two is thinned out, ten times. For `shape`, the bound is the value, lowered by what it lies further
below the yardstick than `holdout_margin` allows, so that the one threshold of the gate fits both demands.
`pair_association` is judged by the yardstick alone; without a holdout it is shown and not assessed.

Intervals are those of `resampling`: clusters drawn together, sums instead of rows. Only of a category that is the same in
all rows of a cluster (the leaf itself, its branch) are rows drawn: with clusters three leaves of 17 that were wholly gone
passed at any number of rows. For Spearman the ranks are those of all
rows, not taken anew in each draw; for shapes the distribution functions are compared on a grid. In 150 worlds the
interval of a difference of Spearman's coefficients held the truth in 93 %, redrawing rows in 94 %, at nominally 95 %.

Limits. The variance of a column with a heavy tail is itself uncertain: doubled in a lognormal column it is found in three
of four cases at 600 rows, so take its logarithm. The shape sees a doubled variance in half of the cases, pair_association
the turned sign of a correlation of .3 in 71 % at most. Where the leaves of the two tables have nothing in common but
their names, a shift of half a standard deviation is found in a third of the cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate
from synth_assets.quality.fidelity.compare_columns import compare_category, compare_moments, compare_shape
from synth_assets.quality.fidelity.compare_pairs import compare_associations, compare_correlations
from synth_assets.quality.fidelity.comparison import Comparison
from synth_assets.quality.fidelity.resampling import draw_clusters
from synth_assets.recipe import GATES

HOLDOUT_MARGIN = 0.05
MEASURES = ("mean_shift", "variance_ratio", "shape", "category", "correlation", "pair_association")
TOLERANCES: Mapping[str, float] = {measure: GATES[measure].gate.value for measure in MEASURES}
LEAST = ("shape", "category")
"""Measures held at_least; all others at_most."""


def compare_features(
    reference: pl.DataFrame,
    synthetic: pl.DataFrame,
    holdout: pl.DataFrame | None,
    *,
    numeric: Sequence[str],
    categorical: Sequence[str],
    clusters: str | None = None,
    num_draws: int = 1000,
    confidence: float = 0.95,
    min_rows: int = MIN_REFERENCE,
    seed: int = 0,
    tolerances: Mapping[str, float] = TOLERANCES,
    holdout_margin: float = HOLDOUT_MARGIN,
) -> list[Estimate]:
    """One estimate a measure and column, or pair of columns ("a ~ b"), in the order of `MEASURES` and of the columns.

    `numeric` columns hold numbers, dates or truth values; `categorical` anything. `clusters` names a column of both tables.
    Raises polars' ColumnNotFoundError for a column that a table lacks, TypeError for a numeric column of texts.
    """
    sides = draw_clusters(
        reference[clusters] if clusters else reference.height,
        synthetic[clusters] if clusters else synthetic.height,
        num_draws,
        seed,
    )
    real_sides = None
    if holdout is not None:
        real_sides = draw_clusters(
            reference[clusters] if clusters else reference.height, holdout[clusters] if clusters else holdout.height,
            num_draws, seed,
        )  # fmt: skip
    at_hand = Comparison(
        reference, synthetic, holdout, sides, confidence, min_rows, tolerances, holdout_margin, seed, real_sides
    )  # fmt: skip
    return [
        *compare_moments(at_hand, numeric),
        *(compare_shape(at_hand, name, len(numeric)) for name in numeric),
        *(compare_category(at_hand, name) for name in categorical),
        *compare_correlations(at_hand, numeric),
        *compare_associations(at_hand, [*numeric, *categorical]),
    ]
