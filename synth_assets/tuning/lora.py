"""The training itself: peft's LoRA in transformers' Trainer, resumable to the byte.

Trainer rather than TRL's SFTTrainer: rows and labels are ready here, so that the latter only adds a data set, a
second tokenization and a longer import. What makes a resumed run end with the same bytes: the batches of all steps
are known in advance (`plan_batches`), the state of optimizer, schedule and random numbers is Trainer's own, and only
a state that was written to its end (`_COMPLETE`) is gone on from; a kill in the midst of writing costs some steps.

With an `objective` the rows are preference pairs, and what is least is its loss instead of the model's own.

A step's batch comes as a whole and is computed in parts here: Trainer would count parts instead, and with them put the
last rows of an epoch together with the first of the next.

Bytes are the same on the same machine with the same number of threads; a GPU gives like values, not like bytes.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from synth_assets.errors import TuningError
from synth_assets.recipe import TuningSection
from synth_assets.tuning.adapters import open_adapter
from synth_assets.tuning.encoding import IGNORED_LABEL, EncodedExample, Report, pad_batch, plan_batches
from synth_assets.tuning.packing import PackedRow, pack_batch
from synth_assets.tuning.pairs import EncodedPair, pad_pairs
from synth_assets.tuning.preference_objective import PreferenceObjective
from synth_assets.tuning.private import NoisePlan, PrivateGradients, draw_batches, secret_of
from synth_assets.tuning.threads import has_fast_bfloat16, use_all_cores

_COMPLETE = "complete"
_SHOWN = ("step", "loss", "learning_rate", "implied_gap", "preference_accuracy")
Curve = list[dict[str, float]]
#: Is given the model with its adapter, the step, and the curve up to it.
Keep = Callable[[Any, int, Curve], None]


@dataclass(frozen=True)
class Training:
    """What one course trains on, from where, and for how long; `work` is the folder of its states.

    `noise`: that of a private training. `objective`: of a training on pairs. `said_in`: where the recipe says the rate.
    """

    student_folder: Path
    earlier: Path | None
    rows: Sequence[EncodedExample] | Sequence[PackedRow] | Sequence[EncodedPair]
    pad_token_id: int
    num_steps: int
    learning_rate: float
    schedule: str
    seed: int
    work: Path
    noise: NoisePlan | None = None
    objective: PreferenceObjective | None = None
    said_in: str = "tuning."


class _PlannedTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
    """Trainer with the batches of all steps given; one pass over them is the training."""

    batches: list[list[int]]
    private: PrivateGradients | None = None
    objective: PreferenceObjective | None = None
    gaps: list[float]

    def get_train_dataloader(self) -> Any:
        # a generator of its own: the loader must not draw from the stream that dropout uses
        return DataLoader(
            self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator, generator=torch.Generator()
        )

    def training_step(self, model: Any, inputs: list[Any], num_items_in_batch: Any = None) -> Any:
        """The parts of one batch, each counting by its tokens, so that they make the update of the whole."""
        if self.private:
            return self._private_step(self.private, inputs)
        if self.objective:
            num_items = sum(len(part["reward_gap"]) for part in inputs)
        else:
            num_items = self._get_num_items_in_batch(inputs, self.args.device)
        # for models that do not count tokens
        self.current_gradient_accumulation_steps = 1 if self.objective else len(inputs)
        losses = [super(_PlannedTrainer, self).training_step(model, part, num_items) for part in inputs]
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        if self.objective is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        losses, gaps = self.objective.compute(model, inputs)
        self.gaps += gaps.tolist()
        return losses.sum() / num_items_in_batch

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """With what the policy prefers, as it was before the step: the mean implied gap, and the share of those above 0."""
        if "loss" in logs and self.gaps:
            right = sum(gap > 0 for gap in self.gaps) / len(self.gaps)
            logs = logs | {"implied_gap": math.fsum(self.gaps) / len(self.gaps), "preference_accuracy": right}
            self.gaps.clear()
        super().log(logs, start_time)

    def _private_step(self, private: PrivateGradients, inputs: list[Any]) -> Any:
        self.model.train()
        loss = private.compute([self._prepare_inputs(part) for part in inputs], self.state.global_step)
        if not inputs:  # nothing was drawn: a step of noise alone, shown with the loss before it
            loss = next((row["loss"] for row in reversed(self.state.log_history) if "loss" in row), 0.0)
        return torch.tensor(loss, device=self.args.device)

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: Trainer knows batches of one part only."""
        return 0


