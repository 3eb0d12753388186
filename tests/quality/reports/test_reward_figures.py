"""Planted properties of a reward model are found: a taste for length, one for leaves, right told from wrong, and none."""

from collections.abc import Callable
from random import Random

import pytest

from synth_assets.quality.reports.reward import ALL, NUM_BINS, Sampling, measure_rewards
from synth_assets.recipe import RewardCut
from synth_assets.records import RewardFigure, ScoredSample, SyntheticSample

LEAVES = [f"compositional_skills/leaf{n}" for n in range(6)]
SAMPLING = Sampling(200, 0.95, 1)
CUT = RewardCut(mode="absolute", value=0.5)
Reward = Callable[[SyntheticSample, Random], float]


def made(reward: Reward, num: int = 40, verdict: Callable[[int], str] | None = None) -> list[RewardFigure]:
    """Figures of samples with longer responses in later leaves; a response's first word says whether it is right."""
    rng = Random(3)
    samples = [
        SyntheticSample(
            f"{leaf}-{n}", "l", leaf, "compositional_skills", None, f"Say {n}.",
            " ".join(["right" if n % 2 else "wrong", *["word"] * rng.randint(place, place + 14)]), ("s",), None, "p", "p",
            "t", n, n, 1, 1, -0.1, verdicts=(verdict(n),) if verdict else (),
        )
        for place, leaf in enumerate(LEAVES)
        for n in range(num)
    ]  # fmt: skip
    scored = [
        ScoredSample(each.synthetic_sample_id, each.leaf_path, 1.0, 1.0, 1.0, 1.0, 1.0, reward(each, rng), "r")
        for each in samples
    ]
    kept = {score.synthetic_sample_id for score in scored if score.reward >= CUT.value}
    return measure_rewards(samples, scored, kept, CUT, SAMPLING, lambda sample: sample.response.startswith("right"))


def figure(found: list[RewardFigure], metric: str, subject: str = ALL) -> RewardFigure:
    return next(row for row in found if row.metric == metric and row.subject == subject)


def by_chance(_: SyntheticSample, rng: Random) -> float:
    return rng.random()


def by_length(sample: SyntheticSample, rng: Random) -> float:
    return len(sample.response.split()) + rng.random()


def by_leaf(sample: SyntheticSample, rng: Random) -> float:
    return LEAVES.index(sample.leaf_path) + 0.1 * rng.random()


def by_right(sample: SyntheticSample, rng: Random) -> float:
    return float(sample.response.startswith("right")) + 0.5 * rng.random()


@pytest.mark.parametrize(
    ("reward", "length", "leaf", "auc"),
    [(by_chance, 0, 0, 0.5), (by_length, 1, None, None), (by_leaf, 0, 1, 0.5), (by_right, None, 0, 1.0)],
)
def test_what_drives_the_reward_is_found(
    reward: Reward, length: float | None, leaf: float | None, auc: float | None
) -> None:
    found = made(reward)
    for metric, expected in (("length_correlation", length), ("leaf_variance_share", leaf), ("auc_within_leaf", auc)):
        row = figure(found, metric)
        assert row.value is not None and row.ci_low is not None and row.ci_high is not None
        assert row.ci_low <= row.value <= row.ci_high or metric == "leaf_variance_share"
        if expected is not None:
            assert row.value == pytest.approx(expected, abs=0.12), (metric, row)
    assert [row.subject for row in found if row.metric == "length_correlation"] == [ALL, *LEAVES]


def test_acceptance_falls_with_the_threshold_and_is_counted_at_the_recipes_cut() -> None:
    found = [row for row in made(by_chance) if row.metric == "acceptance"]
    overall = [(float(row.arm), row.value) for row in found if row.subject == ALL]
    assert overall == sorted(overall, key=lambda row: (row[0], -(row[1] or 0))) and CUT.value in dict(overall)
    assert {row.subject for row in found} == {ALL, *LEAVES}
    assert all(row.ci_low is not None and row.value is not None and row.ci_low <= row.value for row in found)


def test_calibration_rises_where_the_reward_knows_and_counts_every_row_once() -> None:
    bins = [row for row in made(by_right) if row.metric == "accepted_share"]
    assert len(bins) == NUM_BINS and sum(row.n for row in bins) == 240 and {row.arm for row in bins} == {"right"}
    assert bins[0].value == 0.0 and bins[-1].value == 1.0


def test_agreement_with_judges_where_there_are_verdicts() -> None:
    assert not [row for row in made(by_right) if row.metric == "judge_correlation"]
    agreeing = made(by_right, verdict=lambda n: f"pair: {3 if n % 2 else 2}")
    row = figure(agreeing, "judge_correlation")
    assert row.value is not None and row.value > 0.8 and row.n == 240


def test_without_rows_there_is_nothing_and_of_few_no_correlation() -> None:
    assert measure_rewards([], [], set(), CUT, SAMPLING) == []
    metrics = {row.metric for row in made(by_chance, num=4)}
    assert metrics == {"acceptance", "leaf_variance_share", "accepted_share"}
