"""Base and tuned student in EleutherAI's lm-evaluation-harness: our side of its process (see `harness_worker`).

The process leads a group of its own and ends when its standard input does: on the way out, and if we are killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from synth_assets.errors import HarnessError
from synth_assets.evaluation.harness_tasks import check_tasks
from synth_assets.machine import end_group
from synth_assets.recipe import HarnessSection, ModelSpec
from synth_assets.records import HarnessScore, ModelArm

WORKER_MODULE = "synth_assets.evaluation.harness_worker"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_TAIL_CHARACTERS = 2000
_REMEDY = "read the lines above; short of memory: lower evaluation.harness.batch_size"

Tell = Callable[[str], None]


def run_harness(
    declared: HarnessSection, student: ModelSpec, models: Mapping[ModelArm, Path], task_folder: Path, tell: Tell
) -> list[HarnessScore]:  # fmt: skip
    """One score for each model and task, in this order. `task_folder` as `write_tasks` left it.

    Raises HarnessError before any model is loaded if the harness is not installed, does not know a task or its metric, or
    lacks its data; and if its process dies.
    """
    check_tasks(declared)
    order = {
        **declared.model_dump(mode="json"),
        "folder": str(task_folder.absolute()),
        "models": {arm: str(folder.absolute()) for arm, folder in models.items()},
        "dtype": student.dtype,
        "max_model_len": student.max_model_len,
    }
    scores = []
    for message in _messages(order):
        if "progress" in message:
            tell(message["progress"])
        if "score" in message:
            scores.append(HarnessScore(**message["score"]))
            tell(f"{scores[-1].task}, {scores[-1].model} student: {scores[-1].metric} {scores[-1].value:.1%}")
    return scores


def _messages(order: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the worker says until it is done. Raises what it reports."""
    with tempfile.TemporaryFile() as stderr:  # a pipe would fill and block
        process = subprocess.Popen(
            [sys.executable, "-m", WORKER_MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=_PACKAGE_PARENT,  # `-m` looks here first: the same code as ours, wherever we were started
            start_new_session=True,
        )
        assert process.stdin and process.stdout
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()
            for line in process.stdout:
                message = json.loads(line)
                if error := message.get("error"):
                    raise HarnessError(error["what"], value=error["value"], remedy=error["remedy"] or _REMEDY)
                if "done" in message:
                    return
                yield message
            raise _death(process, stderr)
        finally:
            end_group(process)
            with suppress(OSError):
                process.stdin.close()
            process.stdout.close()


def _death(process: subprocess.Popen[bytes], stderr: IO[bytes]) -> HarnessError:
    code = process.wait(timeout=10)
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _TAIL_CHARACTERS))
    text = stderr.read().decode("utf-8", "replace").strip()
    return HarnessError(f"the harness's process ended {how}; its last words:\n{text}", remedy=_REMEDY)
