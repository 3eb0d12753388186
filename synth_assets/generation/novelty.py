"""Is a new instruction new? ROUGE-L against the seeds of its leaf and what was accepted there before.

ROUGE-L (Lin 2004): the F-measure of the longest common subsequence of two texts' words, 2 LCS / (m + n). Self-Instruct (Wang
et al. 2022, arXiv 2212.10560) keeps instructions below .7, LAB as well. Texts above .7 share at least .35 (m + n) words, a
Jaccard similarity of .54 or more where no word stands twice, so MinHash proposes the few that are measured.

Questions on different texts may be the same ("What is the price?"): one with a context is compared with those on the same
context alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.sketches import SketchIndex, sketch_of, words_of

_PROPOSED_FROM = 0.3  # Jaccard similarity; repeated words lower it


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
