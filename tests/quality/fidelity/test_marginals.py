"""One column at a time: formulas by hand, and what becomes of constants, gaps and nothing at all."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest

from synth_assets.quality.fidelity import marginals as m
from synth_assets.quality.fidelity.columns import share_codes, to_bins, to_numbers
from synth_assets.quality.fidelity.dependence import (
    contingency_similarity,
    correlation,
    correlation_matrix,
    cramers_v,
)


def numbers(*values: float | None) -> pl.Series:
    return pl.Series("x", values, dtype=pl.Float64)


def words(*values: str | None) -> pl.Series:
    return pl.Series("c", values, dtype=pl.String)


def test_mean_and_variance_by_hand() -> None:
    real, made = numbers(1, 2, 3, 4, 5), numbers(3, 5, 7, 9, 11)
    assert m.mean_shift(real, made) == pytest.approx((7 - 3) / math.sqrt(2.5))
    assert m.variance_ratio(real, made) == pytest.approx(math.log(4)) == pytest.approx(m.variance_ratio(made, real))


def test_null_and_nan_are_both_missing() -> None:
    real, made = numbers(1, 2, 3, None), numbers(2, float("nan"), 3, 4)
    assert m.mean_shift(real, made) == pytest.approx(1.0)
    assert m.missing_value_similarity(real, made) == 1.0
    assert m.ks_complement(real, made) == pytest.approx(2 / 3)


def test_constants_are_alike_or_infinitely_apart() -> None:
    same, other, spread = numbers(2, 2, 2), numbers(3, 3, 3), numbers(1, 2, 3)
    assert m.mean_shift(same, same) == m.variance_ratio(same, other) == 0
    assert m.mean_shift(same, other) == m.variance_ratio(same, spread) == m.variance_ratio(spread, same) == math.inf
    assert m.mean_shift(spread, same) == 0 and math.isnan(m.range_coverage(same, spread))
    tenths = pl.Series([0.1] * 7)
    assert m.variance_ratio(tenths, tenths) == 0


def test_nothing_to_compare_is_no_number() -> None:
    none, some = numbers(None, None), numbers(1, 2)
    for measure in (m.mean_shift, m.variance_ratio, m.ks_complement, m.range_coverage):
        assert math.isnan(measure(some, none)) and math.isnan(measure(none, some)), measure.__name__
    assert math.isnan(m.boundary_adherence(none, some)) and m.boundary_adherence(some, none) == 0
    assert math.isnan(m.tv_complement(words("a"), words(None))) and math.isnan(m.category_coverage(words(None), words("a")))
    empty = words()
    assert math.isnan(m.category_adherence(words("a"), empty)) and math.isnan(m.missing_value_similarity(empty, words("a")))
    assert math.isnan(m.variance_ratio(some, numbers(1)))


def test_categories_by_hand() -> None:
    real, made = words("a", "a", "b", None), words("a", "c", "c", "c")
    assert m.tv_complement(real, made) == pytest.approx(0.25)
    assert m.category_coverage(real, made) == 0.5 and m.category_adherence(real, made) == 0.25
    assert m.category_adherence(words("a", "b"), words("a", None)) == 0.5
    assert m.category_adherence(words("a", None), words("a", None)) == 1.0
    assert m.tv_complement(pl.Series([True, False]), pl.Series([True, True])) == 0.5


def test_ranges_by_hand() -> None:
    real = numbers(0, 10)
    assert m.range_coverage(real, numbers(2, 9)) == pytest.approx(0.7)
    assert m.boundary_adherence(real, numbers(-1, 0, 10, 11)) == 0.5
    assert m.boundary_adherence(real, numbers(5, None)) == 0.5
    assert m.boundary_adherence(numbers(0, 10, None), numbers(5, None)) == 1.0


def test_dates_are_numbers_and_texts_are_not() -> None:
    dates = pl.Series("when", [date(2020, 1, 1), None, date(2020, 1, 3)])
    assert np.array_equal(to_numbers(dates), [18262, math.nan, 18264], equal_nan=True)
    with pytest.raises(TypeError, match="column c is String"):
        to_numbers(words("a"))


def test_codes_are_shared_and_missing_is_one_of_them() -> None:
    (real, made), num_codes = share_codes(words("b", None, "a"), words("c", "b"))
    assert real.tolist() == [1, 0, 2] and made.tolist() == [3, 1] and num_codes == 4
    assert to_bins(np.array([-5, 0.5, 99, math.nan]), np.array([0.0, 1, 2])).tolist() == [1, 1, 2, 3]


def test_correlations_of_constants_and_gaps() -> None:
    x = np.array([1.0, 2, 3, 4, math.nan])
    y = np.array([1.0, 4, 9, math.nan, 0])
    assert correlation(x, y, "spearman") == pytest.approx(1.0)
    matrix = correlation_matrix([x, y, np.full(5, 0.1)], "pearson")
    assert matrix[0, 1] == pytest.approx(np.corrcoef([1, 2, 3], [1, 4, 9])[0, 1])
    assert np.isnan(matrix[2]).all()
    assert math.isnan(correlation(x[:1], y[:1], "pearson"))
    assert math.isnan(correlation(np.array([1, 2, math.inf]), np.array([1.0, 2, 3]), "pearson"))


def test_many_categories_are_counted_like_few() -> None:
    names = [f"n{number}" for number in range(3000)]
    wide = pl.DataFrame({"a": names, "b": names[::-1]})
    assert contingency_similarity(wide, wide) == 1.0
    assert contingency_similarity(wide, wide.with_columns(pl.col("b").reverse())) == pytest.approx(0.0)
    codes = np.arange(3000)
    assert cramers_v(codes, codes, 3000, 3000) == pytest.approx(1.0)
    assert math.isnan(cramers_v(np.zeros(5, np.int64), np.arange(5), 1, 5))
    assert cramers_v(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), 2, 2) == pytest.approx(0.0)
