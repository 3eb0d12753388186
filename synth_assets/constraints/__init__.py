"""Verifiable constraints on responses, in the sense of IFEval (arXiv 2311.07911): a program decides, no model is asked.

Generation appends them to prompts, filters and evaluation check them later: a row carries them as lines of JSON.

Where the checks differ from IFEval's own: words are parted by white space, and found as whole words ("lights" holds no
"light"); sections and bullets are counted as they are worded, so a rule of dashes is no bullet; a link is no placeholder;
"I" and "A" are no words in capitals; `at_most` includes the number itself; a language is known by its script, and only such
languages are asked for. Figures of the two do not compare to the digit.
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
