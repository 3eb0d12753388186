"""Exact and near-duplicates over the whole set.

Near-duplicates: Jaccard similarity of the sets of word 3-grams (Broder 1997), punctuation marks count as words. MinHash
LSH only proposes pairs; each is then verified by its exact similarity, since short texts of one template lie close
together and an estimate (standard error ~ 0.04 at 128 permutations) would throw out honest samples. The index is tuned
well below the threshold, so that a true pair is hardly ever not proposed.
"""

from __future__ import annotations

from synth_assets.records import SyntheticSample
from synth_assets.sketches import SketchIndex, plain, sketch_of, words_of

_MARGIN = 0.2  # of the index below the threshold
Shingles = frozenset[tuple[str, ...]]


def text_key(sample: SyntheticSample) -> tuple[str, ...]:
    """By which two samples are exact duplicates: all three texts, without regard to case and white space."""
    return tuple(map(plain, (sample.context, sample.instruction, sample.response)))


def shingles_of(sample: SyntheticSample) -> Shingles:
    """Word 3-grams over context, instruction and response; a shorter text is one shingle."""
    words = words_of("\n".join(text_key(sample)))
    if len(words) < 3:
        return frozenset({tuple(words)})
    return frozenset(zip(words, words[1:], words[2:], strict=False))


def jaccard(one: Shingles, other: Shingles) -> float:
    return len(one & other) / len(one | other)


class NearDuplicateIndex:
    """Samples that were taken in; `nearest` says which of them a further one is too close to."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._shingles: dict[str, Shingles] = {}
        self._index = SketchIndex(threshold - _MARGIN)

    def nearest(self, sample: SyntheticSample) -> tuple[float, str] | None:
        """Similarity and id of the closest sample at or above the threshold; None, after taking this one in."""
        shingles = shingles_of(sample)
        sketch = sketch_of({"\x1f".join(shingle) for shingle in shingles})
        pairs = sorted((-jaccard(shingles, self._shingles[name]), name) for name in self._index.propose(sketch))
        if pairs and -pairs[0][0] >= self._threshold:
            return -pairs[0][0], pairs[0][1]
        self._shingles[sample.synthetic_sample_id] = shingles
        self._index.insert(sample.synthetic_sample_id, sketch)
        return None
