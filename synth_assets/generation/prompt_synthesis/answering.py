"""Answers: every prompt is put to the teacher as it stands, and becomes a sample like those that grow from seeds.

    prompt -> (judged) -> answered -> form, constraints -> (judged) -> sample

How the teacher answers is what the recipe says of responses (`generation`), of a dialogue what it says of turns: there the
last answer was given when the dialogue was written, and the same call has the same answer, from the journal. An answer that
breaks a constraint of its prompt is turned away, strictly as IFEval counts. Where the recipe has judges, they decide as over
samples from seeds: of questions on a document those of knowledge, of all others those of skills, who are shown no seed
examples, since there are none.

Depth: a prompt and its answer are steps of one generation (`records.prompts`). A prompt that is turned away here is a
rejected row under the prompt's own id.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Literal

from synth_assets.constraints import Constraint, Following, broken_constraints, measure_following, read_constraint
from synth_assets.counting import count_by_leaf, counts_or_zero, sum_counts
from synth_assets.generation.candidates import derive_seed
from synth_assets.generation.prompt_synthesis.calls import instruction_prompt_of
from synth_assets.generation.prompt_synthesis.plans import last_answer_request, messages_to_answer
from synth_assets.generation.rejection import ENGINE_ERROR, UNPARSEABLE, Verdict, judge_response
from synth_assets.generation.sampling import NO_CONTENT
from synth_assets.judging import JUDGE_ERROR, Case, Judgement, Panel, judges_of, seated, verdict_line
from synth_assets.prompts.conversations import is_read_back, turns_to_answer, write_turns
from synth_assets.recipe import GenerationSection, JudgeName, PromptSynthesisSection
from synth_assets.records import (
    GENERATED_BRANCH,
    LeafNode,
    PromptedSample,
    RejectedSample,
    StageCounts,
    SyntheticPrompt,
    Topic,
    ancestry_of_prompt,
    content_id,
)
from synth_assets.roles import GenerationRequest, GenerationResult, TextModel

STAGE = "answering"
BREAKS_CONSTRAINTS = "breaks_constraints"
JudgedStep = Literal["instruction", "response"]


@dataclass(frozen=True)
class AnswerSettings:
    """What the recipe says of answers: to single prompts, and to those of dialogues."""

    generation: GenerationSection
    synthesis: PromptSynthesisSection
    seed: int
    teacher_depth: int = 0


@dataclass(frozen=True)
class AnswerOutcome:
    """A prompt is in exactly one of the two lists, both in the order of the prompts.

    `constrained`: of each answer of good form to a constrained prompt the constraints and the answer.
    """

    samples: list[PromptedSample]
    rejected: list[RejectedSample]
    leaf_counts: list[StageCounts]
    constrained: list[tuple[tuple[Constraint, ...], str]]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)

    @property
    def following(self) -> Following | None:
        """How far the answers keep their constraints; None without any such prompt."""
        return measure_following(self.constrained) if self.constrained else None


@dataclass
class _Answer:
    """A prompt under way, as the sample that it is to become."""

    prompt: SyntheticPrompt
    leaf_node: LeafNode
    context: str | None
    instruction: str
    result: GenerationResult | None = None
    judgements: list[Judgement] = field(default_factory=list)

    @property
    def response(self) -> str:
        return self.result.text if self.result else ""


_Ended = dict[str, RejectedSample]


def answer_prompts(
    prompts: Sequence[SyntheticPrompt], topics: Sequence[Topic], leaf_nodes: Sequence[LeafNode], teacher: TextModel,
    settings: AnswerSettings, panel: Panel | None = None,
) -> AnswerOutcome:  # fmt: skip
    """One sample or one rejected row for each prompt; `topics` and `leaf_nodes` are those of the prompts.

    The same inputs give the same outcome, row for row. Raises what the models raise (EngineError).
    """
    leaves = {leaf.leaf_path: leaf for leaf in leaf_nodes}
    ended: _Ended = {}
    alive = [_opened(prompt, leaves[prompt.leaf_path]) for prompt in prompts]
    alive = [each for each in alive if _is_legible(each, settings.generation.prompts, ended)]
    alive = _judged(alive, "instruction", panel, settings.seed, ended)
    results = teacher.generate([answer_request(each.prompt, settings) for each in alive]) if alive else []
    constrained: list[tuple[tuple[Constraint, ...], str]] = []
    for each, result in zip(alive, results, strict=True):
        each.result = result
        _take_answer(each, constrained, ended)
    alive = [each for each in alive if each.prompt.synthetic_prompt_id not in ended]
    alive = _judged(alive, "response", panel, settings.seed, ended)
    made_by = {topic.topic_id: topic for topic in topics}
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in prompts}
    samples = [_sample(each, made_by[each.prompt.topic_id], by_id, teacher.fingerprint, settings) for each in alive]
    rejected = [ended[prompt.synthetic_prompt_id] for prompt in prompts if prompt.synthetic_prompt_id in ended]
    num_in = Counter(prompt.leaf_path for prompt in prompts)
    counts = counts_or_zero(STAGE, GENERATED_BRANCH, count_by_leaf(STAGE, num_in, samples, rejected))
    return AnswerOutcome(samples, rejected, counts, constrained)


def answer_request(prompt: SyntheticPrompt, settings: AnswerSettings) -> GenerationRequest:
    """What the teacher is asked for the last answer."""
    if prompt.kind == "dialogue":
        return last_answer_request(prompt, settings.synthesis, settings.seed)
    said = settings.generation
    is_creative = any(fnmatchcase(prompt.leaf_path, pattern) for pattern in said.creative_leaves)
    creative = said.creative_temperature if is_creative else None
    return GenerationRequest(
        messages=messages_to_answer(prompt, said.prompts),
        max_new_tokens=said.max_new_tokens.response,
        temperature=said.response_temperature if creative is None else creative,
        seed=derive_seed(settings.seed, prompt.synthetic_prompt_id, 0, "response"),
    )


def prompts_turned_away(rejected: Iterable[RejectedSample]) -> set[str]:
    """Ids of the prompts that went no further as instructions, by the rows of this stage: no judge has accepted them, or
    they cannot be read as the turns that they have. Those whose answers alone were turned away are not among them."""
    own = (row for row in rejected if row.stage == STAGE)
    return {row.synthetic_sample_id for row in own if row.detail.partition(" ")[2].startswith("instruction: ")}


def _opened(prompt: SyntheticPrompt, leaf: LeafNode) -> _Answer:
    *earlier, last = turns_to_answer(prompt)
    return _Answer(prompt, leaf, write_turns(earlier) if earlier else prompt.context, last)


def _is_legible(each: _Answer, style: str, ended: _Ended) -> bool:
    """Whether the sample's prompt is read as the turns that it has, and no others."""
    shown = [message.content for message in messages_to_answer(each.prompt, style)]
    if is_read_back(shown, style, each.prompt.leaf_path, each.context, each.instruction):
        return True
    _end(each, Verdict(UNPARSEABLE, "instruction: a turn reads as if another role spoke in it"), ended)
    return False


