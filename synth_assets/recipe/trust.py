"""What a recipe says of trust: the real data to compare with, and the gates, each with its threshold, severity and reason.

Every gate has a default (`gates.py`); a recipe names only those that it wants otherwise. What cannot work, such as a word of
two groups or a bound that no figure can miss, is refused when the recipe is read, and not at the end of a run.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from synth_assets.recipe.gates import GATES, Gate
from synth_assets.recipe.value_types import Count, Section, Share, Text


def plain_word(word: str) -> str:
    """By which two words or phrases are the same: without regard to case and white space."""
    return " ".join(word.lower().split())


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"a regular expression, and this is none: {error}") from error
    return text


Pattern = Annotated[Text, AfterValidator(_is_pattern)]


class RealData(Section):
    """Real rows as JSON lines with leaf_path, question, answer and perhaps context, of people and not of a model."""

    reference: Text
    """What the synthetic rows are compared with."""
    holdout: Text
    """Frozen: never shown to a teacher or a student; the yardstick of what two real samples differ by."""
    holdout_digest: Text | None = None
    """SHA-256 of its rows, so that a changed holdout is noticed; the collapse report tells it."""


class PrivacySection(Section):
    personal_data: Literal["drop", "redact", "ignore"] = "drop"
    """What becomes of a sample that holds personal data or a secret."""
    allowed_values: tuple[Pattern, ...] = ()
    """Regular expressions of values that may be published, such as the address of a help desk."""
    ner_model: Text | None = None
    """Folder of a model of token classification that finds names of people and places, which then are personal data as well;
    None: names are not looked for."""
    copy_ngram: Count = 8
    """Words in a row that are compared with the sources."""
    split_share: Share = 0.0
    """Share of the document chunks that the teacher is not shown, never all of a leaf, to tell leaking from likeness."""
    shadow_steps: Annotated[int, Field(ge=0)] = 0
    """Steps of a shadow student that is tuned on canaries and never released; 0: none."""


class GroupAttribute(Section):
    """A declared attribute: a row belongs to the group whose words it holds; to none if it holds those of several."""

    groups: dict[str, tuple[Text, ...]]
    """Group -> words, compared without regard to case; each word belongs to one group."""
    targets: dict[str, Share] = Field(default_factory=dict)
    """Group -> share of the population; without targets, representation is not assessed."""
    swaps: tuple[tuple[Text, Text], ...] = ()
    """Pairs of words of two groups that are exchanged to see whether the reward changes; each word in one pair."""

    @model_validator(mode="after")
    def _targets_are_of_the_groups(self) -> GroupAttribute:
        if self.targets and (set(self.targets) != set(self.groups) or not math.isclose(sum(self.targets.values()), 1)):
            raise ValueError("targets: one share for each group, 1 in sum")
        return self

    @field_validator("groups")
    @classmethod
    def _are_several(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if len(groups) < 2:
            raise ValueError("at least two groups")
        owners: dict[str, str] = {}
        for group, words in groups.items():
            if not words or not all(map(plain_word, words)):
                raise ValueError(f"words for each group, none of them blank; {group} has {list(words)}")
            for word in words:
                if (owner := owners.setdefault(plain_word(word), group)) != group:
                    raise ValueError(f"each word in one group; {word!r} belongs to {owner} and to {group}")
        return groups

    @field_validator("swaps")
    @classmethod
    def _exchange_groups(cls, swaps: tuple[tuple[str, str], ...], info: ValidationInfo) -> tuple[tuple[str, str], ...]:
        groups = info.data.get("groups")
        if groups is None:
            return swaps
        owners = {plain_word(word): group for group, words in groups.items() for word in words}
        seen: set[str] = set()
        for pair in swaps:
            for word in pair:
                if plain_word(word) not in owners:
                    raise ValueError(f"words of the groups; {word!r} belongs to none of {', '.join(groups)}")
                if plain_word(word) in seen:
                    raise ValueError(f"each word in one pair; {word!r} stands in two: it cannot be told which one to take")
                seen.add(plain_word(word))
            one, other = (owners[plain_word(word)] for word in pair)
            if one == other:
                raise ValueError(f"pairs of words of two groups; {pair[0]!r} and {pair[1]!r} both belong to {one}")
        return swaps


class TrustSection(Section):
    real: RealData | None = None
    """None: the seeds are the reference, and most of fidelity cannot be assessed."""
    embedder: Text | None = None
    """Folder of a sentence-transformer, or of a language model, whose hidden states are taken; None: all-MiniLM-L6-v2."""
    gates: dict[str, Gate] = Field(default_factory=dict)
    """Measure -> gate, where the default does not fit; `synth_assets/recipe/gates.py` has them all."""
    privacy: PrivacySection = PrivacySection()
    previous_mix: Text | None = None
    """Parquet file of the training mix of the generation before, where one feeds on another."""
    previous_student: Text | None = None
    """Folder of the tuned student of the generation before, its adapter merged in, as `artefacts/tuned_students` has it.
    None: the student is compared with its own base alone, and a slow decay from one generation to the next is not seen."""
    groups: dict[str, GroupAttribute] = Field(default_factory=dict)
    """Attribute -> its groups."""
    bootstrap_draws: Count = 1000
    min_reference_rows: Annotated[int, Field(ge=10)] = 100
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    @field_validator("gates")
    @classmethod
    def _can_hold(cls, gates: dict[str, Gate]) -> dict[str, Gate]:
        for measure in gates:
            if measure not in GATES:
                raise ValueError(f"{measure!r} is no measure with a gate: one of {', '.join(GATES)}")
        if faults := [fault for measure, gate in gates.items() if (fault := _fault_of_gate(measure, gate))]:
            raise ValueError("; ".join(faults))
        return gates

    @property
    def files(self) -> dict[str, str]:
        """Key of the recipe -> the file or folder that it names."""
        real = {"trust.real.reference": self.real.reference, "trust.real.holdout": self.real.holdout} if self.real else {}
        others = {
            "trust.previous_mix": self.previous_mix, "trust.previous_student": self.previous_student,
            "trust.embedder": self.embedder, "trust.privacy.ner_model": self.privacy.ner_model,
        }  # fmt: skip
        return real | {key: path for key, path in others.items() if path}

    def gate(self, measure: str) -> Gate:
        """What the recipe says of a measure, else the default. Raises KeyError for a measure without a gate."""
        return self.gates.get(measure, GATES[measure].gate)


#: Of these no figure lies outside 0 and 1. The others count, or are distances and ratios, and are never below 0.
_SHARES = frozenset({
    "category", "shape", "copied_share", "leak_test", "dcr_share", "leaf_coverage", "leaf_entropy",
    "acceptance_ratio", "real_share_below_depth_2", "real_share_from_depth_2", "holdout_changed", "leaves_kept",
    "membership_auc", "student_accuracy_gap",
})  # fmt: skip


def _fault_of_gate(measure: str, gate: Gate) -> str:
    """What is wrong with a gate that no figure could ever meet or miss, and what would be right; else empty."""
    declared, most = GATES[measure], 1.0 if measure in _SHARES else math.inf
    for key, bound in (("value", gate.value), ("warn", gate.warn)):
        if bound is not None and not 0 <= bound <= most:
            right = "0 or more" if most == math.inf else "between 0 and 1"
            return f"{measure}.{key} {bound:g}: {right}"
    if gate.warn is not None and (gate.warn > gate.value) == (declared.direction == "at_most") and gate.warn != gate.value:
        side = "below" if declared.direction == "at_most" else "above"
        return f"{measure}.warn {gate.warn:g}: {side} the value {gate.value:g}, so that it warns before that stops"
    return ""
