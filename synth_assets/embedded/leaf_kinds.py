"""A leaf node of the closed world: templates with typed slots, and an exact verifier derived from them.

The same declaration draws new instances (for training and for the benchmark) and reads a text back into its
slots (for measuring): what does not match a template with legal slot values is not a member of the leaf. The
verifiers serve training and measuring; no filter of a recipe ever sees them.
"""

import hashlib
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from synth_assets.embedded.vocabulary import SLOTS

#: One instance in HELD_OUT_SHARE is kept out of all training, by content; benchmark and documents come from these.
HELD_OUT_SHARE = 16

Slots = dict[str, str]


@dataclass(frozen=True)
class Instance:
    """A question with its one right answer, and the context that it is asked on (empty: freeform)."""

    question: str
    answer: str
    context: str = ""

    @property
    def is_held_out(self) -> bool:
        """Whether training must never see it: decided by the context where there is one, else the question."""
        digest = hashlib.sha256((self.context or self.question).encode()).digest()
        return int.from_bytes(digest[:4], "big") % HELD_OUT_SHARE == 0


def _always(_: Slots) -> bool:
    return True


@dataclass(frozen=True)
class LeafKind:
    """A kind of leaf node. `answer` is a template or a function of the slots; `contexts` make it grounded."""

    leaf_path: str
    description: str
    questions: tuple[str, ...]
    answer: str | Callable[[Slots], str]
    contexts: tuple[str, ...] = ()
    derived: Callable[[Slots], Slots] | None = None
    is_valid: Callable[[Slots], bool] = _always
    extra_slots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def branch(self) -> str:
        return self.leaf_path.split("/")[0]

    @property
    def is_grounded(self) -> bool:
        return bool(self.contexts)

    def values_of(self, slot: str) -> tuple[str, ...]:
        return self.extra_slots.get(slot) or SLOTS[slot.rstrip("0123456789")]

    def draw(self, rng: Random, context: str | None = None) -> Instance:
        """A random instance; with `context`, a random question on that very context."""
        while True:
            context_template = rng.choice(self.contexts) if self.contexts else ""
            template = rng.choice(self.questions)
            slots = (self._read(self._context_patterns, context) if context else None) or {}
            for slot in _slot_names(context_template) + _slot_names(template):
                if slot not in slots:
                    slots[slot] = rng.choice(self.values_of(slot))
            if not self.is_valid(slots):
                continue
            text = context or self._fill(context_template, slots)
            return Instance(self._fill(template, slots), self._answer(slots), text)

    def draw_where(self, rng: Random, *, held_out: bool, context: str | None = None) -> Instance:
        """An instance that is (or is not) held out of training."""
        while True:
            instance = self.draw(rng, context)
            if instance.is_held_out == held_out:
                return instance

    def read(self, question: str, context: str = "") -> Instance | None:
        """The instance that a text states, or None where it is no valid member of this leaf."""
        in_context: Slots | None = {}
        if self.contexts:
            in_context = self._read(self._context_patterns, context)
        elif context:
            return None
        in_question = self._read(self._question_patterns, question)
        if in_context is None or in_question is None:
            return None
        if any(in_question.get(slot, value) != value for slot, value in in_context.items()):
            return None
        slots = in_context | in_question
        return Instance(question, self._answer(slots), context) if self.is_valid(slots) else None

    def reads_context(self, context: str) -> bool:
        """Whether a text is a valid context of this leaf."""
        slots = self._read(self._context_patterns, context)
        return slots is not None and self.is_valid(slots)

    def is_right(self, instance: Instance, response: str) -> bool:
        return response.strip() == instance.answer

    def _answer(self, slots: Slots) -> str:
        slots = slots | (self.derived(slots) if self.derived else {})
        return self.answer(slots) if callable(self.answer) else self.answer.format(**slots)

    def _fill(self, template: str, slots: Slots) -> str:
        return template.format(**slots)

    @cached_property
    def _question_patterns(self) -> list[re.Pattern[str]]:
        return [self._pattern(template) for template in self.questions]

    @cached_property
    def _context_patterns(self) -> list[re.Pattern[str]]:
        return [self._pattern(template) for template in self.contexts]

    def _pattern(self, template: str) -> re.Pattern[str]:
        parts, seen = [], set()
        for text, slot, _, _ in string.Formatter().parse(template):
            parts.append(re.escape(text))
            if slot and slot in seen:
                parts.append(f"(?P={slot})")
            elif slot:
                seen.add(slot)
                longest_first = sorted(self.values_of(slot), key=len, reverse=True)
                parts.append(f"(?P<{slot}>{'|'.join(map(re.escape, longest_first))})")
        return re.compile("".join(parts))

    def _read(self, patterns: list[re.Pattern[str]], text: str) -> Slots | None:
        for pattern in patterns:
            match = pattern.fullmatch(text)
            if match:
                return match.groupdict()
        return None


def _slot_names(template: str) -> list[str]:
    return [slot for _, slot, _, _ in string.Formatter().parse(template) if slot]
