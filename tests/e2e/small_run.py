"""A small run that nobody disturbs, to compare with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Undisturbed:
    """`length_s`: how long the run took."""

    recipe: Path
    warehouse: Path
    length_s: float
