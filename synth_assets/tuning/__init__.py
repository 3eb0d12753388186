"""Stage 4: kept samples become the mix of one phase or several, and the mix a LoRA adapter of the student.

Preference pairs align that adapter further.

Importing this package is light; torch, transformers and peft are loaded when an adapter is trained or merged.
"""

from synth_assets.tuning.alignment import align_student, read_preference_curve
from synth_assets.tuning.course import ScoreAdapter, tuned_student
from synth_assets.tuning.merging import merge_adapter
from synth_assets.tuning.mixing import mix_phases
from synth_assets.tuning.replay import ReplayExample, read_replay_buffer
from synth_assets.tuning.student import read_loss_curve, tune_student

__all__ = [
    "ReplayExample",
    "ScoreAdapter",
    "align_student",
    "merge_adapter",
    "mix_phases",
    "read_loss_curve",
    "read_preference_curve",
    "read_replay_buffer",
    "tune_student",
    "tuned_student",
]
