"""What a recipe says of trust: the real data to compare with, and the gates, each with its threshold, severity and reason.

Every gate has a default; a recipe names only those that it wants otherwise. The defaults' error rates are measured by
`make study-gates`. `block` stops what comes after, `warn` is shown, `info` is a figure without a verdict.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from synth_assets.recipe.value_types import Count, Positive, Section, Share, Text
from synth_assets.records import Severity


class Gate(Section):
    value: Annotated[float, Field(allow_inf_nan=False)]
    severity: Severity
    reason: Annotated[str, Field(min_length=10)]
    """Why this value, in one line; shown beside the check."""


def gate(value: float, severity: Severity, reason: str) -> Gate:
    return Gate(value=value, severity=severity, reason=reason)


class RealData(Section):
    """Real rows as JSON lines with leaf_path, question, answer and perhaps context, of people and not of a model."""

    reference: Text
    """What the synthetic rows are compared with."""
    holdout: Text
    """Frozen: never shown to a teacher or a student; the yardstick of what two real samples differ by."""


class FidelityGates(Section):
    mean_shift: Gate = gate(0.25, "block", "a quarter of a standard deviation: what a reader would begin to notice")
    variance_ratio: Gate = gate(math.log(1.5), "block", "half as much spread again is another population")
    shape: Gate = gate(0.85, "warn", "a mean and a variance can agree where the shapes do not")
    category: Gate = gate(0.90, "block", "one row in ten in another category is a shifted mixture")
    correlation: Gate = gate(0.20, "block", "what goes together in real rows must go together in synthetic ones")
    pair_association: Gate = gate(0.05, "warn", "so far below what two real halves reach may pairs of categories lie")
    joint: Gate = gate(0.005, "warn", "MMD beyond chance: the clouds of embeddings differ in some way")
    recall: Gate = gate(0.80, "block", "of what a real holdout covers of the real rows, four fifths at least")
    coverage: Gate = gate(0.80, "block", "likewise, robust to outliers; a collapsed set covers little")


class CollapseSection(Section):
    """Which descent from models is allowed, and how much a generation may lose. Shumailov et al. 2024, Nature 631:755."""

    max_depth: Gate = gate(1, "block", "rows that descend from rows of a model lose their tails; 2 or more must be wanted")
    """2 or more also lets a model teach that descends from the student."""
    real_share_below_depth_2: Gate = gate(0.10, "block", "with a tenth of real rows kept, decay over generations was minor")
    real_share_below_depth_2_warn: Gate = gate(0.25, "warn", "a tenth slows decay, it does not stop it: more is safer")
    real_share_from_depth_2: Gate = gate(0.50, "block", "from the second generation on only half real rows held the level")
    dropped_real_rows: Gate = gate(0, "block", "what is replaced is forgotten: real rows accumulate, they are never dropped")
    holdout_changed: Gate = gate(0, "block", "perplexities on another holdout say nothing of a change")
    perplexity_ratio: Gate = gate(1.15, "block", "a student that knows real rows 15 % worse has begun to forget them")
    perplexity_ratio_warn: Gate = gate(1.05, "warn", "tuning should lower perplexity on what is taught, not raise it")
    rare_perplexity_ratio: Gate = gate(1.25, "block", "the rarest tokens go first and scatter more, so they have more room")
    distinct_3_ratio: Gate = gate(0.80, "block", "a fifth fewer distinct phrases than the generation before is a loss")
    distinct_3_ratio_warn: Gate = gate(0.90, "warn", "a tenth fewer is where to look before it compounds")
    vocabulary_ratio: Gate = gate(0.80, "block", "a fifth of the words gone at the same number of rows is a loss")
    vocabulary_ratio_warn: Gate = gate(0.90, "warn", "a tenth fewer is where to look before it compounds")
    leaves_kept: Gate = gate(1.0, "warn", "a leaf of which no row is left has collapsed wholly, or was taken out")


class PrivacySection(Section):
    personal_data: Literal["drop", "redact", "ignore"] = "drop"
    """What becomes of a sample that holds personal data or a secret."""
    allowed_values: tuple[Text, ...] = ()
    """Regular expressions of values that may be published, such as the address of a help desk."""
    copy_ngram: Count = 8
    """Words in a row that are compared with the sources."""
    split_share: Share = 0.0
    """Share of each knowledge leaf's chunks that the teacher is not shown, so that leaking can be told from likeness."""


class GroupAttribute(Section):
    """A declared attribute: a row belongs to the group whose words it holds; to none if it holds those of several."""

    groups: dict[str, tuple[Text, ...]]
    """Group -> words, compared without regard to case."""
    targets: dict[str, Share] = Field(default_factory=dict)
    """Group -> share of the population; without targets, representation is not assessed."""
    swaps: tuple[tuple[Text, Text], ...] = ()
    """Pairs of words that are exchanged to see whether the reward changes."""

    @model_validator(mode="after")
    def _targets_are_of_the_groups(self) -> GroupAttribute:
        if self.targets and (set(self.targets) != set(self.groups) or not math.isclose(sum(self.targets.values()), 1)):
            raise ValueError("targets: one share for each group, 1 in sum")
        return self

    @field_validator("groups")
    @classmethod
    def _are_several(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        if len(groups) < 2:
            raise ValueError("at least two groups")
        return groups


class TrustSection(Section):
    real: RealData | None = None
    """None: the seeds are the reference, and most of fidelity cannot be assessed."""
    embedder: Text | None = None
    """Folder of a sentence-transformer; None: the mean of the student's last hidden states."""
    fidelity: FidelityGates = FidelityGates()
    privacy: PrivacySection = PrivacySection()
    collapse: CollapseSection = CollapseSection()
    groups: dict[str, GroupAttribute] = Field(default_factory=dict)
    """Attribute -> its groups."""
    bootstrap_draws: Count = 1000
    min_reference_rows: Annotated[int, Field(ge=10)] = 100
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    near_duplicate: Positive = 0.7
