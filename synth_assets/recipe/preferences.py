"""The section `preferences`: which responses are sampled to each prompt, and what makes a pair of two of them.

Who decides is no choice: ground truth before a judge before the reward model, as in Nemotron-4 340B (arXiv 2406.11704,
section 3.2). Whether a judge is asked at all is one.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from synth_assets.recipe.value_types import Count, NotNegative, Section, Share, Temperature


class PreferencesSection(Section):
    num_samples: Annotated[int, Field(ge=1, le=100)]
    """Responses that each model gives to a prompt."""
    temperature: Annotated[Temperature, Field(validate_default=True)]
    max_new_tokens: Count
    margin: NotNegative
    """Where the reward model decides, the chosen response must have at least so much more reward, and more than none."""
    judges: bool = False
    """Whether the recipe's judge is asked, in both orders, before the reward model decides."""
    max_pairs: Count = 1
    """Of each prompt; those whose rewards differ most."""
    max_rouge_l: Share = 0.95
    """Responses that are as close as this, or closer, are no pair, unless ground truth tells them apart."""

    @field_validator("temperature")
    @classmethod
    def _gives_several_responses(cls, temperature: float, info: ValidationInfo) -> float:
        if temperature == 0 and info.data.get("num_samples", 1) > 1:
            raise ValueError(f"above 0, since num_samples is {info.data['num_samples']}: greedy responses are all the same")
        return temperature
