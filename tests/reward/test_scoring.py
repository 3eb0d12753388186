"""Scores: the right conversation, the weighted sum, and a row for everything that cannot be scored."""

import pytest
from made_samples import WEIGHTS, ScriptedRewardModel

from synth_assets.records import RewardAttributes
from synth_assets.reward import score_samples
from synth_assets.roles import Message
from synth_assets.studies.made_rows import make_sample as sample


def test_what_is_scored_and_how() -> None:
    model = ScriptedRewardModel(lambda _: RewardAttributes(1.0, 2.0, 3.0, 4.0, 0.5))
    rows = [sample("a", "Find it.", "Here.", context="A card."), sample("b", "Do it.", "Done.")]
    outcome = score_samples(rows, model, WEIGHTS)
    assert model.asked == [
        (Message("user", "A card.\nFind it."), Message("assistant", "Here.")),
        (Message("user", "Do it."), Message("assistant", "Done.")),
    ]
    first = outcome.scored[0]
    assert first.reward == pytest.approx(0.3 * 1 + 1.0 * 2 + 0.2 * 3)
    assert (first.helpfulness, first.correctness, first.coherence) == (1.0, 2.0, 3.0)
    assert (first.complexity, first.verbosity) == (4.0, 0.5)
    assert (first.synthetic_sample_id, first.reward_model) == ("a", "scripted")
    assert (outcome.counts.stage, outcome.counts.num_in, outcome.counts.num_kept) == ("scoring", 2, 2)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("999 tokens are too many", "reward_model_error"),
        (RewardAttributes(1.0, float("nan"), 1.0, 1.0, 1.0), "reward_not_finite"),
        (RewardAttributes(1.0, 1.0, float("inf"), 1.0, 1.0), "reward_not_finite"),
        (RewardAttributes(1.0, 1.0, 1.0, 1.0, float("nan")), "reward_not_finite"),  # also where the weight is zero
    ],
)
def test_no_score_is_a_failed_row(answer: RewardAttributes | str, reason: str) -> None:
    good = RewardAttributes(1.0, 1.0, 1.0, 1.0, 1.0)
    model = ScriptedRewardModel(lambda conversation: answer if conversation[1].content == "bad" else good)
    outcome = score_samples([sample("a", "q", "fine"), sample("b", "q", "bad")], model, WEIGHTS)
    (row,) = outcome.failed
    assert (row.synthetic_sample_id, row.outcome, row.rejection_reason, row.stage) == ("b", "failed", reason, "scoring")
    assert [score.synthetic_sample_id for score in outcome.scored] == ["a"]
    assert (outcome.counts.num_kept, outcome.counts.num_failed) == (1, 1)


def test_nothing_to_score() -> None:
    outcome = score_samples([], ScriptedRewardModel(lambda _: ""), WEIGHTS)
    assert not outcome.scored and outcome.counts.num_in == 0
