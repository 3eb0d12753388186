"""The worker process: `python -m synth_assets.inference.vllm_worker PARENT_PID`, JSON lines in and out.

First message {spec, folder, role}, then {rows: [...]}. Each is answered by any number of {rows: [[position, row], ...]},
as they are finished, and then {done} or {error}. An error of the engine ends the process, since an engine that failed
once may hold requests of the past.

Standard output carries the replies alone: what libraries print goes to standard error. The process dies with its
parent, twice over: the kernel's parent-death signal (Linux), and a thread that waits for the end of standard input.
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any

from synth_assets.errors import ModelError, SynthAssetsError
from synth_assets.recipe import ModelSpec

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # else two more processes, each of which imports everything again
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_PR_SET_PDEATHSIG = 1


def main(parent_pid: int) -> None:
    _die_with(parent_pid)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    messages = _read_messages()
    os.environ.update(_ENVIRONMENT)
    os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)  # it would overrule the recipe's kv_cache_mib
    from synth_assets.inference.vllm_engine import open_engine

    first = messages.get()
    try:
        spec = ModelSpec.model_validate_json(json.dumps(first["spec"]))
        engine = open_engine(spec, Path(first["folder"]), first["role"])
        _reply(replies, {"done": True})
        while True:
            for finished in engine(messages.get()["rows"]):
                _reply(replies, {"rows": finished})
            _reply(replies, {"done": True})
    except Exception as error:
        traceback.print_exc()
        _reply(replies, {"error": _described(error)})
        sys.stderr.flush()
        os._exit(1)  # an orderly end would wait for the thread that reads


def _described(error: Exception) -> dict[str, Any]:
    if isinstance(error, SynthAssetsError):
        what = f"{error.where}: {error.what}" if error.where else error.what
        kind = "ModelError" if isinstance(error, ModelError) else "EngineError"
        return {"kind": kind, "what": what, "value": error.value, "remedy": error.remedy}
    return {"kind": "EngineError", "what": f"vLLM: {type(error).__name__}: {error}", "value": None, "remedy": None}


def _reply(replies: IO[bytes], message: dict[str, Any]) -> None:
    replies.write(json.dumps(message, default=str).encode() + b"\n")
    replies.flush()


def _read_messages() -> queue.SimpleQueue[dict[str, Any]]:
    """A queue that a thread fills from standard input; at its end the whole process group goes."""
    messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            messages.put(json.loads(line))
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=read, daemon=True).start()
    return messages


def _die_with(parent_pid: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it died before we could ask for the signal
        sys.exit("the parent is gone")


if __name__ == "__main__":
    main(int(sys.argv[1]))
