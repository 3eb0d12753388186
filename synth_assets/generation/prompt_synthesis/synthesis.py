"""Prompts: ask until every kind has as many as the recipe wants, or its budget of candidates is spent.

In rounds, as samples are generated: a round asks, for every kind at once, exactly as many candidates as are still missing,
and each step of a round is one batch of the teacher. First come the kinds made from topics and documents, then those that go
on from what was kept of them. At its end a candidate is judged in the order of kinds and numbers: what is there already is a
duplicate, and, where the recipe says so, what is too close to another prompt of its kind and topic is not new.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace

from synth_assets.constraints import write_constraint
from synth_assets.counting import count_by_leaf, counts_or_zero, sum_counts
from synth_assets.generation.prompt_synthesis.calls import call_line
from synth_assets.generation.prompt_synthesis.leaves import topics_of_documents
from synth_assets.generation.prompt_synthesis.plans import (
    FIRST_KINDS,
    PromptCandidate,
    PromptPlan,
    PromptStep,
    plan_first_kinds,
    plan_next_kinds,
)
from synth_assets.generation.prompt_synthesis.reading import (
    judge_prompt,
    judge_refinement,
    judge_turn,
    read_prompt,
    strip_politeness,
)
from synth_assets.generation.rejection import DUPLICATE_INSTRUCTION, ENGINE_ERROR, NOT_NOVEL, Verdict
from synth_assets.generation.sampling import OnStep
from synth_assets.recipe import PromptSynthesisSection
from synth_assets.records import (
    GENERATED_BRANCH,
    DocumentChunk,
    Outcome,
    PromptKind,
    RejectedSample,
    StageCounts,
    SyntheticPrompt,
    Topic,
    content_id,
)
from synth_assets.roles import GenerationResult, TextModel
from synth_assets.sketches import NoveltyIndex, plain

STAGE = "prompt_synthesis"
NO_CONSTRAINT = "no_constraint"


@dataclass(frozen=True)
class KindShortfall:
    """A kind that ended with fewer prompts than wanted."""

    kind: PromptKind
    num_missing: int
    why: str


@dataclass(frozen=True)
class PromptOutcome:
    """Prompts and rejected rows by kind, then candidate. A candidate is in exactly one of the two.

    `topics`: those that the prompts are about, the documents' included; `leaf_nodes_of_topics` makes leaf nodes of them.
    """

    prompts: list[SyntheticPrompt]
    rejected: list[RejectedSample]
    topics: list[Topic]
    leaf_counts: list[StageCounts]
    shortfalls: list[KindShortfall]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


@dataclass
class _Progress:
    """How far one kind has come."""

    plan: PromptPlan
    num_asked: int = 0
    prompts: list[SyntheticPrompt] = field(default_factory=list)
    rejected: list[RejectedSample] = field(default_factory=list)
    asked_of: Counter[str] = field(default_factory=Counter)
    novelty: dict[str, NoveltyIndex] = field(default_factory=dict)

    @property
    def budget(self) -> int:
        return math.ceil(self.plan.num_wanted * self.plan.settings.budget_factor)

    @property
    def num_missing(self) -> int:
        return self.plan.num_wanted - len(self.prompts)

    @property
    def num_next(self) -> int:
        return 0 if self.plan.obstacle else min(self.num_missing, self.budget - self.num_asked)


_Alive = list[tuple[_Progress, PromptCandidate]]


def synthesize_prompts(
    topics: Sequence[Topic],
    document_chunks: Sequence[DocumentChunk],
    teacher: TextModel,
    settings: PromptSynthesisSection,
    seed: int,
    teacher_depth: int = 0,
    report: OnStep | None = None,
) -> PromptOutcome:
    """`settings.num_prompts` of each kind, and those with constraints on top, as far as the budgets go.

    `topics`: of `synthesize_topics`; `teacher_depth`: how deep the teacher descends from models. Chunks of the same source
    are one topic. The same inputs give the same outcome, row for row. A kind without material is a shortfall, no error.
    Raises what the model raises (EngineError), and CountsError if a row was lost.
    """
    of_documents = topics_of_documents(document_chunks) if settings.num_prompts.closed_question else []
    all_topics = list(dict.fromkeys([*topics, *of_documents]))
    taken: set[tuple[str, ...]] = set()
    first = [_Progress(plan) for plan in plan_first_kinds(all_topics, document_chunks, settings, seed)]
    _fill(first, taken, teacher, teacher_depth, first, report)
    kept = [prompt for each in first for prompt in each.prompts]
    following = [_Progress(plan) for plan in plan_next_kinds(all_topics, kept, settings, seed)]
    _fill(following, taken, teacher, teacher_depth, [*first, *following], report)
    kinds = [*first, *following]
    prompts = [prompt for each in kinds for prompt in each.prompts]
    rejected = [row for each in kinds for row in sorted(each.rejected, key=lambda row: row.candidate_index)]
    asked_of = sum((each.asked_of for each in kinds), Counter[str]())
    shortfalls = [_shortfall(each) for each in kinds if each.num_missing]
    counts = counts_or_zero(STAGE, GENERATED_BRANCH, count_by_leaf(STAGE, asked_of, prompts, rejected))
    return PromptOutcome(prompts, rejected, all_topics, counts, shortfalls)


def _fill(
    kinds: Sequence[_Progress], taken: set[tuple[str, ...]], teacher: TextModel, depth: int, told: Sequence[_Progress],
    report: OnStep | None,
) -> None:  # fmt: skip
    while any(each.num_next > 0 for each in kinds):
        alive: _Alive = []
        for each in kinds:
            first = each.num_asked
            each.num_asked += max(0, each.num_next)
            alive += [(each, each.plan.candidate(index)) for index in range(first, each.num_asked)]
        for each, candidate in alive:
            each.asked_of[candidate.topic.leaf_path] += 1
        for position in range(max(len(each.plan.steps) for each in kinds)):
            alive = _stepped(alive, position, teacher)
        for each, candidate in alive:
            _settle(each, candidate, taken, teacher.fingerprint, depth)
        if report:
            accepted, turned_away = (sum(map(len, rows)) for rows in _rows(told))
            report(accepted + turned_away, sum(each.plan.num_wanted for each in told), accepted, turned_away)


def _rows(kinds: Iterable[_Progress]) -> tuple[list[Sequence[object]], list[Sequence[object]]]:
    kinds = list(kinds)
    return [each.prompts for each in kinds], [each.rejected for each in kinds]


def _stepped(alive: _Alive, position: int, teacher: TextModel) -> _Alive:
    """Those that go on after the step of that position, one batch of the teacher; those without such a step do."""
    asked = [(each, candidate) for each, candidate in alive if position < len(each.plan.steps)]
    requests = [each.plan.request(candidate, position) for each, candidate in asked]
    once = list(dict.fromkeys(requests))  # conversations that open alike have the same greedy call
    answers = dict(zip(once, teacher.generate(once), strict=True)) if once else {}
    results = [answers[request] for request in requests]
    ended: set[tuple[PromptKind, int]] = set()
    for (each, candidate), request, result in zip(asked, requests, results, strict=True):
        step = each.plan.steps[position]
        outcome: Outcome = "failed" if result.finish_reason == "error" else "rejected"
        if result.finish_reason == "error":
            verdict: Verdict | None = Verdict(ENGINE_ERROR, result.error)
        else:
            candidate.calls.append(call_line(step, request.seed, result))
            verdict = _take_step(candidate, step, result, request.messages[-1].content)
        if verdict:
            row = _rejected_row(each.plan, candidate, verdict, step, outcome, teacher.fingerprint)
            if step == "assistant":
                row = replace(row, response=result.text)
            else:
                row = replace(row, instruction=result.text or row.instruction)
            each.rejected.append(row)
            ended.add((each.plan.kind, candidate.index))
    return [pair for pair in alive if (pair[0].plan.kind, pair[1].index) not in ended]


def _take_step(candidate: PromptCandidate, step: PromptStep, result: GenerationResult, asked: str) -> Verdict | None:
    """Write the step's text into the candidate, or say why it ends there."""
    if step in ("write", "refine"):
        text = read_prompt(result.text)
        verdict = judge_prompt(result, text, "" if step == "refine" else asked)
        verdict = verdict or (judge_refinement(text, candidate.text) if step == "refine" else None)
        candidate.turns = candidate.turns if verdict else [text]
        return verdict
    text = strip_politeness(read_prompt(result.text)) if step == "user" else result.text
    if not (verdict := judge_turn(result, text, candidate.turns)):
        candidate.turns.append(text)
    return verdict


