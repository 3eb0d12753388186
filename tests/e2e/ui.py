"""The Dagster UI as `synth-assets dev` starts it, for a small pipeline, and a browser that looks at it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def running_ui(recipe: Path, warehouse: Path) -> Iterator[str]:
    """Its address, once it answers and has loaded the pipeline; ended with all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SYNTH_ASSETS_WAREHOUSE": str(warehouse)}
    environment.pop("DAGSTER_HOME", None)
    warehouse.mkdir(parents=True, exist_ok=True)
    with (warehouse / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), "dev", "--port", str(port)],
            stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until_loaded(address, process, warehouse / "dev.log")
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def ask(address: str, query: str) -> Any:
    """The `data` of a GraphQL answer."""
    request = urllib.request.Request(
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


def runs(address: str) -> list[dict[str, Any]]:
    """Newest first."""
    found = ask(address, "{runsOrError { ... on Runs { results { runId status jobName tags { key value } } } }}")
    rows: list[dict[str, Any]] = found["runsOrError"]["results"]
    return rows


def wait_for(what: str, is_so: Any, timeout_s: float = 800.0, poll_s: float = 1.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} has not come about within {timeout_s:.0f} s")
        time.sleep(poll_s)


def _wait_until_loaded(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    query = "{repositoriesOrError { ... on RepositoryConnection { nodes { name } } }}"

    def is_loaded() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"synth-assets dev has ended:\n{log.read_text(errors='replace')[-3000:]}")
        try:
            return bool(ask(address, query)["repositoriesOrError"].get("nodes"))
        except (OSError, ValueError):
            return False

    wait_for("the UI", is_loaded, 180)
