"""The window of requests: kept as full as the limits allow, from the event loop's own thread alone.

Whatever changes (a call ends, a batch comes, a wait is over, a replica is back) ends in `pump`, which starts calls until
something forbids the next: the width of the window, the rates, no replica to ask, or nothing to do.

While no replica answers, the window stands still; that time does not count against a call's deadline.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from synth_assets.errors import EngineError
from synth_assets.inference.server.answers import Answered, Failed, Lost
from synth_assets.inference.server.attempt import attempt
from synth_assets.inference.server.batches import Batch, Call, CallQueue, Notice
from synth_assets.inference.server.concurrency import Concurrency
from synth_assets.inference.server.credentials import ApiKey
from synth_assets.inference.server.failures import LOOKED_AT, FailureShare
from synth_assets.inference.server.identity import Served
from synth_assets.inference.server.queues import LOOKED_EVERY_S, read_queue
from synth_assets.inference.server.rates import Rates
from synth_assets.inference.server.replicas import Replica, Replicas
from synth_assets.inference.server.retries import backoff_s
from synth_assets.recipe import ServerSection

if TYPE_CHECKING:
    from aiohttp import ClientSession

_TOLD_EVERY_S = 60.0
_LONG_WAIT_S = 10.0
_GATHERED_FOR_S = 0.02
_GO_ON = "then run the same command again: what was answered is kept"


class Dispatcher:
    """One window. Made, used and ended in the event loop's thread."""

    def __init__(
        self, server: ServerSection, served: Served, key: ApiKey, replicas: list[Replica], session: ClientSession
    ) -> None:  # fmt: skip
        import aiohttp

        self._server, self._key, self._session = server, key, session
        self._timeout = aiohttp.ClientTimeout(total=server.request_timeout_s)
        self._loop = asyncio.get_running_loop()
        self._replicas = Replicas(server, served, key, replicas, self._note_change, self.end)
        self._concurrency = Concurrency(server.max_in_flight)
        self._rates = Rates(server.requests_per_minute, server.tokens_per_minute, time.monotonic())
        self._failures = FailureShare(server.failure_share)
        self._calls = CallQueue()
        self._held: Call | None = None  # its turn has come, but the rates say to wait
        self._batches: list[Batch] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._paused_at: float | None = None
        self._paused_s = 0.0
        self._ended: Exception | None = None
        self._watcher = self._loop.create_task(self._watch_queues()) if served.is_vllm else None
        if self._watcher:
            self._watcher.add_done_callback(self._let_go)

    def add(self, batch: Batch) -> None:
        if self._ended:
            batch.finished.put(self._ended)
            return
        self._batches = [each for each in self._batches if each.num_left and not each.is_abandoned]
        self._batches.append(batch)
        self._calls.add(batch)
        self.pump()

    def end(self, error: Exception) -> None:
        """Nothing more is asked; all that wait are told why."""
        self._ended = self._ended or error
        for batch in self._batches:
            batch.hand_over()
            batch.finished.put(self._ended)
        for task in (*self._tasks, *([self._watcher] if self._watcher else [])):
            task.cancel()

    def pump(self) -> None:
        try:
            while not self._ended and len(self._tasks) < self._concurrency.limit and self._start_next():
                pass
        except Exception as error:  # a request that cannot be put into words, say: the callers must hear of it
            self.end(error)

    def _start_next(self) -> bool:
        now = time.monotonic()
        replica = self._replicas.next(now)
        if replica is None:
            self._pump_in(self._replicas.wait_s(now))
            return False
        held, self._held = self._held, None
        call = held if held and not held.batch.is_abandoned else self._calls.take(now)
        if call is None:
            self._pump_in(self._calls.wait_s(now))
            return False
        if wait := self._rates.wait_s(call.num_estimated, now):
            self._held = call
            self._pump_in(wait)
            return False
        self._rates.take(call.num_estimated)
        if call.first_try < 0:
            call.first_try, call.paused_s = now, self._paused_s
        replica.num_in_flight += 1
        task = self._loop.create_task(self._run(call, replica))
        self._tasks.add(task)
        task.add_done_callback(self._let_go)
        return True

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            if error := task.exception():
                self.end(error if isinstance(error, Exception) else EngineError(f"{error}"))
            else:
                self.pump()

    async def _run(self, call: Call, replica: Replica) -> None:
        start = time.monotonic()
        try:
            outcome = await attempt(self._session, replica.url, call.body, call.question.read, self._timeout, self._key)
        finally:
            replica.num_in_flight -= 1
        now = time.monotonic()
        if isinstance(outcome, Answered):
            self._concurrency.note_answer(now - start, len(self._tasks))
            self._rates.correct(call.num_estimated, outcome.num_tokens)
            self._finish(call, outcome.value, "")
        elif isinstance(outcome, Failed):
            self._finish(call, None, outcome.words)
        else:
            self._take_loss(call, replica, outcome, now)

    def _finish(self, call: Call, value: object, words: str) -> None:
        batch = call.batch
        batch.num_left -= 1
        batch.gathered.append((call.position, value, words))
        if not batch.num_left:
            batch.hand_over()
        elif len(batch.gathered) == 1:
            self._loop.call_later(_GATHERED_FOR_S, batch.hand_over)
        if self._failures.note(bool(words)):
            share = self._server.failure_share
            self.end(EngineError(
                f"{self._server.model}: of the last {LOOKED_AT} finished calls more than failure_share = {share:g} failed; "
                f"the last one: {words or 'see the failed rows'}",
                remedy=f"mend what the server complains of, {_GO_ON}, and --retry failed asks the failed ones anew",
            ))  # fmt: skip

    def _take_loss(self, call: Call, replica: Replica, lost: Lost, now: float) -> None:
        """Try it again, unless it was tried often or long enough."""
        call.num_tries += lost.is_counted
        call.num_losses += 1
        if lost.is_refusal:
            self._concurrency.note_refusal()
        if lost.wait_s:
            self._rest(replica, lost.wait_s, now)
        if lost.is_suspect:
            self._replicas.suspect(replica, self._session, lost.words, lost.is_unreachable)
        wait = max(backoff_s(call.body, call.num_losses), lost.wait_s if len(self._replicas.all) == 1 else 0.0)
        waited = now - call.first_try - (self._paused_s - call.paused_s)
        if call.num_tries >= self._server.max_attempts:
            self._finish(call, None, f"{lost.words}; given up after {call.num_tries} tries (max_attempts)")
        elif waited + wait > self._server.deadline_s and not self._replicas.are_all_out:
            said = f"given up after {waited:.0f} s: the next try would be past deadline_s = {self._server.deadline_s:g}"
            self._finish(call, None, f"{lost.words}; {said}")
        else:
            self._calls.add_again(call, now + wait)
            self._pump_in(wait)

    def _rest(self, replica: Replica, wait_s: float, now: float) -> None:
        """The server asks to be left alone."""
        if wait_s >= _LONG_WAIT_S and replica.not_before <= now:
            self._tell(f"{replica.base_url} asks to wait for {wait_s:.0f} s")
        replica.not_before = max(replica.not_before, now + wait_s)

    def _note_change(self, text: str) -> None:
        """A replica has gone out, or is back."""
        now = time.monotonic()
        if self._replicas.are_all_out and self._paused_at is None:
            self._paused_at = now
            self._tell(f"{text}; no server of {self._server.model} is left: waiting for one, up to "
                       f"{self._server.deadline_s:.0f} s")  # fmt: skip
            self._loop.call_later(min(_TOLD_EVERY_S, self._server.deadline_s), self._check_pause, now)
            return
        if not self._replicas.are_all_out and self._paused_at is not None:
            text += f" after {now - self._paused_at:.0f} s"
            self._paused_s += now - self._paused_at
            self._paused_at = None
        self._tell(text)
        self.pump()

    def _check_pause(self, since: float) -> None:
        if self._paused_at != since or self._ended:
            return
        left = self._server.deadline_s - (time.monotonic() - since)
        if left <= 0:
            what = f"no server of {self._server.model} has answered for {self._server.deadline_s:g} s (deadline_s)"
            self.end(EngineError(what, value=list(self._server.base_urls), remedy=f"start it again, {_GO_ON}"))
            return
        self._tell(f"still no server of {self._server.model}: waiting for up to {left:.0f} s more")
        self._loop.call_later(min(_TOLD_EVERY_S, left), self._check_pause, since)

    def _tell(self, text: str) -> None:
        for batch in self._batches:
            batch.finished.put(Notice(text))

    def _pump_in(self, wait_s: float | None) -> None:
        """Look again then; an earlier look that is set already will set a later one itself."""
        if wait_s is None:
            return
        at = self._loop.time() + wait_s
        if self._timer is not None and not self._timer.cancelled():
            if self._loop.time() < self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self.pump)

    async def _watch_queues(self) -> None:
        while True:
            await asyncio.sleep(LOOKED_EVERY_S)
            busy = [replica for replica in self._replicas.all if replica.num_in_flight and not replica.is_out]
            for replica in busy:
                if found := await read_queue(self._session, replica.root_url):
                    replica.num_waiting, replica.num_running = found
            if busy:
                waiting, running = sum(each.num_waiting for each in busy), sum(each.num_running for each in busy)
                self._concurrency.note_queue(waiting, running, sum(each.num_in_flight for each in busy))
