"""The closed sets of names that columns hold."""

import typing
from typing import Literal

Branch = Literal["knowledge", "foundational_skills", "compositional_skills"]
BRANCHES: tuple[Branch, ...] = typing.get_args(Branch)
Outcome = Literal["rejected", "failed"]
Split = Literal["train", "validation"]
Source = Literal["synthetic", "seed", "replay", "earlier_phase"]
NEW_SOURCES: tuple[Source, ...] = ("synthetic", "seed")
Suite = Literal["taxonomy", "retained"]
ModelArm = Literal["base", "tuned"]
ComparisonOutcome = Literal["base", "tuned", "tie", "inconsistent", "no_verdict"]
