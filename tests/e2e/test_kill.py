"""Killed anywhere, a demo ends with the same bytes, and no finished call is made again."""

import time
from pathlib import Path
from random import Random

import pytest

from synth_assets.studies.killing import (
    KINDS,
    Damage,
    Kill,
    RunningDemo,
    damage,
    kill_again_and_again,
    small_recipe,
)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("kill"), pytest.mark.timeout(1500)]
NUM_KILLS = 8
SEED = 20


def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path: Path) -> None:
    recipe = small_recipe(tmp_path, num_samples=6, num_steps=15)
    start = time.monotonic()
    RunningDemo(recipe, tmp_path / "undisturbed").finish()
    length, rng = time.monotonic() - start, Random(SEED)
    kills: list[Kill] = []
    for number in range(NUM_KILLS):
        warehouse, left = tmp_path / f"killed-{number}", NUM_KILLS - len(kills)
        kinds = (*KINDS[len(kills) % 4 :], *KINDS[: len(kills) % 4])
        kills += kill_again_and_again(recipe, warehouse, rng, length, left, kinds)
        assert damage(warehouse, tmp_path / "undisturbed") == Damage()
        if len(kills) == NUM_KILLS:
            break
    assert {kill.kind for kill in kills} == set(KINDS) and len(kills) == NUM_KILLS
