"""Killed anywhere, a demo ends with the same bytes, and no finished call is made again."""

from pathlib import Path
from random import Random

import pytest
from small_run import Undisturbed

from synth_assets.studies.killing import KINDS, Damage, Kill, damage, kill_again_and_again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
NUM_KILLS = 8
SEED = 20


def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, undisturbed: Undisturbed) -> None:
    rng = Random(SEED)
    kills: list[Kill] = []
    for number in range(NUM_KILLS):
        warehouse, left = tmp_path / f"killed-{number}", NUM_KILLS - len(kills)
        kinds = (*KINDS[len(kills) % 4 :], *KINDS[: len(kills) % 4])
        kills += kill_again_and_again(undisturbed.recipe, warehouse, rng, undisturbed.length_s, left, kinds)
        assert damage(warehouse, undisturbed.warehouse) == Damage()
        if len(kills) == NUM_KILLS:
            break
    assert {kill.kind for kill in kills} == set(KINDS) and len(kills) == NUM_KILLS
