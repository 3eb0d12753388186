"""What starts runs by itself: every night what is missing or stale, and soon after somebody changed the taxonomy.

Both ask `currency.plan_run` what there is to do and start one run over just that. Stage 1, which only reads files, is
made every night, so that its freshness says whether somebody looked; what is current after it costs nothing. The
sensor waits until the files have been at rest for one tick, so that nobody's half-saved work is paid for, and what it
finds at its very first tick is left to the night.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import Plan, outdated_checks, plan_run
from synth_assets.assets.jobs import synthesize
from synth_assets.assets.leaf_partitions import bring_up_to_date, range_tags
from synth_assets.assets.recipe_parts import taxonomy_files_of
from synth_assets.assets.resources import Retry
from synth_assets.errors import SynthAssetsError
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import content_id
from synth_assets.storage import Warehouse

READ_FROM_FILES = ("taxonomy", "seed_examples", "document_chunks")
TICK_S = 30
#: Stage 1 is made every night; two missed nights are a failure.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=50), warn_window=timedelta(hours=26))

Planner = Callable[[dg.DagsterInstance], Plan]


def automation(
    assets: Sequence[dg.AssetsDefinition], recipe: Recipe, warehouse: Warehouse, retry: Sequence[Retry] = ()
) -> tuple[dg.ScheduleDefinition, dg.SensorDefinition]:
    """The nightly schedule and the sensor over the taxonomy's files; both are on as soon as a daemon runs.

    `retry` as in `plan_run`.
    """

    def plan(instance: dg.DagsterInstance) -> Plan:
        found = plan_run(assets, check_keys(recipe), recipe, warehouse, instance, retry)
        bring_up_to_date(instance, found.leaves)
        return found

    return _nightly(plan, recipe), _taxonomy_files(plan, recipe)


def _nightly(plan: Planner, recipe: Recipe) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="nightly",
        job=synthesize,
        cron_schedule=recipe.schedule.cron,
        execution_timezone=recipe.schedule.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Reads the taxonomy anew, makes what is missing or stale, judges again where thresholds were changed.",
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            found = plan(context.instance)
        except SynthAssetsError as error:
            return dg.SkipReason(str(error))
        return _request(context.instance, found, _with_stage_1(found.assets), recipe)

    return nightly


def _taxonomy_files(plan: Planner, recipe: Recipe) -> dg.SensorDefinition:
    folders = [resolve_path(path) for path in (*taxonomy_files_of(recipe), recipe.taxonomy.documents)]

    @dg.sensor(
        name="taxonomy_files",
        job=synthesize,
        minimum_interval_seconds=TICK_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="When files of the taxonomy or its documents were changed: makes the leaf nodes that they change.",
    )
    def taxonomy_files(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        listing = _listing(folders)
        before = json.loads(context.cursor) if context.cursor else {"seen": None, "settled": listing}
        context.update_cursor(json.dumps({"seen": listing, "settled": before["settled"]}))
        if before["seen"] is not None and listing == before["settled"]:
            return dg.SkipReason("no file was changed")
        if before["seen"] is not None and listing != before["seen"]:
            return dg.SkipReason("files are being changed")
        try:
            found = plan(context.instance)
        except SynthAssetsError as error:
            return dg.SkipReason(str(error))
        context.update_cursor(json.dumps({"seen": listing, "settled": listing}))
        if before["seen"] is None:
            return dg.SkipReason("watching from now on")
        if not found.assets:
            return dg.SkipReason("the change makes nothing stale")
        return _request(context.instance, found, found.assets, recipe)

    return taxonomy_files


def _with_stage_1(stale: Sequence[str]) -> list[str]:
    """What is read from files, and then what is stale."""
    return [*READ_FROM_FILES, *(name for name in stale if name not in READ_FROM_FILES)]


def _request(instance: dg.DagsterInstance, found: Plan, names: Sequence[str], recipe: Recipe) -> dg.RunRequest:
    keys = check_keys(recipe)
    judged = {*names, *outdated_checks(keys, recipe, instance)}
    tags: Mapping[str, str] = range_tags(instance, found.leaf_paths)
    return dg.RunRequest(
        asset_selection=[dg.AssetKey(name) for name in names],
        asset_check_keys=[key for name, of_asset in keys.items() if name in judged for key in of_asset],
        tags=tags,
    )


def _listing(folders: Sequence[Path]) -> str:
    """Names, sizes and times of all files: cheap enough for every tick."""
    rows: list[Any] = []
    for folder in folders:
        for file in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if file.is_file():
                about = file.stat()
                rows.append((str(file), about.st_size, about.st_mtime_ns))
    return content_id("files", rows)
