"""What a generation's rows have lost in variety against those of the generation before.

Shares of distinct n-grams fall as a text grows, so both sets are counted at the same number of rows, leaf by leaf: another
mixture of leaves, or more rows, must not look like a loss. What is counted is counted within its leaf, since a phrase that
two leaves share is no repetition.

Intervals come from half-samples: of each leaf half of the smaller set's rows, without replacement, from both sets. A half-
sample scatters about the whole sample as that does about the population (McCarthy 1969, Rev. Int. Stat. Inst. 37:239), and
unlike a draw with replacement it repeats no row, which alone would make a text look poor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synth_assets.intervals import Floats, Indices
from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient

Codes = NDArray[np.int64]
_Stratum = tuple[Indices, Indices]
"""Rows of the previous and of the current set that are halved together."""
MEASURES = ("distinct_3_ratio", "vocabulary_ratio", "type_token_ratio")


class _Counted(NamedTuple):
    """A set's rows as numbers: by row its trigrams and words within their leaf, and its words wherever they stand."""

    rows_of: Mapping[str, Indices]
    trigrams: list[Codes]
    words_in_leaf: list[Codes]
    words: list[Codes]


def diversity_against(
    previous: pl.DataFrame, current: pl.DataFrame, *, num_draws: int = 100, confidence: float = 0.95, seed: int = 0,
    least: int = MIN_REFERENCE,
) -> list[Estimate]:  # fmt: skip
    """Ratios current / previous at matched numbers of rows, and `leaves_kept`; 1: nothing is lost.

    distinct_3_ratio   of the shares of distinct trigrams of words (Li et al. 2016, arXiv 1510.03055, distinct-n)
    vocabulary_ratio   of the numbers of distinct words
    type_token_ratio   of the shares of distinct words
    leaves_kept        share of the previous set's leaves that the current one has rows of

    `previous`, `current`: leaf_path, instruction, response, and perhaps context (SyntheticSample, KeptSample). Subjects are
    `all` and, where there are several, the branches. Fewer than `least` rows in either set: insufficient_reference. The
    gates are held against the lower end of the interval. A leaf with one row in either set cannot be halved by itself: such
    leaves are halved together.
    """
    branches = sorted({path.split("/")[0] for path in previous["leaf_path"]})
    estimates = [_leaves_kept(previous, current)]
    numbers: dict[tuple[str, ...], int] = {}
    before, now = (_count(frame, numbers) for frame in (previous, current))
    for subject in ["all", *(branches if len(branches) > 1 else [])]:
        leaves = [path for path in sorted(before.rows_of) if subject in ("all", path.split("/")[0])]
        estimates += _compare(subject, leaves, before, now, num_draws, confidence, seed, least)
    return estimates


def _leaves_kept(previous: pl.DataFrame, current: pl.DataFrame) -> Estimate:
    before, now = set(previous["leaf_path"]), set(current["leaf_path"])
    gone = sorted(before - now)
    share = 1 - len(gone) / len(before) if before else math.nan
    words = f"{len(gone)} leaves have no row: {', '.join(gone[:3])}" if gone else ""
    return Estimate(
        "leaves_kept", "all", share, num_reference=previous.height, num_synthetic=current.height,
        words=words if before else "there are no rows to compare with",
    )  # fmt: skip


def _compare(
    subject: str, leaves: Sequence[str], previous: _Counted, current: _Counted, num_draws: int, confidence: float,
    seed: int, least: int,
) -> list[Estimate]:  # fmt: skip
    none = np.empty(0, np.int64)
    num_before, num_now = (sum(of.rows_of.get(path, none).size for path in leaves) for of in (previous, current))
    if min(num_before, num_now) < least:
        return [insufficient(measure, subject, num_before, num_now, least) for measure in MEASURES]
    strata = _strata(leaves, previous, current)
    if not strata:
        words = "no two rows of each set stand in leaf nodes that both have, so nothing can be halved"
        return [replace(insufficient(each, subject, num_before, num_now, least), words=words) for each in MEASURES]
    rng = np.random.default_rng(seed)
    draws = np.array([
        _measured(current, _drawn(strata, 1, rng)) / _measured(previous, _drawn(strata, 0, rng))
        for _ in range(num_draws)
    ])  # fmt: skip
    words = f"at {sum(_half(each) for each in strata):,} rows of each set, {num_draws} draws"
    estimates = []
    for measure, values in zip(MEASURES, draws.T, strict=True):
        low, high = (float(np.quantile(values, p)) for p in ((1 - confidence) / 2, (1 + confidence) / 2))
        estimates.append(Estimate(measure, subject, float(values.mean()), low, high, num_before, num_now, low, words))
    return estimates


def _strata(leaves: Sequence[str], previous: _Counted, current: _Counted) -> list[_Stratum]:
    """Rows of each leaf that can be halved, and of all leaves together that have one row in either set."""
    both = [(previous.rows_of[path], current.rows_of[path]) for path in leaves if path in current.rows_of]
    single = [pair for pair in both if not _half(pair)]
    strata = [pair for pair in both if _half(pair)]
    if single:
        strata.append((np.concatenate([pair[0] for pair in single]), np.concatenate([pair[1] for pair in single])))
    return [pair for pair in strata if _half(pair)]


def _half(stratum: _Stratum) -> int:
    return min(rows.size for rows in stratum) // 2


def _drawn(strata: Sequence[_Stratum], side: int, rng: np.random.Generator) -> list[int]:
    return [int(row) for each in strata for row in rng.choice(each[side], _half(each), replace=False)]


def _measured(counted: _Counted, rows: Sequence[int]) -> Floats:
    """As MEASURES, of these rows; NaN where there is nothing to count."""
    none = np.empty(0, np.int64)
    parts = [np.concatenate([none, *(codes[row] for row in rows)]) for codes in counted[1:]]
    trigrams, words_in_leaf, words = ((part.size, np.unique(part).size) for part in parts)
    with np.errstate(invalid="ignore"):
        return np.array([np.divide(*trigrams[::-1]), float(words[1]), np.divide(*words_in_leaf[::-1])])


def _count(frame: pl.DataFrame, numbers: dict[tuple[str, ...], int]) -> _Counted:
    """`numbers` is shared, so that the same words have the same number in both sets."""
    rows_of: dict[str, list[int]] = {}
    codes: tuple[list[Codes], ...] = ([], [], [])
    columns = [name for name in ("context", "instruction", "response") if name in frame.columns]
    for row, (path, *texts) in enumerate(frame.select("leaf_path", *columns).iter_rows()):
        rows_of.setdefault(path, []).append(row)
        found: tuple[list[tuple[str, ...]], ...] = ([], [], [])
        for words in (text.split() for text in texts if text):
            found[0].extend((path, *words[at : at + 3]) for at in range(len(words) - 2))
            found[1].extend((path, word) for word in words)
            found[2].extend((word,) for word in words)
        for of_kind, keys in zip(codes, found, strict=True):
            of_kind.append(np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64))
    return _Counted({path: np.array(rows, np.int64) for path, rows in rows_of.items()}, *codes)
