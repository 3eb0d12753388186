"""Rows of what was decided over a prompt: its pairs, or why there is none."""

from __future__ import annotations

import json
import math
from typing import NamedTuple

from synth_assets.records import DecidedBy, PreferencePair, RejectedSample, content_id
from synth_assets.reward.responses import PreferencePrompt, SampledResponse

#: Of a response that no reward model has seen, or could not take.
NO_REWARD = math.nan


class PairDecision(NamedTuple):
    """Who prefers which of two responses; rewards may be NO_REWARD. `is_judge_split`: the judge prefers another in each
    order."""

    chosen: SampledResponse
    rejected: SampledResponse
    chosen_reward: float
    rejected_reward: float
    decided_by: DecidedBy
    is_judge_split: bool = False


def pair_row(prompt: PreferencePrompt, said: PairDecision) -> PreferencePair:
    messages = json.dumps([turn._asdict() for turn in prompt.messages], ensure_ascii=False)
    margin = _known(said.chosen_reward - said.rejected_reward)
    is_by_other = margin is not None and said.decided_by != "reward"
    judge = ("judge",) if said.is_judge_split else ()
    return PreferencePair(
        preference_pair_id=content_id(
            "preference_pair", prompt.prompt_id, said.chosen.response_id, said.rejected.response_id, said.decided_by
        ),
        prompt_id=prompt.prompt_id, leaf_path=prompt.leaf_path, prompt=messages,
        chosen=said.chosen.text, rejected=said.rejected.text,
        chosen_reward=_known(said.chosen_reward), rejected_reward=_known(said.rejected_reward), margin=margin,
        decided_by=said.decided_by,
        agreement=("reward",) if is_by_other and margin and margin > 0 else judge,
        disagreement=("reward",) if is_by_other and margin and margin < 0 else judge,
        chosen_response_id=said.chosen.response_id, rejected_response_id=said.rejected.response_id,
        chosen_model=said.chosen.model, rejected_model=said.rejected.model,
        generation_depth=_deepest(said.chosen.generation_depth, said.rejected.generation_depth),
        synthetic_ancestry=prompt.synthetic_ancestry,
    )  # fmt: skip


def rejected_prompt(
    prompt: PreferencePrompt, stage: str, reason: str, detail: str, is_failure: bool
) -> RejectedSample:  # fmt: skip
    """The row of a prompt without a pair, under the prompt's id."""
    return RejectedSample(
        synthetic_sample_id=prompt.prompt_id, leaf_path=prompt.leaf_path, stage=stage,
        outcome="failed" if is_failure else "rejected", rejection_reason=reason, detail=detail,
        instruction=prompt.messages[-1].content, response="", candidate_index=0,
    )  # fmt: skip


def _deepest(*depths: int | None) -> int | None:
    known = [depth for depth in depths if depth is not None]
    return max(known) if len(known) == len(depths) else None


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
