"""Private training for real, on a tiny random student: what is cut, noised, counted, moved, and gone on with."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from train_in_process import SETTINGS, examples, phases

from synth_assets.errors import TuningError
from synth_assets.recipe import CheckpointChoice, PrivacyBudget, TuningSection
from synth_assets.tuning import tune_student
from synth_assets.tuning.encoding import EncodedExample, encode_conversation, pad_batch
from synth_assets.tuning.private import (
    NoisePlan,
    PrivateGradients,
    draw_batches,
    plan_noise,
    row_losses,
    secret_of,
    spent_epsilon,
)

BUDGET = PrivacyBudget(epsilon=8.0, delta=1e-3, max_grad_norm=1.0)
PRIVATE = SETTINGS.model_copy(
    update={"privacy": BUDGET, "upsample": False, "replay_share": 0.0, "lora_dropout": 0.0, "phases": phases(12)}
)


class Killed(Exception):
    """A training that is broken off between two steps."""


def _broken_off_at(step: int) -> Any:
    def report(line: str, share: float | None) -> None:
        if line.startswith(f"step {step} "):
            raise Killed

    return report


def test_epsilon_grows_with_steps_and_keeps_to_the_budget() -> None:
    plans = [plan_noise(BUDGET, 900, 16, steps) for steps in (10, 100, 1000)]
    assert all(7.9 <= plan.epsilon <= 8.0 for plan in plans)
    assert plans[0].noise_multiplier < plans[1].noise_multiplier < plans[2].noise_multiplier
    spent = [spent_epsilon(1.0, 16 / 900, steps, 1e-3) for steps in (1, 10, 100, 1000)]
    assert 0 < spent[0] < spent[1] < spent[2] < spent[3] < 100
    assert plan_noise(BUDGET, 10, 16, 5).sample_rate == 1.0
    tight = plan_noise(PrivacyBudget(epsilon=0.5, delta=1e-5), 900, 16, 100)
    assert 0.494 < tight.epsilon <= 0.5
    with pytest.raises(TuningError, match=r"within epsilon 0\.1"):
        plan_noise(PrivacyBudget(epsilon=0.1, delta=1e-5), 900, 16, 100)


def test_a_known_epsilon_is_found() -> None:
    """One step without sampling is the Gaussian mechanism: Renyi epsilon alpha / (2 s^2), converted to (epsilon, delta)."""
    from math import log, log1p

    alphas = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))
    by_hand = min(a / (2 * 2.0**2) + log1p(-1 / a) - (log(1e-5) + log(a)) / (a - 1) for a in alphas)
    assert spent_epsilon(2.0, 1.0, 1, 1e-5) == pytest.approx(by_hand, rel=1e-6)


def test_a_delta_that_gives_a_row_away_is_refused() -> None:
    with pytest.raises(TuningError, match="publish one of 1000 rows"):
        plan_noise(BUDGET, 1000, 16, 10)


def test_rows_are_drawn_each_by_itself_and_by_the_secret_alone() -> None:
    batches = draw_batches(50, 0.1, 4000, b"one")
    assert batches == draw_batches(50, 0.1, 4000, b"one") != draw_batches(50, 0.1, 4000, b"two")
    sizes = [len(batch) for batch in batches]
    mean = sum(sizes) / len(sizes)
    variance = sum((size - mean) ** 2 for size in sizes) / len(sizes)
    assert mean == pytest.approx(5, abs=0.15) and variance == pytest.approx(50 * 0.1 * 0.9, rel=0.1)
    assert 0 in sizes and all(batch == sorted(set(batch)) for batch in batches)


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "noise.key.new").write_bytes(b"torn")
    secret = secret_of(tmp_path)
    assert len(secret) == 32 and secret_of(tmp_path) == secret
    assert (tmp_path / "noise.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "noise.key").unlink()
    assert secret_of(tmp_path) != secret


@pytest.fixture
def rows(tiny_student: Path) -> list[EncodedExample]:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    pairs = [("Name a city", "Berlin"), ("Sort", "apple, book, city, house and tree"), ("Yes?", "no")]
    return [encode_conversation(tokenizer, *pair) for pair in pairs]


@pytest.fixture
def model(tiny_student: Path) -> Iterator[Any]:
    import torch

    from synth_assets.tuning.adapters import open_adapter

    torch.manual_seed(1)
    opened = open_adapter(tiny_student, PRIVATE, None)
    for name, part in opened.named_parameters():
        if "lora_B" in name:  # zero at first, and A then has no gradient
            torch.nn.init.normal_(part, std=0.05)
    yield opened.train()


def _by_hand(model: Any, row: EncodedExample) -> list[Any]:
    import torch

    trained = [part for part in model.parameters() if part.requires_grad]
    return list(torch.autograd.grad(row_losses(model, dict(pad_batch([row], 0))).sum(), trained))


def _norm(gradients: list[Any]) -> float:
    return float(sum(part.square().sum() for part in gradients) ** 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1e-3, 0.3, 1e4])
def test_each_row_gradient_is_cut_before_they_are_summed(model: Any, rows: list[EncodedExample], limit: float) -> None:
    import torch

    expected = None
    for row in rows:
        gradients = _by_hand(model, row)
        assert 1e-3 < _norm(gradients) < 1e4
        cut = [part * min(1.0, limit / _norm(gradients)) for part in gradients]
        expected = cut if expected is None else [a + b for a, b in zip(expected, cut, strict=True)]
    budget = PrivacyBudget(epsilon=8.0, delta=1e-3, max_grad_norm=limit)
    private = PrivateGradients(model, NoisePlan(0.0, 0.5, 8.0), budget, 4, b"secret")
    loss = private.compute([dict(pad_batch(rows[:2], 0)), dict(pad_batch(rows[2:], 0))], 0)
    found = [part.grad for part in model.parameters() if part.requires_grad]
    assert expected
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other / (0.5 * 4), rtol=1e-3, atol=1e-6 * limit)
    if limit == 1e-3:
        assert _norm(found) * 2 <= 3 * limit * 1.001
    assert loss == pytest.approx(sum(float(row_losses(model, dict(pad_batch([row], 0)))) for row in rows) / 3, rel=1e-4)


@pytest.mark.slow
def test_noise_has_the_planned_size_and_an_empty_batch_is_noise_alone(model: Any) -> None:
    import torch

    private = PrivateGradients(model, NoisePlan(3.0, 0.5, 8.0), BUDGET.model_copy(update={"max_grad_norm": 2.0}), 8, b"s")
    found = []
    for step in (0, 1, 0):
        assert private.compute([], step) != 0  # NaN: there is no loss
        found.append(torch.cat([part.grad.flatten() for part in model.parameters() if part.requires_grad]))
    assert float(found[0].std()) == pytest.approx(3.0 * 2.0 / 4, rel=0.02) and abs(float(found[0].mean())) < 0.05
    assert torch.equal(found[0], found[2]) and not torch.equal(found[0], found[1])
    assert private.accountant.history == [(3.0, 0.5, 3)]
    with pytest.raises(TuningError, match="planned"):
        private.check_spent(2)


@pytest.mark.slow
def test_more_than_the_adapter_is_not_trained(model: Any) -> None:
    model.get_input_embeddings().weight.requires_grad_(True)
    with pytest.raises(TuningError, match="more than the adapter"):
        PrivateGradients(model, NoisePlan(1.0, 0.5, 8.0), BUDGET, 8, b"secret")


@pytest.mark.slow
def test_only_adapter_weights_move_and_the_checkpoint_says_what_was_spent(tiny_student: Path, tmp_path: Path) -> None:
    from synth_assets.tuning.adapters import load_adapted, load_student

    settings = PRIVATE.model_copy(update={"phases": phases(6), "gradient_accumulation": 2})
    (checkpoint,) = tune_student(tiny_student, examples(), settings, 7, tmp_path)
    plan = plan_noise(BUDGET, 36, 8, 6)
    assert checkpoint.epsilon == plan.epsilon and 7.9 <= plan.epsilon <= 8.0 and checkpoint.delta == 1e-3
    before = dict(load_student(tiny_student).named_parameters())
    moved = 0.0
    for name, part in load_adapted(tiny_student, tmp_path / checkpoint.adapter_path).named_parameters():
        if "lora_B" in name:
            moved += float(part.abs().sum())
        elif "lora_" not in name:
            assert part.equal(before[name.removeprefix("base_model.model.").replace(".base_layer", "")])
    assert moved > 1
    assert not list(tmp_path.glob("*.work"))  # and the secret with it
    plain = settings.model_copy(update={"privacy": None})
    (other,) = tune_student(tiny_student, examples(), plain, 7, tmp_path)
    assert (other.epsilon, other.delta) == (None, None) and other.checkpoint_id != checkpoint.checkpoint_id
    (again,) = tune_student(tiny_student, examples(), settings, 7, tmp_path)
    assert again == checkpoint


@pytest.mark.slow
def test_a_private_training_that_was_broken_off_ends_with_the_same_bytes(tiny_student: Path, tmp_path: Path) -> None:
    """Its secret decides: so the undisturbed one starts from a copy of the other's folder."""
    with pytest.raises(Killed):
        tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path / "one", _broken_off_at(2))
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with pytest.raises(Killed):
        tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path / "one", _broken_off_at(9))
    lines: list[str] = []
    (resumed,) = tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path / "one", lambda line, share: lines.append(line))
    (undisturbed,) = tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path / "two")
    assert lines[0] == "going on from step 5"
    assert resumed == undisturbed and resumed.epsilon
    (other,) = tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path / "three")
    assert other.checkpoint_id == resumed.checkpoint_id and other.adapter_sha256 != resumed.adapter_sha256


