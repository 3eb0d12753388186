"""Exact and near-duplicates over the whole set.

Near-duplicates: Jaccard similarity of the sets of word 3-grams (Broder 1997), punctuation marks count as words. MinHash
LSH only proposes pairs; each is then verified by its exact similarity, since short texts of one template lie close
together and an estimate (standard error ~ 0.05 at 80 permutations) would throw out honest samples. The index is tuned
well below the threshold, so that a true pair is hardly ever not proposed.
"""

from __future__ import annotations

from functools import lru_cache

from synth_assets.records import SyntheticSample
from synth_assets.sketches import SketchIndex, plain, sketch_of, words_of

_MARGIN = 0.2  # of the index below the threshold
_NUM_AT_HAND = 20_000  # sets of shingles, of those that were proposed last
Shingles = frozenset[tuple[str, ...]]


def text_key(sample: SyntheticSample) -> tuple[str, ...]:
    """By which two samples are exact duplicates: all three texts, without regard to case and white space."""
    return tuple(map(plain, (sample.context, sample.instruction, sample.response)))


def shingles_of(sample: SyntheticSample) -> Shingles:
    """Word 3-grams over context, instruction and response; a shorter text is one shingle."""
    return _shingles("\n".join(text_key(sample)))


def _shingles(text: str) -> Shingles:
    words = words_of(text)
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def jaccard(one: Shingles, other: Shingles) -> float:
    return len(one & other) / len(one | other)


class NearDuplicateIndex:
    """Samples that were taken in; `nearest` says which of them a further one is too close to.

    It keeps their texts rather than their shingles, which take twenty times the room.
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._texts: dict[str, str] = {}
        self._index = SketchIndex(threshold - _MARGIN)
        self._shingles = lru_cache(maxsize=_NUM_AT_HAND)(lambda name: _shingles(self._texts[name]))

    def nearest(self, sample: SyntheticSample) -> tuple[float, str] | None:
        """Similarity and id of the closest sample at or above the threshold; None, after taking this one in."""
        text = "\n".join(text_key(sample))
        shingles = _shingles(text)
        sketch = sketch_of({"\x1f".join(shingle) for shingle in shingles})
        pairs = sorted((-jaccard(shingles, self._shingles(name)), name) for name in self._index.propose(sketch))
        if pairs and -pairs[0][0] >= self._threshold:
            return -pairs[0][0], pairs[0][1]
        self._texts[sample.synthetic_sample_id] = text
        self._index.insert(sample.synthetic_sample_id, sketch)
        return None
