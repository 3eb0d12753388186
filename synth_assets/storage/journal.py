"""The journal of model calls: what a model has once answered is never asked again.

    <warehouse>/journal/calls-000.log, calls-001.log, ...     append-only, one a process that writes

A record is one line, `key checksum json`; it counts once its line is whole and its checksum right, and of several
with one key the last written counts. Records are gathered and written together, every COMMIT_EVERY_S seconds or
COMMIT_EVERY_ROWS records, and synced to the disk; a commit a record would cost more than a small model's answer. What
a crash takes is at most what was gathered since.

A process appends to the first file that no other process holds (flock), so there are as many files as there were ever
writers at once. Lines that a crash has torn are cut off or stepped over by the next process that opens the file to
write, and `repairs` says so; a reader leaves a torn last line aside, since it may be one that is being written.

Simplification: keys are held in memory, about 300 bytes each; values stay on disk until they are asked for. Times are
monotonic, so that a clock that is set back changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from synth_assets.errors import WarehouseError, WarehouseSpaceError
from synth_assets.storage.warehouse import no_room_left

COMMIT_EVERY_S = 0.5
COMMIT_EVERY_ROWS = 256
_MAX_FILES = 1000


class _Place(NamedTuple):
    file: Path
    offset: int
    length: int


class Journal:
    """Records by key. Open it with `open_journal`. Threads may share it."""

    def __init__(self, folder: Path, file: Path, descriptor: int) -> None:
        self.repairs: list[str] = []
        self._folder, self._file, self._descriptor = folder, file, descriptor
        self._places: dict[str, _Place] = {}
        self._read_to: dict[Path, int] = {}
        self._gathered: dict[str, bytes] = {}
        self._last_commit = time.monotonic()
        self._lock = threading.RLock()
        self._cut_torn_end()
        self.refresh()

    def __len__(self) -> int:
        return len(self._places)

    def refresh(self) -> None:
        """Take in what other processes have written since."""
        with self._lock:
            for file in sorted(self._folder.glob("calls-*.log")):
                self._take_in(file)

    def find(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The values of those keys that have one."""
        found: dict[str, dict[str, Any]] = {}
        by_file: dict[Path, list[tuple[_Place, str]]] = {}
        with self._lock:
            for key in keys:
                if key in self._gathered:
                    found[key] = _value(self._gathered[key])
                elif place := self._places.get(key):
                    by_file.setdefault(place.file, []).append((place, key))
        for file, places in by_file.items():
            with file.open("rb") as stream:
                for place, key in sorted(places):
                    stream.seek(place.offset)
                    found[key] = _value(stream.read(place.length))
        return found

    def append(self, key: str, value: Mapping[str, Any]) -> None:
        """Gather a record, and commit if it is time. Raises WarehouseError as `commit` does."""
        line = _line(key, value)
        with self._lock:
            self._gathered[key] = line
            is_due = time.monotonic() - self._last_commit >= COMMIT_EVERY_S
            if is_due or len(self._gathered) >= COMMIT_EVERY_ROWS:
                self.commit()

    def commit(self) -> None:
        """Write and sync what was gathered: from now on it counts.

        Raises WarehouseError if the disk does not take it; then the file is as before.
        """
        with self._lock:
            if self._gathered:
                self._write_gathered()
            self._last_commit = time.monotonic()

    def _write_gathered(self) -> None:
        end = os.fstat(self._descriptor).st_size
        try:
            _write_whole(self._descriptor, b"".join(self._gathered.values()))
            os.fsync(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, end)
            kind = WarehouseSpaceError if no_room_left(error) else WarehouseError
            remedy = "free some space and run again: what was written before is kept"
            raise kind(f"the journal of model calls cannot be written: {error}", remedy=remedy) from error
        self._gathered.clear()
        self._take_in(self._file)

    def _cut_torn_end(self) -> None:
        """Of our own file; nobody else writes to it."""
        content = self._file.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
            self.repairs.append(f"{self._file}: {len(content) - whole} bytes of an unfinished record were cut off")

    def _take_in(self, file: Path) -> None:
        start = self._read_to.get(file, 0)
        with file.open("rb") as stream:
            stream.seek(start)
            content = stream.read()
        offset, num_damaged = start, 0
        for line in content.split(b"\n")[:-1]:  # what follows the last line's end is not finished
            if key := _key_of(line):
                self._places[key] = _Place(file, offset, len(line))
            else:
                num_damaged += 1
            offset += len(line) + 1
        self._read_to[file] = offset
        if num_damaged:
            self.repairs.append(f"{file}: {num_damaged} damaged records are left aside; their calls are made again")


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """The journal in this folder, which is made if need be; what was gathered is committed on the way out."""
    descriptor, file = _first_free(folder)
    try:
        journal = Journal(folder, file, descriptor)
        try:
            yield journal
        finally:
            journal.commit()
    finally:
        os.close(descriptor)


def read_journal(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every whole record that is written, with its key, file by file; touches nothing."""
    for file in sorted(folder.glob("calls-*.log")):
        with file.open("rb") as stream:
            for line in stream:
                if line.endswith(b"\n") and (key := _key_of(line[:-1])):
                    yield key, _value(line)


def _first_free(folder: Path) -> tuple[int, Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(_MAX_FILES):
            file = folder / f"calls-{number:03}.log"
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return descriptor, file
    except OSError as error:
        remedy = "make the folder writable, or set SYNTH_ASSETS_WAREHOUSE to another one"
        raise WarehouseError(f"the journal of model calls cannot be opened: {error}", remedy=remedy) from error
    raise WarehouseError("every file of the journal of model calls is held by a process", value=str(folder))


def _line(key: str, value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()
    return b"%s %08x %s\n" % (key.encode(), zlib.crc32(key.encode() + text), text)


def _key_of(line: bytes) -> str | None:
    """The key of a line without its end; None if it is damaged."""
    key, _, rest = line.partition(b" ")
    checksum, _, text = rest.partition(b" ")
    return key.decode() if checksum == b"%08x" % zlib.crc32(key + text) else None


def _value(line: bytes) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(line.split(b" ", 2)[2])
    return value


def _write_whole(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
