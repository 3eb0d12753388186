"""Generation: accept until every leaf has its quota, or its budget of candidates is spent.

In rounds. A round asks, for every leaf at once, exactly as many candidates as are still missing, never more than the
rest of the leaf's budget (quota x budget_factor, rounded up); so no candidate is ever thrown away for being too many.
Each step of a round (contexts, instructions, responses) is one batch of the teacher. Within a leaf candidates are
judged in the order of their numbers, so the outcome depends on nothing but the inputs.

Simplification: an instruction also counts as taken while an earlier candidate of the same round is being answered;
should that one's response be rejected, the later one was rejected as its duplicate all the same, and a fresh one is
asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from synth_assets.counting import count_by_leaf, sum_counts
from synth_assets.errors import GenerationError
from synth_assets.generation.candidates import STEPS, Candidate, LeafPlan, Step, plan_leaves
from synth_assets.generation.leaf_progress import LeafProgress, instruction_key
from synth_assets.generation.rejection import (
    COPIES_SEED,
    DUPLICATE_INSTRUCTION,
    ENGINE_ERROR,
    NOT_NOVEL,
    Verdict,
    judge_item,
    judge_repetition,
    judge_response,
    parse_item,
)
from synth_assets.judging import JUDGE_ERROR, Judgement, Panel, seated, verdict_line
from synth_assets.recipe import GenerationSection
from synth_assets.records import (
    DocumentChunk,
    LeafNode,
    Outcome,
    RejectedSample,
    SeedExample,
    StageCounts,
    SyntheticSample,
    content_id,
)
from synth_assets.roles import GenerationResult, TextModel

STAGE = "generation"
#: What differs by machine, what others say of a sample, and what follows from its content.
NO_CONTENT = ("response_logprob", "verdicts", "supporting_span", "synthetic_ancestry")

#: Called with (done, total, accepted, rejected): candidates settled, samples asked for; rejected includes failed.
OnStep = Callable[[int, int, int, int], None]


@dataclass(frozen=True)
class LeafShortfall:
    """A leaf that ended below its quota."""

    leaf_path: str
    num_missing: int
    why: str


@dataclass(frozen=True)
class GenerationOutcome:
    """Samples and rejected rows by leaf path, then candidate. A candidate is in exactly one of the two."""

    samples: list[SyntheticSample]
    rejected: list[RejectedSample]
    leaf_counts: list[StageCounts]
    shortfalls: list[LeafShortfall]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


def generate_samples(
    leaf_nodes: Sequence[LeafNode],
    seed_examples: Sequence[SeedExample],
    document_chunks: Sequence[DocumentChunk],
    teacher: TextModel,
    settings: GenerationSection,
    seed: int,
    report: OnStep | None = None,
    panel: Panel | None = None,
    teacher_depth: int = 0,
) -> GenerationOutcome:
    """Generate `settings.num_samples_per_leaf` samples for each leaf, as far as the budget goes.

    `teacher_depth`: how deep the teacher descends from models (`model_folder.read_lineage`).

    With a `panel` the quota counts samples that its judges have accepted. The same inputs give the same outcome, row for
    row. Raises GenerationError if no leaf can be asked for anything, and what the models raise (EngineError).
    """
    plans = plan_leaves(leaf_nodes, seed_examples, document_chunks, settings, seed)
    plans = [replace(plan, teacher_depth=teacher_depth) for plan in plans]
    leaves = [LeafProgress(plan) for plan in plans if not plan.obstacle]
    if not leaves:
        raise GenerationError(
            "there is nothing to generate from",
            value=[f"{plan.leaf_node.leaf_path}: {plan.obstacle}" for plan in plans],
            remedy="give at least one leaf node seed examples (and a knowledge leaf its documents)",
        )  # fmt: skip
    while any(leaf.num_wanted for leaf in leaves):
        _run_round(leaves, teacher, report, panel)
    samples = [sample for leaf in leaves for sample in leaf.samples]
    rejected = [row for leaf in leaves for row in sorted(leaf.rejected, key=lambda row: row.candidate_index)]
    counts = count_by_leaf(STAGE, {leaf.path: leaf.num_asked for leaf in leaves}, samples, rejected)
    shortfalls = [
        LeafShortfall(plan.leaf_node.leaf_path, settings.num_samples_per_leaf, plan.obstacle)
        for plan in plans if plan.obstacle
    ]  # fmt: skip
    shortfalls += [
        LeafShortfall(leaf.path, leaf.num_missing, f"its budget of {leaf.budget} candidates is spent: {leaf.losses}")
        for leaf in leaves if leaf.num_missing
    ]  # fmt: skip
    return GenerationOutcome(samples, rejected, counts, sorted(shortfalls, key=lambda row: row.leaf_path))


Alive = list[tuple[LeafProgress, Candidate]]


def _run_round(leaves: list[LeafProgress], teacher: TextModel, report: OnStep | None, panel: Panel | None) -> None:
    alive: Alive = []
    for leaf in leaves:
        leaf.begin_round()
        first = leaf.num_asked
        leaf.num_asked += leaf.num_wanted
        alive += [(leaf, leaf.plan.candidate(index)) for index in range(first, leaf.num_asked)]
    for step in STEPS:
        alive = _asked(alive, step, teacher)
        if panel:
            alive = _judged(alive, step, panel, teacher.fingerprint)
        if step == "response":
            for leaf, candidate in alive:
                leaf.samples.append(_sample(leaf.plan, candidate, teacher.fingerprint))
        if report:
            num_accepted = sum(len(leaf.samples) for leaf in leaves)
            num_rejected = sum(len(leaf.rejected) for leaf in leaves)
            total = sum(leaf.plan.settings.num_samples_per_leaf for leaf in leaves)
            report(num_accepted + num_rejected, total, num_accepted, num_rejected)


def _asked(alive: Alive, step: Step, teacher: TextModel) -> Alive:
    """Those that the step's rules of form let through, in one batch of the teacher."""
    asked = [pair for pair in alive if step != "context" or pair[1].writes_context]
    results = teacher.generate([leaf.plan.request(candidate, step) for leaf, candidate in asked]) if asked else []
    refused = set()
    for (leaf, candidate), result in zip(asked, results, strict=True):
        if row := _take_step(leaf, candidate, step, result, teacher.fingerprint):
            leaf.rejected.append(row)
            refused.add((leaf.path, candidate.index))
    return [pair for pair in alive if (pair[0].path, pair[1].index) not in refused]


