"""`make study-kill`: a small pipeline, killed again and again at random moments, against one that nobody touched.

rows_lost                  rows that the undisturbed run has and the killed one has not, over all tables
finished_calls_repeated    model calls that the journal held and that were made again all the same
tables_differ              tables whose files are not byte for byte the same
runs_stuck                 runs that Dagster still holds for running after the last one has ended

The arm is the kind of process that was killed: a step, the run, the engine's process, everything at once. A series works
in one warehouse and kills up to KILLS_A_SERIES times, in turn by one kind alone, then lets the demo end; each figure is a
sum over the kind's series, `n` the number of its kills. Moments are drawn evenly from a run's length, so that starting,
generating, scoring, filtering, tuning, examining and publishing are all met.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from synth_assets.recipe import Recipe
from synth_assets.studies.killing import KINDS, RunningDemo, damage, kill_again_and_again, processes_left, small_recipe
from synth_assets.studies.results import StudyRow

KILLS_A_KIND, KILLS_A_SERIES = 51, 10


def run_kill_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    """`recipe` is not used: the pipeline is the embedded one with three leaves."""
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        folder = Path(scratch)
        file, whole = small_recipe(folder, num_samples=6, num_steps=15), folder / "undisturbed"
        start = time.monotonic()
        RunningDemo(file, whole).finish()
        length = time.monotonic() - start
        report(f"undisturbed: {length:.0f} s")
        totals = {
            kind: dict.fromkeys(("num_kills", "rows_lost", "finished_calls_repeated", "tables_differ", "runs_stuck"), 0)
            for kind in KINDS
        }
        for kind in KINDS:
            rng, number = Random(f"{seeds[0]}-{kind}"), 0
            while totals[kind]["num_kills"] < KILLS_A_KIND:
                number += 1
                warehouse = folder / f"{kind}-{number}"
                num_kills = min(KILLS_A_SERIES, KILLS_A_KIND - totals[kind]["num_kills"])
                kills = kill_again_and_again(file, warehouse, rng, length, num_kills, (kind,))
                found = asdict(damage(warehouse, whole)) | {"num_kills": len(kills)}
                totals[kind] = {name: totals[kind][name] + found[name] for name in totals[kind]}
                left = processes_left(warehouse)
                report(f"{kind}: {totals[kind]}, {len(left)} processes left behind")
        for name in ("rows_lost", "finished_calls_repeated", "tables_differ", "runs_stuck"):
            for kind in KINDS:
                yield StudyRow(name, kind, "all", totals[kind][name], None, None, totals[kind]["num_kills"])
