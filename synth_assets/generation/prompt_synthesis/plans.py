"""What is asked of the teacher for one prompt: eight kinds, each with its material, its steps and its rules.

    open_question          topic -> question -> refined
    writing_task           topic and type of document -> task -> refined
    closed_question        document chunk -> what a reader wants of it
    maths_, coding_problem keyword -> problem
    instruction_following  a question or task kept before, with constraints appended; no call
    two_turn               a prompt kept before -> answer -> what the user says next
    dialogue               a prompt kept before -> answer -> user -> answer ...; the teacher plays both, as user a persona

Material is taken in turn, in an order drawn by the seed, so that topics are met evenly whatever their order in the input.
Everything random comes from a hash of (recipe seed, kind, candidate's number, step): a candidate is the same whatever else
is asked in its batch. What is asked greedily has the seed 0, so that the same question is one call for the journal.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeVar

from synth_assets.constraints import Constraint, append_constraints, draw_constraints
from synth_assets.constraints.vocabulary import AVOIDABLE
from synth_assets.generation.candidates import derive_seed
from synth_assets.generation.prompt_synthesis.reading import strip_politeness
from synth_assets.prompts import render_prompt
from synth_assets.prompts.conversations import shown_turns, turns_to_answer
from synth_assets.recipe import PromptSynthesisSection
from synth_assets.records import PROMPT_KINDS, DocumentChunk, PromptKind, SyntheticPrompt, Topic, TopicArea, content_id
from synth_assets.roles import Conversation, GenerationRequest, Message, conversation

PromptStep = Literal["write", "refine", "assistant", "user"]
#: Kinds made from topics, keywords and documents, and those that go on from a prompt that was kept.
FIRST_KINDS: tuple[PromptKind, ...] = (
    "open_question", "writing_task", "closed_question", "maths_problem", "coding_problem",
)  # fmt: skip
NEXT_KINDS: tuple[PromptKind, ...] = ("instruction_following", "two_turn", "dialogue")
#: What a conversation may open with: all but questions on a text, which stands in no turn.
OPENING_KINDS = tuple(kind for kind in FIRST_KINDS if kind != "closed_question")
#: What constraints are put on: maths and code have a form of their own.
CONSTRAINED_KINDS: tuple[PromptKind, ...] = ("open_question", "writing_task")
_AREAS: dict[PromptKind, TopicArea] = {
    "open_question": "general", "writing_task": "general", "maths_problem": "maths", "coding_problem": "coding",
}  # fmt: skip
_STEPS: dict[PromptKind, tuple[PromptStep, ...]] = {
    "open_question": ("write", "refine"), "writing_task": ("write", "refine"), "instruction_following": (),
    "two_turn": ("assistant", "user"),
}  # fmt: skip
_MIN_LETTERS = 5  # of a word that a constraint may ask for
_ItemT = TypeVar("_ItemT")


@dataclass
class PromptCandidate:
    """One attempt at a prompt; `turns` is filled step by step, and holds the last draft in between."""

    index: int
    topic: Topic
    chunk: DocumentChunk | None = None
    document_type: str = ""
    persona: str = ""
    parent: SyntheticPrompt | None = None
    constraints: tuple[Constraint, ...] = ()
    turns: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The last turn of the user."""
        users = self.turns[::2]
        return users[-1] if users else ""


