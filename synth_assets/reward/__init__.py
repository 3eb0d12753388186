"""Stage 3: samples are scored, then kept or rejected with a reason; responses to one prompt are set against one another."""

from synth_assets.reward.benchmark_overlap import BenchmarkIndex
from synth_assets.reward.filtering import BENCHMARK_OVERLAP, LOW_REWARD, REASONS, FilterOutcome, filter_samples
from synth_assets.reward.preference_prompts import (
    draw_prompts,
    known_answers,
    prompts_of_mix,
    prompts_of_seeds,
    prompts_of_synthesis,
    with_relatives,
)
from synth_assets.reward.preferences import PreferenceOutcome, decide_pairs, reward_responses
from synth_assets.reward.responses import PreferencePrompt, Refusal, SampledResponse, sample_responses
from synth_assets.reward.scoring import ScoreOutcome, rewards_of_texts, score_by_verdicts, score_samples
from synth_assets.reward.verifying import Verify, exact_verifier, first_to_tell, follows_constraints

__all__ = [
    "BENCHMARK_OVERLAP",
    "LOW_REWARD",
    "REASONS",
    "BenchmarkIndex",
    "FilterOutcome",
    "PreferenceOutcome",
    "PreferencePrompt",
    "Refusal",
    "SampledResponse",
    "ScoreOutcome",
    "Verify",
    "decide_pairs",
    "draw_prompts",
    "exact_verifier",
    "filter_samples",
    "first_to_tell",
    "follows_constraints",
    "known_answers",
    "prompts_of_mix",
    "prompts_of_seeds",
    "prompts_of_synthesis",
    "reward_responses",
    "rewards_of_texts",
    "sample_responses",
    "score_by_verdicts",
    "score_samples",
    "with_relatives",
]
