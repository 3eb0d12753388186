"""A small pipeline of real processes, the four ways to kill it, and what must hold afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import dagster as dg
import yaml

from synth_assets.recipe import project_root
from synth_assets.records import TABLES
from synth_assets.storage import Warehouse, read_journal

LEAVES = (
    "compositional_skills/writing/polite_request", "foundational_skills/arithmetic/story_sum", "knowledge/places/towns",
)  # fmt: skip
KINDS = ("step", "run", "engine", "everything")
ENDED = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}


def small_recipe(folder: Path, num_samples: int = 12, num_steps: int = 30) -> Path:
    """Three leaves over three branches, the embedded models, every stage, and gates that so small a run can pass."""
    data = project_root() / "data"
    recipe = yaml.safe_load((data / "recipes/embedded.yaml").read_text(encoding="utf-8"))
    for leaf in LEAVES:
        target = folder / "taxonomy" / leaf / "qna.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((data / "taxonomy" / leaf / "qna.yaml").read_bytes())
    _write_benchmark(data / "benchmark", folder / "benchmark")
    recipe["taxonomy"]["paths"] = [str(folder / "taxonomy")]
    recipe["evaluation"]["benchmark"] = str(folder / "benchmark")
    recipe["generation"]["num_samples_per_leaf"] = num_samples
    recipe["tuning"] |= {"max_steps": num_steps, "checkpoint_every": 5}
    recipe["quality"]["min_accuracy_gain"]["value"] = -1.0
    recipe["quality"]["min_retained_share"]["value"] = 0.0
    recipe["quality"]["max_leaf_share"]["value"] = 1.0
    for role in ("reward_model", "student"):
        recipe[role]["engine"] = "transformers"  # one engine process is enough to be killed, and these start sooner
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    return file


def _write_benchmark(source: Path, target: Path) -> None:
    """A few questions of each kind, so that the examination is short."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("*.jsonl"):
        seen: Counter[str] = Counter()
        lines = []
        for line in file.read_text(encoding="utf-8").splitlines(keepends=True):
            seen[json.loads(line)["leaf_path"]] += 1
            if seen[json.loads(line)["leaf_path"]] <= 2:
                lines.append(line)
        (target / file.name).write_text("".join(lines), encoding="utf-8")


class RunningDemo:
    """`synth-assets demo` as a process, with all that it starts."""

    def __init__(self, recipe: Path, warehouse: Path) -> None:
        environment = {**os.environ, "SYNTH_ASSETS_WAREHOUSE": str(warehouse)}
        environment.pop("DAGSTER_HOME", None)
        self.warehouse = warehouse
        self.process = subprocess.Popen(
            [sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), "demo"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, cwd=project_root(),
            start_new_session=True,
        )  # fmt: skip

    def finish(self, timeout_s: float = 600.0) -> str:
        """What it said; raises RuntimeError with its log if it did not end well."""
        said, _ = self.process.communicate(timeout=timeout_s)
        if self.process.returncode:
            log = self.warehouse / "demo.log"
            raise RuntimeError(said + (log.read_text(errors="replace")[-3000:] if log.is_file() else ""))
        return said

    def kill_after(self, kind: str, delay_s: float, timeout_s: float = 600.0) -> bool:
        """Kill as soon after the delay as there is a process of the kind; whether that was before the demo ended."""
        start = time.monotonic()
        while self.process.poll() is None:
            elapsed = time.monotonic() - start
            if elapsed > timeout_s:
                raise RuntimeError(f"the demo has not ended after {timeout_s:.0f} s")
            if elapsed >= delay_s and self.kill(kind):
                return True
            time.sleep(0.02)
        return False

    def kill(self, kind: str) -> bool:
        """SIGKILL to the processes of this kind; whether there were any."""
        family = _descendants(self.process.pid)
        victims = {
            "run": [self.process.pid],
            "everything": [self.process.pid, *family],
            "engine": [pid for pid in family if "vllm_worker" in _command_of(pid)],
            "step": [pid for pid in family if _is_step(pid)],
        }[kind]
        for pid in victims:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if kind in ("run", "everything"):
            self.process.wait(timeout=30)
        return bool(victims)


@dataclass(frozen=True)
class Damage:
    """What a series of kills has left: all of it should be 0."""

    rows_lost: int
    finished_calls_repeated: int
    tables_differ: int
    runs_stuck: int


def kill_again_and_again(
    recipe: Path, warehouse: Path, rng: Random, length_s: float, num_kills: int, kinds: tuple[str, ...] = KINDS
) -> list[str]:
    """Start, kill, start again, until the demo ends by itself; the kinds of the kills, at most `num_kills`."""
    kills: list[str] = []
    while True:
        demo = RunningDemo(recipe, warehouse)
        if len(kills) == num_kills:
            demo.finish()
            return kills
        kind = kinds[len(kills) % len(kinds)]
        was_killed = demo.kill_after(kind, rng.uniform(0.1, 0.7) * length_s)
        demo.process.communicate(timeout=600)
        if was_killed:
            kills.append(kind)
        elif demo.process.returncode == 0:
            return kills


def damage(warehouse: Path, undisturbed: Path) -> Damage:
    """Against a warehouse in which nothing was killed."""
    there, whole = Warehouse(warehouse), Warehouse(undisturbed)
    names = [name for name in TABLES if whole.has_table(name)]
    lost = differ = 0
    for name in names:
        if not there.has_table(name):
            lost, differ = lost + whole.read_table(name).height, differ + 1
            continue
        lost += max(0, whole.read_table(name).height - there.read_table(name).height)
        differ += there.table_path(name).read_bytes() != whole.table_path(name).read_bytes()
    calls = Counter(key for key, _ in read_journal(warehouse / "journal"))
    with dg.DagsterInstance.from_config(str(warehouse / "dagster")) as instance:
        stuck = sum(run.status not in ENDED for run in instance.get_runs())
    return Damage(lost, sum(count - 1 for count in calls.values()), differ, stuck)


def processes_left(warehouse: Path, patience_s: float = 20.0) -> list[int]:
    """Every process that was told to work in this warehouse and does not end within the time."""
    deadline = time.monotonic() + patience_s
    while (left := _processes_of(warehouse)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _processes_of(warehouse: Path) -> list[int]:
    mark = f"SYNTH_ASSETS_WAREHOUSE={warehouse}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def _descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        children.setdefault(_parent_of(int(folder.name)), []).append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append(child)
            waiting.append(child)
    return found


def _is_step(pid: int) -> bool:
    """Steps are forked by the fork server, which has the same command line."""
    return "forkserver" in _command_of(pid) and "forkserver" in _command_of(_parent_of(pid))


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except OSError:
        return -1


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
