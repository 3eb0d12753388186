"""One phase: its rows and an earlier adapter -> its candidates, each a published adapter.

A candidate is named by all that its weights depend on: student, the phase's rows and settings, seed, the adapter that it
started from, and its step. So the same work is done once: a second call finds it, a call after a crash goes on, another
recipe lies beside it. It is published by a rename, so that an adapter that can be seen is whole.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from synth_assets.errors import ModelError, TuningError, Where
from synth_assets.recipe import CheckpointChoice, PhaseSpec, TuningSection
from synth_assets.records import Checkpoint, Split, TrainingExample, content_id
from synth_assets.tuning.encoding import EncodedExample, Report, encode_conversation
from synth_assets.tuning.packing import PackedRow, pack_rows
from synth_assets.tuning.private import NoisePlan, plan_noise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CHECKPOINT_FILE, CURVE_FILE = "checkpoint.json", "loss_curve.json"
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
class Phase:
    """`student` is the fingerprint of the folder, `parent` the chosen adapter of the phase before; all lie in `folder`."""

    spec: PhaseSpec
    position: int
    is_last: bool
    settings: TuningSection
    seed: int
    student_folder: Path
    student: str
    parent: Checkpoint | None
    examples: Sequence[TrainingExample]
    folder: Path
    report: Report | None

    def candidates(self) -> list[Checkpoint]:
        """Those of the phase, by step; what is not there yet is trained. Their `adapter_path` is empty."""
        steps = candidate_steps(self.num_steps, self.settings.checkpoint_choice)
        missing = {step for step in steps if not (self._place(step) / CHECKPOINT_FILE).is_file()}
        if missing and self.settings.privacy and not self._work.is_dir():
            missing = set(steps)  # candidates of two noises would spend the budget twice
        if missing:
            self._train(missing)
        elif self.report:
            self.report("trained already", None)
        shutil.rmtree(self._work, ignore_errors=True)
        return [self._found(step) for step in steps]

    @cached_property
    def num_steps(self) -> int:
        if self.spec.max_steps:
            return self.spec.max_steps
        return math.ceil(len(self._rows.train) / self.settings.rows_a_step) * (self.spec.num_epochs or 0)

    @cached_property
    def phase_id(self) -> str:
        """Content hash of all that the weights at each step depend on."""
        start = (self.parent.checkpoint_id, self.settings.between_phases) if self.parent else None
        rows = [(row.split, row.prompt, row.response) for row in self.examples]
        said = self.settings.model_dump(mode="json", include=_OF_EVERY_PHASE)
        if self.settings.privacy:  # else the name is as it was before there was such a thing
            said["privacy"] = self.settings.privacy.model_dump(mode="json")
        steps = (self.spec.max_steps, self.spec.num_epochs)
        return content_id("phase", self.student, rows, said, steps, self._learning_rate, self._schedule, self.seed, start)

    @property
    def _learning_rate(self) -> float:
        return self.spec.learning_rate or self.settings.learning_rate

    @property
    def _schedule(self) -> str:
        """In transformers' words. LAB: no decay in the phases between."""
        return "cosine" if self.is_last and self.settings.lr_schedule == "cosine" else "constant_with_warmup"

    @property
    def _work(self) -> Path:
        return self.folder / f"{self.phase_id}.work"

    def _place(self, step: int) -> Path:
        return self.folder / self._candidate_id(step)

    def _candidate_id(self, step: int) -> str:
        return content_id("checkpoint", self.phase_id, step)

    def _found(self, step: int) -> Checkpoint:
        """Under this phase's name: who trained it first may have called it otherwise."""
        said = json.loads((self._place(step) / CHECKPOINT_FILE).read_text(encoding="utf-8"))
        return Checkpoint(**said | {"phase": self.spec.name, "phase_position": self.position})

    @cached_property
    def _rows(self) -> _Rows:
        tokenizer, window = _open_tokenizer(self.student_folder)
        most = min(window, self.settings.max_tokens or window)
        train, validation = (
            _encoded(tokenizer, self.examples, split, most, self.report) for split in ("train", "validation")
        )
        if not train:
            raise TuningError(
                f"no training row: {len(self.examples)} examples in phase {self.spec.name}, none of which is of split "
                f"train and fits {most} tokens",
                remedy="look at training_mix, and at reward_filtered_set before it",
            )
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
        rows = pack_rows(train, most) if self.settings.packing else train
        return _Rows(pad, len(train), rows, validation)

    def _train(self, missing: set[int]) -> None:
        rows, work = self._rows, self._work
        work.mkdir(parents=True, exist_ok=True)

        from synth_assets.tuning.lora import Training, train_lora

        training = Training(
            self.student_folder, self._earlier, rows.train, rows.pad_token_id, self.num_steps, self._learning_rate,
            self._schedule, self.seed, work, self._noise,
        )  # fmt: skip
        train_lora(training, self.settings, missing, lambda *found: self._publish(work / "adapter", *found), self.report)

    @cached_property
    def _noise(self) -> NoisePlan | None:
        budget = self.settings.privacy
        return plan_noise(budget, len(self._rows.train), self.settings.rows_a_step, self.num_steps) if budget else None

    @property
    def _epsilon(self) -> float | None:
        """Of all steps of this phase, also for an earlier candidate: the choice among them has seen them all."""
        if self._noise is None:
            return None
        return max(self._noise.epsilon, (self.parent.epsilon if self.parent else None) or 0.0)

    @property
    def _earlier(self) -> Path | None:
        return self.folder / self.parent.checkpoint_id if self.parent else None

    def _publish(self, unfinished: Path, model: Any, step: int, curve: list[dict[str, float]]) -> None:
        from synth_assets.tuning.adapters import ADAPTER_FILE, save_adapter
        from synth_assets.tuning.lora import mean_loss

        rows = self._rows
        losses = [row["loss"] for row in curve]
        last = losses[-max(1, len(losses) // 10) :]
        validation = (
            mean_loss(model, rows.validation, rows.pad_token_id, self.settings.batch_size) if rows.validation else None
        )
        shutil.rmtree(unfinished, ignore_errors=True)
        save_adapter(model, unfinished, self._earlier if self.settings.between_phases == "merge" else None)
        checkpoint = Checkpoint(
            checkpoint_id=self._candidate_id(step), student=self.student, phase=self.spec.name,
            phase_position=self.position, adapter_path="",
            adapter_sha256=hashlib.sha256((unfinished / ADAPTER_FILE).read_bytes()).hexdigest(),
            num_steps=step, num_examples=rows.num_examples, train_loss_first=losses[0],
            train_loss_last=sum(last) / len(last), validation_loss=validation, selection_score=None, is_chosen=False,
            epsilon=self._epsilon, delta=self.settings.privacy.delta if self.settings.privacy else None,
        )  # fmt: skip
        (unfinished / CURVE_FILE).write_text(json.dumps(curve) + "\n", encoding="utf-8")
        (unfinished / CHECKPOINT_FILE).write_text(json.dumps(asdict(checkpoint), indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self._place(step), ignore_errors=True)
        unfinished.rename(self._place(step))


def candidate_steps(num_steps: int, choice: CheckpointChoice) -> list[int]:
    """Steps after which an adapter is kept: evenly spaced, the last one among them."""
    num = choice.num_candidates if choice.by == "benchmark" else 1
    return sorted({math.ceil(number * num_steps / num) for number in range(1, num + 1)})


def _open_tokenizer(student_folder: Path) -> tuple[PreTrainedTokenizerBase, int]:
    from transformers import AutoConfig, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(student_folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(student_folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the student's tokenizer or configuration cannot be read: {error}", where=Where(str(student_folder)),
            remedy="set student.path to a whole Hugging Face folder of a causal language model",
        ) from error  # fmt: skip
    if not tokenizer.chat_template:
        raise ModelError(
            "the student's tokenizer has no chat template", where=Where(str(student_folder)),
            remedy="add chat_template.jinja to its folder, or choose an instruction-tuned student",
        )  # fmt: skip
    return tokenizer, getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length


def _encoded(
    tokenizer: Any, examples: Sequence[TrainingExample], split: Split, max_tokens: int, report: Report | None
) -> list[EncodedExample]:
    """Rows that are too long are left out, not cut: a cut row teaches not to end."""
    rows = [encode_conversation(tokenizer, row.prompt, row.response) for row in examples if row.split == split]
    fitting = [row for row in rows if len(row.token_ids) <= max_tokens]
    if report and len(fitting) < len(rows):
        report(f"{len(rows) - len(fitting)} {split} rows are longer than {max_tokens} tokens and left out", None)
    return fitting
