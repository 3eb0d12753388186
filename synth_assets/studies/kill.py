"""`make study-kill`: a small pipeline, killed again and again at random moments, against one that nobody touched.

rows_lost                  rows that the undisturbed run has and the killed one has not, over all tables
finished_calls_repeated    model calls that the journal held and that were made again all the same
tables_differ              tables whose files are not byte for byte the same
runs_stuck                 runs that Dagster still holds for running after the last one has ended
processes_left             processes of the killed runs that live on afterwards
num_kills                  how many kills met each step

The arm is the kind of process that was killed: a step, the run, the engine's process, everything at once. A series works
in one warehouse and kills up to KILLS_A_SERIES times, by one kind alone, then lets the demo end; each figure is a sum
over the kind's series, `n` the number of its kills. Moments are drawn evenly; num_kills says which steps they met. An engine
can only be killed where there is one.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from synth_assets.recipe import Recipe
from synth_assets.studies.killing import KINDS, Kill, RunningDemo, damage, kill_again_and_again, small_recipe
from synth_assets.studies.results import StudyRow

KILLS_A_KIND, KILLS_A_SERIES = 51, 10


def run_kill_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    """`recipe` is not used: the pipeline is the embedded one with three leaves."""
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        folder = Path(scratch)
        file = small_recipe(folder, num_samples=6, num_steps=15)
        start = time.monotonic()
        RunningDemo(file, folder / "undisturbed").finish()
        length = time.monotonic() - start
        report(f"undisturbed: {length:.0f} s")
        for kind in KINDS:
            kills, found = _kill_one_kind(file, kind, Random(f"{seeds[0]}-{kind}"), length, report)
            for name, value in found.items():
                yield StudyRow(name, kind, "all", value, None, None, len(kills))
            for step, count in sorted(Counter(kill.step for kill in kills).items()):
                yield StudyRow("num_kills", kind, step, count, None, None, len(kills))


def _kill_one_kind(
    recipe: Path, kind: str, rng: Random, length_s: float, report: Callable[[str], None]
) -> tuple[list[Kill], Counter[str]]:
    """Series by series; all kills, and what they did, added up."""
    kills: list[Kill] = []
    found: Counter[str] = Counter()
    number = 0
    while len(kills) < KILLS_A_KIND:
        number += 1
        warehouse = recipe.parent / f"{kind}-{number}"
        num_kills = min(KILLS_A_SERIES, KILLS_A_KIND - len(kills))
        kills += kill_again_and_again(recipe, warehouse, rng, length_s, num_kills, (kind,))
        found.update(asdict(damage(warehouse, recipe.parent / "undisturbed")))
        report(f"{kind}: {len(kills)} kills, {dict(found)}")
    return kills, found
