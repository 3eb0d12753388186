"""What is counted word by word: syllables, and how soon words come again.

Syllables are guessed from English spelling (runs of vowels, a silent e at the end), which is right for nine words in ten. In
other languages the reading ease is a feature that two sets can be compared by, and no statement on how easy they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

MTLD_THRESHOLD = 0.72
_VOWELS = re.compile(r"[aeiouyàáâäåæèéêëìíîïòóôöøùúûüœ]+")
_SILENT_END = re.compile(r"[^aeiouyl]e$|[^aeiouy]ed$|[^aeiouycgsxz]es$")
_SOUNDED_END = re.compile(r"[td]ed$")


def count_syllables(word: str) -> int:
    """Runs of vowels less a silent ending (-e, -ed, -es), at least 1. A number is one syllable."""
    small = word.casefold()
    num_runs = len(_VOWELS.findall(small))
    is_silent = _SILENT_END.search(small) is not None and _SOUNDED_END.search(small) is None
    return max(1, num_runs - is_silent)


def mtld(words: Sequence[str]) -> float:
    """Mean length of the runs of words in which the share of different words stays at .72 or above, both ways.

    P. M. McCarthy, S. Jarvis 2010, Behav. Res. Methods 42:381. A text in which no word stands twice has no end of a run,
    and the paper no value for it: it is taken as if its next word were the first to come again, so that longer ones
    have higher values. NaN without words.
    """
    if not words:
        return float("nan")
    return (_mtld_one_way(words) + _mtld_one_way(words[::-1])) / 2


def _mtld_one_way(words: Sequence[str]) -> float:
    """Only a word that comes again can end a run."""
    num_runs, seen, length = 0.0, set[str](), 0
    for word in words:
        length += 1
        if word not in seen:
            seen.add(word)
        elif len(seen) < MTLD_THRESHOLD * length:
            num_runs += 1
            seen, length = set(), 0
    if length:
        num_runs += (1 - len(seen) / length) / (1 - MTLD_THRESHOLD)
    if num_runs == 0:
        num_runs = 1 / (len(words) + 1) / (1 - MTLD_THRESHOLD)
    return len(words) / num_runs
