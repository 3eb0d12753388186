"""The section `tuning`: the phases of LAB (arXiv 2403.01081, section 3.2), and how each of them is trained.

Phases are always declared. `strategy` says whether they run one after the other, or all of their rows at once; so one
recipe can be run both ways and the two compared (arXiv 2412.13337 finds no difference, and stacked tuning simpler).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from synth_assets.recipe.value_types import Count, Positive, Section, Share, ShareBelowOne, Text, is_unsaid
from synth_assets.records import BRANCHES, Branch

STACKED_PHASE = "stacked"
Length = Literal["short", "long"]
LENGTHS: tuple[Length, ...] = ("short", "long")


class PhaseTake(Section):
    """Rows that a phase trains on: those of a branch, or of single leaf nodes, all of them or those with short or long
    responses."""

    branch: Annotated[Branch | None, Field(exclude_if=is_unsaid)] = None
    leaves: Annotated[tuple[Text, ...] | None, Field(exclude_if=is_unsaid, min_length=1)] = None
    """Instead of a branch: patterns of leaf paths, such as foundational_skills/coding/*. What they match goes to the first
    phase that names it, and to that of its branch no more."""
    responses: Literal["all", "short", "long"] = "all"

    @model_validator(mode="after")
    def _says_of_what(self) -> PhaseTake:
        if (self.branch is None) == (self.leaves is None):
            raise ValueError("exactly one of branch and leaves")
        return self

    @property
    def kinds(self) -> list[tuple[Branch, Length]]:
        """Of whole branches; single leaf nodes are of none."""
        return [(self.branch, length) for length in LENGTHS if self.branch and self.responses in ("all", length)]

    def names(self, leaf_path: str, length: Length) -> bool:
        """Whether it takes such rows of this leaf node by its path."""
        is_meant = self.responses in ("all", length)
        return is_meant and any(fnmatchcase(leaf_path, pattern) for pattern in self.leaves or ())


class PhaseSpec(Section):
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    takes: Annotated[tuple[PhaseTake, ...], Field(min_length=1)]
    replay_share: ShareBelowOne = 0.0
    """Share of the phase's training rows that are drawn from those that earlier phases were trained on."""
    max_steps: Count | None = None
    num_epochs: Count | None = None
    """Passes over the phase's rows; instead of max_steps."""
    learning_rate: Positive | None = None
    """Instead of the section's, like the next two; where phases are stacked there is but that one."""
    batch_size: Annotated[Count | None, Field(exclude_if=is_unsaid)] = None
    gradient_accumulation: Annotated[Count | None, Field(exclude_if=is_unsaid)] = None

    @model_validator(mode="after")
    def _has_one_length(self) -> PhaseSpec:
        if (self.max_steps is None) == (self.num_epochs is None):
            raise ValueError("exactly one of max_steps and num_epochs")
        return self

    @property
    def kinds(self) -> list[tuple[Branch, Length]]:
        """(branch, short or long) of all rows that it takes, those of single leaf nodes aside."""
        return [kind for take in self.takes for kind in take.kinds]


def length_of(response: str, short_words: int) -> Length:
    """Whether a response of at most so many words is meant by short."""
    return "short" if len(response.split()) <= short_words else "long"


def phase_taking(phases: Sequence[PhaseSpec], leaf_path: str, length: Length) -> str:
    """The phase that such rows of this leaf node belong to: the first that names the leaf, else that of its branch."""
    if len(phases) == 1:
        return phases[0].name
    for phase in phases:
        if any(take.names(leaf_path, length) for take in phase.takes):
            return phase.name
    return next(phase.name for phase in phases if (leaf_path.split("/")[0], length) in phase.kinds)


class CheckpointChoice(Section):
    by: Literal["last", "benchmark"] = "last"
    """last: a phase ends with its last step. benchmark: with the best of its candidates, the earliest of equals."""
    num_candidates: Count = 1
    """Adapters kept of each phase, evenly spaced over its steps, the last step among them; by benchmark only."""
    benchmark: Annotated[Text | None, Field(validate_default=True)] = None
    """Folder of questions (suite `taxonomy`) for the choice alone."""

    @field_validator("benchmark")
    @classmethod
    def _is_there_to_choose_by(cls, folder: str | None, info: ValidationInfo) -> str | None:
        if folder is None and info.data.get("by") == "benchmark":
            raise ValueError("a folder of questions, since checkpoints are chosen by benchmark")
        return folder

    @property
    def folder(self) -> str | None:
        """The folder of questions, where they are asked."""
        return self.benchmark if self.by == "benchmark" else None


class PrivacyBudget(Section):
    """Differentially private tuning (DP-SGD, arXiv 1607.00133): what any one training row may change of the adapter.

    Not accounted for, and so refused: packing, rows that repeat (upsample), and rows that several phases train on.
    """

    epsilon: Positive
    delta: Annotated[float, Field(gt=0, lt=1)]
    """Less than one divided by the number of training rows."""
    max_grad_norm: Positive = 1.0
    """To what length each row's gradient is cut."""


class TuningSection(Section):
    strategy: Literal["stacked", "phased"]
    """phased: one phase after the other. stacked: all their rows in one phase, for as many steps; where phases count epochs,
    for as many as the longest."""
    phases: Annotated[tuple[PhaseSpec, ...], Field(min_length=1)]
    """Each row belongs to exactly one of them."""
    between_phases: Literal["continue", "merge"] = "continue"
    """continue: the same adapter goes on. merge: a fresh one is trained on the student with the earlier ones merged in."""
    short_response_words: Count = 20
    """A response of at most so many words is short."""
    checkpoint_choice: CheckpointChoice = CheckpointChoice()
    lora_r: Count
    lora_alpha: Count
    lora_dropout: Share = 0.0
    target_modules: Annotated[tuple[Text, ...], Field(min_length=1)]
    learning_rate: Positive
    lr_schedule: Literal["cosine", "constant"] = "cosine"
    """After a linear warm-up in each phase; cosine decays in the last phase only."""
    warmup_ratio: Share | None = None
    """Share of a phase's steps."""
    warmup_steps: Annotated[int | None, Field(ge=0, validate_default=True)] = None
    """Instead of warmup_ratio."""
    batch_size: Count
    """Rows that are computed at once."""
    gradient_accumulation: Count = 1
    """A step takes so many times batch_size rows."""
    packing: bool = False
    """Several conversations in one row, none of which sees another."""
    max_tokens: Count | None = None
    """Longest row, at most the student's window, which is the default. Longer conversations are left out."""
    validation_share: ShareBelowOne
    replay_share: ShareBelowOne
    """Share of each phase's training rows that repeat what the student knew before."""
    replay_buffer: Annotated[Text | None, Field(validate_default=True)] = None
    """JSON Lines file of what it knew: prompt, response, leaf_path and perhaps generation_depth. Needed where
    replay_share > 0."""
    replay_depth: Annotated[int | None, Field(ge=0)] = None
    """generation_depth of the rows that do not say theirs. 0: people or a program wrote them; 1: a model did. None: nobody
    knows, and the gates on depth and on real rows cannot pass."""
    upsample: bool = False
    """Whether replayed rows repeat once there are no others; else the share falls short."""
    checkpoint_every: Count
    """Steps from one resumable state to the next."""
    privacy: PrivacyBudget | None = None
    """None: the adapter may give away its training rows."""

    @field_validator("phases")
    @classmethod
    def _take_every_row_once(cls, phases: tuple[PhaseSpec, ...]) -> tuple[PhaseSpec, ...]:
        names = Counter(phase.name for phase in phases)
        if twice := [name for name, num in names.items() if num > 1]:
            raise ValueError(f"names that differ; {', '.join(twice)} stands more than once")
        taken = Counter(kind for phase in phases for kind in phase.kinds)
        wrong = [f"{' '.join(kind)} ({taken[kind]})" for kind in itertools.product(BRANCHES, LENGTHS) if taken[kind] != 1]
        if wrong:
            raise ValueError(f"every branch, short and long, in exactly one phase; not so: {', '.join(wrong)}")
        if phases[0].replay_share:
            raise ValueError("replay_share 0 in the first phase: nothing was trained on before it")
        if len({phase.max_steps is None for phase in phases}) > 1:
            raise ValueError("either max_steps in every phase or num_epochs in every phase")
        return phases

    @field_validator("warmup_steps")
    @classmethod
    def _is_one_of_two(cls, steps: int | None, info: ValidationInfo) -> int | None:
        if "warmup_ratio" in info.data and (steps is None) == (info.data["warmup_ratio"] is None):
            raise ValueError("exactly one of warmup_ratio and warmup_steps")
        return steps

    @field_validator("replay_share")
    @classmethod
    def _leaves_room_for_new_rows(cls, share: float, info: ValidationInfo) -> float:
        most = max((phase.replay_share for phase in info.data.get("phases", ())), default=0.0)
        if share + most >= 1:
            raise ValueError(
                f"below {1 - most:g}: with the {most:g} that a phase replays of earlier ones nothing new is left"
            )
        return share

    @field_validator("replay_buffer")
    @classmethod
    def _is_there_for_a_share(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None and info.data.get("replay_share"):
            raise ValueError("a JSON Lines file, since replay_share is above 0")
        return path

    @field_validator("privacy")
    @classmethod
    def _can_be_accounted_for(cls, budget: PrivacyBudget | None, info: ValidationInfo) -> PrivacyBudget | None:
        said = info.data
        if budget is None or not {"strategy", "phases", "packing", "replay_share", "upsample"} <= set(said):
            return budget
        is_phased = said["strategy"] == "phased" and len(said["phases"]) > 1
        if said["packing"]:
            raise ValueError("packing: false with it; rows that share a packed one have one gradient")
        if said["upsample"] and said["replay_share"]:
            raise ValueError("upsample: false with it; a row that repeats is drawn more often than the budget counts")
        if is_phased and said["replay_share"]:
            raise ValueError("replay_share: 0 or strategy: stacked with it; phases may replay the same row of the buffer")
        if is_phased and any(phase.replay_share for phase in said["phases"]):
            raise ValueError("replay_share: 0 in every phase or strategy: stacked with it; each row in one phase only")
        return budget

    @property
    def phases_to_run(self) -> tuple[PhaseSpec, ...]:
        """The declared phases, or the one that takes all of their rows, as the strategy says."""
        if self.strategy == "phased":
            return self.phases
        takes = tuple(PhaseTake(branch=branch) for branch in BRANCHES)
        steps = [phase.max_steps for phase in self.phases if phase.max_steps]
        epochs = [phase.num_epochs for phase in self.phases if phase.num_epochs]
        return (
            PhaseSpec(
                name=STACKED_PHASE, takes=takes, max_steps=sum(steps) or None, num_epochs=max(epochs, default=None)
            ),
        )  # fmt: skip

    def of_phase(self, phase: PhaseSpec) -> TuningSection:
        """The section with the phase's own batch in its place."""
        said = {"batch_size": phase.batch_size, "gradient_accumulation": phase.gradient_accumulation}
        return self.model_copy(update={key: value for key, value in said.items() if value is not None})

    @property
    def rows_a_step(self) -> int:
        return self.batch_size * self.gradient_accumulation

    def num_warmup_steps(self, num_steps: int) -> int:
        """Of a phase with so many steps."""
        return math.ceil((self.warmup_ratio or 0.0) * num_steps) if self.warmup_steps is None else self.warmup_steps
