"""The section `alignment`: stages that train the tuned student further, on pairs of a better and a worse response.

As in Nemotron-4 340B (arXiv 2406.11704, section 3.3): DPO, then RPO three times, each iteration with the result of the one
before as its reference. What a stage does not say it takes from the section `tuning`; but pairs are never packed.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from synth_assets.recipe.value_types import Count, NotNegative, Positive, Section


class AlignmentStage(Section):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    loss: Literal["dpo", "rpo"]
    """dpo: prefer the chosen response. rpo: by as much as the rewards differ."""
    iterations: Count = 1
    """Each starts from the one before, which is also its reference."""
    beta: Positive
    """How much a log-ratio to the reference counts: the smaller, the further from it the student may go."""
    eta: Annotated[Positive | None, Field(validate_default=True)] = None
    """Of rpo: how much a gap of one between the rewards counts; Nemotron-4 has 1, with rewards of 0 to about 4."""
    sft_weight: NotNegative = 0.0
    """Of the usual loss on the chosen response, in nats per token, beside the loss on the pair."""
    learning_rate: Positive
    lr_schedule: Literal["cosine", "constant"] | None = None
    """Of each iteration; None: the one of tuning."""
    max_steps: Count | None = None
    """Of each iteration."""
    num_epochs: Count | None = None
    """Passes of each iteration over the pairs; instead of max_steps."""
    batch_size: Count | None = None
    """Pairs that are computed at once, so twice as many rows; None: as many as tuning's rows."""
    gradient_accumulation: Count | None = None

    @field_validator("eta")
    @classmethod
    def _belongs_to_rpo(cls, eta: float | None, info: ValidationInfo) -> float | None:
        loss = info.data.get("loss")
        if loss == "rpo" and eta is None:
            raise ValueError("a number, since loss is rpo: how much a gap between rewards counts")
        if loss == "dpo" and eta is not None:
            raise ValueError(f"no value with loss dpo, which knows no rewards: {eta:g} would change nothing")
        return eta

    @model_validator(mode="after")
    def _has_one_length(self) -> AlignmentStage:
        if (self.max_steps is None) == (self.num_epochs is None):
            said = "none" if self.max_steps is None else f"max_steps {self.max_steps} and num_epochs {self.num_epochs}"
            raise ValueError(f"exactly one of max_steps and num_epochs; found {said}")
        return self

    @property
    def iteration_names(self) -> list[str]:
        """What the phases are called: the stage's name, with a number where there are several iterations."""
        if self.iterations == 1:
            return [self.name]
        return [f"{self.name}_{number}" for number in range(1, self.iterations + 1)]


class AlignmentSection(Section):
    """Preference training after `tuning`. Without this section the tuned student is the last word."""

    stages: Annotated[tuple[AlignmentStage, ...], Field(min_length=1)]
    """One after the other."""

    @field_validator("stages")
    @classmethod
    def _have_names_that_differ(cls, stages: tuple[AlignmentStage, ...]) -> tuple[AlignmentStage, ...]:
        names = Counter(itertools.chain.from_iterable(stage.iteration_names for stage in stages))
        if twice := [name for name, num in names.items() if num > 1]:
            raise ValueError(f"names that differ; {', '.join(twice)} stands more than once")
        return stages

    @property
    def stages_to_run(self) -> list[tuple[str, AlignmentStage]]:
        """Name and stage of every iteration, in order."""
        return [(name, stage) for stage in self.stages for name in stage.iteration_names]
