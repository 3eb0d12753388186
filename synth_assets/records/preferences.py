"""What preference training is made of: a prompt, a better and a worse response to it, and who said so."""

from __future__ import annotations

from dataclasses import dataclass

from synth_assets.records.kinds import DecidedBy


@dataclass(frozen=True)
class PreferencePair:
    """Two responses to one prompt: a conversation as JSON, [{"role": ..., "content": ...}, ...], with a user turn last.

    Rewards are those of the recipe's reward model, null without one or where it could not take the response; `margin` is
    that of the chosen response less that of the rejected one. `agreement` and `disagreement` name the methods, other than
    `decided_by`, that prefer the chosen or the rejected response; who stands in neither was not asked, or saw no
    difference, and a judge that stands in both prefers another in each order. `chosen_model`, `rejected_model` are the
    fingerprints of who wrote them. `generation_depth` is 1 + the greatest among the prompt and the two writers, null where
    the prompt's is not known; `synthetic_ancestry` is that of the prompt.
    """

    preference_pair_id: str
    prompt_id: str
    leaf_path: str
    prompt: str
    chosen: str
    rejected: str
    chosen_reward: float | None
    rejected_reward: float | None
    margin: float | None
    decided_by: DecidedBy
    agreement: tuple[str, ...]
    disagreement: tuple[str, ...]
    chosen_response_id: str
    rejected_response_id: str
    chosen_model: str
    rejected_model: str
    generation_depth: int | None
    synthetic_ancestry: float
