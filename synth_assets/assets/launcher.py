"""The run launcher: Dagster's own, which can also say whether the process of a run still lives.

Without that a run whose processes were killed all at once stays STARTED for ever, since nobody is left to write that
it has ended. With it run monitoring marks the run failed one poll later, and the retry goes on where it was.
"""

import json
from typing import cast

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from synth_assets.machine import is_alive

PROCESS_TAG = "synth_assets/process"
ASK_TIMEOUT_S = 10


class WatchedRunLauncher(DefaultRunLauncher):
    """Asks the code server that started a run whether it still runs it, or looks for the process that runs it itself."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if mark := run.tags.get(PROCESS_TAG):
            lives = is_alive(mark)
            return _result(lives, f"process {mark.partition(':')[0]}")
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            return _result(False, "a code server that nobody wrote down")
        try:
            reply = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id), timeout=ASK_TIMEOUT_S)
        except DagsterUserCodeUnreachableError:
            return _result(False, f"the code server at {json.loads(run.tags['.dagster/grpc_info'])}")
        return _result(cast(CanCancelExecutionResult, deserialize_value(reply)).can_cancel, "its code server")


def _result(lives: bool, what: str) -> CheckRunHealthResult:
    if lives:
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"{what} runs it")
    words = f"{what} does not run it any more: killed, or the machine was restarted"
    return CheckRunHealthResult(WorkerStatus.FAILED, words)
