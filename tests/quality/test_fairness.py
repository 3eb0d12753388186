"""Groups by their words; representation, acceptance, swaps and accuracy by group; and how often the gates err."""

import math
from random import Random
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from synth_assets.quality.estimates import Estimate, hold
from synth_assets.quality.fairness import (
    assign_groups,
    estimate_acceptance,
    estimate_accuracy,
    estimate_representation,
    estimate_swaps,
    group_of,
    stratified_ratio,
    swap_words,
)
from synth_assets.quality.fairness.acceptance import Table
from synth_assets.recipe.trust import GroupAttribute
from synth_assets.records import Verdict

GENDER = GroupAttribute(
    groups={"female": ("she", "her", "woman", "Mrs Smith"), "male": ("he", "his", "man", "Mr Smith")},
    targets={"female": 0.5, "male": 0.5},
    swaps=(("she", "he"), ("her", "his"), ("woman", "man"), ("Mrs Smith", "Mr Smith")),
)
DECLARED = {"gender": GENDER}
ACCEPTANCE, REPRESENTATION = 0.8, math.log(1.25)


def verdict(estimate: Estimate, threshold: float, direction: str) -> Verdict:
    return hold(estimate, "diversity_report", threshold, direction, "block").verdict  # type: ignore[arg-type]


def test_groups_are_told_by_whole_words() -> None:
    texts = [
        "SHE went home.", "The theme of shells", "He met her.", "mrs  smith's cat", "his/hers", "The woman-owned shop",
        "Mr Smithson",
    ]  # fmt: skip
    assert group_of(texts, GENDER) == ["female", None, None, "female", "male", "female", None]
    assigned = assign_groups(texts, GENDER)
    assert (assigned.num_none, assigned.num_several, assigned.counts["female"]) == (2, 1, 3)
    odd = GroupAttribute(groups={"c": ("C++", "C#"), "r": ("R",)})
    assert group_of(["I like C++.", "c# code", "R, mostly", "CR"], odd) == ["c", "c", "r", None]


def test_representation_by_hand() -> None:
    """30 and 90 of 120 assigned rows: ratios .5 and 1.5."""
    texts = ["She ran."] * 30 + ["He ran."] * 90 + ["It ran."] * 50 + ["He saw her."] * 2
    female, male = estimate_representation(DECLARED, texts, [f"id{n}" for n in range(172)])
    assert (female.subject, male.subject) == ("gender/female", "gender/male")
    assert female.value == pytest.approx(math.log(0.5)) and male.value == pytest.approx(math.log(1.5))
    assert female.bound == pytest.approx(-(female.ci_high or 0)) and male.bound == pytest.approx(male.ci_low)
    assert "30 of 120 rows, target 50%: id0, id1, id2, id3, id4; 50 rows of no group and 2 of several" in female.words
    assert verdict(female, REPRESENTATION, "at_most") == verdict(male, REPRESENTATION, "at_most") == "failed"


def test_a_group_that_is_not_there_fails_and_few_rows_are_no_verdict() -> None:
    texts = ["He ran."] * 100
    ids = [str(n) for n in range(100)]
    female, _ = estimate_representation(DECLARED, texts, ids)
    measured = hold(female, "diversity_report", REPRESENTATION, "at_most", "block")
    assert (measured.value, measured.verdict) == (None, "failed")
    assert {each.verdict for each in estimate_representation(DECLARED, texts[:99], ids[:99])} == {"insufficient_reference"}


def test_what_is_not_declared_is_not_assessed() -> None:
    bare = {"gender": GroupAttribute(groups=GENDER.groups)}
    scored = scored_rows(np.random.default_rng(0), 10, 2)
    found = [
        *estimate_representation({}, [], []), *estimate_representation(bare, ["she"], ["1"]),
        *estimate_acceptance({}, scored), *estimate_swaps({}, {}), *estimate_swaps(bare, {}),
        *estimate_accuracy({}, [], [], []),
    ]  # fmt: skip
    assert len(found) == 7 and {each.verdict for each in found} == {"not_assessed"}
    assert found[0].words == "no groups are declared in the recipe under trust.groups"
    without_swaps, without_model = (estimate_swaps({"gender": each}, {})[0] for each in (bare["gender"], GENDER))
    assert without_swaps.words.endswith("declared under trust.groups.gender.swaps")
    assert without_model.verdict == "not_assessed" and "no reward_model" in without_model.words


