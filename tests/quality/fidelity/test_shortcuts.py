"""What is reckoned by a shortcut is what the long way gives: sorting all rows, searching bins, correlating pair by pair."""

import math

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from synth_assets.quality.fidelity import Kind, dependence, score_tables
from synth_assets.quality.fidelity.columns import bin_edges, share_codes, to_bins
from synth_assets.quality.fidelity.dependence import correlation, correlation_matrix
from synth_assets.quality.fidelity.marginals import ks_complement_of

Floats = NDArray[np.float64]
RNG = np.random.default_rng(8)
NORMAL = RNG.normal(size=2000)
COLUMNS = {
    "normal": (NORMAL, RNG.normal(size=1500)),
    "shifted": (NORMAL, RNG.normal(0.2, 1.1, size=900)),
    "heavy tail": (np.exp(4 * NORMAL), np.exp(4 * RNG.normal(size=1500))),
    "one far away": (np.append(NORMAL, 1e300), RNG.normal(size=1500)),
    "whole numbers": (RNG.poisson(3, size=2000) - 7.0, RNG.poisson(3.2, size=1500) - 7.0),
    "wide whole numbers": (RNG.integers(10**9, size=500) * 1.0, RNG.integers(10**9, size=700) * 1.0),
    "tenths": (np.round(NORMAL, 1), np.round(RNG.normal(size=1500), 1)),
    "all in one narrow bin": (NORMAL * 1e-9 + 1, np.append(NORMAL[:99] * 2e-9 + 1, 2.0)),
    "apart": (NORMAL[NORMAL < 0], NORMAL[NORMAL > 0]),
    "the same": (NORMAL, NORMAL[::-1]),
    "constant": (np.ones(5), np.ones(7)),
    "two constants": (np.ones(5), np.full(7, 2.0)),
    "infinite": (np.append(NORMAL, [math.inf, -math.inf]), np.append(NORMAL[:50], [math.inf] * 9)),
    "beyond the range of floats": (np.array([-1.7e308, 0.5, 1.7e308]), np.array([0.25, 0.5])),
    "smallest": (np.array([0.0, 5e-324, 1e-323]), np.array([5e-324])),
    "one row": (np.array([0.0]), NORMAL),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_distance_of_distributions(name: str) -> None:
    for real, made in (COLUMNS[name], COLUMNS[name][::-1]):
        theirs = 1 - ks_2samp(real, made, method="asymp").statistic
        assert ks_complement_of(RNG.permutation(real), np.append(made, math.nan)) == pytest.approx(theirs, abs=1e-14)


@pytest.mark.parametrize("name", COLUMNS)
def test_bins(name: str) -> None:
    numbers = np.append(COLUMNS[name][1], [math.nan, math.inf, -math.inf])
    real = COLUMNS[name][0]
    edges = bin_edges(np.append(real, math.nan))
    if name in ("beyond the range of floats", "smallest"):
        assert np.isfinite(edges).all() and (np.diff(edges) >= 0).all() and edges[-1] == real.max()
    else:
        assert np.array_equal(edges, np.histogram_bin_edges(real[np.isfinite(real)], bins=10))
    on_edges = np.concatenate([numbers, edges, np.nextafter(edges, math.inf), np.nextafter(edges, -math.inf)])
    assert np.array_equal(to_bins(on_edges, edges, is_open=False), np.digitize(on_edges, edges))
    opened = np.concatenate([[-math.inf], edges[1:-1], [math.inf]])
    assert np.array_equal(to_bins(on_edges, edges), np.digitize(on_edges, opened))
    many = np.linspace(-1, 1, 40_000)
    assert np.array_equal(to_bins(on_edges, many, is_open=False), np.digitize(on_edges, many))


def test_correlations_with_gaps_are_those_of_the_complete_rows() -> None:
    base = RNG.normal(size=9000)
    columns = [base * sign + RNG.normal(size=9000) * 0.5 + offset for sign, offset in ((1, 0), (-1, 1e6), (1, -3))]
    gaps = [
        np.where(RNG.random(9000) < share, math.nan, column) for share, column in zip((0.3, 0.9, 0), columns, strict=True)
    ]
    only_together = np.where(np.isnan(gaps[0]), RNG.normal(size=9000) * 1e9, 1.0)
    hardly_apart = np.where(np.isnan(gaps[0]), 1e9, base)
    wild = np.where(np.arange(9000) == np.flatnonzero(np.isnan(gaps[0]))[0], math.inf, base)
    every = [*gaps, only_together, hardly_apart, wild, np.full(9000, 0.1), np.full(9000, math.nan)]
    matrix = correlation_matrix(every, "pearson")
    for low, first in enumerate(every):
        for high, second in enumerate(every):
            expected = correlation(first, second, "pearson")
            assert matrix[low, high] == pytest.approx(expected, abs=1e-12, nan_ok=True), (low, high)
    assert math.isnan(matrix[0, 3]) and matrix[0, 4] > 0.8 and matrix[0, 5] == pytest.approx(matrix[0, 4])
    assert matrix[0, 1] < -0.7 and np.isnan(matrix[6:]).all()


def test_categories_that_come_late_are_coded_like_those_that_come_first() -> None:
    late = [f"n{number % 3}" for number in range(5000)] + ["z", None, "y", "z"]
    (real, made), num_codes = share_codes(pl.Series(late), pl.Series(["y", "x", None, "n1"]))
    assert num_codes == 7 and real[:3].tolist() == [1, 2, 3]
    assert len({*real[5000:].tolist(), *real[:3].tolist()}) == 6 and real[5000] == real[5003] != real[5002] > 0 == real[5001]
    assert made.tolist()[2:] == [0, 2] and made[0] == real[5002] and made[1] not in real
    (flags, others), num_flags = share_codes(pl.Series([True, None, False]), pl.Series([False]))
    assert num_flags == 3 and flags[1] == 0 and flags[2] == others[0] != flags[0]
    (flags, words), _ = share_codes(pl.Series([True, None]), pl.Series(["true", "maybe"]))
    assert flags[0] == words[0] and flags[1] == 0


def test_cells_are_counted_the_same_whether_all_or_only_those_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    real, made = RNG.integers(40, size=300) * 3, RNG.integers(40, size=200) * 3 + 1
    dense = dependence.number_cells(real, made, 130)
    similar, associated = dependence.cell_similarity(real, made // 3 * 3, 130), dependence.cramers_v(real, real % 7, 130, 7)
    monkeypatch.setattr(dependence, "_MAX_CELLS", 10)
    for ours, theirs in zip(dense, dependence.number_cells(real, made, 130), strict=True):
        assert np.array_equal(ours, theirs)
    assert dependence.cell_similarity(real, made // 3 * 3, 130) == pytest.approx(similar, abs=1e-15)
    assert dependence.cramers_v(real, real % 7, 130, 7) == pytest.approx(associated, abs=1e-15)


def test_tables_without_rows_have_no_figures_and_raise_nothing() -> None:
    full = pl.DataFrame({"x": [1.0, 2.0, None], "c": ["a", "b", None], "d": [True, False, None], "t": ["u", "v", "w"]})
    kinds: dict[str, Kind] = {"x": "numeric", "c": "categorical", "d": "categorical", "t": "text"}
    for real, made in ((full, full.clear()), (full.clear(), full), (full.clear(), full.clear())):
        scores = score_tables(real, made, kinds)
        assert math.isnan(scores.column_shapes) and scores.data_structure == 1
        assert all(math.isnan(each.value) for each in scores.details if each.measure.endswith(("Complement", "Similarity")))
    assert score_tables(full, full, kinds).column_shapes == 1 and math.isnan(score_tables(full, full, {}).column_shapes)
