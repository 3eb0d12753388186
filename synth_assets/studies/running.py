"""Run a study by name and render the committed results into the documents."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from synth_assets.inference import fingerprint_of
from synth_assets.recipe import Recipe, read_recipe, resolve_path
from synth_assets.studies.collapse import run_collapse_study
from synth_assets.studies.embedded import run_embedded_study
from synth_assets.studies.filter import run_filter_study
from synth_assets.studies.gates.study import run_gates_study
from synth_assets.studies.judges import run_judges_study
from synth_assets.studies.kill import run_kill_study
from synth_assets.studies.phases import run_phases_study
from synth_assets.studies.preferences import run_preferences_study
from synth_assets.studies.results import StudyRow, write_study
from synth_assets.studies.weak_to_strong import run_weak_to_strong_study

#: name -> (what runs it, its seeds, minutes on two cores)
STUDIES: dict[str, tuple[Callable[[Recipe, Sequence[int]], Iterator[StudyRow]], tuple[int, ...], int]] = {
    "embedded": (run_embedded_study, (11, 12, 13), 10),
    "filter": (run_filter_study, (21, 22, 23, 24, 25), 50),
    "kill": (run_kill_study, (41,), 100),
    "judges": (run_judges_study, (51, 52, 53), 15),
    "phases": (run_phases_study, (51, 52, 53), 25),
    "collapse": (run_collapse_study, (61, 62, 63, 64, 65), 55),
    "gates": (run_gates_study, tuple(range(71, 91)), 25),
    "preferences": (run_preferences_study, (102, 103, 104, 105, 106), 35),
    "weak-to-strong": (run_weak_to_strong_study, (112, 113, 114), 40),
}


#: Studies of another recipe than the embedded one.
RECIPES = {"judges": "data/recipes/embedded_lab.yaml"}


def run_study(name: str, recipe: Recipe, report: Callable[[str], None]) -> Path:
    """Run it, write data/studies/NAME.json, print the rows over all leaves."""
    run, seeds, minutes = STUDIES[name]
    if name in RECIPES:
        recipe = read_recipe(RECIPES[name], recipe.scale)
    report(f"study {name}: seeds {', '.join(map(str, seeds))}, about {minutes} minutes on two cores")
    started = time.monotonic()
    rows = list(run(recipe, seeds))
    for row in rows:
        if row.subject == "all":
            interval = "" if row.ci_low is None else f" ({row.ci_low:.3f} to {row.ci_high:.3f})"
            report(f"  {row.metric:<28} {row.arm:<12} {row.value:.3f}{interval}, n = {row.n}")
    fingerprints = {role: fingerprint_of(spec) for role, spec in recipe.models.items()}
    made_with = {"recipe": recipe.name, "scale": recipe.scale, **fingerprints}
    return write_study(resolve_path("data/studies"), name, rows, seeds, time.monotonic() - started, made_with)
