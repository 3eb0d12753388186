"""What cannot be told does not pass: few leaf nodes, and columns that are the same in nearly all rows."""

import warnings

import numpy as np
import polars as pl
import pytest

from synth_assets.quality.estimates import Estimate, hold
from synth_assets.quality.fidelity import compare_features
from synth_assets.recipe import GATES
from synth_assets.records import Verdict

NAMES = ["a", "b", "c", "d", "e", "f"]


def rows(num_leaves: int, each: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """Leaves have means of their own; by `shift` column a is moved, in each leaf by another amount about it."""
    rng = np.random.default_rng([num_leaves, each, seed])
    means = np.random.default_rng(num_leaves).normal(size=(num_leaves, len(NAMES))) * 0.6
    leaf = np.repeat(np.arange(num_leaves), each)
    values = rng.normal(size=(len(leaf), len(NAMES))) + means[leaf]
    if shift:
        values[:, 0] += rng.normal(shift, 0.4, size=num_leaves)[leaf] * values[:, 0].std()
    return pl.DataFrame(dict(zip(NAMES, values.T, strict=True))).with_columns(pl.Series("leaf", leaf).cast(pl.String))


def compared(
    real: pl.DataFrame, made: pl.DataFrame, holdout: pl.DataFrame | None = None, names: list[str] = NAMES
) -> dict[tuple[str, str], Estimate]:
    found = compare_features(real, made, holdout, numeric=names, categorical=["leaf"], clusters="leaf", num_draws=200)
    return {(each.measure, each.subject): each for each in found}


def verdict(estimate: Estimate) -> Verdict:
    declared = GATES[estimate.measure]
    return hold(estimate, "fidelity_report", declared.gate.value, declared.direction, declared.gate.severity).verdict


@pytest.mark.parametrize("has_holdout", [True, False])
@pytest.mark.parametrize("num_leaves", [5, 8])
def test_a_shift_by_a_standard_deviation_never_passes_in_few_leaves(num_leaves: int, has_holdout: bool) -> None:
    verdicts = []
    for seed in range(8):
        holdout = rows(num_leaves, 40, seed + 100) if has_holdout else None
        found = compared(rows(num_leaves, 40, seed), rows(num_leaves, 120, seed, shift=1.0), holdout)
        verdicts.append(verdict(found["mean_shift", "a"]))
    assert "passed" not in verdicts and "failed" in verdicts
    assert not has_holdout or verdicts.count("failed") >= 7


def test_clean_rows_in_few_leaves_fail_nothing_and_say_what_is_too_few() -> None:
    for seed in range(4):
        found = compared(rows(5, 40, seed), rows(5, 120, seed + 10), rows(5, 40, seed + 20))
        assert {verdict(each) for each in found.values()} == {"passed", "insufficient_reference"}
        unsure = [each for each in found.values() if verdict(each) == "insufficient_reference"]
        assert {each.measure for each in unsure} <= {"mean_shift", "variance_ratio", "correlation"}
        assert all("200 real and 600 synthetic rows in 5 clusters (leaf nodes) are too few" in each.words for each in unsure)


def test_a_leaf_of_five_that_is_gone_is_no_pass() -> None:
    real = rows(5, 40, 1)
    category = compared(real, rows(5, 120, 2).filter(pl.col("leaf") != "3").filter(pl.col("leaf") != "4"))[
        "category", "leaf"
    ]
    assert verdict(category) in ("failed", "insufficient_reference")


def test_a_difference_that_chance_may_have_made_says_so() -> None:
    found = compared(rows(17, 20, 1), rows(17, 60, 2), rows(17, 20, 3))
    means = [each for (measure, _), each in found.items() if measure == "mean_shift"]
    assert {verdict(each) for each in means} == {"passed"} and {each.bound for each in means} == {0.0}
    assert all(each.words.startswith("not told from chance, which at this size makes up to 0.") for each in means)


def odd(frame: pl.DataFrame, num: int) -> pl.DataFrame:
    """With a column that is 0 but in the first rows."""
    return frame.with_columns(odd=pl.when(pl.int_range(pl.len()) < num).then(0.5 + pl.col("a").abs()).otherwise(0.0))


@pytest.mark.parametrize(("num_real", "num_made"), [(0, 1), (1, 0), (3, 9), (0, 25)])
def test_a_few_odd_rows_stop_nothing(num_real: int, num_made: int) -> None:
    real, made = odd(rows(17, 40, 1), num_real), odd(rows(17, 120, 2), num_made)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(real, made, odd(rows(17, 40, 3), num_real), [*NAMES, "odd"])
    of_odd = [each for (measure, subject), each in found.items() if "odd" in subject]
    assert "failed" not in map(verdict, of_odd) and "not_computable" not in map(verdict, of_odd)
    for measure, subject in (("mean_shift", "odd"), ("variance_ratio", "odd"), ("correlation", "a ~ odd")):
        estimate = found[measure, subject]
        assert verdict(estimate) == "not_assessed" and "the same in nearly all rows" in estimate.words


@pytest.mark.parametrize(("num_real", "num_made"), [(0, 60), (30, 0)])
def test_a_column_that_varies_in_one_table_alone_fails(num_real: int, num_made: int) -> None:
    real, made = odd(rows(17, 40, 1), num_real), odd(rows(17, 120, 2), num_made)
    found = compared(real, made, None, [*NAMES, "odd"])
    assert verdict(found["variance_ratio", "odd"]) == "failed"
    assert "constant in one of the tables" in found["variance_ratio", "odd"].words
    assert verdict(found["correlation", "a ~ odd"]) == "not_assessed"


def test_two_different_constants_are_a_difference() -> None:
    real, made = (rows(17, 20, 1).with_columns(odd=pl.lit(value)) for value in (0.0, 1.0))
    found = compared(real, made, None, [*NAMES, "odd"])
    assert verdict(found["mean_shift", "odd"]) == "failed"


def test_draws_in_which_a_table_has_no_row_are_left_out_without_a_warning() -> None:
    made = rows(5, 120, 2).filter(pl.col("leaf") == "0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compared(rows(5, 40, 1), made, rows(5, 40, 3))
    assert verdict(found["category", "leaf"]) != "passed"


@pytest.mark.parametrize(("num_real", "num_made"), [(40, 118), (400, 5000)])
def test_three_leaves_of_seventeen_that_are_gone_fail_at_any_number_of_rows(num_real: int, num_made: int) -> None:
    """With leaves for rows the interval reached over the threshold at 400/5,000 as well."""

    def leaves(each: int, num: int = 17) -> pl.DataFrame:
        return pl.DataFrame({"leaf": [f"leaf{n}" for n in range(num) for _ in range(each)]})

    real = leaves(num_real)
    (gone,), (clean,) = (
        compare_features(real, made, None, numeric=(), categorical=["leaf"], clusters="leaf", num_draws=200)
        for made in (leaves(num_made, 14), leaves(num_made))
    )
    assert gone.value == pytest.approx(14 / 17) and verdict(gone) == "failed" and gone.ci_high is not None
    assert verdict(clean) == "passed" and gone.ci_high - gone.value < 0.05


def test_shares_of_leaves_that_only_chance_made_differ_pass() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        tables = [pl.DataFrame({"leaf": rng.integers(17, size=num)}).cast(pl.String) for num in (680, 2000)]
        (found,) = compare_features(*tables, None, numeric=(), categorical=["leaf"], clusters="leaf", num_draws=200)
        alarms += verdict(found) != "passed"
    assert alarms <= 2


def test_of_a_category_that_varies_within_leaves_whole_leaves_are_drawn() -> None:
    """It goes up in every other leaf and a little down in the rest: with rows the interval would be a tenth as wide."""

    def half_and(shares: list[float]) -> pl.DataFrame:
        kinds = [(str(leaf), "x" if n < 1000 * share else "y") for leaf, share in enumerate(shares) for n in range(1000)]
        return pl.DataFrame(kinds, schema=["leaf", "kind"], orient="row")

    real, made = half_and([0.5] * 17), half_and([1.0 if leaf % 2 else 0.4 for leaf in range(17)])
    (found,) = compare_features(real, made, None, numeric=(), categorical=["kind"], clusters="leaf", num_draws=400)
    assert found.ci_low is not None and found.ci_high is not None and found.ci_high - found.ci_low > 0.08
