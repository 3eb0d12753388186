"""Serves a model of the recipe with vLLM's own OpenAI server, on this machine alone, for as long as the caller wants.

The server and all that it starts end with the caller: at the end of the context, and by the closed pipe if the caller is
killed (see `serving_process`).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synth_assets.errors import EngineError, ModelError
from synth_assets.inference.worker_process import Role
from synth_assets.machine import end_group
from synth_assets.model_folder import ArchitectureKind, check_model_folder
from synth_assets.recipe import ModelSpec, resolve_path

HOST = "127.0.0.1"
PROCESS_MODULE = "synth_assets.inference.serving_process"
_PACKAGE_PARENT = Path(__file__).resolve().parents[2]
_GRACE_S = 5.0
_KINDS: dict[Role, ArchitectureKind] = {"text": "ForCausalLM", "reward": "ForSequenceClassification"}


class LocalServer:
    """A server that runs. `name` is what it calls the model."""

    def __init__(self, process: subprocess.Popen[bytes], name: str, port: int) -> None:
        self.name, self.port = name, port
        self._process = process

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self.port}/v1"

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> int:
        """Until it ends by itself; its exit code."""
        return self._process.wait()

    def wait_until_ready(self) -> None:
        """Until it answers. Raises EngineError if it ends before."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self._process.poll() is None:
            with suppress(OSError, urllib.error.URLError):
                opener.open(f"http://{HOST}:{self.port}/health", timeout=5).close()
                return
            time.sleep(0.2)
        raise EngineError(
            f"the server of {self.name} ended with exit code {self._process.returncode} while it started",
            remedy="read the lines above; short of memory: lower kv_cache_mib or max_num_seqs of this model in the recipe",
        )

    def close(self) -> None:
        """Ends it and all that it started; safe to repeat."""
        self._process.terminate()  # it alone: it lets go of its shared memory, and ends its engine by itself
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        end_group(self._process)
        if self._process.stdin:
            self._process.stdin.close()


@contextmanager
def serving(spec: ModelSpec, role: Role, port: int = 0) -> Iterator[LocalServer]:
    """The model of this folder, ready to be asked; port 0: any that is free.

    Raises ModelError for what is wrong with the folder, EngineError if the port is taken or the server does not start.
    """
    if not spec.path:
        raise ModelError("only a model whose folder is here can be served", value=spec.name, remedy="set its path")
    folder = resolve_path(spec.path)
    check_model_folder(folder, _KINDS[role], spec.num_rewards)
    name = spec.server.model if spec.server else folder.name
    port = _free_port(port)
    order = {
        "spec": spec.model_dump(mode="json"),
        "folder": str(folder),
        "role": role,
        "name": name,
        "host": HOST,
        "port": port,
    }
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", PROCESS_MODULE, json.dumps(order)],
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        cwd=_PACKAGE_PARENT,  # `-m` looks here first: the same code as ours, wherever we were started
        start_new_session=True,
    )
    server = LocalServer(process, name, port)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.close()


def recipe_lines(server: LocalServer, spec: ModelSpec, key: str) -> str:
    """What to write into a recipe, under this key, to use the server."""
    lines = [
        f"path: {spec.path}", "engine: server", f"max_model_len: {spec.max_model_len}", "server:",
        f"  base_urls: [{server.base_url}]", f"  model: {server.name}",
        *(["  reward_outputs: 1"] if spec.num_rewards == 1 else []),
    ]  # fmt: skip
    return "\n".join([f"{key}:", *(f"  {line}" for line in lines)])


def _free_port(port: int) -> int:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    except OSError as error:
        raise EngineError(f"port {port} cannot be used: {error}", remedy="choose another with --port") from error
