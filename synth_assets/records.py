"""What passes between the stages: one small frozen record a concept, one table a record.

A record's fields are its table's columns, in this order (`synth_assets.frames`); a table is named like the asset that
writes it (`TABLES`).

Ids are content hashes (`content_id`): the same content has the same id on every machine and in every run,
and a changed seed, prompt or model shows as a changed id downstream.
"""

from __future__ import annotations

import hashlib
import json
import typing
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any, Literal

from synth_assets.errors import CountsError, Fault

Branch = Literal["knowledge", "foundational_skills", "compositional_skills"]
BRANCHES: tuple[Branch, ...] = typing.get_args(Branch)
Outcome = Literal["rejected", "failed"]
Split = Literal["train", "validation"]
Source = Literal["synthetic", "replay", "seed"]
Suite = Literal["taxonomy", "retained"]
ModelArm = Literal["base", "tuned"]
ComparisonOutcome = Literal["base", "tuned", "tie", "inconsistent", "no_verdict"]


def content_id(*parts: object) -> str:
    """16 hex digits of the SHA-256 over the parts as JSON. By custom the first part names the kind.

    Raises TypeError for a part that JSON cannot hold, and ValueError for NaN and infinities.
    """
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class LeafNode:
    """A taxonomy task that holds seeds. `leaf_path` such as compositional_skills/writing/polite_request.

    The id covers everything that the file says, its seeds included. `file` is relative to the taxonomy root.
    `domain` and the `document_` fields are those of knowledge leaves, empty elsewhere; a knowledge leaf's
    `task_description` is its document outline.
    """

    leaf_node_id: str
    leaf_path: str
    branch: Branch
    task_description: str
    created_by: str
    version: int
    domain: str
    document_outline: str
    document_repo: str
    document_commit: str
    document_patterns: tuple[str, ...]
    file: str
    num_seed_examples: int


@dataclass(frozen=True)
class SeedExample:
    """A human-written question and answer. With a context it is *grounded*, without *freeform*.

    `position` counts from 0 within the leaf. A knowledge leaf gives one for each question-and-answer pair.
    """

    seed_example_id: str
    leaf_node_id: str
    leaf_path: str
    position: int
    context: str | None
    question: str
    answer: str
    generation_depth: int = 0

    @property
    def is_grounded(self) -> bool:
        return self.context is not None


@dataclass(frozen=True)
class Attribution:
    """A work that a leaf node was made from, as declared beside it; `position` counts a leaf's works from 0."""

    leaf_path: str
    position: int
    title: str
    link: str
    revision: str
    licence: str
    creators: str


@dataclass(frozen=True)
class DocumentChunk:
    """A piece of a document: `text` is its characters `char_start:char_end`. `source` is a relative path."""

    document_chunk_id: str
    leaf_node_id: str
    leaf_path: str
    source: str
    heading: str
    char_start: int
    char_end: int
    text: str


@dataclass(frozen=True)
class SyntheticSample:
    """One instruction with its response from the teacher, and all that is needed to make it again.

    `teacher` is the model's fingerprint. `response_logprob` is the mean natural logarithm of the probability
    that the teacher gave each token of its response. `generation_depth` n: made by a model of depth n - 1. `verdicts`
    are those of the judges, if there were any; `supporting_span` is what the judge of faithfulness quoted.
    """

    synthetic_sample_id: str
    leaf_node_id: str
    leaf_path: str
    branch: Branch
    context: str | None
    instruction: str
    response: str
    seed_example_ids: tuple[str, ...]
    document_chunk_id: str | None
    instruction_prompt: str
    response_prompt: str
    teacher: str
    candidate_index: int
    request_seed: int
    num_prompt_tokens: int
    num_response_tokens: int
    response_logprob: float
    generation_depth: int = 1
    verdicts: tuple[str, ...] = ()
    supporting_span: str | None = None


@dataclass(frozen=True)
class RejectedSample:
    """A row that went no further: `rejected` by a rule, or `failed` with an error told in `detail`."""

    synthetic_sample_id: str
    leaf_path: str
    stage: str
    outcome: Outcome
    rejection_reason: str
    detail: str
    instruction: str
    response: str
    candidate_index: int
    context: str | None = None


@dataclass(frozen=True)
class JudgedCase:
    """What a judge said of a seed example, or of one that was spoiled on purpose (`spoiled_by`, else `none`)."""

    judged_case_id: str
    judge: str
    leaf_path: str
    branch: Branch
    seed_example_id: str
    spoiled_by: str
    instruction: str
    response: str
    verdict: str
    reasons: str
    must_accept: bool
    is_accepted: bool


@dataclass(frozen=True)
class RewardAttributes:
    """The five of HelpSteer, in the order of a reward model's outputs; there each runs from 0 to 4."""

    helpfulness: float
    correctness: float
    coherence: float
    complexity: float
    verbosity: float

    def weighted_sum(self, weights: Mapping[str, float]) -> float:
        """sum over the attributes of weight x value; `weights` has exactly the five names."""
        return sum(weights[field.name] * float(getattr(self, field.name)) for field in fields(self))


