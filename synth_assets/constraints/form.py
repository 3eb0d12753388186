"""Constraints on how a response begins and ends, on marks in it, on its format and its script."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from synth_assets.constraints.constraint import Constraint, Material
from synth_assets.constraints.text_parts import letters_in, normal

_OPENINGS = ("In short", "Let us begin", "Here is what matters", "To put it plainly", "First things first", "As I see it")
_CLOSINGS = (
    "That is all there is to it.", "I hope this is of use.", "Is there anything else to know?", "And so it goes.",
    "The rest is up to you.",
)  # fmt: skip
_COMMAS = ",，、،"
_HIGHLIGHT = re.compile(r"\*(?=[^\s*])[^*\n]*(?<=[^\s*])\*")
_TITLE = re.compile(r"<<(?=[^<>\n]*\w)[^<>\n]+>>")
_PLACEHOLDER = re.compile(r"\[(?=[^\[\]\n]*\w)[^\[\]\n]+\](?!\()")
_FENCED = re.compile(r"```(?:json)?\s*\n(.*)\n\s*```", re.DOTALL | re.IGNORECASE)
#: Language -> how the names of its letters begin; of each, no other widespread language has the script.
_SCRIPTS = {
    "Armenian": "ARMENIAN", "Georgian": "GEORGIAN", "Greek": "GREEK", "Hebrew": "HEBREW", "Korean": "HANGUL",
}  # fmt: skip
_LEAST_SHARE_OF_SCRIPT = 0.9


@dataclass(frozen=True)
class StartsWith(Constraint):
    """Without regard to case, and to a quotation mark or markup before the phrase."""

    phrase: str

    kind = "starts_with"
    aspects = frozenset({"beginning"})
    wordings = (
        'Begin your answer with the words "{phrase}".',
        'The very first words of the answer must be "{phrase}".',
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.choice(_OPENINGS))

    @property
    def demands(self) -> str:
        return self.phrase

    def _is_met(self, response: str) -> bool:
        return bool(re.match(rf"[\s\"'“*#>]*{re.escape(normal(self.phrase))}(?!\w)", normal(response)))


@dataclass(frozen=True)
class EndsWith(Constraint):
    """Without regard to case, and to a closing quotation mark or markup; nothing else may follow."""

    phrase: str

    kind = "ends_with"
    aspects = frozenset({"end"})
    wordings = (
        'End your answer with exactly this sentence: "{phrase}"',
        'The last words of the answer must be "{phrase}" Nothing may follow them.',
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.choice(_CLOSINGS))

    @property
    def demands(self) -> str:
        return self.phrase

    def _is_met(self, response: str) -> bool:
        return normal(response).rstrip("\"'”*_ \n\t").endswith(normal(self.phrase))


@dataclass(frozen=True)
class InDoubleQuotes(Constraint):
    kind = "in_double_quotes"
    aspects = frozenset({"beginning", "end"})
    wordings = (
        'Put the whole answer in double quotation marks, like "this".',
        "Wrap everything that you write in one pair of double quotation marks.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        text = response.strip()
        return len(text) > 2 and text[0] in '"“' and text[-1] in '"”'


@dataclass(frozen=True)
class JsonOnly(Constraint):
    """One object or array; a fence of Markdown around it is allowed, as IFEval has it. NaN and its like are no JSON."""

    kind = "json_only"
    aspects = frozenset({
        "length", "layout", "beginning", "end", "case", "punctuation", "title", "emphasis", "placeholders",
    })  # fmt: skip
    wordings = (
        "Give the whole answer as one JSON object, and write nothing around it.",
        "Your entire output must be valid JSON, such as an object with keys of your choice.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        text = response.strip()
        if fenced := _FENCED.fullmatch(text):
            text = fenced[1]
        try:
            return isinstance(json.loads(text, parse_constant=_no_constant), dict | list)
        except (ValueError, RecursionError):
            return False


@dataclass(frozen=True)
class NoCommas(Constraint):
    """Nor the commas of other scripts."""

    kind = "no_commas"
    aspects = frozenset({"punctuation"})
    wordings = (
        "Do not use a single comma.",
        "The answer must not contain any commas.",
        "Write everything without commas.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        return not any(comma in response for comma in _COMMAS)

    def rules_out(self, text: str) -> bool:
        return not self._is_met(text)


@dataclass(frozen=True)
class HasTitle(Constraint):
    kind = "has_title"
    aspects = frozenset({"title"})
    wordings = (
        "Give the answer a title in double angle brackets, such as <<a short title>>.",
        "The answer must contain a title, written like <<this>>.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls()

    def _is_met(self, response: str) -> bool:
        return bool(_TITLE.search(response))


@dataclass(frozen=True)
class NumHighlighted(Constraint):
    """Spans within a line, between asterisks, single or double; a bullet's asterisk opens none."""

    count: int

    kind = "num_highlighted"
    aspects = frozenset({"emphasis"})
    wordings = (
        "Highlight at least {count} parts of the answer with asterisks, like *this part*.",
        "At least {count} spans of your answer must stand between asterisks, as in *a highlighted span*.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.randint(2, 5))

    def _is_met(self, response: str) -> bool:
        return len(_HIGHLIGHT.findall(response)) >= self.count


@dataclass(frozen=True)
class HasPostscript(Constraint):
    """The mark opens a line, without regard to case and markup, and words follow on that line."""

    mark: str

    kind = "has_postscript"
    aspects = frozenset({"end"})
    wordings = (
        "Add a postscript at the end that begins with {mark}",
        "After the answer proper, write a postscript on a line of its own, opened by {mark}",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.choice(("P.S.", "P.P.S.")))

    @property
    def demands(self) -> str:
        return self.mark

    def _is_met(self, response: str) -> bool:
        mark = r"\s?".join(map(re.escape, normal(self.mark)))
        return bool(re.search(rf"(?m)^[ \t*_>\"]*{mark}[^\w\n]*\w", normal(response)))


@dataclass(frozen=True)
class NumPlaceholders(Constraint):
    """Square brackets around words; links of Markdown, [text](address), do not count."""

    count: int

    kind = "num_placeholders"
    aspects = frozenset({"placeholders"})
    wordings = (
        "Leave at least {count} placeholders in square brackets, such as [name].",
        "The answer must contain at least {count} gaps to fill in, written in square brackets like [date].",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.randint(2, 5))

    def _is_met(self, response: str) -> bool:
        return len(_PLACEHOLDER.findall(response)) >= self.count


@dataclass(frozen=True)
class RepeatsPrompt(Constraint):
    """The request without its constraints, word for word, then more. White space and case do not count.

    Its sentence stands before those of other constraints, so that it is plain what "above" means.
    """

    prompt: str

    kind = "repeats_prompt"
    aspects = frozenset({"beginning"})
    wordings = (
        "First repeat the request above word for word, without what follows here, and then give your answer.",
        "Before you answer, say the request once more as it stands, up to but not including this sentence.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self | None:
        return cls(material.prompt) if material.prompt.strip() else None

    @property
    def demands(self) -> str:
        return self.prompt

    def _is_met(self, response: str) -> bool:
        said, asked = " ".join(normal(response).split()), " ".join(normal(self.prompt).split())
        return said.startswith(asked) and bool(said[len(asked) :].strip())


@dataclass(frozen=True)
class InLanguage(Constraint):
    """Only languages with a script of their own, so that letters decide: at least nine in ten are of the script.

    No guess by a model of languages is needed, but a text in Ancient Greek or of mere letters passes as well.
    """

    language: str

    kind = "in_language"
    aspects = frozenset({"vocabulary", "case"})
    wordings = (
        "Write the whole answer in {language}; no other language is allowed.",
        "Answer in {language} only.",
    )

    @classmethod
    def draw(cls, material: Material) -> Self:
        return cls(material.rng.choice(sorted(_SCRIPTS)))

    def _is_met(self, response: str) -> bool:
        return self._share_of_script(response) >= _LEAST_SHARE_OF_SCRIPT

    def rules_out(self, text: str) -> bool:
        return bool(letters_in(text)) and not self._is_met(text)

    def _share_of_script(self, text: str) -> float:
        letters = letters_in(unicodedata.normalize("NFC", text))
        script = _SCRIPTS[self.language]
        return sum(unicodedata.name(each, "").startswith(script) for each in letters) / max(1, len(letters))


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