class _Watch(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Stops at a loss that is no number, tells of progress, keeps candidates, and marks a state that is whole."""

    def __init__(
        self, training: Training, keep_at: Collection[int], keep: Keep, report: Report | None,
        private: PrivateGradients | None,
    ) -> None:  # fmt: skip
        self.num_steps, self.said_in = training.num_steps, training.said_in
        self.private = private
        self.keep_at = keep_at
        self.keep = keep
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **more: Any) -> None:
        loss, step = (logs or {}).get("loss"), state.global_step
        if loss is None:
            return
        if not math.isfinite(loss):
            raise TuningError(
                f"the loss is no number at step {step}", value=loss,
                remedy=f"lower {self.said_in}learning_rate, or lengthen tuning.warmup_ratio",
            )  # fmt: skip
        if self.report:
            self.report(f"step {step} of {self.num_steps}: loss {loss:.4f}", step / self.num_steps)
        if self.private and step == self.num_steps:
            self.private.check_spent(step)
        if step in self.keep_at:  # before the state of this step is saved: what goes on from it need not come here again
            self.keep(more["model"], step, _curve(state.log_history))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if self.private:
            self.private.save(folder)
        (folder / _COMPLETE).touch()


def train_lora(
    training: Training, settings: TuningSection, keep_at: Collection[int], keep: Keep, report: Report | None
) -> None:  # fmt: skip
    """Train the adapter, and give it to `keep` after each of the steps `keep_at`.

    Goes on from the last whole state in `training.work` that lies before all of those steps, if there is one.
    """
    use_all_cores()
    set_seed(training.seed % 2**32)
    model = open_adapter(training.student_folder, settings, training.earlier)
    private = _private(training, settings, model)
    trainer = _PlannedTrainer(
        model=model, args=_arguments(training, settings), train_dataset=list(training.rows),
        data_collator=lambda rows: _parts(rows, training, settings),
        callbacks=[_Watch(training, keep_at, keep, report, private)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.batches, trainer.private, trainer.gaps = _batches(training, settings), private, []
    if training.objective:
        trainer.objective = training.objective
        _without_dropout(model)
    state = _last_whole_state(training.work, min(keep_at))
    if state and private:
        private.load(state)
    if state and report:
        report(f"going on from step {_step_of(state)}", None)
    trainer.train(resume_from_checkpoint=str(state) if state else None)


def _private(training: Training, settings: TuningSection, model: Any) -> PrivateGradients | None:
    if training.noise is None or settings.privacy is None:
        return None
    secret = secret_of(training.work)
    return PrivateGradients(model, training.noise, settings.privacy, len(training.rows), secret)


def _batches(training: Training, settings: TuningSection) -> list[list[int]]:
    if training.noise:
        num_rows, secret = len(training.rows), secret_of(training.work)
        return draw_batches(num_rows, training.noise.sample_rate, training.num_steps, secret)
    return plan_batches(len(training.rows), settings.rows_a_step, training.num_steps, training.seed)


def _parts(rows: list[Any], training: Training, settings: TuningSection) -> list[dict[str, Any]]:
    made: Callable[..., Any] = pad_pairs if training.objective else pack_batch if settings.packing else pad_batch
    size = settings.batch_size
    return [dict(made(rows[start : start + size], training.pad_token_id)) for start in range(0, len(rows), size)]


def _without_dropout(model: Any) -> None:
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0


def _curve(log: Sequence[dict[str, float]]) -> Curve:
    """step, loss (nats per response token, or a pair), learning_rate; of pairs what the policy prefers as well."""
    return [{name: float(row[name]) for name in _SHOWN if name in row} for row in log if "loss" in row]


def mean_loss(model: Any, examples: Sequence[EncodedExample], pad_token_id: int, batch_size: int) -> float:
    """Nats per labelled token over all examples, each token counting once."""
    model.eval()
    total, count = 0.0, 0
    by_length = sorted(examples, key=lambda example: len(example.token_ids))
    for start in range(0, len(by_length), batch_size):
        batch = pad_batch(by_length[start : start + batch_size], pad_token_id)
        num_labels = int((batch["labels"][:, 1:] != IGNORED_LABEL).sum())
        with torch.no_grad():
            loss = model(**{name: tensor.to(model.device) for name, tensor in batch.items()}).loss
        total += float(loss) * num_labels
        count += num_labels
    return total / count


def _arguments(training: Training, settings: TuningSection) -> Any:
    on_gpu, seed = torch.cuda.is_available(), training.seed % 2**32
    return TrainingArguments(
        output_dir=str(training.work), max_steps=training.num_steps, per_device_train_batch_size=settings.rows_a_step,
        learning_rate=training.learning_rate, lr_scheduler_type=training.schedule,
        warmup_steps=settings.num_warmup_steps(training.num_steps), optim="adamw_torch", weight_decay=0.0,
        # a private gradient has been cut row by row, and is measured in the precision in which it is computed
        max_grad_norm=0.0 if training.noise else 1.0, bf16=has_fast_bfloat16() and not training.noise,
        seed=seed, data_seed=seed, use_cpu=not on_gpu,
        save_strategy="steps", save_steps=settings.checkpoint_every, save_total_limit=2, logging_steps=1,
        logging_nan_inf_filter=False, report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
        remove_unused_columns=False, push_to_hub=False,
    )  # fmt: skip


def _last_whole_state(work: Path, before: int) -> Path | None:
    """What was broken off in writing is deleted, lest it be taken for the latest; and what lies too late."""
    for folder in work.glob("checkpoint-*"):
        if not (folder / _COMPLETE).is_file() or _step_of(folder) >= before:
            shutil.rmtree(folder)
    return max(work.glob("checkpoint-*"), key=_step_of, default=None)


def _step_of(state: Path) -> int:
    return int(state.name.split("-")[1])
