"""One column at a time: mean, variance, shape, categories, range, missing values.

Under the names and with the conventions of SDMetrics 0.32 where it has the measure (a test holds ours against it), plus
the differences of mean and variance, which it does not have as measures of effect. All but the first two lie in [0, 1],
1 for alike; NaN where there is nothing to compare. Missing values are left out unless said otherwise.

Identical distributions do not reach 1: at 200 reference rows, KSComplement is .94 and TVComplement over 60 categories .77
in the median. So these figures mean something only beside the same ones between two real samples.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import polars as pl

from synth_assets.quality.fidelity.columns import MISSING, Floats, Indices, count_codes, present, share_codes, to_numbers

SDMETRICS_UNSEEN = 1e-6
"""What SDMetrics counts for a synthetic category without a real row, instead of 0."""
_DECIMALS = sys.float_info.dig - 1
_MAX_BINS = 8192
_ROWS_A_BIN = 16


def mean_shift(reference: pl.Series, synthetic: pl.Series) -> float:
    """|mean_s - mean_r| / sd_r (standardised mean difference); 0 for equal constants, inf for a constant that moved."""
    real, made = present(to_numbers(reference)), present(to_numbers(synthetic))
    if not len(real) or not len(made):
        return math.nan
    shift, spread = abs(made.mean() - real.mean()), _variance(real) ** 0.5
    if spread == 0:
        return 0.0 if math.isclose(made.mean(), real.mean()) else math.inf
    return float(shift / spread)


def variance_ratio(reference: pl.Series, synthetic: pl.Series) -> float:
    """|ln(var_s / var_r)|, with n - 1; 0 for two constants, inf where one of them is constant; NaN below two rows."""
    real, made = _variance(present(to_numbers(reference))), _variance(present(to_numbers(synthetic)))
    if math.isnan(real) or math.isnan(made):
        return math.nan
    if real == 0 or made == 0:
        return 0.0 if real == made else math.inf
    return abs(math.log(made / real))


def _variance(numbers: Floats) -> float:
    if len(numbers) < 2:
        return math.nan
    with np.errstate(invalid="ignore"):
        return 0.0 if numbers.min() == numbers.max() else float(numbers.var(ddof=1))


def ks_complement(reference: pl.Series, synthetic: pl.Series) -> float:
    """1 - max |F_r - F_s| over the empirical distribution functions (Kolmogorov-Smirnov); rounded as SDMetrics does."""
    return rounded_ks_complement_of(to_numbers(reference), to_numbers(synthetic))


def rounded_ks_complement_of(real: Floats, made: Floats) -> float:
    return ks_complement_of(np.round(real, _DECIMALS), np.round(made, _DECIMALS))


def ks_complement_of(real: Floats, made: Floats) -> float:
    """Unrounded. Sorts only the rows among which the greatest distance may lie.

    Both are counted in narrow bins first. At the ends of a bin the distribution functions are known, and within it they lie
    between those, so that most bins cannot hold a distance greater than the greatest at the ends.
    """
    real, made = present(real), present(made)
    if not len(real) or not len(made):
        return math.nan
    bins, num_bins, is_exact = _narrow_bins(real, made)
    counts = [np.bincount(each, minlength=num_bins) for each in bins]
    ends = [each.cumsum() / len(rows) for each, rows in zip(counts, (real, made), strict=True)]
    starts = [np.append(0.0, each[:-1]) for each in ends]
    known = float(np.abs(ends[0] - ends[1]).max())
    is_unsure = np.maximum(ends[0] - starts[1], ends[1] - starts[0]) > known
    if is_exact or not is_unsure.any():
        return 1 - known
    chosen = [np.sort(rows[is_unsure[each]]) for rows, each in zip((real, made), bins, strict=True)]
    below = [np.cumsum(np.where(is_unsure, 0, each)) for each in counts]
    in_bin = np.repeat(np.arange(num_bins), np.where(is_unsure, counts[0] + counts[1], 0))
    steps, among_real, among_made = _merge(chosen[0], chosen[1])
    at = in_bin[steps]
    distances = (among_real + below[0][at]) / len(real) - (among_made + below[1][at]) / len(made)
    return 1 - max(known, float(np.abs(distances).max()))


def _narrow_bins(real: Floats, made: Floats) -> tuple[list[Indices], int, bool]:
    """The bin of each number, the same order as the numbers'; how many bins; and whether each holds but one number."""
    low, high = min(real.min(), made.min()), max(real.max(), made.max())
    with np.errstate(over="ignore", invalid="ignore"):
        width = high - low
    if not 0 < width < math.inf:
        return [np.zeros(len(each), dtype=np.int64) for each in (real, made)], 1, width == 0
    is_exact = width < _MAX_BINS and all(bool((each == np.floor(each)).all()) for each in (real, made))
    num_bins = int(width) if is_exact else min(_MAX_BINS, 1 + (len(real) + len(made)) // _ROWS_A_BIN)
    with np.errstate(over="ignore"):
        scale = num_bins / width
    if not math.isfinite(scale):
        return [np.zeros(len(each), dtype=np.int64) for each in (real, made)], 1, False
    return [_scale(each, low, scale).astype(np.int64) for each in (real, made)], num_bins + 1, is_exact


def _scale(numbers: Floats, low: float, scale: float) -> Floats:
    scaled = numbers - low
    scaled *= scale
    return scaled


def _merge(real: Floats, made: Floats) -> tuple[Indices, Indices, Indices]:
    """Of two sorted arrays: where the last of equal numbers stands in both together, and how many of each stand up to it."""
    both = np.concatenate([real, made])
    order = np.argsort(both, kind="stable")  # merges the two runs, without a search
    both = both[order]
    steps: Indices = np.flatnonzero(np.append(both[1:] != both[:-1], True))
    among_real: Indices = np.cumsum(order < len(real), dtype=np.int64)[steps]
    return steps, among_real, steps + 1 - among_real


def tv_complement(reference: pl.Series, synthetic: pl.Series, unseen: float = 0.0) -> float:
    """1 - 1/2 sum |p_r - p_s| over the categories of both (total variation).

    `unseen`: rows that a category is given which no reference row has; SDMetrics gives `SDMETRICS_UNSEEN`.
    """
    return tv_complement_of(*count_categories(reference, synthetic), unseen=unseen)


def count_categories(reference: pl.Series, synthetic: pl.Series) -> tuple[Floats, Floats]:
    """Rows of each category of both, the missing ones first."""
    (real, made), num_codes = share_codes(reference, synthetic)
    return count_codes(real, num_codes), count_codes(made, num_codes)


def tv_complement_of(real: Floats, made: Floats, unseen: float = 0.0) -> float:
    real, made = real[MISSING + 1 :], made[MISSING + 1 :]
    if not real.sum() or not made.sum():
        return math.nan
    real = np.where((real == 0) & (made > 0), unseen, real)
    return float(1 - np.abs(real / real.sum() - made / made.sum()).sum() / 2)


def range_coverage(reference: pl.Series, synthetic: pl.Series) -> float:
    """Share of the reference's range between the least and the greatest synthetic value; NaN for a constant reference."""
    return range_coverage_of(to_numbers(reference), to_numbers(synthetic))


def range_coverage_of(real: Floats, made: Floats) -> float:
    real, made = present(real), present(made)
    if not len(real) or not len(made) or real.min() == real.max():
        return math.nan
    width = real.max() - real.min()
    uncovered = max((made.min() - real.min()) / width, 0) + max((real.max() - made.max()) / width, 0)
    return float(max(1 - uncovered, 0))


def category_coverage(reference: pl.Series, synthetic: pl.Series) -> float:
    """Share of the reference's categories that occur among the synthetic rows."""
    return category_coverage_of(*count_categories(reference, synthetic))


def category_coverage_of(real: Floats, made: Floats) -> float:
    is_real = real[MISSING + 1 :] > 0
    return float((is_real & (made[MISSING + 1 :] > 0)).sum() / is_real.sum()) if is_real.any() else math.nan


def boundary_adherence(reference: pl.Series, synthetic: pl.Series) -> float:
    """Share of synthetic values within the reference's range; a missing one is outside, unless the reference has them."""
    return boundary_adherence_of(to_numbers(reference), to_numbers(synthetic))


def boundary_adherence_of(real: Floats, made: Floats) -> float:
    if np.isnan(real).any():
        made = present(made)
    real = present(real)
    if not len(real) or not len(made):
        return math.nan
    return float(((made >= real.min()) & (made <= real.max())).mean())


def category_adherence(reference: pl.Series, synthetic: pl.Series) -> float:
    """Share of synthetic values that are a category of the reference; missing is one if the reference has missing ones."""
    return category_adherence_of(*count_categories(reference, synthetic))


def category_adherence_of(real: Floats, made: Floats) -> float:
    return float(made[real > 0].sum() / made.sum()) if made.sum() else math.nan


def missing_value_similarity(reference: pl.Series, synthetic: pl.Series) -> float:
    """1 - |difference of the shares of missing values|."""
    if not len(reference) or not len(synthetic):
        return math.nan
    return 1 - abs(_missing_share(reference) - _missing_share(synthetic))


def _missing_share(column: pl.Series) -> float:
    missing = column.fill_nan(None) if column.dtype.is_float() else column
    return missing.null_count() / len(column)