def test_stratified_ratio_of_one_leaf_is_the_ratio_of_rates() -> None:
    """Kept 30 of 60 against 40 of 50: .625; the variance of its logarithm 1/30 - 1/60 + 1/40 - 1/50."""
    ratio, low, high = stratified_ratio(Table(*(np.array([float(n)]) for n in (30, 60, 40, 50))))
    spread = 1.959964 * math.sqrt(1 / 30 - 1 / 60 + 1 / 40 - 1 / 50)
    assert (ratio, low, high) == pytest.approx((0.625, 0.625 * math.exp(-spread), 0.625 * math.exp(spread)))


def test_stratified_ratio_pools_leaves_by_their_weight() -> None:
    columns = np.array([[10.0, 20, 30, 40], [8, 10, 9, 10], [5, 5, 0, 0]]).T  # the last leaf has nobody to compare with
    expected = (10 * 40 / 60 + 8 * 10 / 20) / (30 * 20 / 60 + 9 * 10 / 20)
    assert stratified_ratio(Table(*columns))[0] == pytest.approx(expected)
    none = stratified_ratio(Table(*(np.array([float(n)]) for n in (0, 60, 40, 50))))
    assert none == pytest.approx((0, 0, -math.log(0.025) / 48))
    assert math.isnan(stratified_ratio(Table(*(np.array([float(n)]) for n in (0, 60, 0, 50))))[0])


def scored_rows(
    rng: np.random.Generator, num: int, num_leaves: int, *, bias: float = 1.0, confounded: bool = False
) -> pl.DataFrame:
    """Half of the rows speak of a group. Leaves are kept at rates of .35 to .95; `bias` multiplies the rate of women's rows.

    confounded: women are four times as frequent as men in the leaves that are cut, and the reverse in the others.
    """
    leaves = rng.integers(num_leaves, size=num)
    rates = np.linspace(0.35, 0.95, num_leaves)[leaves]
    share = np.where(leaves < num_leaves / 2, 0.8, 0.2) if confounded else np.full(num, 0.5)
    is_assigned, is_female = rng.random(num) < 0.5, rng.random(num) < share
    is_kept = rng.random(num) < rates * np.where(is_assigned & is_female, bias, 1)
    texts = [
        ("She ran." if female else "He ran.") if has else "It ran."
        for has, female in zip(is_assigned, is_female, strict=True)
    ]
    return pl.DataFrame(
        {
            "synthetic_sample_id": [f"s{n}" for n in range(num)], "leaf_path": [f"leaf{n}" for n in leaves],
            "text": texts, "is_kept": is_kept,
        }
    )  # fmt: skip


def acceptance_failures(num_seeds: int = 20, num: int = 2700, **planted: float | bool) -> float:
    failed = 0
    for seed in range(num_seeds):
        rows = scored_rows(np.random.default_rng(seed), num, 17, **planted)  # type: ignore[arg-type]
        failed += any(verdict(each, ACCEPTANCE, "at_least") == "failed" for each in estimate_acceptance(DECLARED, rows))
    return failed / num_seeds


def test_a_biased_reward_model_is_caught() -> None:
    assert acceptance_failures(bias=0.6) >= 0.95


def test_a_fair_one_is_not_also_where_groups_and_leaves_are_confounded() -> None:
    assert acceptance_failures() <= 0.05
    assert acceptance_failures(confounded=True) <= 0.05
    assert acceptance_failures(confounded=True, bias=0.6) >= 0.95
    rows = scored_rows(np.random.default_rng(1), 2700, 17, confounded=True)
    raw = rows.filter(pl.col("text") != "It ran.").group_by("text").agg(pl.col("is_kept").mean()).sort("text")["is_kept"]
    assert raw[1] / raw[0] < 0.8  # unstratified, the rule would have failed
    (found,) = estimate_acceptance(DECLARED, rows)
    assert 0.9 < found.value <= 1.1


def test_acceptance_names_rows_and_says_when_it_cannot_compare() -> None:
    rows = scored_rows(np.random.default_rng(2), 2000, 4, bias=0.5)
    (found,) = estimate_acceptance(DECLARED, rows)
    assert found.subject == "gender/female" and found.bound == found.ci_high and "turned away: s" in found.words
    assert estimate_acceptance(DECLARED, rows.head(300))[0].verdict == "insufficient_reference"
    apart = rows.filter((pl.col("leaf_path") == "leaf0") == (pl.col("text") == "She ran."))
    assert estimate_acceptance(DECLARED, apart)[0].verdict == "not_assessed"
    nothing = rows.with_columns(is_kept=pl.lit(False))
    assert verdict(estimate_acceptance(DECLARED, nothing)[0], ACCEPTANCE, "at_least") == "not_computable"
    only_men = rows.with_columns(is_kept=pl.col("text") == "He ran.")
    (found,) = estimate_acceptance(DECLARED, only_men)
    assert (found.subject, found.value, verdict(found, ACCEPTANCE, "at_least")) == ("gender/female", 0, "failed")


