"""One phase: the course of training on its rows of the mix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from synth_assets.errors import TuningError
from synth_assets.recipe import PhaseSpec
from synth_assets.records import Split, TrainingExample, content_id
from synth_assets.tuning.course import Course
from synth_assets.tuning.encoding import EncodedExample, Report, encode_example, open_tokenizer, pad_token_of
from synth_assets.tuning.packing import PackedRow, pack_rows
from synth_assets.tuning.private import NoisePlan, plan_noise

if TYPE_CHECKING:
    from synth_assets.tuning.lora import Keep

_OF_EVERY_PHASE = {
    "lora_r", "lora_alpha", "lora_dropout", "target_modules", "warmup_ratio", "warmup_steps", "batch_size",
    "gradient_accumulation", "packing", "max_tokens",
}  # fmt: skip


class _Rows(NamedTuple):
    pad_token_id: int
    num_examples: int
    train: Sequence[EncodedExample] | Sequence[PackedRow]
    validation: Sequence[EncodedExample]


@dataclass(frozen=True)
class Phase(Course):
    spec: PhaseSpec
    is_last: bool
    examples: Sequence[TrainingExample]

    @cached_property
    def num_steps(self) -> int:
        if self.spec.max_steps:
            return self.spec.max_steps
        return math.ceil(len(self._rows.train) / self.settings.rows_a_step) * (self.spec.num_epochs or 0)

    @property
    def num_examples(self) -> int:
        return self._rows.num_examples

    @cached_property
    def course_id(self) -> str:
        start = (self.parent.checkpoint_id, self.settings.between_phases) if self.parent else None
        rows = [(row.split, row.prompt, row.response) for row in self.examples]
        said = self.settings.model_dump(mode="json", include=_OF_EVERY_PHASE)
        if self.settings.privacy:  # else the name is as it was before there was such a thing
            said["privacy"] = self.settings.privacy.model_dump(mode="json")
        steps = (self.spec.max_steps, self.spec.num_epochs)
        return content_id("phase", self.student, rows, said, steps, self._learning_rate, self._schedule, self.seed, start)

    @property
    def epsilon(self) -> float | None:
        """Of all steps of this phase, also for an earlier candidate: the choice among them has seen them all."""
        if self._noise is None:
            return None
        return max(self._noise.epsilon, (self.parent.epsilon if self.parent else None) or 0.0)

    def train(self, keep_at: set[int], keep: Keep) -> None:
        rows, work = self._rows, self.work
        work.mkdir(parents=True, exist_ok=True)

        from synth_assets.tuning.lora import Training, train_lora

        training = Training(
            self.student_folder, self.earlier, rows.train, rows.pad_token_id, self.num_steps, self._learning_rate,
            self._schedule, self.seed, work, self._noise,
        )  # fmt: skip
        train_lora(training, self.settings, keep_at, keep, self.report)

    def validation_loss(self, model: Any) -> float | None:
        """Nats per response token."""
        from synth_assets.tuning.lora import mean_loss

        rows = self._rows
        return mean_loss(model, rows.validation, rows.pad_token_id, self.settings.batch_size) if rows.validation else None

    @property
    def _learning_rate(self) -> float:
        return self.spec.learning_rate or self.settings.learning_rate

    @property
    def _schedule(self) -> str:
        """In transformers' words. LAB: no decay in the phases between."""
        return "cosine" if self.is_last and self.settings.lr_schedule == "cosine" else "constant_with_warmup"

    @cached_property
    def _rows(self) -> _Rows:
        tokenizer, most = open_tokenizer(self.student_folder, self.settings.max_tokens)
        train, validation = (
            _encoded(tokenizer, self.examples, split, most, self.report) for split in ("train", "validation")
        )
        if not train:
            raise TuningError(
                f"no training row: {len(self.examples)} examples in phase {self.name}, none of which is of split "
                f"train and fits {most} tokens",
                remedy="look at training_mix, and at reward_filtered_set before it",
            )
        rows = pack_rows(train, most) if self.settings.packing else train
        return _Rows(pad_token_of(tokenizer), len(train), rows, validation)

    @cached_property
    def _noise(self) -> NoisePlan | None:
        budget = self.settings.privacy
        return plan_noise(budget, len(self._rows.train), self.settings.rows_a_step, self.num_steps) if budget else None


def _encoded(
    tokenizer: Any, examples: Sequence[TrainingExample], split: Split, max_tokens: int, report: Report | None
) -> list[EncodedExample]:
    """Rows that are too long are left out, not cut: a cut row teaches not to end."""
    rows = [encode_example(tokenizer, row) for row in examples if row.split == split]
    fitting = [row for row in rows if len(row.token_ids) <= max_tokens]
    if report and len(fitting) < len(rows):
        report(f"{len(rows) - len(fitting)} {split} rows are longer than {max_tokens} tokens and left out", None)
    return fitting
