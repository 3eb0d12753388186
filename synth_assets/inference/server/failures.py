"""When a run is stopped because its calls fail: better after a hundred of them than after all.

Rule: of the last LOOKED_AT finished calls, more than the recipe's failure_share failed. Nothing is said before so many have
finished. A try that is made again has not finished.
"""

from __future__ import annotations

from collections import deque

LOOKED_AT = 100


class FailureShare:
    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._has_failed: deque[bool] = deque(maxlen=LOOKED_AT)
        self._num_failed = 0

    def note(self, has_failed: bool) -> bool:
        """A call has finished; whether that makes too many failures."""
        if len(self._has_failed) == LOOKED_AT:
            self._num_failed -= self._has_failed[0]
        self._has_failed.append(has_failed)
        self._num_failed += has_failed
        return len(self._has_failed) == LOOKED_AT and self._num_failed > self._allowed * LOOKED_AT
