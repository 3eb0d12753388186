"""What every verifiable constraint is: a frozen value that words itself, checks a response, and goes into a table's cell.

In the sense of IFEval (Zhou et al. 2023, arXiv 2311.07911): a program alone decides whether a response holds to it. Two
constraints *contradict* one another if both are about the same aspect of a response, or if one rules out a text that the
other demands. That is stricter than logic needs, and so simple that it can be relied on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, Self

from synth_assets.records import content_id

Relation = Literal["at_least", "at_most"]
#: What a constraint may be about; two about the same are never put together.
Aspect = Literal[
    "length", "layout", "beginning", "end", "case", "vocabulary", "punctuation", "title", "emphasis", "placeholders"
]
_SAID = {"at_least": "at least", "at_most": "at most"}


@dataclass(frozen=True)
class Material:
    """What parameters are drawn from: the prompt that is to be constrained, and words that fit its topic."""

    rng: Random
    prompt: str
    words: tuple[str, ...]

    def relation(self) -> Relation:
        return "at_least" if self.rng.random() < 0.5 else "at_most"


@dataclass(frozen=True)
class Constraint(ABC):
    """One constraint. The fields of its subclasses are its parameters: str, int or tuple[str, ...]."""

    kind: ClassVar[str]
    wordings: ClassVar[tuple[str, ...]]
    """Sentences with the names of parameters in braces."""
    aspects: ClassVar[frozenset[Aspect]]

    @classmethod
    @abstractmethod
    def draw(cls, material: Material) -> Self | None:
        """One with parameters drawn by chance; None where the material has nothing for it."""

    @abstractmethod
    def _is_met(self, response: str) -> bool:
        """Of a response that is not blank."""

    def holds(self, response: str) -> bool:
        """Whether the response holds to it; an empty one never does (as in IFEval)."""
        return bool(response.strip()) and self._is_met(response)

    def sentence(self, seed: int) -> str:
        """The sentence to append to a prompt, in one of its wordings, drawn by the seed."""
        rng = Random(content_id("wording", seed, self.kind))
        return rng.choice(self.wordings).format(**self._shown())

    @property
    def demands(self) -> str:
        """A text that stands in every response that holds to it; empty where there is none."""
        return ""

    def rules_out(self, text: str) -> bool:
        """Whether a response that contains the text can hardly hold to it any more."""
        return False

    def contradicts(self, other: Constraint) -> bool:
        if self.aspects & other.aspects or self.kind == other.kind:
            return True
        return (bool(other.demands) and self.rules_out(other.demands)) or (
            bool(self.demands) and other.rules_out(self.demands)
        )

    def _shown(self) -> dict[str, str]:
        shown = {}
        for name, value in vars(self).items():
            shown[name] = _SAID.get(value, value) if isinstance(value, str) else _listed(value)
        return shown


def _listed(value: object) -> str:
    return ", ".join(f'"{word}"' for word in value) if isinstance(value, tuple) else str(value)


def compare(number: int, relation: Relation, count: int) -> bool:
    return number >= count if relation == "at_least" else number <= count