def _take_answer(
    each: _Answer, constrained: list[tuple[tuple[Constraint, ...], str]], ended: _Ended
) -> None:  # fmt: skip
    assert each.result is not None
    if each.result.finish_reason == "error":
        return _end(each, Verdict(ENGINE_ERROR, f"response: {each.result.error}"), ended, has_failed=True)
    if verdict := judge_response(each.result, each.instruction, each.context):
        return _end(each, Verdict(verdict.reason, f"response: {verdict.detail}"), ended)
    constraints = tuple(map(read_constraint, each.prompt.constraints))
    if constraints:
        constrained.append((constraints, each.response))
    if broken := broken_constraints(constraints, each.response):
        kept = f"{len(constraints) - len(broken)} of {len(constraints)} are kept"
        said = "; ".join(constraint.sentence(0) for constraint in broken)
        return _end(each, Verdict(BREAKS_CONSTRAINTS, f"response: {kept}, not: {said}"), ended)
    return None


def _judged(
    alive: Sequence[_Answer], step: JudgedStep, panel: Panel | None, seed: int, ended: _Ended
) -> list[_Answer]:  # fmt: skip
    """Those that every judge of the step accepts, in one batch; the first refusal is the reason."""
    if panel is None:
        return list(alive)
    cases = [seated(_cases(each, step, seed), panel.settings) for each in alive]
    judgements = iter(panel.judge([case for of_answer in cases for case in of_answer]))
    for each, of_answer in zip(alive, cases, strict=True):
        said = [next(judgements) for _ in of_answer]
        each.judgements += said
        if refusal := next((judgement for judgement in said if not judgement.is_accepted), None):
            verdict = Verdict(refusal.reason, f"{step}: judge {refusal.judge}: {refusal.detail}")
            _end(each, verdict, ended, has_failed=refusal.reason == JUDGE_ERROR)
    return [each for each in alive if each.prompt.synthetic_prompt_id not in ended]


