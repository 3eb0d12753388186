"""Constraints on how long a response is, and of which parts it consists. `text_parts` says what a word, ... is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from synth_assets.constraints.constraint import Constraint, Material, Relation, compare
from synth_assets.constraints.text_parts import bullets_in, paragraphs_in, sentences_in, words_in

_STARS = re.compile(r"(?m)^[^\S\n]*\*{6}[^\S\n]*$")


@dataclass(frozen=True)
class NumWords(Constraint):
    relation: Relation
    count: int

    kind = "num_words"
    aspects = frozenset({"length"})
    wordings = (
        "Use {relation} {count} words.",
        "Your answer must have {relation} {count} words.",
        "The length of the answer should be {relation} {count} words.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.relation(), material.rng.randrange(60, 301, 20))

    def _is_met(self, response: str) -> bool:
        return compare(len(words_in(response)), self.relation, self.count)

    def rules_out(self, text: str) -> bool:
        return self.relation == "at_most" and 2 * len(words_in(text)) > self.count


@dataclass(frozen=True)
class NumSentences(Constraint):
    """Lines of a list are sentences as well, so it does not go together with a layout."""

    relation: Relation
    count: int

    kind = "num_sentences"
    aspects = frozenset({"length", "layout"})
    wordings = (
        "Write {relation} {count} sentences.",
        "Answer in {relation} {count} sentences.",
        "Your answer must consist of {relation} {count} sentences.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.relation(), material.rng.randint(5, 15))

    def _is_met(self, response: str) -> bool:
        return compare(len(sentences_in(response)), self.relation, self.count)

    def rules_out(self, text: str) -> bool:
        return self.relation == "at_most" and 2 * len(sentences_in(text)) > self.count


@dataclass(frozen=True)
class NumParagraphs(Constraint):
    count: int

    kind = "num_paragraphs"
    aspects = frozenset({"layout"})
    wordings = (
        "Write exactly {count} paragraphs, with a blank line between one and the next.",
        "Divide the answer into {count} paragraphs, no more and no fewer, parted by blank lines.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.randint(2, 5))

    def _is_met(self, response: str) -> bool:
        return len(paragraphs_in(response)) == self.count

    def rules_out(self, text: str) -> bool:
        return len(paragraphs_in(text)) > 1


@dataclass(frozen=True)
class NumBullets(Constraint):
    count: int

    kind = "num_bullets"
    aspects = frozenset({"layout"})
    wordings = (
        'Give exactly {count} bullet points, each on a line that begins with "- ".',
        'The answer must contain {count} bullet points, no more and no fewer; begin each of these lines with "* ".',
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.randint(2, 6))

    def _is_met(self, response: str) -> bool:
        return len(bullets_in(response)) == self.count

    def rules_out(self, text: str) -> bool:
        return bool(bullets_in(text))


@dataclass(frozen=True)
class NumSections(Constraint):
    """`word` with a number stands at the beginning of a line, markup before it aside: "Section 1", "## Part 2"."""

    word: str
    count: int

    kind = "num_sections"
    aspects = frozenset({"layout", "beginning"})
    wordings = (
        "Divide the answer into {count} sections, and begin each with a line that says {word} 1, {word} 2 and so on.",
        "The answer must have exactly {count} sections, headed {word} 1, {word} 2, ..., each heading on its own line.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.choice(("Section", "Part", "Chapter")), material.rng.randint(2, 5))

    @property
    def demands(self) -> str:
        return f"{self.word} 1"

    def _is_met(self, response: str) -> bool:
        found = re.findall(rf"(?mi)^[^\w\n]*{re.escape(self.word)}\s+(\d+)\b", response)
        return [int(number) for number in found] == list(range(1, self.count + 1))


@dataclass(frozen=True)
class TwoAnswers(Constraint):
    kind = "two_answers"
    aspects = frozenset({"layout", "beginning", "end"})
    wordings = (
        "Give two different answers, parted by a line of six asterisks: ******",
        "Write two answers that differ. Between them there must be a line with ****** and nothing else.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        answers = [" ".join(part.split()) for part in _STARS.split(response)]
        return len(answers) == 2 and all(answers) and answers[0] != answers[1]

    def rules_out(self, text: str) -> bool:
        return bool(_STARS.search(text))
