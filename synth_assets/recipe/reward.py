"""The section `reward`: what a sample's reward is, and which samples it turns away."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from synth_assets.recipe.reward_weights import AttributeWeights
from synth_assets.recipe.value_types import Section, Threshold, is_unsaid


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


class RewardReportSection(Section):
    """The asset `reward_report`: what the reward model does on the samples. Nothing stops at its bounds."""

    max_length_correlation: Threshold = Threshold(
        value=0.5, reason="beyond it a quarter of the order of rewards is the order of lengths"
    )
    """Of reward and words of the response, within leaf, in size."""
    max_leaf_variance_share: Threshold = Threshold(
        value=0.5, reason="beyond it one cut for all leaves chooses leaves rather than responses"
    )


class RewardSection(Section):
    weights: AttributeWeights = Field(default_factory=dict)
    """One weight for each attribute of the reward model, or the name of a published vector (`recipe/reward_weights.py`); the
    reward is the weighted sum."""
    cut: RewardCut
    report: Annotated[RewardReportSection | None, Field(exclude_if=is_unsaid)] = None
    """None: there is no such report. Absent then from the record, which is as it was before there was one."""
