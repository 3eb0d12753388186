"""The comparison: what is caught, what is left alone, and that sums over clusters are draws of rows."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from synth_assets.quality.estimates import Estimate, hold
from synth_assets.quality.fidelity import LEAST, MEASURES, compare_features
from synth_assets.quality.fidelity.compare_pairs import draw_correlations
from synth_assets.quality.fidelity.resampling import MAX_CLUSTERS, basic, draw_clusters, least_shown, of_size, percentile
from synth_assets.recipe import GATES
from synth_assets.records import Verdict

NUMERIC, CATEGORICAL = ["a", "b", "c", "d", "e", "f"], ["kind", "topic"]


def make(num_rows: int, seed: int, defect: str = "") -> pl.DataFrame:
    """Leaves have means of their own, the same in every table of a world; a and b are correlated with .6."""
    world, rng = np.random.default_rng(77), np.random.default_rng([seed, num_rows])
    effects, shares = world.normal(size=(17, 6)) * 0.6, world.dirichlet(np.full(8, 2.0), size=17)
    leaf = rng.integers(17, size=num_rows)
    values = rng.normal(size=(num_rows, 6))
    values[:, 1] = 0.6 * values[:, 0] + 0.8 * values[:, 1]
    values += effects[leaf] * (np.arange(6) > 1)
    if defect == "mean":
        values[:, 3] += 0.5 * values[:, 3].std()
    if defect == "variance":
        values[:, 4] = values[:, 4].mean() + math.sqrt(2) * (values[:, 4] - values[:, 4].mean())
    if defect == "sign":
        values[:, 1] *= -1
    topic = (shares[leaf].cumsum(axis=1) < rng.random(num_rows)[:, None]).sum(axis=1)
    if defect == "topics":
        topic = topic % 4
    frame = pl.DataFrame({name: values[:, at] for at, name in enumerate(NUMERIC)})
    return frame.with_columns(
        pl.Series("kind", np.where(rng.random(num_rows) < 0.3, "x", "y")),
        pl.Series("topic", [f"t{number}" for number in topic]),
        pl.Series("leaf", [f"leaf {number}" for number in leaf]),
    )


def compare(
    real: pl.DataFrame, made: pl.DataFrame, holdout: pl.DataFrame | None = None, **options: object
) -> list[Estimate]:
    chosen = {"numeric": NUMERIC, "categorical": CATEGORICAL, "clusters": "leaf", "num_draws": 300, **options}
    return compare_features(real, made, holdout, **chosen)  # type: ignore[arg-type]


def verdict(estimate: Estimate) -> Verdict:
    declared = GATES[estimate.measure]
    assert declared.direction == ("at_least" if estimate.measure in LEAST else "at_most")
    return hold(estimate, "fidelity_report", declared.gate.value, declared.direction, declared.gate.severity).verdict


def failed(estimates: list[Estimate]) -> set[str]:
    return {each.measure for each in estimates if verdict(each) != "passed"}


def test_planted_defects_are_caught_and_clean_tables_pass() -> None:
    caught = {"mean": "mean_shift", "variance": "variance_ratio", "sign": "correlation", "topics": "category"}
    for seed in range(4):
        real, holdout = make(600, seed), make(600, seed + 100)
        assert failed(compare(real, make(2000, seed), holdout)) == set()
        for defect, measure in caught.items():
            found = failed(compare(real, make(2000, seed, defect), holdout))
            assert measure in found and found & set(caught.values()) == {measure}, (defect, found)
            assert ("pair_association" in found) or defect in ("mean", "variance")


def test_small_clean_tables_raise_no_alarm_and_say_how_little_they_know() -> None:
    for seed in range(5):
        estimates = compare(make(120, seed), make(150, seed))
        alarms = {each.measure for each in estimates if verdict(each) == "failed"}
        assert not alarms & {"mean_shift", "variance_ratio", "correlation", "category"}
        assert max(each.ci_high or 0 for each in estimates if each.measure == "correlation") > 0.2


def test_one_estimate_a_measure_and_column_or_pair() -> None:
    estimates = compare(make(300, 1), make(400, 1), make(300, 2))
    counts = {measure: sum(each.measure == measure for each in estimates) for measure in MEASURES}
    assert counts == dict(zip(MEASURES, (6, 6, 6, 2, 15, 28), strict=True)) and len(estimates) == 63
    assert [each.measure for each in estimates] == sorted((each.measure for each in estimates), key=MEASURES.index)
    assert all(each.num_reference == 300 and each.num_synthetic == 400 for each in estimates)
    assert estimates == compare(make(300, 1), make(400, 1), make(300, 2))


def test_the_holdout_is_the_yardstick() -> None:
    real, made = make(600, 1), make(2000, 1, "sign")
    assert {verdict(each) for each in compare(real, made) if each.measure == "pair_association"} == {"not_assessed"}
    pairs = {each.subject: each for each in compare(real, made, make(600, 5)) if each.measure == "pair_association"}
    assert verdict(pairs["a ~ b"]) == "failed" and (pairs["a ~ b"].bound or 0) > 0.2
    assert verdict(pairs["c ~ d"]) == "passed"
    same = [each for each in compare(real, make(600, 5), make(600, 5)) if each.measure in ("shape", "pair_association")]
    assert {verdict(each) for each in same} == {"passed"}
    shapes = [each for each in same if each.measure == "shape"]
    assert all(each.bound == pytest.approx(min(each.value, 0.9)) for each in shapes)


def test_many_rare_categories_are_no_difference() -> None:
    rng = np.random.default_rng(0)
    real, made = (pl.DataFrame({"street": rng.integers(60, size=size)}) for size in (600, 2000))
    (street,) = compare(real, made, numeric=[], categorical=["street"], clusters=None)
    assert street.value < 0.9 < (street.bound or 0) and verdict(street) == "passed"


def test_too_few_rows_are_no_pass_and_none_are_a_failure() -> None:
    real = make(400, 1)
    assert {verdict(each) for each in compare(real.head(99), make(400, 1))} == {"insufficient_reference"}
    assert {verdict(each) for each in compare(real, make(1, 1))} == {"insufficient_reference"}
    assert {verdict(each) for each in compare(real, real.clear())} == {"not_computable"}
    assert {verdict(each) for each in compare(real.clear(), real)} == {"insufficient_reference"}
    (few,) = [each for each in compare(real.head(50), real, min_rows=60) if each.subject == "kind"]
    assert "50 rows are too few to compare: at least 60" in few.words


def test_a_column_with_gaps_counts_its_own_rows() -> None:
    real = make(400, 1).with_columns(pl.when(pl.int_range(400) < 320).then(None).otherwise(pl.col("a")).alias("a"))
    found = {each.subject: verdict(each) for each in compare(real, make(500, 1)) if each.measure == "mean_shift"}
    assert found.pop("a") == "insufficient_reference" and set(found.values()) == {"passed"}


def test_constants_infinities_and_new_categories() -> None:
    real, made = make(300, 1), make(300, 2)
    flat = compare(real.with_columns(a=pl.lit(1.0)), made.with_columns(a=pl.lit(1.0)))
    of_a = {each.measure: each for each in flat if each.subject == "a" or each.subject.startswith("a ~")}
    assert [verdict(of_a[name]) for name in ("mean_shift", "variance_ratio", "shape")] == ["passed"] * 3
    assert verdict(of_a["correlation"]) == "not_assessed"
    moved = {
        each.subject: each for each in compare(real, made.with_columns(a=pl.lit(1.0))) if each.measure == "variance_ratio"
    }
    assert verdict(moved["a"]) == "failed" and "constant in one of the tables" in moved["a"].words
    wild = made.with_columns(pl.when(pl.int_range(300) == 0).then(math.inf).otherwise(pl.col("a")).alias("a"))
    found = {each.subject: verdict(each) for each in compare(real, wild) if each.measure == "mean_shift"}
    assert found["a"] == "failed" and found["b"] == "passed"
    new = compare(real, made.with_columns(kind=pl.lit("z")))
    (kind,) = [each for each in new if each.measure == "category" and each.subject == "kind"]
    assert kind.value == 0 and verdict(kind) == "failed"


def test_sums_by_cluster_are_draws_of_rows() -> None:
    real, made = make(200, 1), make(300, 2)
    sides = draw_clusters(real["leaf"], made["leaf"], 20, 3)
    assert np.array_equal(sides[0].weights, sides[1].weights)
    columns = [made["a"].to_numpy(), made["b"].to_numpy()]
    drawn = draw_correlations(sides[1], columns)[:, 0, 1]
    totals = sides[1].draw(np.stack([np.ones(300), columns[0]], axis=1))
    for number, weights in enumerate(sides[1].weights):
        rows = np.repeat(np.arange(300), weights[sides[1].clusters].astype(int))
        assert totals[number] == pytest.approx([len(rows), columns[0][rows].sum()])
        assert drawn[number] == pytest.approx(spearmanr(columns[0][rows], columns[1][rows])[0], abs=0.02)


def test_draws_of_rows_where_there_are_no_clusters_and_of_many_clusters() -> None:
    sides = draw_clusters(500, 30, 50, 1)
    assert sides[0].weights.shape == (50, 200) and sides[1].weights.shape == (50, 30)
    few = draw_clusters(pl.Series(["x"] * 40), pl.Series(["x"] * 40), 50, 1)
    assert few[0].weights.shape == (50, 40)
    many = [pl.Series([f"{row}" for row in range(num_rows)]) for num_rows in (5000, 3000)]
    real, made = draw_clusters(many[0], many[1], 5, 1)
    assert real.weights.shape == (5, MAX_CLUSTERS)
    assert np.array_equal(real.clusters[:3000], made.clusters)


def test_intervals() -> None:
    draws = np.random.default_rng(0).normal(0.3, 0.1, size=20_000)
    assert percentile(draws, 0.95) == pytest.approx((0.104, 0.496), abs=0.01)
    assert of_size((-0.3, -0.1)) == (0.1, 0.3) and of_size((-0.2, 0.1)) == (0.0, 0.2)
    assert basic(0.9, 0.9, 0.85 + (draws - 0.3) / 10, 0.95) == pytest.approx((0.93, 0.97), abs=0.002)
    assert least_shown(draws, 1, 200, 0.95) == pytest.approx(0.197, abs=0.005)
    assert least_shown(draws, 10, 200, 0.95) == pytest.approx(0.284, abs=0.005)
    assert least_shown(draws, 1, 6, 0.95) == pytest.approx(0.2571 * math.sqrt(6 / 5), abs=0.005)
    assert least_shown(np.array([1.0, math.nan, math.nan]), 1, 6, 0.95) == 0
    assert np.isnan(percentile(np.array([1.0, math.nan, math.nan]), 0.95)).all()