@pytest.mark.slow
def test_a_state_with_other_steps_is_not_taken_for_the_planned_ones(tiny_student: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path, _broken_off_at(9))
    (file,) = tmp_path.glob("*.work/checkpoint-5/accountant.json")
    file.write_text(file.read_text().replace(", 5]]", ", 3]]"))
    with pytest.raises(TuningError, match="planned ones"):
        tune_student(tiny_student, examples(), PRIVATE, 7, tmp_path)
    assert not list(tmp_path.glob("*/checkpoint.json"))


@pytest.mark.slow
def test_phases_share_no_row_and_so_the_largest_budget_counts(tiny_student: Path, tmp_path: Path) -> None:
    settings = PRIVATE.model_copy(update={"strategy": "phased", "phases": phases(3, 4)})
    first, second = tune_student(tiny_student, examples(names=("a", "b")), settings, 7, tmp_path)
    of_each = [plan_noise(BUDGET, num_rows, 4, steps).epsilon for num_rows, steps in ((16, 3), (20, 4))]
    assert (first.epsilon, second.epsilon) == (of_each[0], max(of_each))


@pytest.mark.slow
def test_candidates_of_two_noises_are_never_mixed(tiny_student: Path, tmp_path: Path) -> None:
    choice = CheckpointChoice(by="benchmark", num_candidates=2, benchmark="data/selection")
    settings = PRIVATE.model_copy(update={"phases": phases(4), "checkpoint_choice": choice})
    score = {"score_adapter": lambda folder: 0.0}
    early, late = tune_student(tiny_student, examples(), settings, 7, tmp_path, **score)  # type: ignore[arg-type]
    assert early.is_chosen and early.epsilon == late.epsilon  # the choice has seen the later one as well
    shutil.rmtree(tmp_path / late.adapter_path)
    again = tune_student(tiny_student, examples(), settings, 7, tmp_path, **score)  # type: ignore[arg-type]
    assert [each.checkpoint_id for each in again] == [early.checkpoint_id, late.checkpoint_id]
    assert all(one.adapter_sha256 != other.adapter_sha256 for one, other in zip(again, (early, late), strict=True))


