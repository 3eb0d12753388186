"""A training mix and a student's folder -> a published adapter, or the reason why there is none.

An adapter is named by all that it depends on (`checkpoint_id`: student, rows, settings, seed), so the same work is
done once: a second call finds it, a call after a crash goes on, another recipe lies beside it. It is published by a
rename, so that an adapter that can be seen is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from synth_assets.errors import ModelError, SynthAssetsError, TuningError, Where
from synth_assets.model_folder import check_model_folder, model_fingerprint
from synth_assets.recipe import TuningSection
from synth_assets.records import Checkpoint, TrainingExample, content_id
from synth_assets.tuning.encoding import EncodedExample, Report, encode_conversation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ADAPTER_FILE = "adapter_model.safetensors"
_CHECKPOINT_FILE, _CURVE_FILE = "checkpoint.json", "loss_curve.json"
_WRITE_MARKS = ("no space", "os error", "file write failed", "failed writing", "unexpected pos", "quota", "i/o error")
_MEMORY_MARKS = ("out of memory", "can't allocate memory", "cannot allocate memory")


def tune_student(
    student_folder: Path, examples: Sequence[TrainingExample], settings: TuningSection, seed: int, folder: Path,
    report: Report | None = None, *, relative_to: Path | None = None,
) -> Checkpoint:  # fmt: skip
    """Train a LoRA adapter on the `train` rows and measure its loss on the `validation` rows.

    The adapter lies in `folder/<checkpoint_id>`, in PEFT's format; `adapter_path` is that path relative to
    `relative_to` (default: `folder`). `train_loss_first` is the loss of the first step, `train_loss_last` the mean
    over the last tenth of the steps. `report` is given a line of text and the share done at each step. Runs in this
    process, on all its cores or its GPU.

    Raises ModelError if the student's folder is none, and TuningError if there is nothing to train on, the loss
    is no number, memory is short, or the disk does not take the result; what was there before is untouched.
    """
    check_model_folder(student_folder, "ForCausalLM")
    student = model_fingerprint(student_folder)
    checkpoint_id = _checkpoint_id(student, examples, settings, seed)
    adapter = folder / checkpoint_id
    try:
        if not (adapter / _CHECKPOINT_FILE).is_file():
            blank = Checkpoint(checkpoint_id, student, "", "", 0, 0, 0.0, 0.0, None)
            _train_and_publish(student_folder, examples, settings, seed, adapter, blank, report)
        elif report:
            report(f"the adapter {checkpoint_id} is there already", None)
        checkpoint = Checkpoint(**json.loads((adapter / _CHECKPOINT_FILE).read_text(encoding="utf-8")))
    except SynthAssetsError:
        raise
    except Exception as error:
        if known := known_failure(error, folder):
            raise known from error
        raise
    return replace(checkpoint, adapter_path=os.path.relpath(adapter, relative_to or folder))


def read_loss_curve(adapter_folder: Path) -> pl.DataFrame:
    """step, loss (nats per response token), learning_rate: one row a step."""
    rows = json.loads((adapter_folder / _CURVE_FILE).read_text(encoding="utf-8"))
    return pl.DataFrame(rows, schema={"step": pl.Int64, "loss": pl.Float64, "learning_rate": pl.Float64}, strict=False)


def _checkpoint_id(
    student: str, examples: Sequence[TrainingExample], settings: TuningSection, seed: int
) -> str:  # fmt: skip
    rows = [(row.split, row.prompt, row.response) for row in examples]
    return content_id("checkpoint", student, rows, settings.model_dump(mode="json", exclude={"replay_buffer"}), seed)


def _train_and_publish(
    student_folder: Path, examples: Sequence[TrainingExample], settings: TuningSection, seed: int, adapter: Path,
    checkpoint: Checkpoint, report: Report | None,
) -> None:  # fmt: skip
    tokenizer, max_tokens = _open_tokenizer(student_folder)
    train, validation = (_encoded(tokenizer, examples, split, max_tokens, report) for split in ("train", "validation"))
    if not train:
        raise TuningError(
            f"no training row: {len(examples)} examples, none of which is of split train and fits {max_tokens} tokens",
            remedy="look at training_mix, and at reward_filtered_set before it",
        )
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0
    work = adapter.with_name(f"{adapter.name}.work")
    work.mkdir(parents=True, exist_ok=True)

    from synth_assets.tuning.lora import mean_loss, train_lora

    model, curve = train_lora(student_folder, train, pad, settings, seed, work, report)
    losses = [row["loss"] for row in curve]
    last = losses[-max(1, len(losses) // 10) :]
    checkpoint = replace(
        checkpoint, num_examples=len(train), num_steps=int(curve[-1]["step"]),
        train_loss_first=losses[0], train_loss_last=sum(last) / len(last),
        validation_loss=mean_loss(model, validation, pad, settings.batch_size) if validation else None,
    )  # fmt: skip
    _publish(model, curve, checkpoint, work, adapter)


def _publish(model: Any, curve: list[dict[str, float]], checkpoint: Checkpoint, work: Path, adapter: Path) -> None:
    finished = work / "adapter"
    shutil.rmtree(finished, ignore_errors=True)
    model.save_pretrained(str(finished), save_embedding_layers=False)
    digest = hashlib.sha256((finished / ADAPTER_FILE).read_bytes()).hexdigest()
    (finished / _CURVE_FILE).write_text(json.dumps(curve) + "\n", encoding="utf-8")
    text = json.dumps(asdict(replace(checkpoint, adapter_sha256=digest)), indent=2) + "\n"
    (finished / _CHECKPOINT_FILE).write_text(text, encoding="utf-8")
    shutil.rmtree(adapter, ignore_errors=True)
    finished.rename(adapter)
    shutil.rmtree(work, ignore_errors=True)


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
    tokenizer: Any, examples: Sequence[TrainingExample], split: str, max_tokens: int,
    report: Report | None,
) -> list[EncodedExample]:  # fmt: skip
    """Rows that the student's window cannot hold are left out, not cut: a cut row teaches not to end."""
    rows = [encode_conversation(tokenizer, row.prompt, row.response) for row in examples if row.split == split]
    fitting = [row for row in rows if len(row.token_ids) <= max_tokens]
    if report and len(fitting) < len(rows):
        report(f"{len(rows) - len(fitting)} {split} rows are longer than {max_tokens} tokens and left out", None)
    return fitting


def known_failure(error: Exception, folder: Path) -> TuningError | None:
    """What the libraries below say of a full disk or memory, in our words; they have no type for it."""
    text = str(error).lower()
    if any(mark in text for mark in _MEMORY_MARKS):
        return TuningError(f"memory is short: {error}", remedy="lower tuning.batch_size, or take a smaller student")
    if isinstance(error, OSError) or any(mark in text for mark in _WRITE_MARKS):
        return TuningError(
            f"the training state cannot be written or read: {error}", where=Where(str(folder)),
            remedy="free some space or make the folder writable, and run again: training goes on from its last state",
        )  # fmt: skip
    return None
