"""A run whose process is gone is told from one that works."""

import json
import subprocess
import sys

import dagster as dg
import pytest
from dagster._core.launcher.base import WorkerStatus

from synth_assets.assets.launcher import PROCESS_TAG, WatchedRunLauncher
from synth_assets.assets.running import bury_dead_runs
from synth_assets.machine import is_alive, process_mark


def dead_mark() -> str:
    code = "from synth_assets.machine import process_mark; print(process_mark())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def status_of(instance: dg.DagsterInstance, tags: dict[str, str]) -> WorkerStatus:
    launcher = WatchedRunLauncher()
    launcher.register_instance(instance)
    run = instance.create_run_for_job(_job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    return launcher.check_run_worker_health(run).status


@dg.op
def _nothing() -> None: ...


@dg.job
def _job() -> None:
    _nothing()


def test_a_process_is_known_again_and_not_taken_for_another() -> None:
    mark = process_mark()
    assert is_alive(mark)
    pid, _, started = mark.partition(":")
    assert not is_alive(f"{pid}:{int(started) + 1}") and not is_alive(dead_mark()) and not is_alive("nonsense")


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ({PROCESS_TAG: process_mark()}, WorkerStatus.RUNNING),
        ({PROCESS_TAG: "1:1"}, WorkerStatus.FAILED),
        ({".dagster/grpc_info": json.dumps({"host": "localhost", "port": 9})}, WorkerStatus.FAILED),
        ({}, WorkerStatus.FAILED),
    ],
)
def test_the_launcher_says_whether_a_run_lives(tags: dict[str, str], status: WorkerStatus) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert status_of(instance, tags) == status


def test_runs_whose_process_was_killed_are_marked_failed() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        runs = {
            mark: instance.create_run_for_job(_job, tags={PROCESS_TAG: mark}, status=dg.DagsterRunStatus.STARTED)
            for mark in (dead_mark(), process_mark())
        }
        dead, living = runs.values()
        assert bury_dead_runs(instance) == [dead.run_id]
        assert [instance.get_run_by_id(run.run_id).status for run in (dead, living)] == [  # type: ignore[union-attr]
            dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.STARTED,
        ]  # fmt: skip
