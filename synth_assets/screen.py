"""The terminal: lines, and below the last one a bar, redrawn in its place where the output is a terminal."""

import os
import shutil

BAR_WIDTH = 24


class Screen:
    """Writes to a file descriptor, past whatever standard output is redirected to meanwhile."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._redraws = os.isatty(descriptor)
        self._has_bar = False

    def line(self, text: str) -> None:
        self._write(f"{self._cleared()}{text}\n")

    def bar(self, text: str, share: float) -> None:
        """`share` from 0 to 1. Where nothing can be redrawn it is a line like any other."""
        if not self._redraws:
            return self.line(f"    {share:4.0%}  {text}")
        filled = round(min(max(share, 0.0), 1.0) * BAR_WIDTH)
        drawn = f"    [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {share:4.0%}  {text}"
        start = self._cleared()
        self._has_bar = True
        self._write(start + drawn[: shutil.get_terminal_size().columns - 1])

    def _cleared(self) -> str:
        start = "\r\x1b[K" if self._has_bar else ""
        self._has_bar = False
        return start

    def _write(self, text: str) -> None:
        os.write(self._descriptor, text.encode())
