"""The section `preferences`: who responds to each prompt how often, and what makes a pair of two responses.

Who decides is no choice: ground truth before a judge before the reward model, as in Nemotron-4 340B (arXiv 2406.11704,
section 3.2). Whether a judge is asked at all is one. A reward model decides within a prompt only, by `margin`: so does one
whose single number says nothing across prompts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from synth_assets.recipe.value_types import Count, NotNegative, Section, Share, Temperature, Threshold

Responder = Literal["student", "teacher"]
_FEW_PAIRS = Threshold(value=0.1, reason="pairs from less than a prompt in ten are of a few kinds of prompt only")
_BY_ORDER = Threshold(value=0.5, reason="half is what a judge gives that looks at nothing but the order")
_OF_TUNED_STUDENT = Threshold(
    value=2,
    reason="responses of the tuned student are one model further than the rows that it was tuned on; a round more is 3",
)


class PreferencesSection(Section):
    num_samples: Annotated[int, Field(ge=1, le=100)]
    """Responses that each model gives to a prompt."""
    temperature: Annotated[Temperature, Field(validate_default=True)]
    max_new_tokens: Count
    margin: NotNegative
    """Where the reward model decides, the chosen response must have at least so much more reward, and more than none."""
    responders: Annotated[tuple[Responder, ...], Field(min_length=1)] = ("student",)
    """Who responds: the tuned student, before it is aligned, the teacher, or both."""
    max_prompts: Count | None = None
    """Of all prompts, so many are asked, drawn by the recipe's seed; None: all."""
    judges: bool = False
    """Whether the recipe's judge is asked, in both orders, before the reward model decides."""
    max_pairs: Count = 1
    """Of each prompt; those whose rewards differ most."""
    max_rouge_l: Share = 0.95
    """Responses that are as close as this, or closer, are no pair, unless ground truth tells them apart."""
    min_pair_share: Threshold = _FEW_PAIRS
    """Of the prompts, at least this share must have a pair."""
    max_inconsistent_share: Threshold = _BY_ORDER
    """Of the prompts that a judge has decided over, at most this share may be judged otherwise in the other order."""

    max_depth: Threshold = _OF_TUNED_STUDENT
    """Of every pair, the generation_depth may be at most this; one of unknown depth is above it. The gates of collapse see
    the mix alone, and students are aligned on responses of models. A teacher of our own makes a pair as much deeper."""

    @field_validator("temperature")
    @classmethod
    def _gives_several_responses(cls, temperature: float, info: ValidationInfo) -> float:
        if temperature == 0 and info.data.get("num_samples", 1) > 1:
            raise ValueError(f"above 0, since num_samples is {info.data['num_samples']}: greedy responses are all the same")
        return temperature

    @field_validator("responders")
    @classmethod
    def _stand_once(cls, responders: tuple[Responder, ...]) -> tuple[Responder, ...]:
        if len(set(responders)) < len(responders):
            raise ValueError("each of student and teacher at most once")
        return responders

    @property
    def num_responses(self) -> int:
        """To each prompt, of all models together."""
        return self.num_samples * len(self.responders)
