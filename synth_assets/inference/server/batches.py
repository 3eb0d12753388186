"""What callers hand to the window and get back from it: batches of calls, and the order in which they are asked."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

from synth_assets.inference.server.attempt import Question


class Notice(NamedTuple):
    """Something that people should know, such as that a server is gone."""

    text: str


#: Position of the question, value, and of a failed call the words of the error.
Answer = tuple[int, Any, str]


class Batch:
    """The calls of one caller. What comes of them is put into `finished`: answers, several at a time, since waking a thread
    for each would cost as much as asking; notices; or the exception that ends it all."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = questions
        self.num_taken = 0
        self.num_left = len(questions)
        self.is_abandoned = False
        self.gathered: list[Answer] = []
        self.finished: SimpleQueue[list[Answer] | Notice | Exception] = SimpleQueue()

    def hand_over(self) -> None:
        """What is gathered, to the caller."""
        if self.gathered:
            self.finished.put(self.gathered)
            self.gathered = []


class Call:
    """One call under way, from its first try to its end. `num_tries` are those that count against max_attempts, `num_losses`
    all that failed; `paused_s` is how long the window had stood still at the first."""

    __slots__ = (
        "batch",
        "body",
        "first_try",
        "num_estimated",
        "num_losses",
        "num_tries",
        "paused_s",
        "position",
        "question",
    )

    def __init__(self, batch: Batch, position: int) -> None:
        self.batch, self.position = batch, position
        self.question = batch.questions[position]
        self.body = self.question.body()
        self.num_estimated = len(self.body) // 4 + self.question.num_new_tokens
        self.num_tries = self.num_losses = 0
        self.first_try = self.paused_s = -1.0


class CallQueue:
    """Calls that are to be tried again come first, each at its time; then new ones, from each batch in turn."""

    def __init__(self) -> None:
        self._batches: deque[Batch] = deque()
        self._again: list[tuple[float, int, Call]] = []
        self._num_again = 0

    def add(self, batch: Batch) -> None:
        if batch.questions:
            self._batches.append(batch)

    def add_again(self, call: Call, ready_at: float) -> None:
        self._num_again += 1
        heapq.heappush(self._again, (ready_at, self._num_again, call))

    def take(self, now: float) -> Call | None:
        """The next one to be tried; None if there is none just now."""
        while self._again and self._again[0][0] <= now:
            call = heapq.heappop(self._again)[2]
            if not call.batch.is_abandoned:
                return call
        while self._batches:
            batch = self._batches.popleft()
            if batch.is_abandoned:
                continue
            call = Call(batch, batch.num_taken)
            batch.num_taken += 1
            if batch.num_taken < len(batch.questions):
                self._batches.append(batch)
            return call
        return None

    def wait_s(self, now: float) -> float | None:
        """Seconds until a call is to be tried again; None if there is none."""
        return max(0.0, self._again[0][0] - now) if self._again else None
