"""Rows that repeat a source nearly word for word.

A row is a copy of a source if, of what the teacher wrote, half of the word 8-grams stand in it (`ngram_share`), or 50
words in a row do (`common_run`), or the Jaccard similarity of the sets of word 3-grams is .7 or more (`similarity`).
Words are runs of letters and digits without regard to case. Lee et al. 2022 (arXiv 2107.06499) take 50 tokens as a run
that no two texts share by chance.

The context of a grounded row is a quotation by design and does not count. A row of fewer words than an n-gram holds is
compared as a whole (`equal`), together with its context: the short question "Who wrote it?" with the answer "Anna" is no
copy where it is asked of another text, and a short answer alone is never one.

Limit: an answer that quotes its context at length is a copy, since it is one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from synth_assets.frames import to_frame
from synth_assets.quality.privacy.findings import SampleText, written_text
from synth_assets.quality.privacy.sources import Source
from synth_assets.sketches import SketchIndex, plain, sketch_of

NUM_WORDS = 8
LEAST_SHARE = 0.5
LEAST_RUN = 50
LEAST_SIMILARITY = 0.7
_MARGIN = 0.2  # of the index below the similarity
_WORD = re.compile(r"[^\W_]+")
Ngram = tuple[str, ...]


@dataclass(frozen=True)
class Copy:
    """`value`: the share, the words in a row, or the similarity, as `kind` says; 1 for `equal`."""

    row_id: str
    source_id: str
    kind: str
    value: float


def words_in(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def ngrams_of(words: Sequence[str], num_words: int) -> list[Ngram]:
    """Runs of so many words, in their order."""
    return list(zip(*(words[start:] for start in range(num_words)), strict=False))


class CopyIndex:
    """The sources: where each n-gram stands, a sketch of each, and those that are short, as wholes."""

    def __init__(self, sources: Sequence[Source], num_words: int = NUM_WORDS) -> None:
        self._num_words = num_words
        self._ids = [source.source_id for source in sources]
        self._places: dict[Ngram, list[tuple[int, int]]] = defaultdict(list)
        self._shingles: dict[str, frozenset[Ngram]] = {}
        self._known: set[Ngram] = set()
        self._whole: dict[tuple[str, str], int] = {}
        self._similar = SketchIndex(LEAST_SIMILARITY - _MARGIN)
        for number, source in enumerate(sources):
            words = words_in(source.text)
            if len(words) < num_words:
                self._whole.setdefault((" ".join(words), plain(source.context)), number)
                continue
            for position, ngram in enumerate(ngrams_of(words, num_words)):
                self._places[ngram].append((number, position))
            shingles = self._shingles[str(number)] = frozenset(ngrams_of(words, 3))
            self._known |= shingles
            self._similar.insert(str(number), _sketch(shingles))

    def find(self, row: SampleText) -> Copy | None:
        """The source that the row copies, if it copies one; the kinds are tried in the order above."""
        words = words_in(written_text(row))
        if len(words) < self._num_words:
            number = self._whole.get((" ".join(words), plain(row.context))) if words else None
            return None if number is None else Copy(row.synthetic_sample_id, self._ids[number], "equal", 1.0)
        kind, number, value = self._shared(words) or self._alike(words) or ("", 0, 0.0)
        return Copy(row.synthetic_sample_id, self._ids[number], kind, value) if kind else None

    def _shared(self, words: list[str]) -> tuple[str, int, float] | None:
        """The source with the most of the n-grams, or with the longest run of words."""
        num_shared: dict[int, int] = defaultdict(int)
        runs: dict[tuple[int, int], tuple[int, int]] = {}
        longest = (0, 0)
        ngrams = ngrams_of(words, self._num_words)
        for position, ngram in enumerate(ngrams):
            places = self._places.get(ngram, ())
            for number in {number for number, _ in places}:
                num_shared[number] += 1
            for number, place in places:
                last, length = runs.get((number, place - position), (-2, 0))
                length = length + 1 if last == position - 1 else 1
                runs[number, place - position] = position, length
                longest = max(longest, (length + self._num_words - 1, -number))
        if num_shared:
            most, number = max((count, -number) for number, count in num_shared.items())
            if most >= LEAST_SHARE * len(ngrams):
                return "ngram_share", -number, most / len(ngrams)
        return ("common_run", -longest[1], float(longest[0])) if longest[0] >= LEAST_RUN else None

    def _alike(self, words: list[str]) -> tuple[str, int, float] | None:
        shingles = frozenset(ngrams_of(words, 3))
        if len(shingles & self._known) < LEAST_SIMILARITY * len(shingles):
            return None  # no source can hold as many of them as the similarity asks for
        found = [
            (len(shingles & self._shingles[name]) / len(shingles | self._shingles[name]), -int(name))
            for name in self._similar.propose(_sketch(shingles))
        ]
        similarity, number = max(found, default=(0.0, 0))
        return ("similarity", -number, similarity) if similarity >= LEAST_SIMILARITY else None


def find_copies(
    rows: Iterable[SampleText], sources: Sequence[Source] | CopyIndex, num_words: int = NUM_WORDS
) -> pl.DataFrame:
    """Columns row_id, source_id, kind, value: one row for each row that copies a source. An index serves many calls."""
    index = sources if isinstance(sources, CopyIndex) else CopyIndex(sources, num_words)
    return to_frame([found for row in rows if (found := index.find(row))], Copy)


def _sketch(shingles: frozenset[Ngram]) -> object:
    return sketch_of({"\x1f".join(shingle) for shingle in shingles})
