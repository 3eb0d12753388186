"""Alignment for real, on a tiny random student: it learns to prefer, starts at its reference, survives kill -9."""

import json
import math
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from align_in_process import PAIRS, STAGES, TUNING, pair, start

from synth_assets.errors import TuningError
from synth_assets.recipe import AlignmentSection, CheckpointChoice, PrivacyBudget, TuningSection
from synth_assets.records import Checkpoint, PreferencePair
from synth_assets.tuning import align_student, read_preference_curve, tuned_student

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("align_in_process.py")
Made = tuple[Path, Checkpoint]


@pytest.fixture(scope="module")
def made(tiny_student: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("adapters")
    return folder, start(tiny_student, folder)


def stages(**changes: Any) -> AlignmentSection:
    said = {"name": "dpo", "loss": "dpo", "beta": 0.5, "learning_rate": 3e-3, "max_steps": 40, "lr_schedule": "constant"}
    return AlignmentSection.model_validate_json(json.dumps({"stages": [said | changes]}))


def curve(folder: Path, checkpoint: Checkpoint, column: str) -> list[float]:
    return read_preference_curve(folder / checkpoint.adapter_path)[column].to_list()


def test_dpo_begins_at_its_reference_and_learns_what_is_preferred(tiny_student: Path, made: Made) -> None:
    folder, earlier = made
    (found,) = align_student(tiny_student, earlier, PAIRS, stages(), TUNING, 7, folder)
    assert (found.phase, found.phase_position, found.num_steps, found.num_examples) == ("dpo", 1, 40, 24)
    assert found.is_chosen and tuned_student([earlier, found]) == found
    # log 2, but for what bfloat16 makes of other neighbours in a batch
    assert found.train_loss_first == pytest.approx(math.log(2), abs=0.05)
    assert curve(folder, found, "implied_gap")[0] == pytest.approx(0.0, abs=0.1)
    assert found.train_loss_last < 0.2 and curve(folder, found, "preference_accuracy")[-1] == 1.0
    assert found.validation_loss is not None and found.validation_loss < 0.3, "held-out pairs are preferred as well"


def test_rpo_stops_at_the_gap_of_the_rewards_and_dpo_does_not(tiny_student: Path, made: Made) -> None:
    folder, earlier = made
    pairs = [pair(number, margin=1.5) for number in range(24)]
    gaps = {}
    for loss, eta in (("rpo", 1.0), ("dpo", None)):
        said = stages(name=loss, loss=loss, max_steps=60, **({"eta": eta} if eta else {}))
        (found,) = align_student(tiny_student, earlier, pairs, said, TUNING, 7, folder)
        gaps[loss] = sum(curve(folder, found, "implied_gap")[-6:]) / 6
    assert gaps["rpo"] == pytest.approx(1.5, abs=0.4) and gaps["dpo"] > 3


def test_each_iteration_starts_from_the_one_before_as_its_reference(tiny_student: Path, made: Made) -> None:
    folder, earlier = made
    lines: list[str] = []
    found = align_student(
        tiny_student, earlier, PAIRS, STAGES, TUNING, 7, folder, lambda text, _: lines.append(text),
        relative_to=folder.parent,
    )  # fmt: skip
    assert [(each.phase, each.phase_position, each.num_steps) for each in found] == [
        ("dpo", 1, 8), ("rpo_1", 2, 12), ("rpo_2", 3, 12)
    ]  # fmt: skip
    assert len({each.adapter_sha256 for each in [earlier, *found]}) == 4 and tuned_student(found).phase == "rpo_2"
    assert lines[0] == "phase dpo: what the reference gives the responses of 30 pairs"
    assert lines[1].startswith("phase dpo: step 1 of 8: loss 0.") and not list(folder.glob("*.work"))
    assert found[0].adapter_path == f"{folder.name}/{found[0].checkpoint_id}"
    for each in found:
        place = replace(each, adapter_path=each.checkpoint_id)
        assert curve(folder, place, "implied_gap")[0] == pytest.approx(0.0, abs=0.1)
    lines.clear()
    again = align_student(tiny_student, earlier, PAIRS, STAGES, TUNING, 7, folder, lambda text, _: lines.append(text))
    assert [each.adapter_sha256 for each in again] == [each.adapter_sha256 for each in found]
    assert lines == [f"phase {name}: trained already" for name in ("dpo", "rpo_1", "rpo_2")]
    other = align_student(tiny_student, earlier, PAIRS, stages(max_steps=1), TUNING, 8, folder)
    assert other[0].checkpoint_id not in {each.checkpoint_id for each in found}


def test_the_reference_is_the_likelihood_of_the_whole_responses(tiny_student: Path, made: Made, tmp_path: Path) -> None:
    import torch
    from transformers import AutoTokenizer

    from synth_assets.tuning.adapters import load_adapted
    from synth_assets.tuning.pairs import encode_pair
    from synth_assets.tuning.preference_objective import add_reference

    folder, earlier = made
    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    pairs = [encode_pair(tokenizer, each) for each in PAIRS[:5]]
    adapter, file = folder / earlier.checkpoint_id, tmp_path / "reference.json"
    found = add_reference(pairs, tiny_student, adapter, 0, 2, file)
    model = load_adapted(tiny_student, adapter).eval()
    for each in found:
        for example, said in ((each.chosen, each.chosen_reference), (each.rejected, each.rejected_reference)):
            with torch.no_grad():
                logprobs = model(torch.tensor([example.token_ids])).logits[0].log_softmax(-1)
            by_hand = sum(
                float(logprobs[place - 1, token]) for place, token in enumerate(example.labels) if token >= 0
            )  # fmt: skip
            assert said == pytest.approx(by_hand, rel=0.02)  # bfloat16, where the CPU has it
    kept = file.read_bytes()
    file.write_text(json.dumps([float(n) for n in range(10)]))
    assert add_reference(pairs, tiny_student, adapter, 0, 2, file)[1].chosen_reference == 2.0, (
        "what is kept is not made again"
    )
    file.unlink()
    add_reference(pairs, tiny_student, adapter, 0, 2, file)
    assert file.read_bytes() == kept


def test_accumulated_parts_make_the_update_of_the_whole_batch(tiny_student: Path, made: Made) -> None:
    import torch
    from safetensors.torch import load_file

    folder, earlier = made
    wholes, parts = (
        align_student(
            tiny_student, earlier, PAIRS, stages(max_steps=5, batch_size=size, gradient_accumulation=times, sft_weight=0.1),
            TUNING, 7, folder,
        )[0]
        for size, times in ((10, 1), (2, 5))
    )  # fmt: skip
    assert wholes.checkpoint_id != parts.checkpoint_id
    curves = [curve(folder, each, "loss") for each in (wholes, parts)]  # 24 pairs: the third step has but four
    assert curves[0] == pytest.approx(curves[1], rel=0.03)
    weights = [load_file(folder / each.adapter_path / "adapter_model.safetensors") for each in (wholes, parts)]
    for name, part in weights[0].items():
        assert torch.cosine_similarity(part.flatten(), weights[1][name].flatten(), dim=0) > 0.99, name


def test_the_adapters_dropout_is_off(tiny_student: Path, made: Made, tmp_path: Path) -> None:
    folder, earlier = made
    found = []
    for dropout in (0.0, 0.9):
        place = tmp_path / str(dropout)
        adapter = Path(shutil.copytree(folder / earlier.checkpoint_id, place / earlier.checkpoint_id))
        said = json.loads((adapter / "adapter_config.json").read_text())
        (adapter / "adapter_config.json").write_text(json.dumps(said | {"lora_dropout": dropout}))
        found += align_student(tiny_student, earlier, PAIRS, stages(max_steps=3), TUNING, 7, place)
    assert found[0].adapter_sha256 == found[1].adapter_sha256


def test_candidates_are_kept_and_the_best_is_gone_on_from(tiny_student: Path, made: Made) -> None:
    folder, earlier = made
    choice = CheckpointChoice(by="benchmark", num_candidates=2, benchmark="somewhere")
    tuning = TUNING.model_copy(update={"checkpoint_choice": choice})
    scores = iter([0.9, 0.1, 0.3, 0.4])
    found = align_student(
        tiny_student, earlier, PAIRS, stages(max_steps=4, iterations=2), tuning, 7, folder,
        score_adapter=lambda adapter: next(scores),
    )  # fmt: skip
    assert [(each.phase, each.num_steps, each.is_chosen) for each in found] == [
        ("dpo_1", 2, True), ("dpo_1", 4, False), ("dpo_2", 2, False), ("dpo_2", 4, True)
    ]  # fmt: skip
    last = align_student(tiny_student, earlier, PAIRS, stages(max_steps=4), TUNING, 7, folder)
    assert last[0].adapter_sha256 == found[1].adapter_sha256, "keeping candidates changes no weight"


def _run(student: Path, folder: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(student), str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_an_alignment_that_was_killed_goes_on_and_ends_with_the_same_bytes(tiny_student: Path, tmp_path: Path) -> None:
    undisturbed, errors = _run(tiny_student, tmp_path / "one").communicate()
    ends = [line for line in undisturbed.splitlines() if line.startswith("sha256 ")]
    assert len(ends) == 3, errors
    killed = _run(tiny_student, tmp_path / "two")
    assert killed.stdout
    for line in killed.stdout:
        if line.startswith("phase rpo_1: step 8 of 12"):
            killed.send_signal(signal.SIGKILL)
            break
    killed.communicate()
    assert killed.returncode == -9
    (reference,) = (tmp_path / "two").glob("*.work/reference.json")
    assert len(json.loads(reference.read_text())) == 2 * len(PAIRS)
    resumed, errors = _run(tiny_student, tmp_path / "two").communicate()
    assert resumed.splitlines()[0] == "phase dpo: trained already", errors
    assert "phase rpo_1: going on from step 5" in resumed and "phase rpo_1: what the reference" not in resumed
    assert not list((tmp_path / "two").glob("*.work"))
    assert [line for line in resumed.splitlines() if line.startswith("sha256 ")] == ends


@pytest.mark.parametrize(
    ("pairs", "tuning", "said", "expected"),
    [
        ([], {}, {}, "no preference pair"),
        (PAIRS, {"privacy": PrivacyBudget(epsilon=8.0, delta=1e-3)}, {}, "no privacy budget"),
        ([pair(1, margin=None), pair(2, margin=-1.0)], {}, {"loss": "rpo", "eta": 1.0}, "gap above 0"),
        ([pair(1, prompt=json.dumps([{"role": "user", "content": "book " * 600}]))], {}, {}, "fits 512 tokens"),
        (PAIRS, {}, {"learning_rate": 1e30}, "alignment.stages, dpo: learning_rate"),
    ],
)
def test_what_cannot_be_aligned_is_told(
    tiny_student: Path, made: Made, pairs: list[PreferencePair], tuning: dict[str, Any], said: dict[str, Any], expected: str
) -> None:
    folder, earlier = made
    settings: TuningSection = TUNING.model_copy(update=tuning)
    with pytest.raises(TuningError, match=expected):
        align_student(tiny_student, earlier, pairs, stages(**said), settings, 7, folder)


def test_a_start_that_is_not_there_or_not_this_students_is_refused(tiny_student: Path, made: Made, tmp_path: Path) -> None:
    folder, earlier = made
    with pytest.raises(TuningError, match="another student"):
        align_student(tiny_student, replace(earlier, student="other"), PAIRS, stages(), TUNING, 7, folder)
    with pytest.raises(TuningError, match="is not there"):
        align_student(tiny_student, earlier, PAIRS, stages(), TUNING, 7, tmp_path)


def test_pairs_that_a_stage_cannot_take_are_left_out_and_told(tiny_student: Path, made: Made) -> None:
    folder, earlier = made
    pairs = [*PAIRS[:8], pair(90, margin=None), pair(91, margin=-2.0), pair(92, chosen="book " * 600)]
    tuning, lines = TUNING.model_copy(update={"validation_share": 0.0}), list[str]()
    (found,) = align_student(
        tiny_student, earlier, pairs, stages(loss="rpo", eta=1.0, max_steps=1), tuning, 7, folder,
        lambda text, _: lines.append(text),
    )  # fmt: skip
    assert found.num_examples == 8 and found.validation_loss is None
    assert lines[:2] == [
        "phase dpo: 2 pairs without a reward gap above 0 are left out",
        "phase dpo: 1 pairs are longer than 512 tokens and left out",
    ]
