"""What is asked of the teacher for one candidate: three kinds of leaf, three steps, one seed each.

    freeform skill    instruction                          -> response
    grounded skill    context -> instruction on it         -> response
    knowledge         document chunk -> instruction on it  -> response

The prompts for a new item show a leaf's seeds in random order, drawn for the candidate; the response prompt shows fixed
shots, the same for every candidate of a leaf, so that the engine's prefix cache can keep them. Long contexts leave room
for one shot only. A style may open the response prompt with guidance (`response`), which differs for tasks with one right
answer (precise) and with many good ones (creative). Where the recipe names judges, they judge what came of a step.
Everything random comes from a hash of (recipe seed, leaf path, candidate index, step): a candidate is the same whatever
else is asked in its batch, or was asked before a crash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Literal

from synth_assets.judging import Case, Judgement, judges_of
from synth_assets.prompts import has_prompt, render_prompt
from synth_assets.recipe import GenerationSection, JudgeName
from synth_assets.records import DocumentChunk, LeafNode, SeedExample, content_id
from synth_assets.roles import GenerationRequest, GenerationResult, Message

Step = Literal["context", "instruction", "response"]
STEPS: tuple[Step, ...] = ("context", "instruction", "response")


def derive_seed(seed: int, leaf_path: str, index: int, step: str) -> int:
    """A seed of 63 bits, so that it fits a signed 64-bit column."""
    return int(content_id("request_seed", seed, leaf_path, index, step), 16) >> 1


@dataclass
class Candidate:
    """One attempt at a sample; filled step by step."""

    index: int
    seeds: list[SeedExample]
    shots: list[SeedExample]
    chunk: DocumentChunk | None
    writes_context: bool
    context: str | None = None
    instruction: str = ""
    instruction_prompt: str = ""
    response: GenerationResult | None = None
    persona: str = ""
    judgements: list[Judgement] = field(default_factory=list)

    @property
    def seed_example_ids(self) -> tuple[str, ...]:
        """The seeds that it was shown, in the order of their first appearance."""
        return tuple(dict.fromkeys(seed.seed_example_id for seed in (*self.seeds, *self.shots)))


@dataclass(frozen=True)
class LeafPlan:
    """A leaf with what its candidates are made from, and the requests that they become."""

    leaf_node: LeafNode
    freeform: tuple[SeedExample, ...]
    grounded: tuple[SeedExample, ...]
    chunks: tuple[DocumentChunk, ...]
    settings: GenerationSection
    seed: int
    teacher_depth: int = 0
    """generation_depth of the model that will write."""
    obstacle: str = field(default="", compare=False)

    @property
    def is_knowledge(self) -> bool:
        return self.leaf_node.branch == "knowledge"

    def candidate(self, index: int) -> Candidate:
        """The candidate of that number; a leaf of both kinds of seed alternates."""
        if self.is_knowledge:
            chunk = self.chunks[index % len(self.chunks)]
            pool, is_grounded = self.grounded + self.freeform, True
        else:
            kinds = [kind for kind in (self.freeform, self.grounded) if kind]
            pool, chunk = kinds[index % len(kinds)], None
            is_grounded = pool is self.grounded
        rng = Random(derive_seed(self.seed, self.leaf_node.leaf_path, index, "draw"))
        return Candidate(
            index=index,
            seeds=rng.sample(pool, min(self.settings.num_seeds_in_prompt, len(pool))),
            shots=self._shots(pool, is_grounded),
            chunk=chunk,
            writes_context=is_grounded and chunk is None,
            context=chunk.text if chunk else None,
            persona=rng.choice(self.settings.personas) if self.settings.personas else "",
        )

    def _shots(self, pool: tuple[SeedExample, ...], is_grounded: bool) -> list[SeedExample]:
        num_shots = 1 if is_grounded else min(self.settings.num_seeds_in_response_prompt, len(pool))
        rng = Random(derive_seed(self.seed, self.leaf_node.leaf_path, int(is_grounded), "shots"))
        return rng.sample(pool, num_shots)

    def request(self, candidate: Candidate, step: Step) -> GenerationRequest:
        messages = self._response_messages(candidate) if step == "response" else (self._item_message(candidate, step),)
        return GenerationRequest(
            messages=messages,
            max_new_tokens=getattr(self.settings.max_new_tokens, step),
            temperature=self._temperature(step),
            seed=derive_seed(self.seed, self.leaf_node.leaf_path, candidate.index, step),
        )

    @property
    def is_creative(self) -> bool:
        return any(fnmatchcase(self.leaf_node.leaf_path, pattern) for pattern in self.settings.creative_leaves)

    def cases(self, candidate: Candidate, step: Step) -> list[Case]:
        """What the judges are to say after a step, in the order in which a refusal counts."""
        of_instruction, of_response = judges_of(self.is_knowledge)
        names: tuple[JudgeName, ...] = {"instruction": of_instruction, "response": of_response}.get(step, ())
        values = {
            "task": self.leaf_node.task_description,
            "examples": [seed.question for seed in candidate.seeds],
            "seeds": candidate.seeds,
            "context": candidate.context or "",
            "instruction": candidate.instruction,
            "response": candidate.response.text if candidate.response else "",
        }
        path, text = self.leaf_node.leaf_path, candidate.context or ""
        return [Case(name, values, text, derive_seed(self.seed, path, candidate.index, name)) for name in names]

    def _temperature(self, step: Step) -> float:
        if step == "response" and self.is_creative and self.settings.creative_temperature is not None:
            return self.settings.creative_temperature
        return float(getattr(self.settings, f"{step}_temperature"))

    def _item_message(self, candidate: Candidate, step: Step) -> Message:
        texts = [(seed.context or "") if step == "context" else seed.question for seed in candidate.seeds]
        prompt = render_prompt(
            self.settings.prompts, step, context=candidate.context or "", examples=texts, persona=candidate.persona,
            task=self.leaf_node.task_description,
        )  # fmt: skip
        return Message("user", prompt)

    def _response_messages(self, candidate: Candidate) -> tuple[Message, ...]:
        messages = []
        for shot in candidate.shots:
            messages.append(Message("user", self._question(shot.context, shot.question)))
            messages.append(Message("assistant", shot.answer))
        messages.append(Message("user", self._question(candidate.context, candidate.instruction)))
        if has_prompt(self.settings.prompts, "response"):
            guidance = render_prompt(self.settings.prompts, "response", is_creative=self.is_creative)
            messages[0] = Message("user", f"{guidance}\n\n{messages[0].content}")
        return tuple(messages)

    def _question(self, context: str | None, instruction: str) -> str:
        return render_prompt(self.settings.prompts, "question", context=context or "", instruction=instruction)


def least_calls(
    leaf_nodes: Iterable[LeafNode], seed_examples: Iterable[SeedExample], settings: GenerationSection
) -> dict[str, int]:
    """By leaf path: calls of the teacher for the leaf's quota if no candidate is turned away."""
    return {plan.leaf_node.leaf_path: _least_calls(plan) for plan in plan_leaves(leaf_nodes, seed_examples, (), settings, 0)}