@dataclass(frozen=True)
class PromptPlan:
    """A kind with its material: topics in turn, each with the chunk or the parent beside it where the kind has such.

    `obstacle` says why nothing can be made from it, else it is empty.
    """

    kind: PromptKind
    num_wanted: int
    settings: PromptSynthesisSection
    seed: int
    topics: tuple[Topic, ...]
    chunks: tuple[DocumentChunk, ...] = ()
    parents: tuple[SyntheticPrompt, ...] = ()

    @property
    def obstacle(self) -> str:
        if self.topics:
            return ""
        if self.kind in NEXT_KINDS:
            return "no prompt was kept that it could go on from"
        return "there are no document chunks" if self.kind == "closed_question" else "there are no topics"

    @property
    def steps(self) -> tuple[PromptStep, ...]:
        return steps_of(self.kind, self.settings)

    def candidate(self, index: int) -> PromptCandidate:
        """The candidate of that number. The material must be there (`obstacle`)."""
        rng = Random(derive_seed(self.seed, self.kind, index, "draw"))
        place = index % len(self.topics)
        candidate = PromptCandidate(index, self.topics[place], self.chunks[place] if self.chunks else None)
        if self.parents:
            self._go_on_from(self.parents[place], candidate, rng)
        elif self.kind == "writing_task":
            candidate.document_type = rng.choice(self.settings.document_types)
        return candidate

    def _go_on_from(self, parent: SyntheticPrompt, candidate: PromptCandidate, rng: Random) -> None:
        candidate.parent, candidate.document_type = parent, parent.document_type
        if self.kind == "instruction_following":
            num, seed = rng.randint(1, self.settings.max_constraints), rng.getrandbits(63)
            words, kinds = words_to_ask_for(f"{parent.topic} {parent.text}"), self.settings.constraint_kinds
            candidate.constraints = draw_constraints(parent.text, words, num, seed, kinds)
            candidate.turns = [append_constraints(parent.text, candidate.constraints, seed)]
            return
        candidate.turns = [strip_politeness(parent.text) or parent.text]
        if self.settings.personas:
            candidate.persona = rng.choice(self.settings.personas)

    def request(self, candidate: PromptCandidate, position: int) -> GenerationRequest:
        """What the teacher is asked at the step of that position."""
        step = self.steps[position]
        messages, temperature = self._messages(candidate, step), self.settings.prompt_temperature
        if step in ("assistant", "user"):
            return turn_request(messages, self.kind, candidate.index, position, self.settings, self.seed)
        own = derive_seed(self.seed, self.kind, candidate.index, f"{position} {step}") if temperature else 0
        return GenerationRequest(messages, self.settings.max_new_tokens.prompt, temperature, own)

    def _messages(self, candidate: PromptCandidate, step: PromptStep) -> Conversation:
        if step == "assistant":
            return conversation(candidate.turns)
        name = {"write": self.kind, "refine": f"{self.kind}_refined", "user": "user_turn"}[step]
        values = {
            "topic": candidate.topic.name, "parent": candidate.topic.parent or "", "text": candidate.text,
            "document_type": candidate.document_type, "context": candidate.chunk.text if candidate.chunk else "",
            "programming_language": self.settings.programming_language, "turns": candidate.turns,
            "persona": candidate.persona,
        }  # fmt: skip
        return (Message("user", render_prompt(self.settings.prompts, name, **values)),)


def steps_of(kind: PromptKind, settings: PromptSynthesisSection) -> tuple[PromptStep, ...]:
    """The calls that one prompt of the kind takes, in their order."""
    if kind == "dialogue":
        rest: tuple[PromptStep, ...] = ("user", "assistant")
        return ("assistant", *rest * (settings.num_dialogue_turns - 1))
    return _STEPS.get(kind, ("write",))


def least_prompt_calls(settings: PromptSynthesisSection) -> tuple[int, int]:
    """Calls of the teacher for topics and for prompts if nothing is turned away and every list is as long as asked for."""
    a_request = settings.num_topics_a_request
    num_lists = settings.num_macro_topics + len(settings.manual_topics)
    for_topics = math.ceil(settings.num_macro_topics / a_request) + num_lists * math.ceil(settings.num_subtopics / a_request)
    wanted = {kind: getattr(settings.num_prompts, kind, 0) for kind in PROMPT_KINDS}
    return for_topics, sum(num * len(steps_of(kind, settings)) for kind, num in wanted.items())


@dataclass(frozen=True)
class PlannedCalls:
    """Of topics, of prompts and of their answers; and samples by branch whose judges decide over them."""

    of_teacher: tuple[int, int, int]
    samples: dict[str, int]


def planned_prompt_calls(settings: PromptSynthesisSection) -> PlannedCalls:
    """The least that can do (`least_prompt_calls`); a dialogue's answer is among the calls of its prompt."""
    said = settings.num_prompts
    num_constrained = round(settings.constrained_share * (said.open_question + said.writing_task))
    num_prompts = num_constrained + sum(num for _, num in said)
    of_judges = {"knowledge/": said.closed_question, "foundational_skills/": num_prompts - said.closed_question}
    return PlannedCalls((*least_prompt_calls(settings), num_prompts - said.dialogue), of_judges)


