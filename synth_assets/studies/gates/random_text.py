"""What whole tables are filled with, where nothing depends on the words."""

from __future__ import annotations

from random import Random

_WORDS = ("river", "lamp", "seven", "bread", "quiet", "north", "paper", "green", "house", "early")


def random_text(rng: Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(2, 8)))
