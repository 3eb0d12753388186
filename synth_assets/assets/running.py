"""Runs the job in Dagster's own instance and says what happens while it happens.

The run is a real one: every step is a process of its own, every event is in the instance, and the UI shows it later as
it shows the scheduled ones. A thread follows the run's events and reports a line for each that matters to a person.
"""

import logging
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import dagster as dg
from dagster import DagsterEventType, EventLogEntry

from synth_assets import errors
from synth_assets.assets.launcher import PROCESS_TAG
from synth_assets.assets.progress import SHARE, TEXT
from synth_assets.assets.resources import settle_dagster_home
from synth_assets.errors import SynthAssetsError, WarehouseError
from synth_assets.machine import is_alive, process_mark
from synth_assets.storage import FileLock


class Report(Protocol):
    """Where the follower of a run writes: lines, and a bar for what is under way."""

    def line(self, text: str) -> None: ...

    def bar(self, text: str, share: float) -> None: ...


POLL_S = 0.3
DEMO_TAG = "synth_assets/demo"
_IN_WORDS = {
    "DagsterExecutionInterruptedError": "it was interrupted",
    "ChildProcessCrashException": "its process died without a word: killed, or out of memory?",
}
_OURS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, SynthAssetsError)}
_CONSOLE_OFF = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True)
class CheckOutcome:
    """What a check said last."""

    asset: str
    name: str
    has_passed: bool
    is_blocking: bool
    description: str
    run_id: str = ""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended; an error is told as step and message."""

    run_id: str
    is_success: bool
    errors: tuple[str, ...]


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """The instance at DAGSTER_HOME (`settle_dagster_home`), by one process at a time: Dagster makes its tables unguarded.

    Raises WarehouseError if it cannot be used.
    """
    home = settle_dagster_home()
    try:
        with FileLock(home / "opening.lock").hold():
            instance = dg.DagsterInstance.get()
    except WarehouseError:
        raise
    except Exception as error:  # Dagster's, SQLite's and the system's own, with nothing in common
        remedy = "set DAGSTER_HOME to a folder that can be written; a damaged one may be moved away"
        raise WarehouseError(f"Dagster's instance cannot be opened: {error}", remedy=remedy) from error
    with instance:
        yield instance


def bury_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of the command line as failed whose process was killed; returns their ids.

    Runs that a code server started are the daemon's to look after (`assets.launcher`).
    """
    buried = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])):
        mark = run.tags.get(PROCESS_TAG)
        if mark and not is_alive(mark):
            instance.report_run_failed(run, "its process was killed, or the machine was restarted")
            buried.append(run.run_id)
    return buried


def run_job(
    job: Callable[[], dg.JobDefinition],
    instance: dg.DagsterInstance,
    assets: Sequence[str] | None,
    report: Report,
    tags: Mapping[str, str] | None = None,
) -> RunOutcome:
    """Make these assets (None: all of the job) with their checks; returns when the run has ended.

    `tags`: the range of leaves (`leaf_partitions.range_tags`), if there are assets among them that are made by leaf.

    `job` is a function of a module, so that a step's process finds it again.
    """
    marker = uuid.uuid4().hex
    follower = _Follower(instance, marker, report)
    with follower.following():
        result = dg.execute_job(
            dg.reconstructable(job),
            instance=instance,
            run_config=_CONSOLE_OFF,
            tags={DEMO_TAG: marker, PROCESS_TAG: process_mark(), **(tags or {})},
            asset_selection=None if assets is None else [dg.AssetKey(name) for name in assets],
            raise_on_error=False,
        )
    return RunOutcome(result.run_id, result.success, tuple(follower.errors))


def latest_checks(checks: Mapping[str, Sequence[dg.AssetCheckKey]], instance: dg.DagsterInstance) -> list[CheckOutcome]:
    """What every check said last, in pipeline order; a check that has never run is left out."""
    outcomes = []
    for asset, keys in checks.items():
        for key in keys:
            record = instance.get_latest_asset_check_evaluation_record(key)
            if record and isinstance(evaluation := record.evaluation, dg.AssetCheckEvaluation):
                is_blocking, said = bool(evaluation.blocking), evaluation.description or ""
                outcomes.append(CheckOutcome(asset, key.name, evaluation.passed, is_blocking, said, record.run_id))
    return outcomes


