"""A document's text -> spans of bounded size.

A chunk never crosses a Markdown heading and is cut at paragraphs, then sentences, then words. Its text is exactly the
characters char_start:char_end, without heading line and surrounding blanks. The heading is kept beside it as a path
("Kettle > Cleaning"). With an overlap a chunk begins with the end of the one before it, within its section.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

Span = tuple[int, int]
_WORD = re.compile(r"\w+|[^\w\s]")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_BLANK = re.compile(r"\s+")


def count_words(text: str) -> int:
    """Words and punctuation marks: a stand-in for tokens that needs no tokenizer."""
    return sum(1 for _ in _WORD.finditer(text))


def split_document(
    text: str, max_chunk_tokens: int, overlap_tokens: int = 0, count_tokens: Callable[[str], int] = count_words
) -> list[tuple[str, int, int]]:
    """(heading path, start, end) of each chunk; only a single word can be over the budget.

    Of the budget `overlap_tokens`, which must be fewer, are left for what a chunk repeats of the one before.
    """
    cuts = (_PARAGRAPH_END, _SENTENCE_END, _BLANK)
    budget = max_chunk_tokens - overlap_tokens
    spans = []
    for heading, section in _sections(text):
        before: Span | None = None
        for span in _split(text, section, cuts, lambda part: count_tokens(part) <= budget):
            start = span[0]
            if before and overlap_tokens:
                start = _overlapping(text, before, span, lambda part: count_tokens(part) <= overlap_tokens)
            spans.append((heading, start, span[1]))
            before = span
    return spans


def _overlapping(text: str, before: Span, span: Span, fits: Callable[[str], bool]) -> int:
    """Where the chunk begins that repeats as much of the one before as fits: whole sentences, else whole words."""
    for cut in (_SENTENCE_END, _BLANK):
        for match in cut.finditer(text, before[0], before[1]):
            if fits(text[match.end() : span[0]].rstrip()):
                return match.end()
    return span[0]


def _sections(text: str) -> Iterator[tuple[str, Span]]:
    headings: list[tuple[int, str]] = []
    start = position = 0
    in_fence = False
    for line in text.splitlines(keepends=True):
        in_fence ^= bool(_FENCE.match(line))
        match = None if in_fence else _HEADING.match(line.rstrip("\r\n"))
        if match:
            yield " > ".join(name for _, name in headings), (start, position)
            level = len(match[1])
            headings = [*(entry for entry in headings if entry[0] < level), (level, match[2])]
            start = position + len(line)
        position += len(line)
    yield " > ".join(name for _, name in headings), (start, position)


def _split(text: str, span: Span, cuts: Sequence[re.Pattern[str]], fits: Callable[[str], bool]) -> Iterator[Span]:
    """Cut at the coarsest place that does, then put neighbours together as long as they fit."""
    start, end = _strip(text, span)
    if start == end:
        return
    if fits(text[start:end]) or not cuts:
        yield start, end
        return
    edges = [start, *(match.end() for match in cuts[0].finditer(text, start, end)), end]
    open_span: Span | None = None
    for piece in pairwise(edges):
        if open_span and fits(text[open_span[0] : piece[1]].rstrip()):
            open_span = (open_span[0], piece[1])
            continue
        if open_span:
            yield from _split(text, open_span, cuts[1:], fits)
        open_span = piece
    if open_span:
        yield from _split(text, open_span, cuts[1:], fits)


def _strip(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end
