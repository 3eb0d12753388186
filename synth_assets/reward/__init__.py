"""Stage 3: samples are scored, then kept or rejected with a reason; responses to one prompt are set against one another."""

from synth_assets.reward.benchmark_overlap import BenchmarkIndex
from synth_assets.reward.filtering import LOW_REWARD, REASONS, FilterOutcome, filter_samples
from synth_assets.reward.preferences import PreferenceOutcome, Verify, decide_pairs, exact_verifier
from synth_assets.reward.responses import PreferencePrompt, SampledResponse, sample_responses
from synth_assets.reward.scoring import ScoreOutcome, rewards_of_texts, score_by_verdicts, score_samples

__all__ = [
    "LOW_REWARD",
    "REASONS",
    "BenchmarkIndex",
    "FilterOutcome",
    "PreferenceOutcome",
    "PreferencePrompt",
    "SampledResponse",
    "ScoreOutcome",
    "Verify",
    "decide_pairs",
    "exact_verifier",
    "filter_samples",
    "rewards_of_texts",
    "sample_responses",
    "score_by_verdicts",
    "score_samples",
]
