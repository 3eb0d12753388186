"""Means, variances, shapes and categories, a column at a time; see `compare` for what is held against the tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from synth_assets.quality.estimates import PERHAPS_CHANCE, Estimate
from synth_assets.quality.fidelity.columns import MISSING, Floats, Indices, present, share_codes, to_numbers
from synth_assets.quality.fidelity.comparison import MUST_BE_CAUGHT, Comparison
from synth_assets.quality.fidelity.marginals import ks_complement_of, mean_shift, tv_complement, variance_ratio
from synth_assets.quality.fidelity.resampling import Side, basic, draw_shares

_GRID = 128


def compare_moments(at_hand: Comparison, names: Sequence[str]) -> list[Estimate]:
    shifts: list[Estimate] = []
    ratios: list[Estimate] = []
    for name in names:
        real, made = at_hand.reference[name], at_hand.synthetic[name]
        drawn, chance = _draw_moments(at_hand.sides, real, made), _draw_chance(at_hand, name)
        for measure, value, draws, by_chance, into in (
            ("mean_shift", mean_shift(real, made), [drawn.shifts, drawn.differences], chance and chance.differences, shifts),
            ("variance_ratio", variance_ratio(real, made), [drawn.ratios], chance and chance.ratios, ratios),
        ):
            found = at_hand.too_few(measure, name, [name])
            if value:
                found = found or at_hand.too_alike(measure, name, [name])
            into.append(found or at_hand.difference(measure, name, value, draws, len(names), by_chance))
    return shifts + ratios


class _Moments(NamedTuple):
    """Draws of the difference of means in standard deviations of the draw's own reference, and in those of the whole one;
    and of ln(var_s / var_r).

    A shift is told from chance by the second: in the first the standard deviation varies as well, the more the larger the
    shift is, and where few leaves have digits at all it hid a shift by half a standard deviation.
    """

    shifts: Floats
    differences: Floats
    ratios: Floats


def _draw_chance(at_hand: Comparison, name: str) -> _Moments | None:
    """The same of what two real samples differ by; None without a holdout."""
    if at_hand.holdout is None or at_hand.real_sides is None:
        return None
    drawn = _draw_moments(at_hand.real_sides, at_hand.reference[name], at_hand.holdout[name])
    return _Moments(*(at_hand.as_of_synthetic(each) for each in drawn))


def _draw_moments(sides: tuple[Side, Side], reference: pl.Series, other: pl.Series) -> _Moments:
    real, made = to_numbers(reference), to_numbers(other)
    with np.errstate(all="ignore"):
        middle, spread = (present(real).mean(), present(real).std() or 1.0) if len(present(real)) else (0.0, 1.0)
        means, variances = [], []
        for side, numbers in zip(sides, ((real - middle) / spread, (made - middle) / spread), strict=True):
            is_there = ~np.isnan(numbers)
            filled = np.where(is_there, numbers, 0.0)
            count, total, squares = side.draw(np.stack([is_there, filled, filled**2], axis=1)).T
            means.append(total / count)
            variances.append(np.maximum((squares - total**2 / count) / (count - 1), 0.0))
        apart = means[1] - means[0]
        return _Moments(apart / np.sqrt(variances[0]), apart, np.log(variances[1] / variances[0]))


def compare_shape(at_hand: Comparison, name: str, num_together: int) -> Estimate:
    if few := at_hand.too_few("shape", name, [name]):
        return few
    real, made = to_numbers(at_hand.reference[name]), to_numbers(at_hand.synthetic[name])
    value = ks_complement_of(real, made)
    if not len(present(made)):
        return at_hand.estimate("shape", name, value, (math.nan, math.nan), math.nan)
    grid = np.unique(np.quantile(np.concatenate([present(real), present(made)]), np.linspace(0, 1, _GRID), method="lower"))
    below = []
    for side, numbers in zip(at_hand.sides, (real, made), strict=True):
        counts = side.count(np.searchsorted(grid, np.where(np.isnan(numbers), np.inf, numbers)), len(grid) + 1)
        counts[:, -1] = 0  # above the greatest of both: the missing
        point = np.bincount(np.searchsorted(grid, present(numbers)), minlength=len(grid) + 1)
        every = np.vstack([point, counts]).cumsum(axis=1)
        with np.errstate(invalid="ignore"):
            below.append(every / every[:, -1:])
    draws = 1 - np.abs(below[0] - below[1]).max(axis=1)
    interval = basic(value, float(draws[0]), draws[1:], at_hand.confidence)
    bound, words = value, ""
    if at_hand.holdout is not None:
        held_out = to_numbers(at_hand.holdout[name])
        gap = at_hand.gap(made, held_out, lambda rows: ks_complement_of(real, rows), draws[1:], num_together)
        bound, words = min(value, at_hand.tolerances["shape"] + at_hand.margin - gap.size), gap.words
    return at_hand.estimate("shape", name, value, interval, bound, words)


def compare_category(at_hand: Comparison, name: str) -> Estimate:
    if few := at_hand.too_few("category", name, [name]):
        return few
    value = tv_complement(at_hand.reference[name], at_hand.synthetic[name])
    codes, num_codes = share_codes(at_hand.reference[name], at_hand.synthetic[name])
    shares = _draw_shares(at_hand, codes, num_codes)
    draws = 1 - np.abs(shares[0] - shares[1]).sum(axis=1) / 2
    interval = basic(value, value, draws, at_hand.confidence)
    tolerance = at_hand.tolerances["category"]
    large = MUST_BE_CAUGHT["category"] * (1 - tolerance)
    if 1 - value > large and interval[1] >= tolerance:
        return at_hand.undecided("category", name, value, interval, large)
    words = PERHAPS_CHANCE if value < tolerance <= interval[1] else ""
    return at_hand.estimate("category", name, value, interval, interval[1], words)


def _draw_shares(at_hand: Comparison, codes: Sequence[Indices], num_codes: int) -> list[Floats]:
    """Of a column that says which cluster a row is of, rows are drawn: how often a cluster is drawn says nothing of how many
    rows it has, and the interval would be as wide at a hundred thousand rows as at a hundred."""
    pairs = list(zip(at_hand.sides, codes, strict=True))
    if not all(side.determines(each, num_codes) for side, each in pairs):
        return [side.shares(each, num_codes, left_out=MISSING) for side, each in pairs]
    rng = np.random.default_rng(at_hand.seed)
    return [draw_shares(each, num_codes, MISSING, len(side.weights), rng) for side, each in pairs]