def _judged(alive: Alive, step: Step, panel: Panel, teacher: str) -> Alive:
    """Those that every judge of the step accepts, in one batch of the judging model; the first refusal is the reason."""
    cases = [seated(leaf.plan.cases(candidate, step), panel.settings) for leaf, candidate in alive]
    judgements = iter(panel.judge([case for of_candidate in cases for case in of_candidate]))
    accepted: Alive = []
    for (leaf, candidate), of_candidate in zip(alive, cases, strict=True):
        said = [next(judgements) for _ in of_candidate]
        candidate.judgements += said
        refusal = next((judgement for judgement in said if not judgement.is_accepted), None)
        if refusal is None:
            accepted.append((leaf, candidate))
        else:
            leaf.rejected.append(_refused(leaf, candidate, step, refusal, teacher))
    return accepted


def _refused(leaf: LeafProgress, candidate: Candidate, step: Step, refusal: Judgement, teacher: str) -> RejectedSample:
    outcome: Outcome = "failed" if refusal.reason == JUDGE_ERROR else "rejected"
    verdict = Verdict(refusal.reason, f"judge {refusal.judge}: {refusal.detail}")
    return _row(leaf, candidate, step, outcome, verdict, teacher)


def _take_step(
    leaf: LeafProgress, candidate: Candidate, step: Step, result: GenerationResult, teacher: str
) -> RejectedSample | None:
    """Write the step's text into the candidate; the row of its end if that is where it ends."""
    if result.finish_reason == "error":
        return _ended(leaf, candidate, step, "failed", Verdict(ENGINE_ERROR, result.error), result, teacher)
    if step == "context":
        shown = [seed.context or "" for seed in candidate.seeds]
        candidate.context = parse_item(result.text)
        verdict = judge_item(result, candidate.context, shown) or judge_repetition(candidate.context, shown, "context")
    elif step == "instruction":
        verdict = _take_instruction(leaf, candidate, result)
    else:
        candidate.response = result
        verdict = judge_response(result, candidate.instruction, candidate.context)
    return _ended(leaf, candidate, step, "rejected", verdict, result, teacher) if verdict else None


