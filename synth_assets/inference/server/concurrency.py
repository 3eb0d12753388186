"""How many requests a server is given at a time, found out by watching it.

Outcomes are looked at in rounds, each as long as the window is wide. The window doubles with each round until the first sign
of congestion (slow start, V. Jacobson 1988). After that:

- latency: limit <- limit x gradient + sqrt(limit), gradient = 1.5 x (long-term mean) / (mean of the round), from 0.5 to 1;
  the rule is Gradient2 of Netflix' concurrency-limits, per round instead of per sample. It watches for latencies that grow
  beyond what the server's answers usually take, so it needs no minimum latency, which answers of different lengths lack.
- refusals (HTTP 429 and 503) and time-outs, where they are more than a tenth of a round: limit <- limit / 2 (additive
  increase, multiplicative decrease: D. Chiu, R. Jain 1989).
- the queue of a vLLM, which takes in everything and refuses nothing: what waits there is taken off the limit, but for a
  few that keep it fed.

Limit: where answers grow longer and longer the window shrinks for a while, since longer answers look like a slower server.
"""

from __future__ import annotations

import math

_START = 64  # as many as servers commonly take at once; one that does not says so
_TOLERANCE = 1.5
_LONG_TERM = 0.1  # weight of a new round in the long-term mean
_REFUSED_SHARE = 0.1
_FED = 4  # requests that may wait in a vLLM's queue


class Concurrency:
    """A limit between 1 and `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(_START, most))
        self._is_starting = True
        self._long_term_s = 0.0
        self._num_answers, self._sum_s, self._num_refusals = 0, 0.0, 0
        self._most_in_flight = 0

    @property
    def limit(self) -> int:
        """Requests that may be under way at a time."""
        return int(self._limit)

    def note_answer(self, latency_s: float, num_in_flight: int) -> None:
        """A call was answered, after so long, while so many were under way."""
        self._num_answers += 1
        self._sum_s += latency_s
        self._most_in_flight = max(self._most_in_flight, num_in_flight)
        self._end_round()

    def note_refusal(self) -> None:
        """A call was refused for lack of room, or timed out."""
        self._num_refusals += 1
        self._end_round()

    def note_queue(self, num_waiting: float, num_running: float, num_ours: int) -> None:
        """What a vLLM says of itself. Others may use it as well: of those that wait our share is ours."""
        excess = num_waiting * min(1.0, num_ours / max(1.0, num_waiting + num_running)) - _FED
        if excess > 0:
            self._is_starting = False
            self._limit = max(1.0, min(self._limit, num_ours) - excess)

    def _end_round(self) -> None:
        num = self._num_answers + self._num_refusals
        if num < self._limit:
            return
        if self._num_refusals > _REFUSED_SHARE * num:
            self._is_starting = False
            self._limit = max(1.0, self._limit / 2)
        elif self._num_answers:
            self._follow(self._sum_s / self._num_answers)
        self._num_answers, self._sum_s, self._num_refusals, self._most_in_flight = 0, 0.0, 0, 0

    def _follow(self, mean_s: float) -> None:
        self._long_term_s += (mean_s - self._long_term_s) * (_LONG_TERM if self._long_term_s else 1.0)
        gradient = max(0.5, min(1.0, _TOLERANCE * self._long_term_s / max(mean_s, 1e-9)))
        if gradient < 1:
            self._is_starting = False
        elif self._most_in_flight < self._limit / 2:
            return  # there was not enough to do to tell what a wider window would bring
        grown = 2 * self._limit if self._is_starting else self._limit * gradient + math.sqrt(self._limit)
        self._limit = max(1.0, min(grown, self._most))
