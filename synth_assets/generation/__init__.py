"""Stage 2: seed examples and a teacher become synthetic samples; every candidate is accounted for."""

from synth_assets.generation.calibration import calibrate_judges, calibration_cases
from synth_assets.generation.candidates import STEPS, least_calls, plan_leaves
from synth_assets.generation.rejection import REASONS
from synth_assets.generation.sampling import GenerationOutcome, LeafShortfall, OnStep, generate_samples

__all__ = [
    "REASONS",
    "STEPS",
    "GenerationOutcome",
    "LeafShortfall",
    "OnStep",
    "calibrate_judges",
    "calibration_cases",
    "generate_samples",
    "least_calls",
    "plan_leaves",
]
