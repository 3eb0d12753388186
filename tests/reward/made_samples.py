"""Samples, scores and a reward model whose word is a function of the conversation."""

from collections.abc import Callable, Sequence

from synth_assets.records import BenchmarkQuestion, RewardAttributes, ScoredSample, SyntheticSample
from synth_assets.roles import Conversation

WEIGHTS = {"helpfulness": 0.3, "correctness": 1.0, "coherence": 0.2, "complexity": 0.0, "verbosity": 0.0}


class ScriptedRewardModel:
    fingerprint = "scripted"

    def __init__(self, script: Callable[[Conversation], RewardAttributes | str]) -> None:
        self.script = script
        self.asked: list[Conversation] = []

    def score(self, conversations: Sequence[Conversation], on_score: object = None) -> list[RewardAttributes | str]:
        self.asked += conversations
        return [self.script(conversation) for conversation in conversations]


def score(row: SyntheticSample, reward: float) -> ScoredSample:
    return ScoredSample(row.synthetic_sample_id, row.leaf_path, 1.0, 1.0, 1.0, 1.0, 1.0, reward, "scripted")


def question(name: str, text: str, answer: str = "42", context: str | None = None) -> BenchmarkQuestion:
    return BenchmarkQuestion(name, "foundational_skills/x", "taxonomy", context, text, answer)
