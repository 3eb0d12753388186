"""The training for real, on a tiny random student: it learns, it is the same again, it survives kill -9."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from train_in_process import SETTINGS, examples, phases

from synth_assets.errors import ModelError, TuningError
from synth_assets.records import Checkpoint, TrainingExample
from synth_assets.tuning import merge_adapter, read_loss_curve, tune_student

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("train_in_process.py")
FEW = [
    TrainingExample(str(n), None, "skills/a", "train", "stacked", "synthetic", n, prompt, response)
    for n, (prompt, response) in enumerate([("Name a fruit", "apple"), ("Name a city", "Berlin"), ("Name a day", "Monday")])
]
OVERFIT = SETTINGS.model_copy(
    update={"lora_dropout": 0.0, "phases": phases(120), "learning_rate": 1e-2, "checkpoint_every": 500}
)


@pytest.fixture(scope="module")
def tuned(tiny_student: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkpoint, Path, list[str]]:
    folder = tmp_path_factory.mktemp("adapters")
    lines: list[str] = []
    (checkpoint,) = tune_student(tiny_student, FEW, OVERFIT, 7, folder, lambda text, share: lines.append(text))
    return checkpoint, folder / checkpoint.adapter_path, lines


def test_a_handful_of_rows_is_learned_by_heart(tiny_student: Path, tuned: tuple[Checkpoint, Path, list[str]]) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    checkpoint, adapter, lines = tuned
    assert checkpoint.train_loss_first > 4 and checkpoint.train_loss_last < 0.1 and checkpoint.validation_loss is None
    assert (checkpoint.num_steps, checkpoint.num_examples) == (120, 3)
    curve = read_loss_curve(adapter)
    assert curve["step"].to_list() == list(range(1, 121)) and curve["loss"][0] == checkpoint.train_loss_first
    assert curve["learning_rate"].max() == pytest.approx(1e-2) and curve["learning_rate"][-1] < 1e-4
    assert len(lines) == 120 and lines[-1].startswith("step 120 of 120: loss ")
    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32), adapter)
    for row in FEW:
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": row.prompt}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        out = model.generate(**asked, max_new_tokens=8, do_sample=False)[0, asked["input_ids"].shape[1] :]
        assert tokenizer.decode(out).replace(" ", "") == f"{row.response}<|end|>"  # and it stops


def test_a_second_call_finds_the_adapter_and_another_seed_makes_another(
    tiny_student: Path, tuned: tuple[Checkpoint, Path, list[str]]
) -> None:
    checkpoint, adapter, _ = tuned
    before = (adapter / "adapter_model.safetensors").stat().st_mtime_ns
    lines: list[str] = []
    (again,) = tune_student(
        tiny_student,
        FEW,
        OVERFIT,
        7,
        adapter.parent,
        lambda text, share: lines.append(text),
        relative_to=adapter.parent.parent,
    )
    assert again.adapter_sha256 == checkpoint.adapter_sha256 and len(lines) == 1 and lines[0] == "trained already"
    assert again.adapter_path == f"{adapter.parent.name}/{checkpoint.checkpoint_id}"
    assert (adapter / "adapter_model.safetensors").stat().st_mtime_ns == before
    short = OVERFIT.model_copy(update={"phases": phases(2)})
    other = [tune_student(tiny_student, FEW, short, seed, adapter.parent)[0] for seed in (1, 2)]
    assert other[0].checkpoint_id != other[1].checkpoint_id and other[0].adapter_sha256 != other[1].adapter_sha256
    assert not list(adapter.parent.glob("*.work"))


def test_the_merged_model_is_the_adapted_one(
    tiny_student: Path, tuned: tuple[Checkpoint, Path, list[str]], tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _, adapter, _ = tuned
    target = merge_adapter(tiny_student, adapter, tmp_path / "models" / "tuned")
    assert {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"} <= {
        f.name for f in target.iterdir()
    }
    assert AutoTokenizer.from_pretrained(target).chat_template == AutoTokenizer.from_pretrained(tiny_student).chat_template
    base = AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32)
    merged = AutoModelForCausalLM.from_pretrained(target)
    assert merged.dtype == torch.float32
    ids = torch.arange(10, 60)[None]
    with torch.no_grad():
        plain = base(ids).logits.clone()
        adapted = PeftModel.from_pretrained(base, adapter)(ids).logits
        torch.testing.assert_close(merged(ids).logits, adapted, atol=2e-4, rtol=1e-4)
    assert (plain - adapted).abs().max() > 1
    before = (target / "model.safetensors").stat().st_mtime_ns
    merge_adapter(tiny_student, adapter, target)
    assert (target / "model.safetensors").stat().st_mtime_ns == before


def _start(student: Path, folder: Path, *more: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(student), str(folder), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_bytes(tiny_student: Path, tmp_path: Path) -> None:
    undisturbed, _ = _start(tiny_student, tmp_path / "one").communicate()
    killed = _start(tiny_student, tmp_path / "two")
    assert killed.stdout
    for line in killed.stdout:
        if line.startswith("step 18 "):
            killed.kill()
            break
    killed.communicate()
    assert killed.returncode == -9
    (work,) = (tmp_path / "two").glob("*.work")
    assert not list((tmp_path / "two").glob("*/checkpoint.json"))
    torn = work / "checkpoint-35"  # as a kill in the midst of writing leaves it
    torn.mkdir()
    (torn / "trainer_state.json").write_text("{")
    resumed, errors = _start(tiny_student, tmp_path / "two").communicate()
    assert "going on from step 15" in resumed, errors
    assert "step 14 " not in resumed
    assert resumed.splitlines()[-1] == undisturbed.splitlines()[-1]
    assert resumed.splitlines()[-1].startswith("sha256 ")


def test_a_full_disk_is_told_with_what_to_do(tiny_student: Path, tmp_path: Path) -> None:
    process = _start(tiny_student, tmp_path / "adapters", str(16 * 1024))
    _, errors = process.communicate()
    assert process.returncode == 1, errors
    assert "TuningError: " in errors and "free some space" in errors and str(tmp_path / "adapters") in errors
    assert not list((tmp_path / "adapters").glob("*/checkpoint.json"))


def test_a_folder_that_cannot_be_made_is_told_with_what_to_do(tiny_student: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TuningError, match="make the folder writable"):
        tune_student(tiny_student, FEW, OVERFIT, 7, tmp_path / "file" / "adapters")


@pytest.mark.parametrize("rows", [[], [row for row in examples() if row.split == "validation"]])
def test_without_training_rows_there_is_no_training(tiny_student: Path, tmp_path: Path, rows: list[Any]) -> None:
    with pytest.raises(TuningError, match="no training row"):
        tune_student(tiny_student, rows, SETTINGS, 7, tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_that_do_not_fit_are_left_out_and_told(tiny_student: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    lines: list[str] = []
    long = replace(FEW[0], prompt="book " * 600)
    settings = OVERFIT.model_copy(update={"phases": phases(1)})
    (checkpoint,) = tune_student(tiny_student, [*FEW, long], settings, 7, tmp_path, lambda text, share: lines.append(text))
    assert checkpoint.num_examples == 3
    assert lines[0] == "1 train rows are longer than 512 tokens and left out"


def test_a_student_that_is_none_is_refused(tiny_student: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        tune_student(tmp_path / "nowhere", FEW, OVERFIT, 7, tmp_path)
    student = Path(shutil.copytree(tiny_student, tmp_path / "student"))
    (student / "model.safetensors").rename(student / "pytorch_model.bin")
    with pytest.raises(ModelError, match="safetensors"):
        tune_student(student, FEW, OVERFIT, 7, tmp_path)


def test_a_wrong_target_module_names_the_right_ones(tiny_student: Path, tmp_path: Path) -> None:
    settings = OVERFIT.model_copy(update={"target_modules": ("c_attn",)})
    with pytest.raises(TuningError, match="q_proj"):
        tune_student(tiny_student, FEW, settings, 7, tmp_path)


def test_a_loss_that_is_no_number_stops_the_training(tiny_student: Path, tmp_path: Path) -> None:
    settings = OVERFIT.model_copy(update={"learning_rate": 1e30, "warmup_ratio": 0.0})
    with pytest.raises(TuningError, match="no number"):
        tune_student(tiny_student, FEW, settings, 7, tmp_path)


def test_an_adapter_that_is_not_there_cannot_be_merged(tiny_student: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="adapter_config"):
        merge_adapter(tiny_student, tmp_path, tmp_path / "merged")


def test_the_curve_has_a_schema(tuned: tuple[Checkpoint, Path, list[str]]) -> None:
    assert read_loss_curve(tuned[1]).schema == {"step": pl.Int64, "loss": pl.Float64, "learning_rate": pl.Float64}
