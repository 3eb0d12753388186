"""Does what the teacher was shown come out of the rows more than what it was not shown?

Documents are split before generation: the teacher sees some chunks, others are held back. Texts of one author are alike,
so rows share some runs of words with both; only where they share more with the seen part has something leaked. This
needs no access to a model.

The statistic is the mean share of a chunk's word n-grams that stand in some row, seen minus unseen; its p-value is that
of a permutation of which chunks were seen, within each document (Phipson, Smyth 2010, Stat. Appl. Genet. Mol. Biol.
9:39: (1 + number as large) / (1 + number drawn)).

Limit: the answer to a question about a seen chunk quotes it where that is its task. Rows of such tasks belong into the
test only if quotations are not wanted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.privacy.copies import NUM_WORDS, ngrams_of, words_in

Floats = NDArray[np.float64]
MIN_CHUNKS = 10  # on each side: fewer cannot reach p < .01 with room to spare
_NUM_ROWS_COMPARED = 2_000


@dataclass(frozen=True)
class LeakTest:
    """`effect`: mean overlap of the seen chunks minus that of the unseen; `p_value` one-sided: seen overlap more."""

    p_value: float
    effect: float
    seen_overlap: float
    unseen_overlap: float
    num_seen: int
    num_unseen: int


def measure_leak(
    rows: Iterable[str],
    seen: Sequence[str],
    unseen: Sequence[str],
    documents: tuple[Sequence[str], Sequence[str]] | None = None,
    *,
    num_words: int = NUM_WORDS,
    num_draws: int = 2_000,
    seed: int = 0,
) -> LeakTest:
    """Whether the rows' texts (without contexts) overlap more with the seen chunks than with the unseen ones.

    `documents`: the document of each seen and of each unseen chunk; chunks are permuted within a document. NaN where a
    side is empty.
    """
    overlap = overlap_shares(rows, [*seen, *unseen], num_words)
    is_seen = np.arange(len(overlap)) < len(seen)
    if not len(seen) or not len(unseen):
        return LeakTest(float("nan"), float("nan"), float("nan"), float("nan"), len(seen), len(unseen))
    names = [*documents[0], *documents[1]] if documents else [""] * len(overlap)
    groups: dict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        groups[name].append(position)
    rng = np.random.default_rng(seed)
    effect, num_as_large = _effect(overlap, is_seen), 0
    for _ in range(num_draws):
        drawn = is_seen.copy()
        for members in groups.values():
            drawn[members] = rng.permutation(is_seen[members])
        num_as_large += _effect(overlap, drawn) >= effect - 1e-12
    means = float(overlap[is_seen].mean()), float(overlap[~is_seen].mean())
    return LeakTest((1 + num_as_large) / (1 + num_draws), effect, *means, len(seen), len(unseen))


def overlap_shares(rows: Iterable[str], chunks: Sequence[str], num_words: int = NUM_WORDS) -> Floats:
    """Of each chunk's distinct n-grams the share that stands in some row. Rows are read once; memory is the chunks'."""
    ngrams = [set(ngrams_of(words_in(chunk), num_words)) for chunk in chunks]
    wanted = set().union(*ngrams)
    found = {ngram for row in rows for ngram in ngrams_of(words_in(row), num_words) if ngram in wanted}
    return np.array([len(each & found) / max(1, len(each)) for each in ngrams])


def dcr_wins(to_train: Floats, to_holdout: Floats) -> tuple[float, int]:
    """Rows that lie closer to the training part, ties as halves, and rows.

    DCR share = P(d_train < d_holdout) + 1/2 P(equal), .5 where nothing is memorised and both parts have one size. It does
    not show that rows are private (Yao et al. 2025, arXiv 2505.01524). NaN if a distance is. Raises ValueError unless there
    is a pair for each row.
    """
    if to_train.shape != to_holdout.shape:
        raise ValueError(f"distances to both parts for each row, not {to_train.shape} and {to_holdout.shape}")
    if np.isnan(to_train).any() or np.isnan(to_holdout).any():
        return float("nan"), len(to_train)
    return float((to_train < to_holdout).sum() + 0.5 * (to_train == to_holdout).sum()), len(to_train)


def text_distances(
    rows: Sequence[str], train: Sequence[str], holdout: Sequence[str], *, seed: int = 0
) -> tuple[Floats, Floats]:
    """1 - Jaccard similarity over word 3-grams to the closest record of either part, one number a row and part.

    The larger part is cut to the size of the smaller, and of many rows 2,000 are compared, both by the texts' hashes.
    """
    size = min(len(train), len(holdout))
    drawn = _draw(rows, _NUM_ROWS_COMPARED, seed)
    return _closest(drawn, _draw(train, size, seed)), _closest(drawn, _draw(holdout, size, seed))


def embedding_distances(rows: Floats, records: Floats) -> Floats:
    """1 - cosine to the closest record. `rows`: n x d, `records`: m x d; compare only parts of the same m."""
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    others = records / np.maximum(np.linalg.norm(records, axis=1, keepdims=True), 1e-12)
    blocks = [1 - (unit[start : start + 1024] @ others.T).max(axis=1) for start in range(0, len(unit), 1024)]
    return np.concatenate(blocks) if blocks else np.empty(0)


def _effect(overlap: Floats, is_seen: NDArray[np.bool_]) -> float:
    return float(overlap[is_seen].mean() - overlap[~is_seen].mean())


def _closest(rows: Sequence[str], records: Sequence[str]) -> Floats:
    holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
    sizes = []
    for number, record in enumerate(records):
        shingles = set(ngrams_of(words_in(record), 3))
        sizes.append(len(shingles))
        for shingle in shingles:
            holders[shingle].append(number)
    distances = np.ones(len(rows))
    for position, row in enumerate(rows):
        shingles, shared = set(ngrams_of(words_in(row), 3)), defaultdict[int, int](int)
        for shingle in shingles:
            for number in holders.get(shingle, ()):
                shared[number] += 1
        closest = max((count / (len(shingles) + sizes[number] - count) for number, count in shared.items()), default=0.0)
        distances[position] = 1 - closest
    return distances


def _draw(texts: Sequence[str], size: int, seed: int) -> list[str]:
    """So many of the texts, the same ones whatever their order."""
    if len(texts) <= size:
        return list(texts)
    return sorted(texts, key=lambda text: hashlib.blake2b(f"{seed}:{text}".encode("utf-8", "surrogatepass")).digest())[:size]