def failures(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What went wrong in a run: a line for each step that failed, or what Dagster says of the run as a whole."""
    found: dict[str, str] = {}
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        if event and event.step_key:
            found.setdefault(event.step_key, f"{event.step_key}: {_reason(event)}")
    if not found:
        for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.RUN_FAILURE).records:
            event = record.event_log_entry.dagster_event
            found[""] = (event.message if event else None) or "the run failed"
    return list(found.values())


def _reason(event: dg.DagsterEvent) -> str:
    """Why a step failed: the first error of our own, which says what to do, else the innermost of all."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None and error.cls_name not in _OURS:
        error = error.cause
    message = error.message.strip() if error else "no reason was given"
    kind = message.partition(":")[0].rpartition(".")[2]
    return _IN_WORDS.get(kind, message.removeprefix(f"{errors.__name__}."))


class _Follower:
    """Reads the events of one run as they are written."""

    def __init__(self, instance: dg.DagsterInstance, marker: str, report: Report) -> None:
        self.errors: list[str] = []
        self._instance = instance
        self._marker = marker
        self._report = report
        self._started: dict[str, float] = {}
        self._checks: dict[str, list[bool]] = {}
        self._made: dict[str, list[int | None]] = {}
        self._progress = ""
        self._run_id: str | None = None
        self._cursor: str | None = None

    @contextmanager
    def following(self) -> Iterator[None]:
        has_ended = threading.Event()
        thread = threading.Thread(target=self._follow, args=(has_ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            has_ended.set()
            thread.join(timeout=30)

    def _follow(self, has_ended: threading.Event) -> None:
        while not has_ended.wait(POLL_S):
            self._read_safely()
        self._read_safely()

    def _read_safely(self) -> None:
        try:
            self._read()
        except Exception as error:  # a line less on the screen must never end a run
            sys.stderr.write(f"progress cannot be read: {error}\n")

    def _read(self) -> None:
        if self._run_id is None:
            runs = self._instance.get_runs(dg.RunsFilter(tags={DEMO_TAG: self._marker}), limit=1)
            if not runs:
                return
            self._run_id = runs[0].run_id
        has_more = True
        while has_more:
            page = self._instance.get_records_for_run(self._run_id, cursor=self._cursor)
            self._cursor, has_more = page.cursor, page.has_more
            for record in page.records:
                self._tell(record.event_log_entry)

    def _tell(self, entry: EventLogEntry) -> None:
        event = entry.dagster_event
        step = entry.step_key or ""
        if event is None:
            if step and int(entry.level) in (logging.INFO, logging.WARNING) and entry.user_message != self._progress:
                self._report.line(f"    {entry.user_message}")
            return
        kind = event.event_type
        if kind == DagsterEventType.STEP_START:
            self._started[step] = entry.timestamp
            if not step.endswith("_checks"):
                self._report.line(f"  {step} ...")
        elif kind == DagsterEventType.ASSET_CHECK_EVALUATION:
            self._checks.setdefault(step, []).append(event.asset_check_evaluation_data.passed)
        elif kind == DagsterEventType.ASSET_MATERIALIZATION:
            count = event.materialization.metadata.get("dagster/row_count")
            self._made.setdefault(step, []).append(int(str(count.value)) if count else None)
        elif kind == DagsterEventType.ASSET_OBSERVATION:
            said = event.asset_observation_data.asset_observation.metadata
            self._progress = str(said[TEXT].value)  # which the step logs as well
            self._report.bar(self._progress, float(str(said[SHARE].value)))
        elif kind == DagsterEventType.STEP_SUCCESS:
            self._tell_success(step, entry.timestamp - self._started.get(step, entry.timestamp))
        elif kind == DagsterEventType.STEP_FAILURE:
            self._tell_failure(step, event)

    def _tell_success(self, step: str, seconds: float) -> None:
        if passed := self._checks.get(step):
            self._report.line(f"  {step}: {sum(passed)} of {len(passed)} passed")
        elif made := self._made.get(step):
            rows = [count for count in made if count is not None]
            leaves = f" of {len(made)} leaf nodes" if len(made) > 1 else ""
            what = f"{sum(rows):,} rows{leaves}" if rows else "made"
            self._report.line(f"  {step}: {what}, {seconds:.1f} s")

    def _tell_failure(self, step: str, event: dg.DagsterEvent) -> None:
        if any(told.startswith(f"{step}: ") for told in self.errors):
            return  # Dagster reports a step twice that it ended itself
        message = _reason(event)
        self.errors.append(f"{step}: {message}")
        self._report.line(f"  {step} FAILED: {message}")
