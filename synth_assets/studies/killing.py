"""A small pipeline of real processes, the four ways to kill it, and what must hold afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import dagster as dg
import yaml

from synth_assets.machine import family, parent_of
from synth_assets.recipe import project_root
from synth_assets.records import TABLES
from synth_assets.storage import Warehouse, read_journal

LEAVES = (
    "compositional_skills/writing/polite_request", "foundational_skills/arithmetic/story_sum", "knowledge/places/towns",
)  # fmt: skip
KINDS = ("step", "run", "engine", "everything")
#: When to kill, as shares of an undisturbed run's length: one that goes on is shorter, and an engine's life is a part of it.
MOMENTS = {"step": (0.08, 0.55), "run": (0.08, 0.55), "engine": (0.0, 0.2), "everything": (0.08, 0.55)}
STARTING, BETWEEN = "before the first step", "between two steps"
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
    knowledge, skills = recipe["tuning"]["phases"]
    knowledge["max_steps"], skills["max_steps"] = num_steps // 3, num_steps - num_steps // 3
    recipe["tuning"]["checkpoint_every"] = 5
    recipe["quality"]["min_accuracy_gain"]["value"] = -1.0
    recipe["quality"]["min_retained_share"]["value"] = 0.0
    recipe["quality"]["max_leaf_share"]["value"] = 1.0
    recipe["trust"] = {}  # so few rows compare with nothing
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

    def __init__(
        self, recipe: Path, warehouse: Path, prefix: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """`prefix`: words before the command that change what it may do; `environment`: added to ours."""
        whole = {**os.environ, **(environment or {}), "SYNTH_ASSETS_WAREHOUSE": str(warehouse)}
        whole.pop("DAGSTER_HOME", None)
        self.warehouse = warehouse
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), "demo"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=whole, cwd=project_root(),
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
        """Kill as soon after the delay as there is a process of the kind; whether that was before the demo ended.

        An engine lives for a part of the run only, so there the delay counts from its start.
        """
        start = time.monotonic()
        while kind == "engine" and not self._victims(kind) and self.process.poll() is None:
            time.sleep(0.05)
        due = time.monotonic() + delay_s
        while self.process.poll() is None:
            if time.monotonic() - start > timeout_s:
                raise RuntimeError(f"the demo has not ended after {timeout_s:.0f} s")
            if time.monotonic() >= due and self.kill(kind):
                return True
            time.sleep(0.02)
        return False

    def _victims(self, kind: str) -> set[int]:
        processes = family(self.process.pid)
        return {
            "run": {self.process.pid},
            "everything": processes,
            "engine": {pid for pid in processes if "vllm_worker" in _command_of(pid)},
            "step": {pid for pid in processes if _is_step(pid)},
        }[kind]

    def kill(self, kind: str) -> bool:
        """SIGKILL to the processes of this kind; whether there were any."""
        num_killed = 0
        for pid in self._victims(kind):
            try:
                os.kill(pid, signal.SIGKILL)
                num_killed += 1
            except ProcessLookupError:
                continue
        if kind in ("run", "everything"):
            self.process.wait(timeout=30)
        return num_killed > 0


@dataclass(frozen=True)
class Damage:
    """What a series of kills has left: all of it should be 0."""

    rows_lost: int = 0
    finished_calls_repeated: int = 0
    tables_differ: int = 0
    runs_stuck: int = 0
    processes_left: int = 0


@dataclass(frozen=True)
class Kill:
    """One kill: what kind of process was killed, and the step that was under way (STARTING, BETWEEN: none was)."""

    kind: str
    step: str


def kill_again_and_again(
    recipe: Path, warehouse: Path, rng: Random, length_s: float, num_kills: int, kinds: tuple[str, ...] = KINDS
) -> list[Kill]:
    """Start, kill, start again, until the demo ends by itself; at most `num_kills` kills.

    `length_s`: how long an undisturbed demo takes.
    """
    kills: list[Kill] = []
    while True:
        start, demo = time.time(), RunningDemo(recipe, warehouse)
        if len(kills) == num_kills:
            demo.finish()
            return kills
        kind = kinds[len(kills) % len(kinds)]
        earliest, latest = MOMENTS[kind]
        was_killed, moment = demo.kill_after(kind, rng.uniform(earliest, latest) * length_s), time.time()
        demo.process.communicate(timeout=600)
        if was_killed:
            kills.append(Kill(kind, _step_under_way(warehouse, start, moment)))
        elif demo.process.returncode == 0:
            return kills


def _step_under_way(warehouse: Path, start: float, moment: float) -> str:
    """The step that the demo begun at `start` was in at `moment` (seconds since the epoch)."""
    if not (warehouse / "dagster").is_dir():
        return STARTING
    with dg.DagsterInstance.from_config(str(warehouse / "dagster")) as instance:
        records = instance.get_run_records(limit=1)
        if not records or records[0].create_timestamp.timestamp() < start:
            return STARTING
        stats = instance.get_run_step_stats(records[0].dagster_run.run_id)
    under_way = [(s.start_time, s.step_key) for s in stats if s.start_time and _spans(s.start_time, s.end_time, moment)]
    return max(under_way)[1] if under_way else BETWEEN


def _spans(start: float, end: float | None, moment: float) -> bool:
    return start <= moment and (end is None or end >= moment)


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
    return Damage(lost, sum(count - 1 for count in calls.values()), differ, stuck, _num_processes_left(warehouse))


def _num_processes_left(warehouse: Path, patience_s: float = 20.0) -> int:
    """Processes that were told to work in this warehouse and do not end within the time."""
    deadline = time.monotonic() + patience_s
    while (left := _processes_of(warehouse)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return len(left)


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


def _is_step(pid: int) -> bool:
    """Steps are forked by the fork server, which has the same command line."""
    return "forkserver" in _command_of(pid) and "forkserver" in _command_of(parent_of(pid) or 0)


def _command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