def _take_instruction(leaf: LeafProgress, candidate: Candidate, result: GenerationResult) -> Verdict | None:
    shown = [seed.question for seed in candidate.seeds]
    candidate.instruction, candidate.instruction_prompt = parse_item(result.text), result.prompt
    if verdict := judge_item(result, candidate.instruction, shown):
        return verdict
    if candidate.context is None and (verdict := judge_repetition(candidate.instruction, shown, "question")):
        return verdict
    key = instruction_key(candidate.context, candidate.instruction)
    if key in leaf.seed_keys:
        return Verdict(COPIES_SEED, "a seed example has this context and question")
    if key in leaf.taken:
        return Verdict(DUPLICATE_INSTRUCTION, "an earlier candidate of the leaf has this context and instruction")
    if leaf.novelty and (close := leaf.novelty.nearest(*key)):
        return Verdict(NOT_NOVEL, f"ROUGE-L {close[0]:.2f} to {close[1]!r}")
    leaf.take(key)
    return None


def _ended(
    leaf: LeafProgress, candidate: Candidate, step: Step, outcome: Outcome, verdict: Verdict, result: GenerationResult,
    teacher: str,
) -> RejectedSample:  # fmt: skip
    """The row of a candidate that goes no further, with the raw text of the step at which it ended."""
    raw: dict[str, Any] = {step: result.text}
    return replace(_row(leaf, candidate, step, outcome, verdict, teacher), **raw)


def _row(
    leaf: LeafProgress, candidate: Candidate, step: Step, outcome: Outcome, verdict: Verdict, teacher: str
) -> RejectedSample:  # fmt: skip
    node = leaf.plan.leaf_node
    return RejectedSample(
        synthetic_sample_id=content_id("candidate", node.leaf_node_id, teacher, leaf.plan.seed, candidate.index),
        leaf_path=leaf.path,
        stage=STAGE,
        outcome=outcome,
        rejection_reason=verdict.reason,
        detail=f"{step}: {verdict.detail}",
        instruction=candidate.instruction,
        response=candidate.response.text if candidate.response else "",
        candidate_index=candidate.index,
        context=candidate.context,
    )


def _depth_above(depths: Sequence[int | None]) -> int | None:
    """Of what is made from rows and by a model of these depths; None where one of them is not known."""
    known = [depth for depth in depths if depth is not None]
    return 1 + max(known) if len(known) == len(depths) else None


def _sample(plan: LeafPlan, candidate: Candidate, teacher: str) -> SyntheticSample:
    assert candidate.response is not None
    seeds = {seed.seed_example_id: seed.generation_depth for seed in (*candidate.seeds, *candidate.shots)}
    parents = [*seeds.values(), *([0] if candidate.chunk else [])]
    sample = SyntheticSample(
        synthetic_sample_id="",
        leaf_node_id=plan.leaf_node.leaf_node_id,
        leaf_path=plan.leaf_node.leaf_path,
        branch=plan.leaf_node.branch,
        context=candidate.context,
        instruction=candidate.instruction,
        response=candidate.response.text,
        seed_example_ids=candidate.seed_example_ids,
        document_chunk_id=candidate.chunk.document_chunk_id if candidate.chunk else None,
        instruction_prompt=candidate.instruction_prompt,
        response_prompt=candidate.response.prompt,
        teacher=teacher,
        candidate_index=candidate.index,
        request_seed=plan.request(candidate, "response").seed,
        num_prompt_tokens=candidate.response.num_prompt_tokens,
        num_response_tokens=candidate.response.num_new_tokens,
        response_logprob=candidate.response.mean_logprob,
        generation_depth=_depth_above([*parents, plan.teacher_depth]),
        synthetic_ancestry=sum(depth != 0 for depth in parents) / len(parents),
        verdicts=tuple(map(verdict_line, candidate.judgements)),
        supporting_span=next((judgement.span for judgement in candidate.judgements if judgement.span), None),
    )
    content = {key: value for key, value in asdict(sample).items() if key not in NO_CONTENT}
    return replace(sample, synthetic_sample_id=content_id("synthetic_sample", content))
