"""Phases for real, on a tiny random student: what the next one starts from, which candidate it takes, what rows it sees."""

import json
import math
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from train_in_process import SETTINGS, examples, phases

from synth_assets.errors import TuningError
from synth_assets.recipe import CheckpointChoice, TuningSection
from synth_assets.records import Checkpoint
from synth_assets.tuning import read_loss_curve, tune_student, tuned_student

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("train_in_process.py")
ROWS = examples(24, ("a", "b"))
BY_BENCHMARK = CheckpointChoice(by="benchmark", num_candidates=3, benchmark="somewhere")


def _phased(*num_steps: int, **changes: Any) -> TuningSection:
    said = {"strategy": "phased", "phases": phases(*num_steps), "lora_dropout": 0.0, "batch_size": 4}
    return SETTINGS.model_copy(update=said | changes)


def _stacked(num_steps: int, **changes: Any) -> TuningSection:
    return SETTINGS.model_copy(update={"phases": phases(num_steps), "lora_dropout": 0.0, "batch_size": 4} | changes)


def _logits(student: Path, *adapters: Path) -> Any:
    """Of the student with each adapter folded in after the other."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(student, dtype=torch.float32)
    for adapter in adapters:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    with torch.no_grad():
        return model(torch.arange(10, 50)[None]).logits


def _steps(checkpoints: Sequence[Checkpoint]) -> list[tuple[str, int, bool]]:
    return [(each.phase, each.num_steps, each.is_chosen) for each in checkpoints]


def test_a_phase_goes_on_with_the_adapter_of_the_one_before_and_only_the_last_decays(
    tiny_student: Path, tmp_path: Path
) -> None:
    settings = _phased(8, 12, warmup_ratio=None, warmup_steps=3)
    first, last = tune_student(tiny_student, ROWS, settings, 7, tmp_path)
    assert _steps([first, last]) == [("a", 8, True), ("b", 12, True)]
    assert (first.phase_position, last.phase_position) == (0, 1) and tuned_student([first, last]) == last
    rates = [read_loss_curve(tmp_path / each.adapter_path)["learning_rate"].to_list() for each in (first, last)]
    highest = settings.learning_rate
    assert rates[0][3:] == [highest] * 5 and rates[0][0] < rates[0][1] < highest  # warm-up, no decay
    assert rates[1][0] < rates[1][1] < rates[1][3] == highest and rates[1][-1] < highest / 5  # warm-up, decay
    constant = _phased(8, 12, warmup_ratio=None, warmup_steps=3, lr_schedule="constant")
    _, other = tune_student(tiny_student, ROWS, constant, 7, tmp_path)
    assert read_loss_curve(tmp_path / other.adapter_path)["learning_rate"][3:].to_list() == [highest] * 9
    ranks = {json.loads((tmp_path / each.adapter_path / "adapter_config.json").read_text())["r"] for each in (first, last)}
    assert ranks == {settings.lora_r}
    (afresh,) = tune_student(tiny_student, ROWS[1::2], _phased(12, phases=_named("b", 12)), 7, tmp_path)
    assert last.train_loss_first < afresh.train_loss_first, "the second phase starts from what the first has learned"


def test_a_phase_takes_its_own_batch_and_rate_and_without_one_is_as_before(tiny_student: Path, tmp_path: Path) -> None:
    def tuned(**own: Any) -> list[Checkpoint]:
        first, last = phases(6, 6)
        return tune_student(tiny_student, ROWS, _phased(6, 6, phases=(first.model_copy(update=own), last)), 7, tmp_path)

    plain, same = tuned(), tuned(batch_size=4, gradient_accumulation=1)
    assert [each.checkpoint_id for each in plain] == [each.checkpoint_id for each in same]
    small = tuned(batch_size=2, learning_rate=1e-5)
    assert not {each.adapter_sha256 for each in plain} & {each.adapter_sha256 for each in small}
    rates = [read_loss_curve(tmp_path / each.adapter_path)["learning_rate"].max() for each in small]
    assert rates == [1e-5, SETTINGS.learning_rate]
    by_epoch = phases(6, 6)[0].model_copy(update={"max_steps": None, "num_epochs": 2, "batch_size": 2})
    other = phases(6, 6)[1].model_copy(update={"max_steps": None, "num_epochs": 1})
    counted = tune_student(tiny_student, ROWS, _phased(1, 1, phases=(by_epoch, other)), 7, tmp_path)
    assert [each.num_steps for each in counted] == [
        math.ceil(counted[0].num_examples / 2) * 2, math.ceil(counted[1].num_examples / 4)
    ]  # fmt: skip


def test_a_phase_by_another_name_is_found_and_called_by_its_name(tiny_student: Path, tmp_path: Path) -> None:
    (stacked,) = tune_student(tiny_student, examples(8), _stacked(2), 7, tmp_path)
    rows = examples(8, ("everything",))
    (phased,) = tune_student(tiny_student, rows, _phased(2, phases=_named("everything", 2)), 7, tmp_path)
    assert phased == replace(stacked, phase="everything")


def _named(name: str, num_steps: int) -> Any:
    (only,) = phases(num_steps)
    return (only.model_copy(update={"name": name}),)


def test_merged_phases_are_published_as_one_adapter_on_the_original_student(tiny_student: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    settings = _phased(6, 6, between_phases="merge")
    first, last = tune_student(tiny_student, ROWS, settings, 7, tmp_path)
    one, both = tmp_path / first.adapter_path, tmp_path / last.adapter_path
    said = json.loads((both / "adapter_config.json").read_text())
    assert (said["r"], said["lora_alpha"]) == (2 * settings.lora_r, 2 * settings.lora_alpha)
    second = tmp_path / "second"  # the part that the second phase has trained: the latter half of the ranks
    second.mkdir()
    (second / "adapter_config.json").write_text((one / "adapter_config.json").read_text())
    halves = {
        name: part[settings.lora_r :] if "lora_A" in name else part[:, settings.lora_r :]
        for name, part in load_file(both / "adapter_model.safetensors").items()
    }
    save_file({name: part.contiguous() for name, part in halves.items()}, second / "adapter_model.safetensors")
    torch.testing.assert_close(_logits(tiny_student, both), _logits(tiny_student, one, second), atol=1e-4, rtol=1e-4)
    assert (_logits(tiny_student, both) - _logits(tiny_student, one)).abs().max() > 0.1
    continued = tune_student(tiny_student, ROWS, _phased(6, 6), 7, tmp_path)
    assert continued[0] == first and continued[1].checkpoint_id != last.checkpoint_id


def test_of_equal_scores_the_earlier_candidate_is_taken(tiny_student: Path, tmp_path: Path) -> None:
    settings = _phased(7, 3, checkpoint_choice=BY_BENCHMARK)
    asked: list[str] = []

    def equal(adapter: Path) -> float:
        asked.append(adapter.name)
        return 0.5

    found = tune_student(tiny_student, ROWS, settings, 7, tmp_path, score_adapter=equal)
    expected = [("a", 3, True), ("a", 5, False), ("a", 7, False), ("b", 1, True), ("b", 2, False), ("b", 3, False)]
    assert _steps(found) == expected and asked == [each.checkpoint_id for each in found]
    assert {each.selection_score for each in found} == {0.5}
    assert tuned_student(found).num_steps == 1


def test_the_best_candidate_is_what_the_next_phase_starts_from(tiny_student: Path, tmp_path: Path) -> None:
    settings = _phased(6, 2, checkpoint_choice=BY_BENCHMARK, lora_dropout=0.1)
    scores = {2: 0.1, 4: 0.9, 6: 0.3}

    def known(adapter: Path) -> float:
        return scores.get(json.loads((adapter / "checkpoint.json").read_text())["num_steps"], 0.0)

    lines: list[str] = []
    best = tune_student(tiny_student, ROWS, settings, 7, tmp_path, lambda text, _: lines.append(text), score_adapter=known)
    assert _steps(best)[:3] == [("a", 2, False), ("a", 4, True), ("a", 6, False)]
    assert [each.selection_score for each in best[:3]] == [0.1, 0.9, 0.3]
    assert lines[0].startswith("phase a: step 1 of 6: loss ") and not list(tmp_path.glob("*.work"))
    last = tune_student(tiny_student, ROWS, _phased(6, 2, lora_dropout=0.1), 7, tmp_path / "last")
    assert last[0].adapter_sha256 == best[2].adapter_sha256, "keeping candidates changes no weight"
    assert last[1].checkpoint_id != best[-1].checkpoint_id, "another start, another adapter"
    with pytest.raises(TuningError, match="nobody scores"):
        tune_student(tiny_student, ROWS, settings, 7, tmp_path)


def test_epochs_are_counted_over_the_rows_of_the_phase(tiny_student: Path, tmp_path: Path) -> None:
    by_epoch = tuple(phase.model_copy(update={"max_steps": None, "num_epochs": 2}) for phase in phases(1, 1))
    train = [sum(row.split == "train" and row.phase == name for row in ROWS) for name in "ab"]
    found = tune_student(tiny_student, ROWS, _phased(1, 1, phases=by_epoch), 7, tmp_path)
    assert [each.num_steps for each in found] == [2 * -(-num // 4) for num in train]


def test_accumulated_parts_make_the_update_of_the_whole_batch(tiny_student: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    rows = examples(20)  # 18 to train on: the last batch of an epoch is a small one
    whole, parts = (
        tune_student(tiny_student, rows, _stacked(6, batch_size=size, gradient_accumulation=times), 7, tmp_path)[0]
        for size, times in ((8, 1), (2, 4))
    )
    assert whole.checkpoint_id != parts.checkpoint_id
    curves = [read_loss_curve(tmp_path / each.adapter_path)["loss"].to_list() for each in (whole, parts)]
    assert curves[0] == pytest.approx(curves[1], rel=2e-3)  # bfloat16, where the CPU has it
    weights = [load_file(tmp_path / each.adapter_path / "adapter_model.safetensors") for each in (whole, parts)]
    for name, part in weights[0].items():
        assert torch.cosine_similarity(part.flatten(), weights[1][name].flatten(), dim=0) > 0.99, name


def test_packed_rows_are_learned_as_well(tiny_student: Path, tmp_path: Path) -> None:
    (packed,) = tune_student(tiny_student, examples(), _stacked(30, packing=True, max_tokens=64), 7, tmp_path)
    assert packed.num_examples == 36 and packed.train_loss_last < packed.train_loss_first / 2
    (again,) = tune_student(tiny_student, examples(), _stacked(30, packing=True, max_tokens=64), 7, tmp_path / "again")
    assert again.adapter_sha256 == packed.adapter_sha256


def test_rows_of_another_strategy_are_refused(tiny_student: Path, tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="materialize training_mix again"):
        tune_student(tiny_student, examples(), _phased(1, 1), 7, tmp_path)


def _run(student: Path, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(student), str(folder), "", "phased"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_phases_that_were_killed_go_on_where_they_were(tiny_student: Path, tmp_path: Path) -> None:
    undisturbed, errors = _run(tiny_student, tmp_path / "one").communicate()
    assert undisturbed.splitlines()[-1].startswith("sha256 "), errors
    lines: list[str] = []
    for moment in ("phase a: step 10 of 10", "phase b: step 8 of 15"):
        process = _run(tiny_student, tmp_path / "two")
        assert process.stdout
        for line in process.stdout:
            lines.append(line)
            if line.startswith(moment):
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
        assert process.returncode == -9
    resumed, errors = _run(tiny_student, tmp_path / "two").communicate()
    assert resumed.splitlines()[0] == "phase a: trained already", errors
    assert "phase b: going on from step 5" in resumed and not list((tmp_path / "two").glob("*.work"))
    assert resumed.splitlines()[-1] == undisturbed.splitlines()[-1]
