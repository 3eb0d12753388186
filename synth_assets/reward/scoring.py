"""Every sample gets the five reward attributes and their weighted sum.

The reward model reads what the teacher was asked last, without the shots: the question (on its context), then the
response. Attributes run as the model was trained, 0 to 4 for HelpSteer (Wang et al. 2023, arXiv 2311.09528).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from synth_assets.counting import count_by_leaf, sum_counts
from synth_assets.judging import rank_of
from synth_assets.prompts.conversations import shown_prompt, turns_of_prompt
from synth_assets.records import (
    REWARD_ATTRIBUTES,
    RejectedSample,
    Reward,
    RewardAttributes,
    ScoredSample,
    StageCounts,
    SyntheticSample,
)
from synth_assets.roles import Conversation, RewardModel, conversation

STAGE = "scoring"
REWARD_MODEL_ERROR = "reward_model_error"
NOT_FINITE = "reward_not_finite"


@dataclass(frozen=True)
class ScoreOutcome:
    """`failed` rows have outcome failed; a sample is in exactly one of the two lists, both in the order given."""

    scored: list[ScoredSample]
    failed: list[RejectedSample]
    leaf_counts: list[StageCounts]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


def score_samples(
    samples: Sequence[SyntheticSample],
    reward_model: RewardModel,
    weights: Mapping[str, float],
    prompts: str = "brief",
    stage: str = STAGE,
) -> ScoreOutcome:
    """Score all samples in one batch; `prompts` is the recipe's style (`generation.prompts`), `stage` what counts them.

    A sample that the model cannot take (too long), or whose reward is no finite number, has failed. Raises what the
    reward model raises (EngineError).
    """
    scored: list[ScoredSample] = []
    failed: list[RejectedSample] = []
    answers = reward_model.score([conversation_of(sample, prompts) for sample in samples])
    for sample, answer in zip(samples, answers, strict=True):
        row = _score(sample, answer, weights, reward_model.fingerprint, stage)
        if isinstance(row, ScoredSample):
            scored.append(row)
        else:
            failed.append(row)
    num_in = Counter(sample.leaf_path for sample in samples)
    return ScoreOutcome(scored, failed, count_by_leaf(stage, num_in, scored, failed))


def score_by_verdicts(samples: Sequence[SyntheticSample], stage: str = STAGE) -> ScoreOutcome:
    """Without a reward model: the mean rank of the verdicts that the judges gave, 0 worst to 1 best."""
    scored = [
        ScoredSample(
            sample.synthetic_sample_id, sample.leaf_path, None, None, None, None, None,
            reward=sum(map(rank_of, sample.verdicts)) / max(1, len(sample.verdicts)), reward_model="",
        )
        for sample in samples
    ]  # fmt: skip
    return ScoreOutcome(scored, [], count_by_leaf(stage, Counter(sample.leaf_path for sample in samples), scored, []))


def rewards_of_texts(
    texts: Sequence[tuple[str | None, str, str]], reward_model: RewardModel, weights: Mapping[str, float], prompts: str,
    leaf_paths: Sequence[str] | None = None,
) -> list[float | None]:  # fmt: skip
    """Of context, instruction and response each; None where the model cannot take them.

    `leaf_paths`: one a text, where there may be conversations of several turns among them.
    """
    paths = leaf_paths or [""] * len(texts)
    answers = reward_model.score([_turns(path, *text, prompts) for path, text in zip(paths, texts, strict=True)])
    return [None if isinstance(answer, str) else answer.weighted_sum(weights) for answer in answers]


def conversation_of(sample: SyntheticSample, prompts: str = "brief") -> Conversation:
    """What the reward model judges."""
    return _turns(sample.leaf_path, sample.context, sample.instruction, sample.response, prompts)


def _turns(leaf_path: str, context: str | None, instruction: str, response: str, prompts: str) -> Conversation:
    turns = turns_of_prompt(leaf_path, shown_prompt(prompts, leaf_path, context, instruction))
    return conversation((*turns, response))


def _score(
    sample: SyntheticSample, answer: Reward | str, weights: Mapping[str, float], reward_model: str, stage: str
) -> ScoredSample | RejectedSample:
    if isinstance(answer, str):
        return rejected_row(sample, stage, REWARD_MODEL_ERROR, answer, is_failure=True)
    reward = answer.weighted_sum(weights)
    if not all(map(math.isfinite, (reward, *asdict(answer).values()))):
        return rejected_row(sample, stage, NOT_FINITE, f"{answer}, reward {reward}", is_failure=True)
    attributes = asdict(answer) if isinstance(answer, RewardAttributes) else dict.fromkeys(REWARD_ATTRIBUTES)
    return ScoredSample(
        synthetic_sample_id=sample.synthetic_sample_id,
        leaf_path=sample.leaf_path,
        **attributes,
        reward=reward,
        reward_model=reward_model,
    )


def rejected_row(sample: SyntheticSample, stage: str, reason: str, detail: str, is_failure: bool = False) -> RejectedSample:
    """The row of a sample that goes no further."""
    return RejectedSample(
        synthetic_sample_id=sample.synthetic_sample_id,
        leaf_path=sample.leaf_path,
        stage=stage,
        outcome="failed" if is_failure else "rejected",
        rejection_reason=reason,
        detail=detail,
        instruction=sample.instruction,
        response=sample.response,
        candidate_index=sample.candidate_index,
        context=sample.context,
    )
