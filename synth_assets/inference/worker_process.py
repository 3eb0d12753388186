"""The parent's side of a vLLM worker: starts it, speaks JSON lines with it, ends it, and tells why it died.

vLLM changes the process that it runs in (threads, memory binding, LD_PRELOAD) and may die in native code, so it never
runs in ours. The worker leads a session and process group of its own: Ctrl-C reaches it only through us, and whatever
it started ends with it. It ends when its standard input closes or its parent dies (see `vllm_worker`).

Limit: there is no time-out; a big model on a slow disk may well take minutes to load. The kernel's parent-death signal
follows the *thread* that started the worker, so open and use a model in the same thread.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Literal, cast

from synth_assets.errors import EngineError, ModelError
from synth_assets.machine import end_group
from synth_assets.recipe import ModelSpec

Role = Literal["text", "reward"]

WORKER_MODULE = "synth_assets.inference.vllm_worker"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_TAIL_CHARACTERS = 2000
_REMEDY = (
    "read the lines above; short of memory: lower kv_cache_mib or max_num_seqs of this model in the recipe; "
    "no working vLLM on this machine (`synth-assets doctor`): set engine: transformers"
)


class WorkerProcess:
    """One running worker. `call` sends a message and waits for its reply."""

    def __init__(self, process: subprocess.Popen[bytes], stderr: IO[bytes], name: str) -> None:
        self._process = process
        self._stderr = stderr
        self._name = name

    @property
    def pid(self) -> int:
        return self._process.pid

    def call(self, message: dict[str, Any], num_rows: int = 0) -> Iterator[tuple[int, Any]]:
        """Rows as the worker finishes them, with their positions; at the end all of them have come.

        Raises what the worker reports, or EngineError if it died with rows under way.
        """
        assert self._process.stdin and self._process.stdout
        line = b""
        with suppress(BrokenPipeError, ValueError):
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        while True:
            if not line.endswith(b"\n"):
                raise self._death(num_rows)
            reply = json.loads(line)
            if error := reply.get("error"):
                raised = ModelError if error["kind"] == "ModelError" else EngineError
                raise raised(error["what"], value=error["value"], remedy=error["remedy"] or _REMEDY)
            if "rows" not in reply:
                return
            for position, row in reply["rows"]:
                num_rows -= 1
                yield position, row
            line = self._process.stdout.readline()

    def close(self) -> None:
        """Ends the worker and all that it started; safe to repeat."""
        end_group(self._process)
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            with suppress(OSError):
                cast(IO[bytes], stream).close()

    def _death(self, num_rows: int) -> EngineError:
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        under_way = f", {num_rows} requests under way" if num_rows else " while it started"
        tail = self._stderr_tail()
        return EngineError(f"the vLLM worker of {self._name} ended {how}{under_way}{tail}", remedy=_REMEDY)

    def _stderr_tail(self) -> str:
        self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, self._stderr.tell() - _TAIL_CHARACTERS))
        text = self._stderr.read().decode("utf-8", "replace").strip()
        return f"; its last words:\n{text}" if text else ""


@contextmanager
def start_worker(spec: ModelSpec, folder: Path, role: Role) -> Iterator[WorkerProcess]:
    """A worker with the model loaded; ended, with all its children, on the way out."""
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by WorkerProcess.close; a pipe would fill and block
    process = subprocess.Popen(
        [sys.executable, "-m", WORKER_MODULE, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        cwd=_PACKAGE_PARENT,  # `-m` looks here first: the same code as ours, wherever we were started
        start_new_session=True,
    )
    worker = WorkerProcess(process, stderr, str(folder))
    try:
        for _ in worker.call({"spec": spec.model_dump(mode="json"), "folder": str(folder), "role": role}):
            pass  # it says that it is ready, or why not
        yield worker
    finally:
        worker.close()