def _least_calls(plan: LeafPlan) -> int:
    kinds = [kind for kind in (plan.freeform, plan.grounded) if kind]
    writes_context = [kind is plan.grounded and not plan.is_knowledge for kind in kinds]
    num = plan.settings.num_samples_per_leaf
    return sum(3 if writes_context[index % len(kinds)] else 2 for index in range(num)) if kinds else 0


def plan_leaves(
    leaf_nodes: Iterable[LeafNode],
    seed_examples: Iterable[SeedExample],
    document_chunks: Iterable[DocumentChunk],
    settings: GenerationSection,
    seed: int,
) -> list[LeafPlan]:
    """One plan a leaf, in the order of their paths, whatever the order of the rows given."""
    seeds: dict[str, list[SeedExample]] = {}
    for example in sorted(seed_examples, key=lambda example: (example.position, example.seed_example_id)):
        seeds.setdefault(example.leaf_path, []).append(example)
    chunks: dict[str, list[DocumentChunk]] = {}
    for chunk in sorted(document_chunks, key=lambda chunk: (chunk.source, chunk.char_start, chunk.document_chunk_id)):
        chunks.setdefault(chunk.leaf_path, []).append(chunk)
    plans = []
    for leaf in sorted(leaf_nodes, key=lambda leaf: leaf.leaf_path):
        own = seeds.get(leaf.leaf_path, [])
        documents = tuple(chunks.get(leaf.leaf_path, ()))
        obstacle = "" if own else "the leaf has no seed examples"
        if own and leaf.branch == "knowledge" and not documents:
            obstacle = "the knowledge leaf has no document chunks"
        plans.append(LeafPlan(
            leaf_node=leaf,
            freeform=tuple(example for example in own if not example.is_grounded),
            grounded=tuple(example for example in own if example.is_grounded),
            chunks=documents, settings=settings, seed=seed, obstacle=obstacle,
        ))  # fmt: skip
    return plans