def _cases(each: _Answer, step: JudgedStep, seed: int) -> list[Case]:
    is_knowledge = each.prompt.kind == "closed_question"
    of_instruction, of_response = judges_of(is_knowledge)
    names: tuple[JudgeName, ...] = of_instruction if step == "instruction" else of_response
    values = {
        "task": each.leaf_node.task_description, "examples": [], "seeds": [], "context": each.context or "",
        "instruction": each.instruction, "response": each.response,
    }  # fmt: skip
    prompt_id = each.prompt.synthetic_prompt_id
    return [Case(name, values, each.context or "", derive_seed(seed, prompt_id, 0, name)) for name in names]


def _end(each: _Answer, verdict: Verdict, ended: _Ended, has_failed: bool = False) -> None:
    prompt = each.prompt
    ended[prompt.synthetic_prompt_id] = RejectedSample(
        synthetic_sample_id=prompt.synthetic_prompt_id, leaf_path=prompt.leaf_path, stage=STAGE,
        outcome="failed" if has_failed else "rejected", rejection_reason=verdict.reason,
        detail=f"{prompt.kind} {verdict.detail}", instruction=each.instruction, response=each.response,
        candidate_index=prompt.candidate_index, context=each.context,
    )  # fmt: skip


def _sample(
    each: _Answer, topic: Topic, prompts: Mapping[str, SyntheticPrompt], teacher: str, settings: AnswerSettings
) -> PromptedSample:  # fmt: skip
    prompt, leaf, result = each.prompt, each.leaf_node, each.result
    assert result is not None
    sample = PromptedSample(
        synthetic_sample_id="",
        leaf_node_id=leaf.leaf_node_id,
        leaf_path=leaf.leaf_path,
        branch=leaf.branch,
        context=each.context,
        instruction=each.instruction,
        response=result.text,
        seed_example_ids=(),
        document_chunk_id=prompt.document_chunk_id,
        instruction_prompt=instruction_prompt_of(prompt, prompts),
        response_prompt=result.prompt,
        teacher=teacher,
        candidate_index=prompt.candidate_index,
        request_seed=answer_request(prompt, settings).seed,
        num_prompt_tokens=result.num_prompt_tokens,
        num_response_tokens=result.num_new_tokens,
        response_logprob=result.mean_logprob,
        generation_depth=max(1 + settings.teacher_depth, prompt.generation_depth),
        synthetic_ancestry=ancestry_of_prompt(prompt, topic),
        verdicts=tuple(map(verdict_line, each.judgements)),
        supporting_span=next((judgement.span for judgement in each.judgements if judgement.span), None),
        synthetic_prompt_id=prompt.synthetic_prompt_id,
        kind=prompt.kind,
    )
    content = {key: value for key, value in asdict(sample).items() if key not in NO_CONTENT}
    return replace(sample, synthetic_sample_id=content_id("synthetic_sample", content))
