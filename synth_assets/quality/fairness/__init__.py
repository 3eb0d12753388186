"""Declared groups: are they there as declared, filtered alike, rewarded alike, and does the student serve them alike?"""

from synth_assets.quality.fairness.acceptance import estimate_acceptance, stratified_ratio
from synth_assets.quality.fairness.groups import Assigned, assign_groups, group_of
from synth_assets.quality.fairness.representation import estimate_representation
from synth_assets.quality.fairness.student import estimate_accuracy
from synth_assets.quality.fairness.swaps import estimate_swaps, swap_words

__all__ = [
    "Assigned",
    "assign_groups",
    "estimate_acceptance",
    "estimate_accuracy",
    "estimate_representation",
    "estimate_swaps",
    "group_of",
    "stratified_ratio",
    "swap_words",
]
