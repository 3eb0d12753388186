"""Stage 3: samples are scored, then kept or rejected with a reason."""

from synth_assets.reward.benchmark_overlap import BenchmarkIndex
from synth_assets.reward.filtering import LOW_REWARD, REASONS, FilterOutcome, filter_samples
from synth_assets.reward.scoring import ScoreOutcome, rewards_of_texts, score_by_verdicts, score_samples

__all__ = [
    "LOW_REWARD",
    "REASONS",
    "BenchmarkIndex",
    "FilterOutcome",
    "ScoreOutcome",
    "filter_samples",
    "rewards_of_texts",
    "score_by_verdicts",
    "score_samples",
]