def plan_first_kinds(
    topics: Iterable[Topic], chunks: Iterable[DocumentChunk], settings: PromptSynthesisSection, seed: int
) -> list[PromptPlan]:
    """One plan a kind that is wanted, in the order of FIRST_KINDS, whatever the order of the rows given."""
    topics, chunks = list(topics), list(chunks)
    of_source = {topic.name: topic for topic in topics if topic.area == "documents"}
    plans = []
    for kind in FIRST_KINDS:
        if num := getattr(settings.num_prompts, kind):
            if kind == "closed_question":
                texts = _shuffled(chunks, [chunk.document_chunk_id for chunk in chunks], seed, kind)
                own = tuple(of_source[chunk.source] for chunk in texts)
            else:
                of_area = [topic for topic in topics if topic.area == _AREAS[kind]]
                own, texts = _shuffled(of_area, [topic.topic_id for topic in of_area], seed, kind), ()
            plans.append(PromptPlan(kind, num, settings, seed, own, texts))
    return plans


def plan_next_kinds(
    topics: Sequence[Topic], kept: Sequence[SyntheticPrompt], settings: PromptSynthesisSection, seed: int
) -> list[PromptPlan]:
    """One plan a kind that is wanted, in the order of NEXT_KINDS, from the prompts of the first kinds."""
    wanted: dict[PromptKind, int] = {
        "instruction_following": round(settings.constrained_share * sum(p.kind in CONSTRAINED_KINDS for p in kept)),
        "two_turn": settings.num_prompts.two_turn,
        "dialogue": settings.num_prompts.dialogue,
    }
    by_id = {topic.topic_id: topic for topic in topics}
    plans = []
    for kind in NEXT_KINDS:
        if wanted[kind]:
            fit = CONSTRAINED_KINDS if kind == "instruction_following" else OPENING_KINDS
            parents = [prompt for prompt in kept if prompt.kind in fit]
            own = _shuffled(parents, [prompt.synthetic_prompt_id for prompt in parents], seed, kind)
            of_own = tuple(by_id[prompt.topic_id] for prompt in own)
            plans.append(PromptPlan(kind, wanted[kind], settings, seed, of_own, parents=own))
    return plans


def messages_to_answer(prompt: SyntheticPrompt, style: str) -> Conversation:
    """`shown_turns` as messages."""
    return conversation(shown_turns(prompt, style))


def last_answer_request(prompt: SyntheticPrompt, settings: PromptSynthesisSection, seed: int) -> GenerationRequest:
    """The call that wrote a dialogue's last turn, over again: the journal holds its answer."""
    position = len(steps_of(prompt.kind, settings)) - 1
    return turn_request(conversation(turns_to_answer(prompt)), prompt.kind, prompt.candidate_index, position, settings, seed)


def turn_request(
    messages: Conversation, kind: PromptKind, index: int, position: int, settings: PromptSynthesisSection, seed: int
) -> GenerationRequest:
    """For a turn of a conversation, by whichever role; greedy ones have the seed 0."""
    temperature, step = settings.dialogue_temperature, steps_of(kind, settings)[position]
    own = derive_seed(seed, kind, index, f"{position} {step}") if temperature else 0
    return GenerationRequest(messages, settings.max_new_tokens.turn, temperature, own)


def words_to_ask_for(text: str) -> list[str]:
    """Words of a prompt that a constraint may demand of its answer: long ones, of letters alone, sorted."""
    words = {word.strip(".,;:!?\"'()").casefold() for word in text.split()}
    return sorted(word for word in words if word.isalpha() and len(word) >= _MIN_LETTERS and word not in AVOIDABLE)


def _shuffled(items: Sequence[_ItemT], ids: Sequence[str], seed: int, kind: str) -> tuple[_ItemT, ...]:
    keys = [content_id("order", seed, kind, name) for name in ids]
    return tuple(item for _, item in sorted(zip(keys, items, strict=True), key=lambda pair: pair[0]))
