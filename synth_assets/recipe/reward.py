"""The section `reward`: what a sample's reward is, and which samples it turns away."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from synth_assets.recipe.value_types import Section
from synth_assets.records import REWARD_ATTRIBUTES


class RewardCut(Section):
    mode: Literal["absolute", "leaf_quantile", "none"]
    """absolute: keep a reward >= value. leaf_quantile: drop the lowest share `value` of each leaf. none: keep every reward;
    for a reward model with one output, whose rewards say nothing across prompts, neither over all nor within a leaf."""
    value: Annotated[float | None, Field(allow_inf_nan=False, validate_default=True)] = None

    @field_validator("value")
    @classmethod
    def _fits_the_mode(cls, value: float | None, info: ValidationInfo) -> float | None:
        mode = info.data.get("mode")
        if (value is None) != (mode == "none") and mode:
            raise ValueError("no value with mode none" if mode == "none" else f"a number, since mode is {mode}")
        if mode == "leaf_quantile" and value is not None and not 0 <= value < 1:
            raise ValueError("with mode leaf_quantile a share from 0 to below 1")
        return value


class RewardSection(Section):
    weights: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """One weight for each attribute of the reward model; the reward is the weighted sum."""
    cut: RewardCut

    @field_validator("weights")
    @classmethod
    def _all_five(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights and set(weights) != set(REWARD_ATTRIBUTES):
            raise ValueError("exactly the five attributes " + ", ".join(REWARD_ATTRIBUTES))
        return weights
