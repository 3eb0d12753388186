"""How far one leaf has come in generation: what was asked, accepted, turned away, and what must not come again."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from synth_assets.generation.candidates import LeafPlan
from synth_assets.records import RejectedSample, SyntheticSample
from synth_assets.sketches import NoveltyIndex, plain


@dataclass
class LeafProgress:
    """How far one leaf has come."""

    plan: LeafPlan
    num_asked: int = 0
    samples: list[SyntheticSample] = field(default_factory=list)
    rejected: list[RejectedSample] = field(default_factory=list)
    taken: set[tuple[str, str]] = field(default_factory=set)
    novelty: NoveltyIndex | None = None

    def __post_init__(self) -> None:
        self.path = self.plan.leaf_node.leaf_path
        self.budget = math.ceil(self.plan.settings.num_samples_per_leaf * self.plan.settings.budget_factor)
        seeds = self.plan.freeform + self.plan.grounded
        self.seed_keys = {instruction_key(seed.context, seed.question) for seed in seeds}

    def begin_round(self) -> None:
        """What a new instruction must differ from: seeds and accepted samples, then its forerunners in the round.

        What was taken in an earlier round and came to nothing may be asked again.
        """
        accepted = {instruction_key(sample.context, sample.instruction) for sample in self.samples}
        limit = self.plan.settings.max_rouge_l
        if limit is not None and self.novelty is None:
            self.novelty = NoveltyIndex(limit)
            for key in sorted(self.seed_keys):
                self.novelty.add(*key)
        if self.novelty:
            for key in sorted(self.taken - accepted):
                self.novelty.remove(*key)
        self.taken = accepted

    def take(self, key: tuple[str, str]) -> None:
        """From now on another instruction must differ from this one."""
        self.taken.add(key)
        if self.novelty:
            self.novelty.add(*key)

    @property
    def num_missing(self) -> int:
        return self.plan.settings.num_samples_per_leaf - len(self.samples)

    @property
    def losses(self) -> str:
        """What ate the budget, the hungriest reason first."""
        reasons = Counter(row.rejection_reason for row in self.rejected)
        return ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())

    @property
    def num_wanted(self) -> int:
        return min(self.num_missing, self.budget - self.num_asked)


def instruction_key(context: str | None, instruction: str) -> tuple[str, str]:
    """By which two instructions of a leaf are the same."""
    return plain(context), plain(instruction)
