"""`synth-assets demo`: make what is not current, through Dagster, and say how it went.

What is current is not made again (see `assets.currency`), so a second demo ends in seconds, and one that was broken off
goes on. Everything that steps and engines write to the terminal goes to a log file instead: the screen holds one line
for each thing that a person wants to know.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import Plan, outdated_checks, plan_run
from synth_assets.assets.leaf_partitions import bring_up_to_date, range_tags
from synth_assets.assets.resources import declared_engines, declared_recipe, open_warehouse
from synth_assets.assets.run_report import write_report
from synth_assets.assets.running import RunOutcome, bury_dead_runs, latest_checks, open_instance, run_job
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.definitions import assets_of, examine_job, synthesize_job
from synth_assets.errors import SynthAssetsError
from synth_assets.evaluation import check_tasks
from synth_assets.inference import check_model
from synth_assets.machine import PeakMemory, free_disk_mib
from synth_assets.model_folder import ARCHITECTURE_OF
from synth_assets.recipe import Recipe
from synth_assets.screen import Screen
from synth_assets.storage import Warehouse
from synth_assets.storage.warehouse import no_room_left, room_failure
from synth_assets.summary import LastRun, closing_summary, write_last_run

Report = Callable[[str], None]
MAX_NAMED = 20


def run_demo(report: Report) -> int:
    """Exit code 0 if everything is made and no check that blocks has failed.

    Raises WarehouseSpaceError for whatever Dagster's own files make of a full disk.
    """
    recipe, warehouse = declared_recipe(), open_warehouse()
    try:
        return _run(recipe, warehouse, report)
    except SynthAssetsError:
        raise
    except Exception as error:
        if not no_room_left(error) and free_disk_mib(warehouse.folder) > 0:
            raise
        raise room_failure(error, warehouse.folder) from error


def _run(recipe: Recipe, warehouse: Warehouse, report: Report) -> int:
    _check_needs(recipe, warehouse)
    warehouse.check_writable()
    with open_instance() as instance:
        for run_id in bury_dead_runs(instance):
            report(f"run {run_id[:8]} was killed; this one goes on from what it left")
        plan = plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance, declared_engines().retry)
        bring_up_to_date(instance, plan.leaves)
        _tell(plan, recipe, report)
        start = time.monotonic()
        with PeakMemory().watching() as memory:
            outcome = _make(plan, recipe, warehouse, instance, report)
        last = _last_run(plan, outcome, recipe, warehouse, instance)
    last = replace(last, seconds=round(time.monotonic() - start, 1), peak_mib=memory.peak_mib)
    last = replace(last, run_id=write_last_run(warehouse, last))
    report(closing_summary(recipe, warehouse, last))
    if not outcome.is_success:
        report(f"\nThe run did not end well; everything that the steps wrote is in {_log(warehouse)}")
        report("Run the same command again to go on from what it made")
    return 0 if outcome.is_success else 1


def _tell(plan: Plan, recipe: Recipe, report: Report) -> None:
    names = [asset.key.path[-1] for asset in assets_of(recipe)]
    report(f"{recipe.label}: {len(plan.assets)} of {len(names)} assets to make")
    for line in plan_lines(plan):
        report(f"  {line}")
    if current := [name for name in names if name not in plan.assets]:
        report(f"  current already: {', '.join(current)}")


def _make(plan: Plan, recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, report: Report) -> RunOutcome:
    """What is stale, and then the checks that were last judged by other thresholds."""
    outcome = RunOutcome("", True, ())
    if plan.assets:
        with _screen_for_us(_log(warehouse)) as show:
            outcome = run_job(synthesize_job, instance, plan.assets, show, range_tags(instance, plan.leaf_paths))
    keys = check_keys(recipe)
    if outcome.is_success and (outdated := outdated_checks(keys, recipe, instance)):
        report(f"  judged by other thresholds before, checked again: {', '.join(outdated)}")
        with _screen_for_us(_log(warehouse)) as show:
            outcome = run_job(examine_job, instance, None, show)
        stopped = [check for check in latest_checks(keys, instance) if check.is_blocking and not check.has_passed]
        failures = (*outcome.errors, *(f"{check.asset}: the check {check.name} stops here" for check in stopped))
        outcome = replace(outcome, is_success=not failures, errors=failures)
    return outcome


def _last_run(
    plan: Plan, outcome: RunOutcome, recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance
) -> LastRun:
    """The record of the run, and of one that failed its report."""
    keys = check_keys(recipe)
    left: list[str] = []
    if not outcome.is_success:
        left = plan_run(assets_of(recipe), keys, recipe, warehouse, instance).assets
        if outcome.run_id:
            try:
                write_report(recipe, warehouse, instance, outcome.run_id)
            except Exception as error:  # what made the run fail must be told all the same
                outcome = replace(outcome, errors=(*outcome.errors, f"and there is no report: {error}"))
    return LastRun(
        recipe=recipe.label,
        run_id=outcome.run_id,
        is_success=outcome.is_success,
        errors=list(outcome.errors),
        made=[name for name in plan.assets if name not in left],
        left=left,
        checks=[c for c in latest_checks(keys, instance) if c.run_id == outcome.run_id or c.asset not in left],
    )


def _log(warehouse: Warehouse) -> Path:
    """Where everything goes that steps and engines write to the terminal."""
    return warehouse.folder / "demo.log"


def plan_lines(plan: Plan) -> list[str]:
    """Which leaves a run goes over, which it retires, and which cannot be read."""
    lines = [f"left out, cannot be read: {fault}" for fault in plan.faults[:MAX_NAMED]]
    if plan.retired:
        lines.append(f"leaf nodes to retire: {', '.join(plan.retired[:MAX_NAMED])}")
    if plan.assets and plan.leaf_paths:
        named = f" ({', '.join(plan.leaf_paths)})" if len(plan.leaf_paths) <= 3 else ""
        lines.append(f"leaf nodes to make: {len(plan.leaf_paths)} of {len(plan.leaves)}{named}")
    return lines


def _check_needs(recipe: Recipe, warehouse: Warehouse) -> None:
    """A model, a file or a task that is missing is told now, not after minutes of generation.

    Raises ModelError, EngineError (a server that does not answer), RecipeError, HarnessError.
    """
    check_trust_files(recipe, warehouse)
    for role, spec in recipe.models.items():
        check_model(spec, ARCHITECTURE_OF.get(role, "ForCausalLM"))
    if recipe.evaluation.harness:
        check_tasks(recipe.evaluation.harness)


@contextmanager
def _screen_for_us(log: Path) -> Iterator[Screen]:
    """Within: the process's output and that of all it starts goes to the log, and the `Screen` writes to the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    screen, errors = os.dup(1), os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)

    try:
        os.dup2(target, 1)
        os.dup2(target, 2)
        yield Screen(screen)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(screen, 1)
        os.dup2(errors, 2)
        for descriptor in (screen, errors, target):
            os.close(descriptor)
