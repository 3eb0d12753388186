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
from collections.abc import Sequence, Set
from functools import cache
from typing import Any

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_NUM_PERM = 80
_LEAST = 0.05
_PROPOSED_AT_THRESHOLD = 0.6
_SEED = 1
_PROPOSED_FROM = 0.3  # Jaccard similarity; repeated words lower it


def plain(text: str | None) -> str:
    """The text by which two texts are the same: without regard to case and white space."""
    return " ".join((text or "").casefold().split())


def row_key(context: str | None, question: str, answer: str) -> tuple[str, str, str]:
    """By which two rows are the same: all of their texts, since short questions of one template often coincide."""
    return plain(context), plain(question), plain(answer)


def words_of(text: str) -> list[str]:
    """Words and punctuation marks, without regard to case."""
    return _TOKEN.findall(text.casefold())


class SketchIndex:
    """Names with their sets. `threshold`: Jaccard similarity above which pairs are to be proposed.

    Two sets of similarity s agree in one of b bands of r rows with probability 1 - (1 - s^r)^b (Leskovec, Rajaraman,
    Ullman 2014, Mining of Massive Datasets, 3.4.2). Memory: about 90 bytes a band and name.
    """

    def __init__(self, threshold: float) -> None:
        from rensa import RMinHashLSH

        self._lsh = RMinHashLSH(max(_LEAST, threshold), _NUM_PERM, _num_bands(max(_LEAST, threshold)))
        self._keys: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._next = 0

    def __contains__(self, name: str) -> bool:
        return name in self._keys

    def propose(self, sketch: Any) -> list[str]:
        """Names whose sets may be alike, sorted."""
        return sorted(self._names[key] for key in self._lsh.query(sketch))

    def remove(self, name: str) -> None:
        """Raises KeyError for a name that is not there."""
        key = self._keys.pop(name)
        del self._names[key]
        self._lsh.remove(key)

    def insert(self, name: str, sketch: Any) -> None:
        """Raises ValueError for a name that is there already: it would have to be two sets."""
        if name in self._keys:
            raise ValueError(f"the index holds {name!r} already")
        self._keys[name], self._names[self._next] = self._next, name
        self._lsh.insert(self._next, sketch)
        self._next += 1


def sketch_of(items: Set[str]) -> Any:
    """What stands for a set in an index: its MinHash (Broder 1997), the same in every process."""
    from rensa import RMinHash

    sketch = RMinHash(_NUM_PERM, _SEED)
    sketch.update([item.encode("utf-8", "surrogatepass") for item in items])
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
def _num_bands(threshold: float) -> int:
    """The fewest bands that propose most pairs at the threshold, and so next to all that lie clearly above it."""
    rows = [each for each in range(1, _NUM_PERM + 1) if _NUM_PERM % each == 0]
    chances = [(each, 1 - (1 - threshold**each) ** (_NUM_PERM // each)) for each in rows]
    return _NUM_PERM // max((each for each, chance in chances if chance >= _PROPOSED_AT_THRESHOLD), default=1)
