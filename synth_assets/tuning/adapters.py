"""The adapter that a phase trains: a fresh one, the earlier phase's, or a fresh one on what that has made of the student.

Whatever was trained, one adapter on the original student is written. Where earlier ones were merged in, the sum is
written as one of higher rank: with the same alpha / r, B1 A1 + B2 A2 = [B1 B2] [A1; A2].
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from synth_assets.errors import TuningError
from synth_assets.recipe import TuningSection

ADAPTER_FILE, CONFIG_FILE = "adapter_model.safetensors", "adapter_config.json"


def load_student(student_folder: Path) -> Any:
    """In float32; from safetensors only, from the disk only, without code from the folder."""
    # the fused attention's backward pass is the slower one on a CPU in bfloat16, and no faster in float32
    attention = "sdpa" if torch.cuda.is_available() else "eager"
    return AutoModelForCausalLM.from_pretrained(
        student_folder, dtype=torch.float32, attn_implementation=attention, use_safetensors=True,
        local_files_only=True, trust_remote_code=False,
    )  # fmt: skip


def load_adapted(student_folder: Path, adapter_folder: Path, *, is_trainable: bool = False) -> Any:
    """The student with a published adapter."""
    student = load_student(student_folder)
    return PeftModel.from_pretrained(student, str(adapter_folder), is_trainable=is_trainable, local_files_only=True)


def open_adapter(student_folder: Path, settings: TuningSection, earlier: Path | None) -> Any:
    """The student with the adapter to be trained; `earlier`: the folder of that of the phase before."""
    if earlier and settings.between_phases == "continue":
        return load_adapted(student_folder, earlier, is_trainable=True)
    student = load_adapted(student_folder, earlier).merge_and_unload() if earlier else load_student(student_folder)
    # before the adapter is put on: per-row gradients need its weights where the student's are
    student = student.to("cuda" if torch.cuda.is_available() else "cpu")
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


def save_adapter(model: Any, folder: Path, merged_in: Path | None) -> None:
    """Write what was trained, as an adapter on the original student; `merged_in`: the earlier one below it, if any."""
    model.save_pretrained(str(folder), save_embedding_layers=False)
    if merged_in is None:
        return
    ours, earlier = (load_file(place / ADAPTER_FILE) for place in (folder, merged_in))
    # r is the first dimension of an A, and the second of a B
    joined = {name: torch.cat([earlier[name], part], dim=_rank_dimension(name)) for name, part in ours.items()}
    save_file(joined, folder / ADAPTER_FILE, metadata={"format": "pt"})
    said, said_earlier = (json.loads((place / CONFIG_FILE).read_text(encoding="utf-8")) for place in (folder, merged_in))
    said |= {key: said[key] + said_earlier[key] for key in ("r", "lora_alpha")}
    (folder / CONFIG_FILE).write_text(json.dumps(said, indent=2, sort_keys=True), encoding="utf-8")


def _rank_dimension(name: str) -> int:
    return 0 if "lora_A" in name or "lora_embedding_A" in name else 1
