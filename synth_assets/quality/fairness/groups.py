"""Which declared group a text speaks of: by whole words, and only where it speaks of one.

Limit: words are a proxy. A text that speaks of a group without any of its words is not assigned, and a word with two
meanings assigns it wrongly. The counts of what was not assigned stand beside every figure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from synth_assets.recipe.trust import GroupAttribute, plain_word

UNDECLARED = "no groups are declared in the recipe under trust.groups"
NUM_NAMED = 5


@dataclass(frozen=True)
class Assigned:
    """`groups`: one a text, None where the text holds no group's words or those of several."""

    groups: list[str | None]
    num_none: int
    num_several: int

    @property
    def counts(self) -> Counter[str]:
        return Counter(group for group in self.groups if group is not None)

    def describe(self) -> str:
        return f"{self.num_none} rows of no group and {self.num_several} of several are left out"


def group_of(texts: Sequence[str], attribute: GroupAttribute) -> list[str | None]:
    """The group of each text; None for none or several."""
    return assign_groups(texts, attribute).groups


def assign_groups(texts: Sequence[str], attribute: GroupAttribute) -> Assigned:
    """`group_of` with the counts of what was not assigned."""
    owners = _owners(tuple((group, tuple(words)) for group, words in attribute.groups.items()))
    pattern = word_pattern(tuple(owners))
    found = [{owners[plain_word(word)] for word in pattern.findall(text)} for text in texts]
    return Assigned(
        groups=[next(iter(groups)) if len(groups) == 1 else None for groups in found],
        num_none=sum(not groups for groups in found),
        num_several=sum(len(groups) > 1 for groups in found),
    )


@lru_cache(maxsize=64)
def word_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words (or phrases) as a whole, without regard to case; of two that begin alike the longer."""
    parts = (r"\s+".join(map(re.escape, word.split())) for word in sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<!\w)(?:{'|'.join(parts)})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=64)
def _owners(groups: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, str]:
    return {plain_word(word): group for group, words in groups for word in words}


def name_rows(names: Sequence[str]) -> str:
    """Up to 5 ids, in their order."""
    return ", ".join(names[:NUM_NAMED])
