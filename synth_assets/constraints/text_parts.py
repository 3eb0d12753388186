"""What a word, a sentence, a paragraph and a bullet point are, for constraints that count them.

Definitions of our own, without a tokenizer that would have to be fetched, and the same for every language:

- A *word* is a run of characters without white space that holds a letter or a digit: "don't", "state-of-the-art" and
  "x=1" are one each, a dash that stands alone is none. (IFEval counts runs of \\w, so "don't" is two there.)
- A *sentence* ends at . ! ? … or their like in other scripts before white space, and at the end of a line. No sentence ends
  at an abbreviation, at an initial ("J. Doe") or within a number; a line without a word is none.
- A *paragraph* is what lies between blank lines.
- A *bullet point* is a line that opens with -, * or • and a blank.

A fenced block of code belongs to the paragraph that it stands in, and holds neither sentences nor bullet points; its words
count as words. Limits: where words are not parted by blanks (Chinese, Japanese, Thai), a run counts as one word; a sentence
that ends with an abbreviation is one with the next.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_SENTENCE_END = re.compile(r"""(?<![.!?…。！？։؟।])[.!?…。！？։؟।]++["'”’»)\]*]*+(?=\s|$)""")
_LAST_RUN = re.compile(r"[^\s(\"'“‘«\[]*$")
_ABBREVIATIONS = frozenset(
    "al approx ca cf dept dr eds etc fig figs inc jr ltd mr mrs ms pp prof rev sgt sr st univ vol vs".split()
)
_LONGEST_ABBREVIATION = 12  # characters that are looked at
_DOTTED = re.compile(r"[^\W\d_](?:\.[^\W\d_])+")
_BULLET = re.compile(r"\s*[-*•]\s+\S")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")


def normal(text: str) -> str:
    """Without regard to case and to how accents are encoded (NFC of the case-folded text)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def words_in(text: str) -> list[str]:
    return [run for run in text.split() if any(character.isalnum() for character in run)]


def sentences_in(text: str) -> list[str]:
    return [sentence for line in _lines_outside_code(text) for sentence in _sentences_of_line(line)]


def paragraphs_in(text: str) -> list[str]:
    shielded = "\n".join("```" if line is None else line for line in _lines(text))
    return [paragraph for paragraph in _BLANK_LINE.split(shielded.strip()) if paragraph.strip()]


def bullets_in(text: str) -> list[str]:
    return [line.strip() for line in _lines_outside_code(text) if _BULLET.match(line)]


def occurrences(phrase: str, text: str) -> int:
    """How often a word or phrase stands in a text as whole words, without regard to case."""
    pattern = r"\s+".join(map(re.escape, normal(phrase).split()))
    return len(re.findall(rf"(?<!\w){pattern}(?!\w)", normal(text)))


def letters_in(text: str) -> list[str]:
    return [character for character in text if character.isalpha()]


def _sentences_of_line(line: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE_END.finditer(line):
        if end.group() == "." and _is_abbreviation(line[: end.start()]):
            continue
        if words_in(line[start : end.end()]):
            yield line[start : end.end()].strip()
        start = end.end()
    if words_in(line[start:]):
        yield line[start:].strip()


def _is_abbreviation(text: str) -> bool:
    """Whether the point after this text is that of an abbreviation or an initial, which is a capital."""
    run = _LAST_RUN.search(text[-_LONGEST_ABBREVIATION:])
    last = run.group() if run else ""
    return last.lower() in _ABBREVIATIONS or bool(_DOTTED.fullmatch(last)) or (len(last) == 1 and last.isupper())


def _lines_outside_code(text: str) -> list[str]:
    return [line for line in _lines(text) if line is not None]


def _lines(text: str) -> Iterator[str | None]:
    """The lines of a text; None for each that belongs to a fenced block of code."""
    in_code = False
    for line in text.splitlines():
        is_fence = bool(_FENCE.match(line))
        yield None if in_code or is_fence else line
        in_code ^= is_fence