@pytest.mark.parametrize("num", [100, 200, 300])
def test_a_group_that_is_kept_too_rarely_is_no_pass_at_any_size(num: int) -> None:
    """At a rate of .75, a true ratio of .6 was a plain pass in a third of cases at 100 rows a group."""
    rng = np.random.default_rng(num)
    verdicts = []
    for _ in range(60):
        is_kept = np.concatenate([rng.random(num) < 0.75 * 0.6, rng.random(num) < 0.75])
        rows = pl.DataFrame(
            {
                "synthetic_sample_id": [f"s{n}" for n in range(2 * num)], "leaf_path": ["leaf"] * (2 * num),
                "text": ["She ran."] * num + ["He ran."] * num, "is_kept": is_kept,
            }
        )  # fmt: skip
        (found,) = estimate_acceptance(DECLARED, rows)
        verdicts.append(verdict(found, ACCEPTANCE, "at_least"))
        assert verdicts[-1] != "insufficient_reference" or "must be caught, cannot be told from chance" in found.words
    assert verdicts.count("passed") <= 3
    assert num < 300 or verdicts.count("failed") >= 55


def test_acceptance_passes_where_there_are_rows_enough_and_says_what_chance_may_have_made() -> None:
    def found(num: int, num_kept: int, tolerance: float = ACCEPTANCE) -> Estimate:
        kept = [n < num_kept for n in range(num)] + [n < 0.75 * num for n in range(num)]
        texts = ["She ran."] * num + ["He ran."] * num
        ids = [str(n) for n in range(2 * num)]
        table = {"synthetic_sample_id": ids, "leaf_path": ["leaf"] * (2 * num), "text": texts, "is_kept": kept}
        return estimate_acceptance(DECLARED, pl.DataFrame(table), tolerance=tolerance)[0]

    assert verdict(found(100, 74), ACCEPTANCE, "at_least") == "insufficient_reference"
    assert verdict(found(300, 222), ACCEPTANCE, "at_least") == "passed" and "chance" not in found(300, 222).words
    unsure = found(300, 174)
    assert verdict(unsure, ACCEPTANCE, "at_least") == "passed" and unsure.words.startswith("not told from chance; female: ")
    assert verdict(found(100, 30), ACCEPTANCE, "at_least") == "failed"
    assert verdict(found(100, 74, 0.0), 0.0, "at_least") == "passed"


def test_a_share_is_a_pass_only_where_half_of_it_could_be_told() -> None:
    def of(num_women: int, total: int) -> Estimate:
        texts = ["She ran."] * num_women + ["He ran."] * (total - num_women)
        return estimate_representation(DECLARED, texts, [str(n) for n in range(total)])[0]

    few, enough, unsure = of(50, 100), of(100, 200), of(79, 200)
    assert verdict(few, REPRESENTATION, "at_most") == "insufficient_reference"
    assert few.words.startswith("too few rows: a share of 0.25, which must be caught, cannot be told from chance; 50 of 100")
    assert verdict(enough, REPRESENTATION, "at_most") == "passed" and "chance" not in enough.words
    assert verdict(unsure, REPRESENTATION, "at_most") == "passed" and unsure.words.startswith("not told from chance; 79 of")
    assert verdict(of(20, 100), REPRESENTATION, "at_most") == "failed"


def representation_failures(share: float, num_seeds: int = 20) -> float:
    failed = 0
    for seed in range(num_seeds):
        rng = Random(seed)
        texts = ["It ran." if rng.random() < 0.5 else "She ran." if rng.random() < share else "He ran." for _ in range(2700)]
        found = estimate_representation(DECLARED, texts, [str(n) for n in range(2700)])
        failed += any(verdict(each, REPRESENTATION, "at_most") == "failed" for each in found)
    return failed / num_seeds


def test_a_share_halved_is_caught_and_small_differences_pass() -> None:
    assert representation_failures(0.25) >= 0.95
    assert representation_failures(0.5) == 0 and representation_failures(0.45) <= 0.05


def test_swaps_go_both_ways_and_keep_case() -> None:
    text = "She gave HER book to the man; Mrs Smith smiled. he, shell"
    swapped = swap_words(text, GENDER.swaps)
    assert swapped == "He gave HIS book to the woman; Mr Smith smiled. she, shell"
    assert swap_words(swapped, GENDER.swaps) == text
    assert swap_words(text, ()) == text