def test_what_cannot_be_accounted_for_is_refused() -> None:
    said = SETTINGS.model_dump() | {"strategy": "phased", "privacy": BUDGET.model_dump(), "replay_share": 0.0}
    assert TuningSection.model_validate(said, strict=False).privacy == BUDGET
    two = [spec.model_dump() for spec in phases(2, 2)]
    replaying = [two[0], two[1] | {"replay_share": 0.2}]
    for change, words in [
        ({"packing": True}, "packing"),
        ({"replay_share": 0.3, "upsample": True}, "upsample"),
        ({"phases": two, "replay_share": 0.3, "upsample": False}, "replay_share"),
        ({"phases": replaying}, "replay_share"),
    ]:
        with pytest.raises(ValueError, match=words):
            TuningSection.model_validate(said | change, strict=False)
    stacked = said | {"strategy": "stacked", "phases": replaying, "replay_share": 0.3, "upsample": False}
    assert TuningSection.model_validate(stacked, strict=False).privacy == BUDGET


def test_a_row_more_is_another_training(tiny_student: Path, tmp_path: Path) -> None:
    """The budget stands in the name of the adapter: another budget is no find."""
    settings = PRIVATE.model_copy(update={"phases": phases(1)})
    wider = settings.model_copy(update={"privacy": BUDGET.model_copy(update={"epsilon": 9.0})})
    (one,), (other,) = (tune_student(tiny_student, examples(12), each, 7, tmp_path) for each in (settings, wider))
    assert one.checkpoint_id != other.checkpoint_id and replace(one, epsilon=None) != replace(other, epsilon=None)
