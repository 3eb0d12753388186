"""Verifiable constraints on responses, in the sense of IFEval (arXiv 2311.07911): a program decides, no model is asked.

Generation appends them to prompts, filters and evaluation check them later: a row carries them as lines of JSON.
"""

from synth_assets.constraints.constraint import Constraint
from synth_assets.constraints.following import Following, broken_constraints, follows_loosely, measure_following
from synth_assets.constraints.kinds import (
    CONSTRAINT_KINDS,
    CONSTRAINTS,
    append_constraints,
    draw_constraints,
    read_constraint,
    write_constraint,
)

__all__ = [
    "CONSTRAINTS", "CONSTRAINT_KINDS", "Constraint", "Following", "append_constraints", "broken_constraints",
    "draw_constraints", "follows_loosely", "measure_following", "read_constraint", "write_constraint",
]  # fmt: skip
