"""All kinds of constraint: drawn by seed so that none contradicts another, worded into a prompt, to JSON and back."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from random import Random
from typing import Any

from synth_assets.constraints.constraint import Constraint, Material
from synth_assets.constraints.form import (
    EndsWith,
    HasPostscript,
    HasTitle,
    InDoubleQuotes,
    InLanguage,
    JsonOnly,
    NoCommas,
    NumHighlighted,
    NumPlaceholders,
    RepeatsPrompt,
    StartsWith,
)
from synth_assets.constraints.length import NumBullets, NumParagraphs, NumSections, NumSentences, NumWords, TwoAnswers
from synth_assets.constraints.vocabulary import (
    CapitalWords,
    ForbidsKeywords,
    IncludesKeywords,
    KeywordFrequency,
    LetterFrequency,
    LowerCase,
    UpperCase,
)
from synth_assets.errors import ConstraintError
from synth_assets.records import content_id

_CLASSES: tuple[type[Constraint], ...] = (
    NumWords, NumSentences, NumParagraphs, NumBullets, NumSections, TwoAnswers, IncludesKeywords, ForbidsKeywords,
    KeywordFrequency, LetterFrequency, LowerCase, UpperCase, CapitalWords, StartsWith, EndsWith, InDoubleQuotes, JsonOnly,
    NoCommas, HasTitle, NumHighlighted, HasPostscript, NumPlaceholders, RepeatsPrompt, InLanguage,
)  # fmt: skip
CONSTRAINTS: Mapping[str, type[Constraint]] = {each.kind: each for each in _CLASSES}
CONSTRAINT_KINDS = tuple(CONSTRAINTS)
_REMEDY = "write it with write_constraint of this version, or make the row anew"


def draw_constraints(
    prompt: str, words: Iterable[str], num: int, seed: int, kinds: Sequence[str] = CONSTRAINT_KINDS
) -> tuple[Constraint, ...]:
    """Up to `num` constraints of different kinds, none of which contradicts another; fewer where no more fit.

    `words` may be asked for or counted in the answer, so they should fit what the prompt is about. The same arguments draw
    the same constraints. Raises ConstraintError for a kind that there is not.
    """
    if unknown := sorted(set(kinds) - set(CONSTRAINTS)):
        raise ConstraintError("no such kind of constraint", value=unknown[0], remedy="one of " + ", ".join(CONSTRAINT_KINDS))
    rng = Random(content_id("constraints", seed, prompt))
    material = Material(rng, prompt, tuple(sorted(set(words))))
    drawn: list[Constraint] = []
    for kind in rng.sample(sorted(set(kinds)), len(set(kinds))):
        if len(drawn) >= num:
            break
        constraint = CONSTRAINTS[kind].draw(material)
        if constraint and not any(constraint.contradicts(other) for other in drawn):
            drawn.append(constraint)
    return tuple(drawn)


def append_constraints(prompt: str, constraints: Sequence[Constraint], seed: int) -> str:
    """The prompt, a blank line, and a sentence for each constraint, in wordings drawn by the seed."""
    ordered = sorted(constraints, key=lambda each: each.kind != RepeatsPrompt.kind)
    return "\n\n".join([prompt, " ".join(each.sentence(seed) for each in ordered)]) if ordered else prompt


def write_constraint(constraint: Constraint) -> str:
    """One line of JSON: the kind, then its parameters."""
    values = {field.name: getattr(constraint, field.name) for field in fields(constraint)}
    return json.dumps({"kind": constraint.kind, **values}, ensure_ascii=False)


def read_constraint(text: str) -> Constraint:
    """The inverse of `write_constraint`. Raises ConstraintError where the text states no constraint."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConstraintError(f"a constraint is no JSON: {error}", value=text, remedy=_REMEDY) from error
    kind = values.pop("kind", None) if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in CONSTRAINTS:
        raise ConstraintError("a constraint of no known kind", value=text, remedy=_REMEDY)
    found = CONSTRAINTS[kind]
    hints = typing.get_type_hints(found)
    names = {field.name for field in fields(found)}
    if set(values) != names or not all(_is_of_type(values[name], hints[name]) for name in names):
        raise ConstraintError(f"wrong parameters for {kind}", value=text, remedy=_REMEDY)
    return found(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def _is_of_type(value: Any, hint: Any) -> bool:
    if typing.get_origin(hint) is typing.Literal:
        return value in typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return isinstance(value, list) and bool(value) and all(isinstance(each, str) and each for each in value)
    return isinstance(value, str) and bool(value) if hint is str else type(value) is int and value >= 0