def _settle(
    each: _Progress, candidate: PromptCandidate, taken: set[tuple[str, ...]], teacher: str, depth: int
) -> None:  # fmt: skip
    """The last word on a candidate: it is kept, or it is nothing new."""
    key = (plain(candidate.chunk.text if candidate.chunk else ""), *map(plain, candidate.turns))
    verdict = None
    if each.plan.kind == "instruction_following" and not candidate.constraints:
        verdict = Verdict(NO_CONSTRAINT, "none of the recipe's kinds of constraint fits this prompt")
    elif key in taken:
        verdict = Verdict(DUPLICATE_INSTRUCTION, "an earlier prompt has these turns")
    elif close := _nearest(each, candidate):
        verdict = Verdict(NOT_NOVEL, f"ROUGE-L {close[0]:.2f} to {close[1]!r}")
    if verdict:
        each.rejected.append(_rejected_row(each.plan, candidate, verdict, "", "rejected", teacher))
        return
    taken.add(key)
    each.prompts.append(_prompt(each.plan, candidate, teacher, depth))


def _nearest(each: _Progress, candidate: PromptCandidate) -> tuple[float, str] | None:
    """The closest prompt of its kind and topic, if it is too close; else the candidate is one of them from now on."""
    limit = each.plan.settings.max_rouge_l
    if limit is None or each.plan.kind not in FIRST_KINDS:
        return None
    index = each.novelty.setdefault(candidate.topic.leaf_path, NoveltyIndex(limit))
    context = plain(candidate.chunk.text) if candidate.chunk else ""
    close = index.nearest(context, plain(candidate.text))
    if close is None:
        index.add(context, plain(candidate.text))
    return close


