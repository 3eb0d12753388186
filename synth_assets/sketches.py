"""When texts are the same, and which of many are alike: MinHash proposes, the caller decides.

An index is tuned well below the similarity that is asked for, so that a true pair is hardly ever not proposed; what is
proposed must be judged by its exact similarity.
"""

from __future__ import annotations

import re
from collections.abc import Set
from functools import cache
from typing import Any

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_NUM_PERM = 80
_LEAST = 0.05
_PROPOSED_AT_THRESHOLD = 0.6
_SEED = 1


def plain(text: str | None) -> str:
    """The text by which two texts are the same: without regard to case and white space."""
    return " ".join((text or "").casefold().split())


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


@cache
def _num_bands(threshold: float) -> int:
    """The fewest bands that propose most pairs at the threshold, and so next to all that lie clearly above it."""
    rows = [each for each in range(1, _NUM_PERM + 1) if _NUM_PERM % each == 0]
    chances = [(each, 1 - (1 - threshold**each) ** (_NUM_PERM // each)) for each in rows]
    return _NUM_PERM // max((each for each, chance in chances if chance >= _PROPOSED_AT_THRESHOLD), default=1)