def swapped_pairs(rng: np.random.Generator, num: int, bias: float) -> pl.DataFrame:
    """Rewards of spread 1 about their leaf, with noise of .2 between two askings; men's texts get `bias` more."""
    texts = [f"{rng.choice(['She', 'He', 'It'])} ran." for _ in range(num)]
    swapped = [swap_words(text, GENDER.swaps) for text in texts]
    leaves = rng.integers(12, size=num)
    base = rng.normal(size=num) + rng.normal(size=12)[leaves]

    def reward(which: list[str]) -> list[float]:
        return [float(b + bias * t.startswith("He ") + rng.normal() * 0.2) for b, t in zip(base, which, strict=True)]

    return pl.DataFrame(
        {
            "synthetic_sample_id": [f"s{n}" for n in range(num)], "leaf_path": [f"leaf{n}" for n in leaves],
            "group": group_of(texts, GENDER), "swapped_group": group_of(swapped, GENDER),
            "reward": reward(texts), "swapped_reward": reward(swapped),
        },
        schema_overrides={"group": pl.String, "swapped_group": pl.String},
    )  # fmt: skip


def test_swaps_show_a_biased_reward_model() -> None:
    """Half of the texts speak of men: without a direction the differences would cancel."""
    pairs = swapped_pairs(np.random.default_rng(3), 600, bias=0.5)
    (found,) = estimate_swaps(DECLARED, {"gender": pairs})
    assert found.subject == "gender/female-male" and -0.5 < found.value < -0.2
    assert found.bound == pytest.approx(-(found.ci_high or 0)) and found.bound > 0.15
    assert abs(float((pairs["reward"] - pairs["swapped_reward"]).mean() or 0)) < 0.1
    few = estimate_swaps(DECLARED, {"gender": pairs.head(90)})
    assert few[0].verdict == "insufficient_reference"
    constant = pairs.with_columns(reward=pl.lit(1.0), swapped_reward=pl.lit(1.0))
    assert verdict(estimate_swaps(DECLARED, {"gender": constant}, num_bootstrap=20)[0], 0.1, "at_most") == "not_computable"


def test_fair_rewards_are_no_difference() -> None:
    bounds = [
        estimate_swaps(DECLARED, {"gender": swapped_pairs(np.random.default_rng(seed), 600, 0)}, num_bootstrap=100)[0].bound
        for seed in range(20)
    ]
    assert sum(bound is not None and bound > 0.05 for bound in bounds) <= 1


def accuracy(num: int, right_of_women: int, right_of_men: int) -> list[Estimate]:
    texts = ["She ran."] * num + ["He ran."] * num + ["It ran."] * 3
    are_right = [n < right_of_women for n in range(num)] + [n < right_of_men for n in range(num)] + [False] * 3
    return estimate_accuracy(DECLARED, texts, [f"q{n}" for n in range(len(texts))], are_right)


def test_accuracy_by_group() -> None:
    gap, worst = accuracy(400, 240, 320)
    assert gap.value == pytest.approx(0.2) and worst.value == pytest.approx(0.6 / 0.7)
    assert gap.bound == gap.ci_low and 0.13 < (gap.ci_low or 0) < 0.15 and 0.25 < (gap.ci_high or 0) < 0.27
    assert gap.words == "right: female 240 of 400, male 320 of 400; female wrong: q240, q241, q242, q243, q244"
    same = accuracy(400, 300, 302)[0]
    assert (same.bound or 0) < 0 < same.value
    few = accuracy(399, 100, 300)
    assert {each.verdict for each in few} == {"insufficient_reference"} and few[0].value > 0.4
    assert {each.verdict for each in accuracy(0, 0, 0)} == {"insufficient_reference"}
    assert math.isnan(accuracy(400, 0, 0)[1].value)


def test_a_higher_confidence_widens_the_interval_of_acceptance() -> None:
    rows = scored_rows(np.random.default_rng(2), 2000, 4, bias=0.8)
    (usual,), (surer,) = (estimate_acceptance(DECLARED, rows, confidence=level) for level in (0.95, 0.999))
    assert usual.value == surer.value
    assert usual.ci_high is not None and surer.ci_high is not None
    wider = NormalDist().inv_cdf(0.9995) / NormalDist().inv_cdf(0.975)
    assert math.log(surer.ci_high / surer.value) == pytest.approx(wider * math.log(usual.ci_high / usual.value))