def _rejected_row(
    plan: PromptPlan, candidate: PromptCandidate, verdict: Verdict, step: str, outcome: Outcome, teacher: str
) -> RejectedSample:  # fmt: skip
    return RejectedSample(
        synthetic_sample_id=content_id(
            "prompt_candidate", plan.kind, candidate.topic.topic_id, teacher, plan.seed, candidate.index
        ),
        leaf_path=candidate.topic.leaf_path,
        stage=STAGE,
        outcome=outcome,
        rejection_reason=verdict.reason,
        detail=": ".join(filter(None, [f"{plan.kind} {step}".strip(), verdict.detail])),
        instruction=candidate.text,
        response=candidate.turns[-1] if len(candidate.turns) > 1 and len(candidate.turns) % 2 == 0 else "",
        candidate_index=candidate.index,
        context=candidate.chunk.text if candidate.chunk else None,
    )  # fmt: skip


def _prompt(plan: PromptPlan, candidate: PromptCandidate, teacher: str, depth: int) -> SyntheticPrompt:
    parent, chunk = candidate.parent, candidate.chunk
    above = parent.generation_depth if parent else candidate.topic.generation_depth
    prompt = SyntheticPrompt(
        synthetic_prompt_id="",
        kind=plan.kind,
        leaf_path=candidate.topic.leaf_path,
        topic_id=candidate.topic.topic_id,
        topic=candidate.topic.name,
        text=candidate.text,
        turns=tuple(candidate.turns),
        context=chunk.text if chunk else None,
        document_chunk_id=chunk.document_chunk_id if chunk else None,
        document_type=candidate.document_type,
        persona=candidate.persona,
        constraints=tuple(map(write_constraint, candidate.constraints)),
        parent_prompt_id=parent.synthetic_prompt_id if parent else None,
        teacher=teacher,
        candidate_index=candidate.index,
        calls=tuple(candidate.calls),
        generation_depth=max(1 + depth, above),
    )
    return replace(prompt, synthetic_prompt_id=content_id("synthetic_prompt", asdict(prompt)))


def _shortfall(each: _Progress) -> KindShortfall:
    reasons = Counter(row.rejection_reason for row in each.rejected)
    losses = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    why = each.plan.obstacle or f"its budget of {each.budget} candidates is spent: {losses}"
    return KindShortfall(each.plan.kind, each.num_missing, why)
