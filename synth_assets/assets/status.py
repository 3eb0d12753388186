"""`synth-assets status`: what is made, stale, failing or running, rows by stage and leaf, and what the next night would do.

What a run would do comes from the same plan that the command line, the schedule and the sensor follow. The calls are
counted as the leaf needed them last time, and for a leaf that was never made as if no candidate were turned away; what
the journal already holds costs less.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl
from dagster._utils.schedules import get_next_cron_tick

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import PROMPT_ASSETS, Plan, material_of_files, outdated_checks, plan_run
from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.assets.progress import SHARE, TEXT
from synth_assets.assets.resources import Retry
from synth_assets.assets.running import latest_checks
from synth_assets.generation import least_calls
from synth_assets.generation.prompt_synthesis import planned_prompt_calls
from synth_assets.judging import judges_of
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse

RUNNING = (dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
NEVER = "never"


@dataclass(frozen=True)
class AssetStatus:
    """`state`: current, stale, missing, or failed (a check that blocks has failed on it)."""

    asset: str
    state: str
    num_rows: int | None
    made_at: str


@dataclass(frozen=True)
class LeafStatus:
    """`state`: current, stale or missing. `rows`: by asset, what the leaf has there."""

    leaf_path: str
    state: str
    rows: dict[str, int]


@dataclass(frozen=True)
class NextRun:
    """What a run would do now; calls are those of teacher and reward model for the stale leaves."""

    at: str
    assets: list[str]
    leaf_paths: list[str]
    retired: list[str]
    judged_again: list[str]
    num_teacher_calls: int
    num_judge_calls: int
    num_reward_calls: int


@dataclass(frozen=True)
class Status:
    """All of it. Times are ISO 8601 in UTC."""

    recipe: str
    warehouse: str
    assets: list[AssetStatus]
    leaves: list[LeafStatus]
    faults: list[str]
    failed_checks: list[str]
    running: list[str]
    next_run: NextRun


def read_status(
    assets: Sequence[dg.AssetsDefinition],
    recipe: Recipe,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    retry: Sequence[Retry] = (),
) -> Status:
    """`retry` as in `plan_run`. Raises what reading a taxonomy, a model folder or the warehouse raises."""
    names = [asset.key.path[-1] for asset in assets]
    keys = {name: found for name, found in check_keys(recipe).items() if name in names}
    plan = plan_run(assets, keys, recipe, warehouse, instance, retry)
    failed = [check for check in latest_checks(keys, instance) if not check.has_passed]
    stopped = {check.asset for check in failed if check.is_blocking}
    return Status(
        recipe=recipe.label,
        warehouse=str(warehouse.folder),
        assets=[_asset_status(name, plan, stopped, warehouse, instance) for name in names],
        leaves=_leaf_rows(plan, warehouse),
        faults=plan.faults,
        failed_checks=[
            f"{'STOPS' if check.is_blocking else 'warns'} {check.asset}.{check.name}: {check.description}"
            for check in failed
        ],
        running=[_run_line(run, instance) for run in instance.get_runs(dg.RunsFilter(statuses=list(RUNNING)))],
        next_run=_next_run(recipe, plan, outdated_checks(keys, recipe, instance), warehouse),
    )


def _asset_status(
    name: str, plan: Plan, stopped: set[str], warehouse: Warehouse, instance: dg.DagsterInstance
) -> AssetStatus:
    event = instance.get_latest_materialization_event(dg.AssetKey(name))
    num_rows = warehouse.read_table(name).height if warehouse.has_table(name) else None
    made_at = datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="seconds") if event else NEVER
    if event is None or (num_rows is None and INGREDIENTS[name].has_table):
        state = "missing"
    elif name in stopped:
        state = "failed"
    else:
        state = "stale" if name in plan.assets else "current"
    return AssetStatus(name, state, num_rows, made_at)


def _leaf_rows(plan: Plan, warehouse: Warehouse) -> list[LeafStatus]:
    tables = ("seed_examples", "synthetic_samples", "scored_samples", "reward_filtered_set")
    counts = {
        name: dict(warehouse.read_table(name).group_by("leaf_path").len().iter_rows()) if warehouse.has_table(name) else {}
        for name in tables
    }
    return [
        LeafStatus(path, _leaf_state(path, plan, counts), {name: counts[name].get(path, 0) for name in tables})
        for path in plan.leaves
    ]


def _leaf_state(path: str, plan: Plan, counts: Mapping[str, Mapping[str, int]]) -> str:
    if path not in plan.leaf_paths:
        return "current"
    return "stale" if path in counts["synthetic_samples"] else "missing"


def _run_line(run: dg.DagsterRun, instance: dg.DagsterInstance) -> str:
    line = f"{run.run_id[:8]} {run.job_name}, {run.status.value.lower()}"
    observed = instance.get_records_for_run(
        run.run_id, of_type=dg.DagsterEventType.ASSET_OBSERVATION, limit=1, ascending=False
    ).records
    event = observed[0].event_log_entry.dagster_event if observed else None
    if event is None:
        return line
    said = event.asset_observation_data.asset_observation.metadata
    return f"{line}: {event.step_key} {float(str(said[SHARE].value)):.0%}, {said[TEXT].value}"


def _next_run(recipe: Recipe, plan: Plan, outdated: Sequence[str], warehouse: Warehouse) -> NextRun:
    at = get_next_cron_tick(recipe.schedule.cron, datetime.now(UTC), recipe.schedule.timezone)
    teacher, judge, reward = _calls(recipe, plan, warehouse)
    judged = [name for name in outdated if name not in plan.assets]
    when = at.astimezone(UTC).isoformat(timespec="minutes")
    return NextRun(when, plan.assets, plan.leaf_paths, plan.retired, judged, teacher, judge, reward)


def _calls(recipe: Recipe, plan: Plan, warehouse: Warehouse) -> tuple[int, int, int]:
    """Of the teacher, the judges and the reward model: as many as last time, or the fewest that can do."""
    calls = dict(_last_calls(warehouse))
    if not calls.keys() >= set(plan.leaf_paths):
        calls = _least_calls(recipe) | calls
    of_leaves = [(path, calls.get(path, (0, 0))) for path in plan.leaf_paths]
    by_judges = sum(num * num_judges(recipe, path) for path, (_, num) in of_leaves)
    rewards = sum(num for _, (_, num) in of_leaves) if recipe.reward_model else 0
    of_prompts = _prompt_calls(recipe, plan) if set(plan.assets) & set(PROMPT_ASSETS) else (0, 0, 0)
    return sum(teacher for _, (teacher, _) in of_leaves) + of_prompts[0], by_judges + of_prompts[1], rewards + of_prompts[2]


def _prompt_calls(recipe: Recipe, plan: Plan) -> tuple[int, int, int]:
    """As `_calls`, of prompts from topics that are to be made: the fewest that can do."""
    assert recipe.prompt_synthesis is not None
    planned = planned_prompt_calls(recipe.prompt_synthesis)
    stale = [name in plan.assets for name in PROMPT_ASSETS]
    teacher = sum(num for num, is_stale in zip(planned.of_teacher, stale, strict=False) if is_stale)
    judges = sum(num * num_judges(recipe, branch) for branch, num in planned.samples.items()) if stale[2] else 0
    return teacher, judges, sum(planned.samples.values()) if stale[3] and recipe.reward_model else 0


def num_judges(recipe: Recipe, leaf_path: str) -> int:
    """How many judges a sample of the leaf must please."""
    of_instruction, of_response = judges_of(leaf_path.startswith("knowledge/"))
    return len({*of_instruction, *of_response} & set(recipe.judges.asked)) if recipe.judges else 0


def calls_line(teacher: int, judges: int, rewards: int) -> str:
    """Calls by role, for people."""
    by_judges = f", {judges:,} of the judges" if judges else ""
    return f"{teacher:,} calls of the teacher{by_judges}" + (f" and {rewards:,} of the reward model" if rewards else "")


def _least_calls(recipe: Recipe) -> dict[str, tuple[int, int]]:
    """By leaf: the calls for its quota if no candidate is turned away."""
    material, quota = material_of_files(recipe), recipe.generation.num_samples_per_leaf
    found = least_calls(material.leaf_nodes, material.seed_examples, recipe.generation)
    return {path: (calls, quota) for path, calls in found.items()}


def _last_calls(warehouse: Warehouse) -> Mapping[str, tuple[int, int]]:
    """By leaf: calls of the teacher (contexts, instructions, responses), and samples, each of which is given a reward."""
    if not all(map(warehouse.has_table, ("stage_counts", "rejected_samples", "synthetic_samples"))):
        return {}
    counts = warehouse.read_table("stage_counts").filter(pl.col("stage") == "generation")
    ended = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "generation")
    step = pl.col("detail").str.split(": ").list.first()
    before = {key: ended.filter(step == key).group_by("leaf_path").len() for key in ("context", "instruction")}
    num_before = {key: dict(frame.iter_rows()) for key, frame in before.items()}
    writes_context = set(
        warehouse.read_table("synthetic_samples").filter(
            pl.col("context").is_not_null() & pl.col("document_chunk_id").is_null()
        )["leaf_path"]
    )
    calls = {}
    for path, num_in, num_kept in counts.select("leaf_path", "num_in", "num_kept").iter_rows():
        instructions = num_in - num_before["context"].get(path, 0)
        responses = instructions - num_before["instruction"].get(path, 0)
        calls[path] = (instructions + responses + (num_in if path in writes_context else 0), num_kept)
    return calls


def status_json(status: Status) -> dict[str, Any]:
    return asdict(status)


def status_text(status: Status) -> str:
    """For a terminal."""
    lines = [status.recipe, f"warehouse {status.warehouse}", "", f"{'Asset':<22}{'state':<10}{'rows':>9}  made"]
    for asset in status.assets:
        rows = "" if asset.num_rows is None else f"{asset.num_rows:,}"
        lines.append(f"  {asset.asset:<20}{asset.state:<10}{rows:>9}  {asset.made_at}")
    lines += ["", f"{'Leaf node':<52}{'seeds':>6}{'samples':>9}{'scored':>8}{'kept':>7}"]
    for leaf in status.leaves:
        counts = "".join(f"{count:>{width},}" for count, width in zip(leaf.rows.values(), (6, 9, 8, 7), strict=True))
        lines.append(f"  {leaf.leaf_path:<50}{counts}{'' if leaf.state == 'current' else '  ' + leaf.state}")
    if status.faults:
        lines += ["", "Left out, cannot be read", *(f"  {fault}" for fault in status.faults)]
    lines += ["", "Checks: " + ("none fails" if not status.failed_checks else f"{len(status.failed_checks)} failed")]
    lines += [f"  {check}" for check in status.failed_checks]
    lines += ["Running: " + ("nothing" if not status.running else "")] + [f"  {run}" for run in status.running]
    return "\n".join([*lines, "", *_next_lines(status.next_run, len(status.leaves))])


def _next_lines(run: NextRun, num_leaves: int) -> list[str]:
    lines = [f"The next nightly run, {run.at}, reads the taxonomy again"]
    if not run.assets and not run.judged_again:
        return [*lines, "  and would find everything current"]
    if run.assets:
        made = f"and would make {len(run.assets)} assets: {', '.join(run.assets)}"
        lines += textwrap.wrap(made, 110, initial_indent="  ", subsequent_indent="    ")
    of_what = [f"{len(run.leaf_paths)} of {num_leaves} leaf nodes"] if run.leaf_paths else []
    if of_what := [*of_what, *(["prompts from topics"] if set(run.assets) & set(PROMPT_ASSETS) else [])]:
        calls = calls_line(run.num_teacher_calls, run.num_judge_calls, run.num_reward_calls)
        lines.append(f"  {' and '.join(of_what)}: about {calls}")
    if run.retired:
        lines.append(f"  retire the rows of {', '.join(run.retired)}")
    if run.judged_again:
        lines.append(f"  judge again by other thresholds: {', '.join(run.judged_again)}")
    return lines
