"""What stages 4 and 5 make: training rows, adapters, questions, answers and figures."""

from __future__ import annotations

from dataclasses import dataclass

from synth_assets.records.kinds import ComparisonOutcome, ModelArm, Source, Split, Suite


@dataclass(frozen=True)
class TrainingExample:
    """One row of the training mix. A seed row has no synthetic sample behind it, nor has what was replayed of the base.

    `generation_depth` is that of its sample or seed, of a replayed row what the buffer or the recipe says; null: not known.
    """

    training_example_id: str
    synthetic_sample_id: str | None
    leaf_path: str
    split: Split
    phase: str
    source: Source
    position: int
    prompt: str
    response: str
    generation_depth: int | None = 0


@dataclass(frozen=True)
class Checkpoint:
    """A candidate of a phase, or of an iteration of an alignment stage, which counts as a further phase.

    `adapter_path` is relative to the warehouse. Losses are nats per response token; of alignment the stage's own, a pair.

    The tuned student is the chosen candidate of the last phase (`phase_position` counts from 0). `epsilon`, `delta`: what
    any one row of the training mix may change of all adapters up to this phase; null without differential privacy.
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
    epsilon: float | None = None
    delta: float | None = None


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
class Generation:
    """A tuned student that was held against the teacher of its data on the same questions, and what came of it.

    `generation` is one more than its teacher's, that of a teacher of which nothing is recorded its generation_depth. `gain`
    is student_exact - teacher_exact, with its interval. `model_path` is relative to the warehouse.
    """

    generation_id: str
    generation: int
    model_path: str
    fingerprint: str
    parent: str
    parent_path: str
    generation_depth: int
    ancestors: tuple[str, ...]
    benchmark: str
    num_questions: int
    teacher_exact: float
    student_exact: float
    gain: float
    ci_low: float
    ci_high: float
    is_promoted: bool


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
