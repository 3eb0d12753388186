"""When texts are the same, and which of many are alike: MinHash proposes, the caller decides.

An index is tuned well below the similarity that is asked for, so that a true pair is hardly ever not proposed; what is
proposed must be judged by its exact similarity.

Is a new instruction new? ROUGE-L (Lin 2004): the F-measure of the longest common subsequence of two texts' words,
2 LCS / (m + n). Self-Instruct (Wang et al. 2022, arXiv 2212.10560) keeps instructions below .7, LAB as well. Texts above .7
share at least .35 (m + n) words, a Jaccard similarity of .54 or more where no word stands twice, so MinHash proposes the few
that are measured. Questions on different texts may be the same ("What is the price?"): one with a context is compared with
those on the same context alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence, Set
from functools import cache
from typing import Any

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_NUM_PERM = 128
_SEED = 1
_PROPOSED_FROM = 0.3  # Jaccard similarity; repeated words lower it


def plain(text: str | None) -> str:
    """The text by which two texts are the same: without regard to case and white space."""
    return " ".join((text or "").casefold().split())


def words_of(text: str) -> list[str]:
    """Words and punctuation marks, without regard to case."""
    return _TOKEN.findall(text.casefold())


class SketchIndex:
    """Names with their sets. `threshold`: Jaccard similarity above which pairs are to be proposed."""

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHashLSH

        self._lsh = MinHashLSH(num_perm=_NUM_PERM, params=_bands(max(0.05, threshold)))

    def __contains__(self, name: str) -> bool:
        return name in self._lsh

    def propose(self, sketch: Any) -> list[str]:
        """Names whose sets may be alike, sorted."""
        proposed: Iterable[str] = self._lsh.query(sketch)
        return sorted(proposed)

    def remove(self, name: str) -> None:
        self._lsh.remove(name)

    def insert(self, name: str, sketch: Any) -> None:
        self._lsh.insert(name, sketch)


def sketch_of(items: Set[str]) -> Any:
    """What stands for a set in an index."""
    from datasketch import MinHash

    sketch = MinHash(num_perm=_NUM_PERM, seed=_SEED)
    sketch.update_batch([item.encode("utf-8", "surrogatepass") for item in sorted(items)])
    return sketch


class NoveltyIndex:
    """The instructions of one leaf."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._indices: dict[str, SketchIndex] = {}

    def add(self, context: str, instruction: str) -> None:
        """Take it in; what stands there already stays once."""
        if instruction not in self._index(context):
            self._index(context).insert(instruction, sketch_of(set(words_of(instruction))))

    def remove(self, context: str, instruction: str) -> None:
        self._index(context).remove(instruction)

    def nearest(self, context: str, instruction: str) -> tuple[float, str] | None:
        """ROUGE-L and text of the closest instruction on this context, if it is above the limit."""
        words = words_of(instruction)
        proposed = self._index(context).propose(sketch_of(set(words)))
        closest = max(((rouge_l(words, words_of(text)), text) for text in proposed), default=(0.0, ""))
        return closest if closest[0] > self._limit else None

    def _index(self, context: str) -> SketchIndex:
        if context not in self._indices:
            self._indices[context] = SketchIndex(_PROPOSED_FROM)
        return self._indices[context]


def rouge_l(one: Sequence[str], other: Sequence[str]) -> float:
    """2 LCS / (m + n) over words; 0 for a text without words."""
    if not one or not other:
        return 0.0
    row = [0] * (len(other) + 1)
    for word in one:
        diagonal = 0
        for column, candidate in enumerate(other, 1):
            above = row[column]
            row[column] = diagonal + 1 if word == candidate else max(above, row[column - 1])
            diagonal = above
    return 2 * row[-1] / (len(one) + len(other))


@cache
def _bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows; finding them takes longer than many questions to an index."""
    from datasketch import MinHashLSH

    tuned = MinHashLSH(threshold=threshold, num_perm=_NUM_PERM, weights=(0.2, 0.8))
    return tuned.b, tuned.r
