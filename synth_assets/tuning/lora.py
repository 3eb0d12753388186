"""The training itself: peft's LoRA in transformers' Trainer, resumable to the byte.

Trainer rather than TRL's SFTTrainer: rows and labels are ready here, so that the latter only adds a data set, a
second tokenization and a longer import. What makes a resumed run end with the same bytes: the batches of all steps
are known in advance (`plan_batches`), the state of optimizer, schedule and random numbers is Trainer's own, and only
a state that was written to its end (`_COMPLETE`) is gone on from; a kill in the midst of writing costs some steps.

Bytes are the same on the same machine with the same number of threads; a GPU gives like values, not like bytes.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from synth_assets.errors import TuningError
from synth_assets.recipe import TuningSection
from synth_assets.tuning.encoding import IGNORED_LABEL, EncodedExample, Report, pad_batch, plan_batches

_COMPLETE = "complete"


class _PlannedTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped here
    """Trainer with the batches of all steps given; one pass over them is the training."""

    batches: list[list[int]]

    def get_train_dataloader(self) -> Any:
        # a generator of its own: the loader must not draw from the stream that dropout uses
        return DataLoader(
            self.train_dataset, batch_sampler=self.batches, collate_fn=self.data_collator, generator=torch.Generator()
        )


class _Watch(TrainerCallback):  # type: ignore[misc]  # transformers is untyped here
    """Stops at a loss that is no number, tells of progress, and marks a state that is whole."""

    def __init__(self, num_steps: int, report: Report | None) -> None:
        self.num_steps = num_steps
        self.report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise TuningError(
                f"the loss is no number at step {state.global_step}", value=loss,
                remedy="lower tuning.learning_rate, or lengthen tuning.warmup_ratio",
            )  # fmt: skip
        if self.report:
            self.report(f"step {state.global_step} of {self.num_steps}: loss {loss:.4f}", state.global_step / self.num_steps)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / _COMPLETE).touch()


def train_lora(
    student_folder: Path, train: Sequence[EncodedExample], pad_token_id: int, settings: TuningSection, seed: int,
    work: Path, report: Report | None,
) -> tuple[nn.Module, list[dict[str, float]]]:  # fmt: skip
    """The student with its trained adapter, and the log: step, loss (nats per response token), learning_rate.

    Goes on from the last whole state in `work`, if there is one.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    set_seed(seed % 2**32)
    model = _with_adapter(student_folder, settings)
    trainer = _PlannedTrainer(
        model=model, args=_arguments(settings, seed, work), train_dataset=list(train),
        data_collator=lambda rows: pad_batch(rows, pad_token_id), callbacks=[_Watch(settings.max_steps, report)],
    )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.batches = plan_batches(len(train), settings.batch_size, settings.max_steps, seed)
    state = _last_whole_state(work)
    if state and report:
        step = int(state.name.removeprefix("checkpoint-"))
        report(f"going on from step {step}", None)
    trainer.train(resume_from_checkpoint=str(state) if state else None)
    curve = [
        {"step": float(row["step"]), "loss": float(row["loss"]), "learning_rate": float(row["learning_rate"])}
        for row in trainer.state.log_history
        if "loss" in row
    ]
    return model, curve


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


def load_student(student_folder: Path) -> Any:
    """In float32; from safetensors only, from the disk only, without code from the folder."""
    # the fused attention's backward pass is the slower one on a CPU in bfloat16, and no faster in float32
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    return AutoModelForCausalLM.from_pretrained(
        student_folder, dtype=torch.float32, attn_implementation=attention, use_safetensors=True,
        local_files_only=True, trust_remote_code=False,
    )  # fmt: skip


def has_fast_bfloat16() -> bool:
    """Whether autocast saves time: on a GPU, and on CPUs with instructions for it (1.8 times, 2.5M parameters)."""
    capabilities = torch.cpu.get_capabilities()
    return torch.cuda.is_available() or any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def _with_adapter(student_folder: Path, settings: TuningSection) -> Any:
    student = load_student(student_folder)
    lora = LoraConfig(
        r=settings.lora_r, lora_alpha=settings.lora_alpha, lora_dropout=settings.lora_dropout,
        target_modules=list(settings.target_modules), bias="none", task_type="CAUSAL_LM",
    )  # fmt: skip
    try:
        return get_peft_model(student, lora)
    except ValueError as error:
        layers = sorted({name.rsplit(".")[-1] for name, part in student.named_modules() if isinstance(part, nn.Linear)})
        raise TuningError(
            f"the adapter does not fit the student: {error}", value=settings.target_modules,
            remedy="set tuning.target_modules to some of: " + ", ".join(layers),
        ) from error  # fmt: skip


def _arguments(settings: TuningSection, seed: int, work: Path) -> Any:
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(work), max_steps=settings.max_steps, per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate, lr_scheduler_type="cosine",
        warmup_steps=math.ceil(settings.warmup_ratio * settings.max_steps), optim="adamw_torch", weight_decay=0.0,
        max_grad_norm=1.0, bf16=has_fast_bfloat16(), seed=seed % 2**32, data_seed=seed % 2**32, use_cpu=not on_gpu,
        save_strategy="steps", save_steps=settings.checkpoint_every, save_total_limit=2, logging_steps=1,
        logging_nan_inf_filter=False, report_to=[], disable_tqdm=True, dataloader_pin_memory=False,
        remove_unused_columns=False, push_to_hub=False,
    )  # fmt: skip


def _last_whole_state(work: Path) -> Path | None:
    """What was broken off in writing is deleted, lest it be taken for the latest."""
    for folder in work.glob("checkpoint-*"):
        if not (folder / _COMPLETE).is_file():
            shutil.rmtree(folder)
    return max(work.glob("checkpoint-*"), key=lambda folder: int(folder.name.split("-")[1]), default=None)
