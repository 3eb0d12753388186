"""When texts are the same, and which of many are alike: MinHash proposes, the caller decides.

An index is tuned well below the similarity that is asked for, so that a true pair is hardly ever not proposed; what is
proposed must be judged by its exact similarity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from functools import cache
from typing import Any

_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_NUM_PERM = 128
_SEED = 1


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


@cache
def _bands(threshold: float) -> tuple[int, int]:
    """How many bands of how many rows; finding them takes longer than many questions to an index."""
    from datasketch import MinHashLSH

    tuned = MinHashLSH(threshold=threshold, num_perm=_NUM_PERM, weights=(0.2, 0.8))
    return tuned.b, tuned.r
