"""Requests and tokens a minute, as hosted servers allow them: token buckets.

A bucket fills evenly and holds what flows in within HELD_S: enough to keep a window full, too little for a burst that a
server would refuse. A call that costs more than the bucket holds goes when it is full, and leaves a debt.
"""

from __future__ import annotations

HELD_S = 2.0
_LEAST_WAIT_S = 1e-6  # less is an error of rounding


class Bucket:
    """Times are seconds of any one clock."""

    def __init__(self, per_minute: float, now: float) -> None:
        self._per_s = per_minute / 60
        self._holds = max(1.0, self._per_s * HELD_S)
        self._level = self._holds
        self._as_of = now

    def wait_s(self, cost: float, now: float) -> float:
        """Seconds until a call of this cost may go; 0: now."""
        self._level = min(self._holds, self._level + (now - self._as_of) * self._per_s)
        self._as_of = now
        wait = (min(cost, self._holds) - self._level) / self._per_s
        return wait if wait > _LEAST_WAIT_S else 0.0

    def take(self, cost: float) -> None:
        """Pay; a negative cost gives back what was estimated too high."""
        self._level -= cost


class Rates:
    """Both limits together; None: no limit."""

    def __init__(self, requests_per_minute: float | None, tokens_per_minute: float | None, now: float) -> None:
        self._requests = Bucket(requests_per_minute, now) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute, now) if tokens_per_minute else None

    def wait_s(self, num_tokens: int, now: float) -> float:
        waits = (self._requests and self._requests.wait_s(1, now), self._tokens and self._tokens.wait_s(num_tokens, now))
        return max(wait or 0.0 for wait in waits)

    def take(self, num_tokens: int) -> None:
        if self._requests:
            self._requests.take(1)
        if self._tokens:
            self._tokens.take(num_tokens)

    def correct(self, num_estimated: int, num_used: int) -> None:
        """The server has told what a call used, which was taken at an estimate."""
        if self._tokens and num_used:
            self._tokens.take(num_used - num_estimated)
