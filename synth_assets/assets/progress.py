"""How far long work has come: a line in the run's log and an observation on the asset, at most one in EVERY_S seconds.

The observation holds the numbers, so that the asset's page and a progress bar in a terminal can show them.
"""

import time
from typing import Any

import dagster as dg

EVERY_S = 10.0
SHARE, TEXT = "share_done", "progress"


class Progress:
    """Of one asset in one run. Work comes in batches, each of which is counted from 0 to its total."""

    def __init__(self, context: dg.AssetExecutionContext, unit: str = "calls") -> None:
        self.detail = ""
        self._context = context
        self._unit = unit
        self._told, self._has_begun = time.monotonic(), False
        self.begin(0)

    def begin(self, total: int, done: int = 0) -> None:
        """A batch of `total` starts, of which `done` cost nothing (the journal had them)."""
        self._total, self._done, self._free = total, done, done
        self._has_told = False
        self._started: float | None = None

    def advance(self) -> None:
        if self._started is None:  # before the first answer an engine may have had to start
            self._started = time.monotonic()
            self._free = self._done + 1
            if not self._has_begun:
                self._told, self._has_begun = self._started, True
        self._done += 1
        if self._is_time():
            self._say(self._sentence(), self._done / max(1, self._total))

    def end(self) -> None:
        """The batch is done; said if anything was said of it before."""
        if self._has_told:
            self._say(self._sentence(), 1.0)

    def tell(self, text: str, share: float | None) -> None:
        """For work that counts by itself; `share` from 0 to 1, None for what must be said at any time."""
        if share is None:
            self._context.log.info(text)
        elif self._is_time() or (share >= 1.0 and self._has_told):
            self._say(text, share)

    def _sentence(self) -> str:
        text = f"{self._done:,} of {self._total:,} {self._unit}"
        if self._started is not None and self._done > self._free:
            rate = (self._done - self._free) / max(time.monotonic() - self._started, 1e-3)
            text += f", {rate:.3g} a second, {(self._total - self._done) / rate:.0f} s left"
        return f"{text}; {self.detail}" if self.detail else text

    def _is_time(self) -> bool:
        is_time = time.monotonic() - self._told >= EVERY_S
        if is_time:
            self._told = time.monotonic()
        return is_time

    def _say(self, text: str, share: float) -> None:
        self._has_told = share < 1.0
        metadata: dict[str, Any] = {TEXT: text, SHARE: round(share, 4), "done": self._done, "total": self._total}
        self._context.log_event(dg.AssetObservation(self._context.asset_key, metadata=metadata))
        self._context.log.info(text)
