"""What stages 2 and 3 make: samples, what judges and reward models say of them, what is kept, and the count of it all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields

from synth_assets.errors import CountsError
from synth_assets.records.kinds import Branch, Outcome


@dataclass(frozen=True)
class SyntheticSample:
    """One instruction with its response from the teacher, and all that is needed to make it again.

    `teacher` is the model's fingerprint. `response_logprob` is the mean natural logarithm of the probability
    that the teacher gave each token of its response. `generation_depth` is 1 + the greatest depth among its parents and
    the teacher; a person's row has 0; null where that of a parent is not known. Its parents
    are the distinct seed examples that the teacher was shown and the document
    chunk; `synthetic_ancestry` is the share of them that a model wrote or may have written, from 0 (all
    are real) to 1. `verdicts` are those
    of the judges, if there were any; `supporting_span` is what the judge of faithfulness quoted.
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
    generation_depth: int | None = 1
    synthetic_ancestry: float = 0.0
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


@dataclass(frozen=True)
class ScalarReward:
    """One number for a whole response, of a reward model without attributes (Llama-3.1-Nemotron-70B-Reward).

    Trained on pairs of responses to one prompt, it compares such responses only: no cut holds for all prompts.
    """

    value: float

    def weighted_sum(self, weights: Mapping[str, float]) -> float:
        """The number itself: there are no attributes to weigh."""
        return self.value


Reward = RewardAttributes | ScalarReward

REWARD_ATTRIBUTES: tuple[str, ...] = tuple(field.name for field in fields(RewardAttributes))


@dataclass(frozen=True)
class ScoredSample:
    """What the reward model says of one sample; `reward` is the weighted sum of the recipe.

    A reward model that gives one number gives no attributes. In a recipe without a reward model the judges' verdicts make
    the reward: there are no attributes either, and `reward_model` is empty.
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
class RewardFigure:
    """A figure about the reward model on this data, with its interval; `arm` says by what, `subject` on which samples."""

    metric: str
    arm: str
    subject: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int


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
    generation_depth: int | None = 1
    synthetic_ancestry: float = 0.0


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
