"""An adapter folded into its student: a plain model folder, since serving with LoRA costs vLLM half its speed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from synth_assets.errors import SynthAssetsError, TuningError, Where
from synth_assets.model_folder import MERGED_FILE, check_model_folder, model_fingerprint
from synth_assets.tuning.course import known_failure

_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")


def merge_adapter(student_folder: Path, adapter_folder: Path, target: Path, *, dtype: str = "float32") -> Path:
    """Write `target` with W + (alpha / r) B A in place of each adapted W, and the student's tokenizer; returns it.

    Computed in float32 whatever the student is stored in, and stored as `dtype`: rounding back to bfloat16 would lose
    the smallest updates. A folder that was made from the same two parts is left as it is. Raises ModelError for the
    student's folder, TuningError for the adapter's and for a disk that does not take the result.
    """
    check_model_folder(student_folder, "ForCausalLM")
    if not all((adapter_folder / name).is_file() for name in _ADAPTER_FILES):
        raise TuningError(
            f"the adapter's folder lacks {' or '.join(_ADAPTER_FILES)}", where=Where(str(adapter_folder)),
            remedy="materialize lora_checkpoint again",
        )  # fmt: skip
    origin = {"student": model_fingerprint(student_folder), "adapter": model_fingerprint(adapter_folder), "dtype": dtype}
    record = target / MERGED_FILE
    try:
        if not record.is_file() or json.loads(record.read_text(encoding="utf-8")) != origin:
            _merge(student_folder, adapter_folder, target, origin)
    except SynthAssetsError:
        raise
    except Exception as error:
        if known := known_failure(error, target):
            raise known from error
        raise
    return target


def _merge(student_folder: Path, adapter_folder: Path, target: Path, origin: dict[str, str]) -> None:
    import torch
    from transformers import AutoTokenizer

    from synth_assets.tuning.adapters import load_adapted

    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    merged = load_adapted(student_folder, adapter_folder).merge_and_unload().to(getattr(torch, origin["dtype"]))
    merged.save_pretrained(unfinished)
    tokenizer = AutoTokenizer.from_pretrained(student_folder, local_files_only=True, trust_remote_code=False)
    tokenizer.save_pretrained(unfinished)
    (unfinished / MERGED_FILE).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
