"""Constraints on words and letters. Words are compared as whole words, without regard to case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from synth_assets.constraints.constraint import Constraint, Material, Relation, compare
from synth_assets.constraints.text_parts import letters_in, normal, occurrences, words_in

#: Words that people fall back on: to do without them is possible and takes some care.
AVOIDABLE = (
    "also", "always", "because", "different", "example", "however", "important", "many", "most", "never", "often", "people",
    "really", "thing", "usually", "very",
)  # fmt: skip
_COMMON_LETTERS, _RARE_LETTERS = "adeinorst", "jkqvxz"


@dataclass(frozen=True)
class IncludesKeywords(Constraint):
    words: tuple[str, ...]

    kind = "includes_keywords"
    aspects = frozenset({"vocabulary"})
    wordings = (
        "Use each of these words at least once: {words}.",
        "The answer must contain the following words: {words}.",
        "Make sure that your answer contains {words}.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self | None:
        if not material.words:
            return None
        count = min(len(material.words), material.rng.randint(1, 3))
        return cls(tuple(sorted(material.rng.sample(material.words, count))))

    @property
    def demands(self) -> str:
        return " ".join(self.words)

    def _is_met(self, response: str) -> bool:
        return all(occurrences(word, response) for word in self.words)


@dataclass(frozen=True)
class ForbidsKeywords(Constraint):
    words: tuple[str, ...]

    kind = "forbids_keywords"
    aspects = frozenset({"vocabulary"})
    wordings = (
        "Do not use any of these words: {words}.",
        "The following words must not occur in your answer: {words}.",
        "Write the answer without the words {words}.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(tuple(sorted(material.rng.sample(AVOIDABLE, material.rng.randint(1, 3)))))

    def _is_met(self, response: str) -> bool:
        return not any(occurrences(word, response) for word in self.words)

    def rules_out(self, text: str) -> bool:
        return any(occurrences(word, text) for word in self.words)


@dataclass(frozen=True)
class KeywordFrequency(Constraint):
    word: str
    relation: Relation
    count: int

    kind = "keyword_frequency"
    aspects = frozenset({"vocabulary"})
    wordings = (
        'Use the word "{word}" {relation} {count} times.',
        'The word "{word}" must occur {relation} {count} times in your answer.',
    )

    @classmethod
    def draw(cls, material: Material) -> Self | None:
        if not material.words:
            return None
        return cls(material.rng.choice(material.words), material.relation(), material.rng.randint(2, 4))

    @property
    def demands(self) -> str:
        return " ".join([self.word] * self.count) if self.relation == "at_least" else ""

    def _is_met(self, response: str) -> bool:
        return compare(occurrences(self.word, response), self.relation, self.count)

    def rules_out(self, text: str) -> bool:
        return self.relation == "at_most" and occurrences(self.word, text) > 0


@dataclass(frozen=True)
class LetterFrequency(Constraint):
    """Upper and lower case count alike. At most: only letters are drawn that are rare in English."""

    letter: str
    relation: Relation
    count: int

    kind = "letter_frequency"
    aspects = frozenset({"vocabulary"})
    wordings = (
        'The letter "{letter}" must occur {relation} {count} times.',
        'In your answer the letter "{letter}" should stand {relation} {count} times.',
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        relation = material.relation()
        letters = _COMMON_LETTERS if relation == "at_least" else _RARE_LETTERS
        return cls(material.rng.choice(letters), relation, material.rng.randint(4, 20))

    def _is_met(self, response: str) -> bool:
        return compare(normal(response).count(normal(self.letter)), self.relation, self.count)

    def rules_out(self, text: str) -> bool:
        return self.relation == "at_most" and 2 * normal(text).count(normal(self.letter)) > self.count


@dataclass(frozen=True)
class LowerCase(Constraint):
    kind = "lower_case"
    aspects = frozenset({"case"})
    wordings = (
        "Write the whole answer in lower case, without a single capital letter.",
        "Use small letters only; no capitals anywhere in the answer.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        return response == response.lower() != response.upper()


@dataclass(frozen=True)
class UpperCase(Constraint):
    kind = "upper_case"
    aspects = frozenset({"case"})
    wordings = (
        "Write the whole answer in capital letters.",
        "Use capitals only; there must be no small letter in the answer.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        return response == response.upper() != response.lower()


@dataclass(frozen=True)
class CapitalWords(Constraint):
    """Words of two and more letters, all of them capitals."""

    relation: Relation
    count: int

    kind = "capital_words"
    aspects = frozenset({"case"})
    wordings = (
        "Write {relation} {count} words wholly in capital letters, for emphasis.",
        "In your answer {relation} {count} words must stand in CAPITALS.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.relation(), material.rng.randint(2, 6))

    def _is_met(self, response: str) -> bool:
        return compare(_num_capital_words(response), self.relation, self.count)

    def rules_out(self, text: str) -> bool:
        return self.relation == "at_most" and _num_capital_words(text) > 0


def _num_capital_words(text: str) -> int:
    return sum(word == word.upper() != word.lower() and len(letters_in(word)) > 1 for word in words_in(text))
