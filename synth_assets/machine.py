"""What the machine has and what a run takes of it. Numbers come from /proc; where there is none, they are None."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1024 * 1024
_PROC = Path("/proc")
#: How long the kernel may take to end a process that was killed; more than that is a fault of the machine.
_BURIAL_S = 10.0
_watching = threading.Event()


def memory_mib() -> tuple[int, int] | None:
    """(all memory, what is free for use) in MiB."""
    try:
        lines = (_PROC / "meminfo").read_text(encoding="ascii").splitlines()
        sizes = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines}
        return sizes["MemTotal"], sizes["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return None


def free_disk_mib(path: Path) -> int:
    """Room on the disk on which the path lies or would lie, in MiB."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free // MIB


def process_mark() -> str:
    """This process's id and start, by which `is_alive` knows it again though ids are given out anew."""
    return f"{os.getpid()}:{_started_at(os.getpid())}"


def is_alive(mark: str) -> bool:
    """Whether the process of the mark still runs."""
    process, _, started = mark.partition(":")
    return process.isdigit() and _started_at(int(process)) == started


def _started_at(process: int) -> str:
    """Clock ticks from the machine's start to the process's, empty if there is none or it is only waiting to be buried."""
    fields = _stat_fields(process)
    return "" if not fields or fields[0] == "Z" else fields[19]


def parent_of(process: int) -> int | None:
    """The process that it would tell of its end; None if it has ended."""
    fields = _stat_fields(process)
    return int(fields[1]) if fields else None


def _stat_fields(process: int) -> list[str]:
    """What the kernel says of a process after its name: state, parent, ...; empty if it has ended."""
    try:
        return (_PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


class PeakMemory:
    """The most memory that this process and all that it started held at one time, in MiB; looked at twice a second.

    Proportional sizes (PSS) count pages that processes share once, but take the kernel milliseconds each. So they are
    only asked for when the plain sizes (RSS), which are cheap, are larger together than ever before.
    """

    def __init__(self, interval_s: float = 0.5) -> None:
        self.peak_mib = 0
        self._most_pages = 0
        self._interval_s = interval_s

    @contextmanager
    def watching(self) -> Iterator[PeakMemory]:
        has_ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(has_ended,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            has_ended.set()
            thread.join(timeout=5)

    def _watch(self, has_ended: threading.Event) -> None:
        while True:
            processes = family(os.getpid())
            pages = sum(_num_pages(process) for process in processes)
            if pages > self._most_pages:
                self._most_pages = pages
                self.peak_mib = max(self.peak_mib, sum(map(_proportional_kib, processes)) // 1024)
            if has_ended.wait(self._interval_s):
                return


def family(root: int) -> set[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        if fields := _stat_fields(int(folder.name)):  # else it has ended meanwhile
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        process = waiting.pop()
        if process not in found:
            found.add(process)
            waiting += children.get(process, [])
    return found


def _num_pages(process: int) -> int:
    try:
        return int((_PROC / str(process) / "statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _proportional_kib(process: int) -> int:
    """PSS, or RSS where the kernel does not tell."""
    try:
        text = (_PROC / str(process) / "smaps_rollup").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return _num_pages(process) * os.sysconf("SC_PAGE_SIZE") // 1024


def end_with_parent() -> None:
    """From now on this process ends, without any word, as soon as the one that started it through multiprocessing has ended.

    Otherwise the steps of a run whose process was killed would live on, and hang at their end: nobody reads what they say.
    """
    parent = multiprocessing.parent_process()
    if parent is None or _watching.is_set():  # the step runs in the run's own process, or is watched already
        return
    _watching.set()

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)  # no clean-up: whatever a step leaves behind, a kill may leave at any time

    threading.Thread(target=watch, daemon=True).start()


def end_when_closed(descriptor: int) -> None:
    """From now on this process and its group, which it must lead, end as soon as nobody holds the pipe's other end.

    For a process that was started as a program: whoever started it holds the pipe, and lets go even if it is killed.
    """

    def watch() -> None:
        while os.read(descriptor, 1024):
            pass
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def end_group(leader: subprocess.Popen[bytes]) -> None:
    """Kill the process, which leads a group, and all of its group; when this returns none of them runs. Safe to repeat."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    end = time.monotonic() + _BURIAL_S
    while _group_runs(leader.pid) and time.monotonic() < end:
        time.sleep(0.01)


def _group_runs(group: int) -> bool:
    """Whether any process of the group runs; one that waits to be buried by its parent does not."""
    fields = (_stat_fields(int(folder.name)) for folder in _PROC.glob("[0-9]*"))
    return any(each and int(each[2]) == group and each[0] != "Z" for each in fields)
