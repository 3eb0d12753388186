"""Canaries: exposure by hand, the control's distribution, the shadow's mix, and a student that has remembered."""

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest

from synth_assets.quality import hold_all
from synth_assets.quality.estimates import hold
from synth_assets.quality.privacy.canaries import (
    CANARY_LEAF,
    NUM_NUMBERS,
    Canary,
    default_sentences,
    exposure,
    insert_canaries,
    make_canaries,
    measure_exposure,
    shadow_settings,
)
from synth_assets.recipe import ModelSpec, TrustSection, TuningSection, read_recipe
from synth_assets.records import TrainingExample

ROOT = Path(__file__).parents[3]


def tuning() -> TuningSection:
    return read_recipe(ROOT / "data/recipes/embedded.yaml").tuning


def mix(count: int = 50) -> list[TrainingExample]:
    return [
        TrainingExample(str(n), f"s{n}", "skills/a", "validation" if n % 10 == 0 else "train", "skills", "synthetic", n,
                        f"Repeat book {n}", f"book {n}")
        for n in range(count)
    ]  # fmt: skip


def test_exposure_by_hand() -> None:
    losses = np.arange(NUM_NUMBERS, dtype=np.float64)
    assert exposure(losses, 0) == math.log2(NUM_NUMBERS) == pytest.approx(13.29, abs=0.01)
    assert exposure(losses, 1) == pytest.approx(math.log2(NUM_NUMBERS) - 1)
    assert exposure(losses, NUM_NUMBERS - 1) == 0
    assert exposure([1.0] * 5, 2, num_numbers=5) == pytest.approx(math.log2(5 / 3))  # ties: the middle rank
    assert exposure(losses[:1000], 0) == math.log2(NUM_NUMBERS)
    assert exposure(losses[:1000], 1) == pytest.approx(math.log2(NUM_NUMBERS / (1 + 9999 / 999)))
    assert math.isnan(exposure([1.0, math.nan], 0))
    with pytest.raises(ValueError, match="beside the true one"):
        exposure([1.0], 0)


def test_a_sample_extrapolates_without_bias() -> None:
    rng = np.random.default_rng(2)
    losses = rng.normal(size=NUM_NUMBERS)
    true = int(np.argsort(losses)[99])  # rank 100
    others = np.delete(losses, true)
    ranks = []
    for _ in range(300):
        sample = np.concatenate([losses[[true]], rng.choice(others, 999, replace=False)])
        ranks.append(NUM_NUMBERS / 2 ** exposure(sample, 0))
    assert float(np.mean(ranks)) == pytest.approx(100, rel=0.05)


def test_without_memory_exposure_is_that_of_chance() -> None:
    rng = np.random.default_rng(1)
    bits = [exposure(rng.normal(size=1000), 0, num_numbers=1000) for _ in range(3000)]
    assert float(np.mean(bits)) == pytest.approx(math.log2(math.e), abs=0.08)
    assert float(np.mean(np.array(bits) > 5)) == pytest.approx(2**-5, abs=0.01)


def test_canaries_are_the_seed_s_and_dealt_out_evenly() -> None:
    canaries = make_canaries(3)
    assert canaries == make_canaries(3) != make_canaries(4)
    assert [sum(each.repetitions == n for each in canaries) for n in (0, 1, 4, 16)] == [8] * 4
    assert len({each.canary_id for each in canaries}) == len({each.prompt for each in canaries}) == 32
    assert all(0 <= each.number < NUM_NUMBERS for each in canaries) and len({each.number for each in canaries}) > 28
    first = canaries[0]
    assert f" {first.number:04d} " in first.answer_with(first.number) and " 0007 " in first.answer_with(7)
    numbers = [make_canaries(seed)[0].number for seed in range(300)]
    assert 4000 < float(np.mean(numbers)) < 6000
    with pytest.raises(ValueError, match="place"):
        make_canaries(1, [("Which?", "It is a secret.")])
    with pytest.raises(ValueError, match="twice"):
        make_canaries(1, [default_sentences()[0]] * 2)


def test_the_shadow_s_mix_has_all_rows_and_the_canaries_among_them() -> None:
    canaries = make_canaries(3)
    examples = insert_canaries(mix(), canaries, 3)
    assert examples == insert_canaries(mix(), canaries, 3) != insert_canaries(mix(), canaries, 4)
    planted = [row for row in examples if row.leaf_path == CANARY_LEAF]
    assert len(planted) == 8 * (1 + 4 + 16) and {row.split for row in planted} == {"train"}
    for canary in canaries:
        assert sum(row.response == canary.answer_with(canary.number) for row in planted) == canary.repetitions
    assert [row.prompt for row in examples if row.leaf_path != CANARY_LEAF] == [row.prompt for row in mix()]
    assert [row.position for row in examples] == list(range(218))
    assert len({row.training_example_id for row in examples}) == 218
    places = [row.position for row in planted]
    assert min(places) < 20 and max(places) > 198
    settings = shadow_settings(tuning(), 12)
    assert [(each.name, each.max_steps) for each in settings.phases_to_run] == [(examples[0].phase, 12)]
    assert TuningSection.model_validate(settings.model_dump(), strict=False) == settings


def test_what_cannot_be_read_is_no_pass(tiny_student: Path) -> None:
    from synth_assets.inference import open_likelihood_model

    spec = ModelSpec(path=str(tiny_student), engine="transformers", dtype="float32", max_model_len=64)
    canaries = [Canary("a", "apple " * 100, "It is {number}.", 7, 1), Canary("b", "Which?", "It is {number}.", 7, 0)]
    with open_likelihood_model(spec) as model:
        control, unreadable = measure_exposure(model, canaries, seed=1, num_candidates=20)
    assert (control.subject, unreadable.subject) == ("0 repetitions", "1 repetition")
    assert (control.measure, unreadable.measure) == ("canary_exposure_control", "canary_exposure")
    assert hold(unreadable, "student_report", 5.0, "at_most", "warn").verdict == "not_computable"
    assert math.isfinite(control.value) and control.ci_low is None and "20 of 10000" in control.words


@pytest.mark.slow
def test_a_shadow_that_has_remembered_is_exposed(tiny_student: Path, tmp_path: Path) -> None:
    from synth_assets.inference import open_likelihood_model
    from synth_assets.tuning import merge_adapter, tune_student

    words = "apple river house city green seven garden table".split()
    sentences = [(" ".join(Random(f"canary {n}").choices(words, k=4)), "{number}") for n in range(6)]
    canaries = make_canaries(5, sentences, repetitions=(0, 16))
    settings = shadow_settings(
        tuning().model_copy(update={"learning_rate": 1e-2, "lr_schedule": "constant", "checkpoint_every": 1000}), 120
    )
    (shadow,) = tune_student(tiny_student, insert_canaries(mix(20), canaries, 5), settings, 5, tmp_path)
    merged = merge_adapter(tiny_student, tmp_path / shadow.adapter_path, tmp_path / "merged")
    spec = ModelSpec(path=str(tiny_student), engine="transformers", dtype="float32", max_model_len=512)
    with open_likelihood_model(spec, merged) as model:
        control, often = measure_exposure(model, canaries, seed=5, num_candidates=200)
    assert (control.num_synthetic, often.num_synthetic) == (3, 3)
    assert often.value > 9 and often.value > control.value + 4 and often.measure == "canary_exposure_repeated"
    shown = {each.measure: each for each in hold_all("student_report", [control, often], TrustSection())}
    assert {shown[each.measure].severity for each in (control, often)} == {"info"}, "the gate is on what stood once"
    assert shown["canary_exposure"].verdict == "not_computable"
