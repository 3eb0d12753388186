"""Membership attacks: known AUCs are found, easy leaves are no membership, intervals hold, a student over-trained shows."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from synth_assets.quality.estimates import hold
from synth_assets.quality.privacy.membership import (
    AUC,
    CONTROL,
    TPR,
    RowLikelihoods,
    attack_student,
    calibrated_loss,
    membership_estimates,
    min_k_logprob,
    true_positive_rate,
    within_leaf_auc,
)
from synth_assets.roles import TokenLogprobs


def planted(shift: float, seed: int, num_leaves: int = 20, per_leaf: int = 30, leaf_sd: float = 0.0):  # type: ignore[no-untyped-def]
    """Members' scores N(shift, 1), others' N(0, 1), around a mean of each leaf; twice as many members."""
    rng = np.random.default_rng(seed)
    members, others, member_leaves, other_leaves = [], [], [], []
    for number in range(num_leaves):
        centre = rng.normal(0, leaf_sd) if leaf_sd else 0.0
        members.append(rng.normal(centre + shift, 1, 2 * per_leaf))
        others.append(rng.normal(centre, 1, per_leaf))
        member_leaves += [f"leaf{number}"] * 2 * per_leaf
        other_leaves += [f"leaf{number}"] * per_leaf
    return np.concatenate(members), member_leaves, np.concatenate(others), other_leaves


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_a_known_auc_is_found_with_leaves_of_any_ease(shift: float) -> None:
    known = NormalDist().cdf(shift / math.sqrt(2))
    for leaf_sd in (0.0, 5.0):
        auc, tpr = membership_estimates("planted", *planted(shift, 1, leaf_sd=leaf_sd), num_draws=200)
        assert (auc.measure, tpr.measure, auc.subject) == (AUC, TPR, "planted")
        assert auc.value == pytest.approx(known, abs=0.03) and auc.ci_low and auc.ci_high
        assert auc.ci_low < auc.value < auc.ci_high and auc.ci_high - auc.ci_low < 0.1
        expected = 1 - NormalDist().cdf(NormalDist().inv_cdf(0.99) - shift)
        assert tpr.value == pytest.approx(expected, abs=0.05) and (auc.num_reference, auc.num_synthetic) == (600, 1200)
        assert auc.bound == auc.ci_low and tpr.bound == tpr.ci_low


def test_leaves_that_differ_are_not_membership() -> None:
    """Members mostly of an easy leaf, others mostly of a hard one: pooled that would be an AUC near 0.9."""
    rng = np.random.default_rng(3)
    members = np.concatenate([rng.normal(4, 1, 380), rng.normal(0, 1, 20)])
    others = np.concatenate([rng.normal(4, 1, 20), rng.normal(0, 1, 380)])
    leaves = ["easy"] * 380 + ["hard"] * 20, ["easy"] * 20 + ["hard"] * 380
    assert within_leaf_auc([(members, others)]) > 0.9
    auc, tpr = membership_estimates("planted", members, leaves[0], others, leaves[1], num_draws=200)
    assert auc.ci_low is not None and auc.ci_high is not None and auc.ci_low < 0.5 < auc.ci_high and tpr.value < 0.05


def test_the_interval_holds_the_truth() -> None:
    known, held, alarms = NormalDist().cdf(0.3 / math.sqrt(2)), 0, 0
    for seed in range(60):
        auc = membership_estimates("planted", *planted(0.3, seed, 4, 40), num_draws=100)[0]
        held += (auc.ci_low or 1) <= known <= (auc.ci_high or 0)
        clean = membership_estimates("planted", *planted(0.0, 100 + seed, 4, 40), num_draws=100)[0]
        alarms += hold(clean, "student_report", 0.6, "at_most", "warn").verdict == "failed"
    assert held >= 53 and alarms == 0  # 95 % of 60 are 57


def test_auc_and_tpr_by_hand() -> None:
    leaf = (np.array([3.0, 1.0]), np.array([1.0, 0.0, 2.0, 2.0]))
    assert within_leaf_auc([leaf]) == (4 + 1.5) / 8
    heavy = (np.zeros(6), np.ones(12))  # AUC 0, weight 6 x 12 / 18 = 4 against 2 x 4 / 6
    assert within_leaf_auc([leaf, heavy]) == pytest.approx((4 / 3) * (5.5 / 8) / (4 / 3 + 4))
    others = np.arange(200.0)
    assert true_positive_rate([(np.array([197.0, 197.5, 500.0, 0.0]), others)]) == 0.5  # two of 200 may lie above
    assert true_positive_rate([(np.full(5, 7.0), np.full(300, 7.0))]) == 0.0  # a tie is no certainty


def row(student: list[float], base: list[float], leaf: str = "a") -> RowLikelihoods:
    ids = tuple(range(len(student)))
    return RowLikelihoods(leaf, TokenLogprobs(ids, tuple(student)), TokenLogprobs(ids, tuple(base)))


def test_the_scores_of_a_row() -> None:
    assert calibrated_loss(row([-1.0, -2.0], [-3.0, -4.0])) == 2.0
    assert min_k_logprob(row([-1.0] * 8 + [-5.0, -7.0], [0.0] * 10)) == -6.0
    assert min_k_logprob(row([-1.0, -3.0], [0.0] * 2)) == -3.0  # of two tokens one, though a fifth is none


def test_too_few_rows_and_no_numbers_are_no_pass() -> None:
    rng = np.random.default_rng(0)
    rows = [row(list(rng.normal(-1, 0.1, 6)), [-1.0] * 6) for _ in range(150)]
    found = attack_student(rows, rows[:99], num_draws=50)
    assert [(each.measure, each.subject) for each in found] == [
        *((measure, name) for name in ("calibrated_loss", "min_k") for measure in (AUC, TPR)),
        (CONTROL, "base_min_k"),
    ]
    assert {each.verdict for each in found} == {"insufficient_reference"}
    assert {each.verdict for each in attack_student([], [], num_draws=50)} == {"insufficient_reference"}
    elsewhere = [row([-1.0], [-1.0], "b")] * 100  # of a leaf without members
    assert {each.verdict for each in attack_student(rows, rows[:99] + elsewhere, num_draws=50)} == {"insufficient_reference"}
    assert {each.verdict for each in attack_student(rows, rows[:100], num_draws=50)} == {None}
    broken = attack_student([*rows, row([math.nan], [math.nan])], rows, num_draws=50)
    assert {hold(each, "student_report", 0.6, "at_most", "warn").verdict for each in broken} == {"not_computable"}


def test_the_control_tells_rows_that_differ_in_something_else() -> None:
    rng = np.random.default_rng(0)

    def rows(ease: float) -> list[RowLikelihoods]:
        base = rng.normal(-2 + ease, 0.5, (150, 6))
        return [row([float(each) for each in line], [float(each) for each in line]) for line in base]

    *_, alike = attack_student(rows(0.0), rows(0.0), num_draws=100)
    *_, unlike = attack_student(rows(0.3), rows(0.0), num_draws=100)
    assert (alike.measure, alike.bound) == (CONTROL, 0.0) and unlike.value > 0.7
    assert hold(alike, "student_report", 0.05, "at_most", "warn").verdict == "passed"
    assert hold(unlike, "student_report", 0.05, "at_most", "warn").verdict == "failed"


def test_the_same_again() -> None:
    scores = planted(0.2, 5)
    assert membership_estimates("a", *scores, num_draws=100) == membership_estimates("a", *scores, num_draws=100)
    assert membership_estimates("a", *scores, num_draws=100, seed=1) != membership_estimates("a", *scores, num_draws=100)


@pytest.mark.slow
def test_a_student_that_has_learned_by_heart_is_caught(tmp_path: Path) -> None:
    """Answers are random, so that only memory can know them."""
    from random import Random

    from synth_assets.inference import open_likelihood_model
    from synth_assets.recipe import ModelSpec, PhaseSpec, PhaseTake, read_recipe
    from synth_assets.records import BRANCHES, TrainingExample
    from synth_assets.roles import Message
    from synth_assets.tuning import merge_adapter, tune_student

    student = Path(__file__).parents[3] / "data/models/student_base"
    rng = Random(4)
    words = "apple river house city green seven garden table".split()
    pairs = [(" ".join(rng.choices(words, k=4)), " ".join(rng.choices(words, k=2))) for n in range(80)]
    leaves = ["skills/a" if n % 3 else "skills/b" for n in range(80)]
    rows = [TrainingExample(str(n), None, leaves[n], "train", "stacked", "synthetic", n, *pairs[n]) for n in range(0, 80, 2)]
    takes = tuple(PhaseTake(branch=branch) for branch in BRANCHES)
    tuning = read_recipe(Path(__file__).parents[3] / "data/recipes/embedded.yaml").tuning
    spec = ModelSpec(path=str(student), engine="transformers", dtype="float32", max_model_len=512)
    found = {}
    for epochs in (1, 20):
        phase = PhaseSpec(name="all", takes=takes, num_epochs=epochs)
        settings = tuning.model_copy(update={"phases": (phase,), "lr_schedule": "constant", "checkpoint_every": 1000})
        (checkpoint,) = tune_student(student, rows, settings, 7, tmp_path)
        merged = merge_adapter(student, tmp_path / checkpoint.adapter_path, tmp_path / f"merged{epochs}")
        asked = [(Message("user", prompt), Message("assistant", response)) for prompt, response in pairs]
        likelihoods = []
        for folder in (merged, student):
            with open_likelihood_model(spec, folder) as model:
                likelihoods.append([each for each in model.token_logprobs(asked) if not isinstance(each, str)])
        all_rows = [RowLikelihoods(*each) for each in zip(leaves, *likelihoods, strict=True)]
        found[epochs] = attack_student(all_rows[::2], all_rows[1::2], num_draws=200, least=30)
    once, often = ({each.subject: each for each in found[epochs] if each.measure == AUC} for epochs in (1, 20))
    for attack in ("calibrated_loss", "min_k"):
        assert hold(often[attack], "student_report", 0.6, "at_most", "warn").verdict == "failed"
        assert hold(once[attack], "student_report", 0.6, "at_most", "warn").verdict == "passed"
        assert often[attack].value > max(0.8, once[attack].value + 0.15)
