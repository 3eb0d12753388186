"""Prompts that a teacher makes up from topics, documents and keywords, as for Nemotron-4 (arXiv 2406.11704, section 3.2)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from synth_assets.constraints import CONSTRAINT_KINDS
from synth_assets.prompts import PROMPT_SYNTHESIS_STYLES
from synth_assets.recipe.value_types import Count, Section, Share, Temperature, Text, Threshold

NonNegative = Annotated[int, Field(ge=0)]


class PromptCounts(Section):
    """How many prompts of each kind are wanted. Those with constraints come on top: see `constrained_share`."""

    open_question: NonNegative = 0
    writing_task: NonNegative = 0
    closed_question: NonNegative = 0
    maths_problem: NonNegative = 0
    coding_problem: NonNegative = 0
    two_turn: NonNegative = 0
    dialogue: NonNegative = 0


class PromptTokens(Section):
    """Longest answers of the teacher, in tokens."""

    topics: Count
    prompt: Count
    turn: Count


class PromptSynthesisSection(Section):
    num_macro_topics: NonNegative = 0
    """Subjects that the teacher is to name, beside those of `manual_topics`."""
    manual_topics: tuple[Text, ...] = ()
    """Subjects by people's choice."""
    num_subtopics: NonNegative = 0
    """Of every subject, the teacher's and the manual ones."""
    num_topics_a_request: Count = 20
    document_types: tuple[Text, ...] = ()
    """What writing tasks ask for: an essay, a letter of complaint, a poem, ..."""
    maths_keywords: tuple[Text, ...] = ()
    coding_keywords: tuple[Text, ...] = ()
    programming_language: Text = "Python"
    num_prompts: PromptCounts
    constrained_share: Share = 0.0
    """Of the open questions and writing tasks that are kept, so many stand once more with verifiable constraints added."""
    max_constraints: Annotated[int, Field(ge=1, le=4)] = 2
    """A constrained prompt has from one to so many, none of which contradicts another."""
    constraint_kinds: tuple[Text, ...] = CONSTRAINT_KINDS
    personas: tuple[Text, ...] = ()
    """Who plays the user in two-turn prompts and dialogues: one is drawn for each."""
    num_dialogue_turns: Annotated[int, Field(ge=2, le=8)] = 3
    """Turns of the user, each with the assistant's answer."""
    topic_temperature: Temperature
    prompt_temperature: Temperature
    dialogue_temperature: Temperature = 0.0
    max_new_tokens: PromptTokens
    budget_factor: Annotated[float, Field(ge=1, le=100)]
    """At most so many candidates for each prompt, and requests for each list of topics."""
    max_rouge_l: Share | None = None
    """A prompt that is closer than this to one of its topic is not new. None: only the same words count."""
    min_constraint_share: Threshold = Threshold(
        value=0.5, reason="a teacher that breaks every second demand cannot show a student how to keep them"
    )
    """Of the answers to constrained prompts, so many must keep all of their constraints; the others are turned away."""
    prompts: Text = "nemotron"
    """Style of the prompts: a folder of synth_assets/prompts with a file macro_topics.j2."""

    @field_validator("prompts")
    @classmethod
    def _is_a_style(cls, name: str) -> str:
        if name not in PROMPT_SYNTHESIS_STYLES:
            raise ValueError("one of " + ", ".join(PROMPT_SYNTHESIS_STYLES))
        return name

    @field_validator("constraint_kinds")
    @classmethod
    def _are_kinds(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(kinds) - set(CONSTRAINT_KINDS)):
            raise ValueError(f"{unknown[0]!r} is no kind of constraint: of " + ", ".join(CONSTRAINT_KINDS))
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError("at least one kind, each once")
        return kinds

    @field_validator("manual_topics", "document_types", "maths_keywords", "coding_keywords", "personas")
    @classmethod
    def _stand_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        plain = [" ".join(name.casefold().split()) for name in names]
        for name, each in zip(names, plain, strict=True):
            if not each or plain.count(each) > 1:
                raise ValueError(f"{name!r} is blank" if not each else f"{name!r} stands twice, case and white space aside")
        return names

    @model_validator(mode="after")
    def _have_what_they_are_made_from(self) -> PromptSynthesisSection:
        num, topics = self.num_prompts, self.num_macro_topics + len(self.manual_topics)
        for key, wanted, has_source, source in (
            ("open_question", num.open_question, topics, "num_macro_topics or manual_topics"),
            ("writing_task", num.writing_task, topics, "num_macro_topics or manual_topics"),
            ("writing_task", num.writing_task, self.document_types, "document_types"),
            ("maths_problem", num.maths_problem, self.maths_keywords, "maths_keywords"),
            ("coding_problem", num.coding_problem, self.coding_keywords, "coding_keywords"),
            ("two_turn", num.two_turn, self._num_openings, "an open_question, writing_task, maths_ or coding_problem"),
            ("dialogue", num.dialogue, self._num_openings, "an open_question, writing_task, maths_ or coding_problem"),
        ):
            if wanted and not has_source:
                raise ValueError(f"num_prompts.{key} is {wanted}, but there is nothing to make it from: give {source}")
        if self.constrained_share and not num.open_question + num.writing_task:
            raise ValueError(
                f"constrained_share is {self.constrained_share:g}, but constraints go on open questions and writing tasks: "
                "give num_prompts.open_question or num_prompts.writing_task, or leave it out"
            )
        return self

    @property
    def _num_openings(self) -> int:
        num = self.num_prompts
        return num.open_question + num.writing_task + num.maths_problem + num.coding_problem