REWARD_ATTRIBUTES: tuple[str, ...] = tuple(field.name for field in fields(RewardAttributes))


@dataclass(frozen=True)
class ScoredSample:
    """What the reward model says of one sample; `reward` is the weighted sum of the recipe.

    In a recipe without a reward model the judges' verdicts make the reward: there are no attributes, and `reward_model`
    is empty.
    """

    synthetic_sample_id: str
    leaf_path: str
    helpfulness: float | None
    correctness: float | None
    coherence: float | None
    complexity: float | None
    verbosity: float | None
    reward: float
    reward_model: str


@dataclass(frozen=True)
class KeptSample:
    """A row of the filtered set, readable by itself; the rest joins over `synthetic_sample_id`."""

    synthetic_sample_id: str
    leaf_node_id: str
    leaf_path: str
    branch: Branch
    context: str | None
    instruction: str
    response: str
    reward: float
    generation_depth: int = 1


@dataclass(frozen=True)
class TrainingExample:
    """One row of the training mix. A seed row has no synthetic sample behind it, nor has what was replayed of the base."""

    training_example_id: str
    synthetic_sample_id: str | None
    leaf_path: str
    split: Split
    phase: str
    source: Source
    position: int
    prompt: str
    response: str


@dataclass(frozen=True)
class Checkpoint:
    """A candidate of a phase. `adapter_path` is relative to the warehouse; losses are nats per response token.

    The tuned student is the chosen candidate of the last phase (`phase_position` counts from 0).
    """

    checkpoint_id: str
    student: str
    phase: str
    phase_position: int
    adapter_path: str
    adapter_sha256: str
    num_steps: int
    num_examples: int
    train_loss_first: float
    train_loss_last: float
    validation_loss: float | None
    selection_score: float | None
    is_chosen: bool


@dataclass(frozen=True)
class BenchmarkQuestion:
    """A held-out question with its one right answer. `retained` asks what the base knew before."""

    benchmark_question_id: str
    leaf_path: str
    suite: Suite
    context: str | None
    question: str
    answer: str


@dataclass(frozen=True)
class BenchmarkAnswer:
    """What one model answered to one benchmark question."""

    benchmark_question_id: str
    leaf_path: str
    suite: Suite
    model: ModelArm
    answer: str
    is_right: bool


@dataclass(frozen=True)
class HarnessScore:
    """What the lm-evaluation-harness measured of one model in one task: `value` is a share, `stderr` in the same unit.

    `metric` names its filter after a comma where the task has several. `is_truncated`: questions with their solved
    examples were longer than the model can read, and lost their beginning.
    """

    task: str
    model: ModelArm
    num_fewshot: int
    metric: str
    value: float
    stderr: float | None
    num_questions: int
    is_truncated: bool


@dataclass(frozen=True)
class OpenQuestion:
    """A question without one right answer."""

    open_question_id: str
    leaf_path: str
    context: str | None
    question: str


@dataclass(frozen=True)
class Comparison:
    """Two answers to an open question, and what a judge said of them in both orders: A, B or tie, empty if nothing."""

    open_question_id: str
    leaf_path: str
    context: str | None
    question: str
    base_answer: str
    tuned_answer: str
    verdict_base_first: str
    verdict_tuned_first: str
    reasons_base_first: str
    reasons_tuned_first: str
    outcome: ComparisonOutcome


@dataclass(frozen=True)
class StageCounts:
    """Every row that goes into a stage comes out exactly once. One for each leaf; the sum over leaves has no path."""

    stage: str
    leaf_path: str
    num_in: int
    num_kept: int
    num_rejected: int
    num_failed: int

    def check(self) -> StageCounts:
        """Itself, for chaining. Raises CountsError unless in = kept + rejected + failed, and none < 0."""
        num_out = self.num_kept + self.num_rejected + self.num_failed
        if self.num_in != num_out or min(astuple(self)[2:]) < 0:
            where = f"stage {self.stage}, {self.leaf_path or 'all leaves'}"
            raise CountsError(
                f"{where}: {self.num_in} rows in, but {self.num_kept} kept + {self.num_rejected} rejected + "
                f"{self.num_failed} failed = {num_out}",
                value=num_out - self.num_in,
                remedy="this is a defect of the stage, not of the data: please report it with the recipe",
            )
        return self


TABLES: dict[str, type[Any]] = {
    "taxonomy": LeafNode,
    "taxonomy_faults": Fault,
    "attributions": Attribution,
    "seed_examples": SeedExample,
    "document_chunks": DocumentChunk,
    "document_faults": Fault,
    "judge_calibration": JudgedCase,
    "synthetic_samples": SyntheticSample,
    "rejected_samples": RejectedSample,
    "scored_samples": ScoredSample,
    "reward_filtered_set": KeptSample,
    "training_mix": TrainingExample,
    "lora_checkpoint": Checkpoint,
    "benchmark_questions": BenchmarkQuestion,
    "evaluation": BenchmarkAnswer,
    "comparisons": Comparison,
    "harness_scores": HarnessScore,
    "stage_counts": StageCounts,
}
