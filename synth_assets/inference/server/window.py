"""A window of requests with a thread and an event loop of its own, which callers in any threads share.

A caller hands in a batch and is told of each answer in its own thread, as it comes: what it does with it (a journal's write
to the disk, say) holds up no request. Notices, such as that a server is gone, are logged under the name NOTICES in the
caller's thread as well.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from synth_assets.errors import EngineError
from synth_assets.inference.server.attempt import HEADERS, Question
from synth_assets.inference.server.batches import Batch, Notice
from synth_assets.inference.server.credentials import read_key
from synth_assets.inference.server.dispatch import Dispatcher
from synth_assets.inference.server.identity import Served
from synth_assets.inference.server.replicas import Replica
from synth_assets.recipe import ServerSection

NOTICES = "synth_assets.inference.server"
_logger = logging.getLogger(NOTICES)

OnAnswer = Callable[[int, Any, str], None]


class RequestWindow:
    """Open it with `open_window`. Every method may be called from any thread."""

    def __init__(self, server: ServerSection, served: Served, route: str, is_at_root: bool = False) -> None:
        self._server, self._served, self._key = server, served, read_key(server)
        self._replicas = [Replica(url, route, is_at_root) for url in server.base_urls]
        self._loop = asyncio.new_event_loop()
        self._has_closed = asyncio.Event()
        self._dispatcher: Dispatcher | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="requests", daemon=True)
        self._thread.start()
        self._is_ready.wait()

    def run(self, questions: Sequence[Question], on_answer: OnAnswer) -> None:
        """Ask them all; `on_answer` is told position, value and, of a failed call, the words of the error, in any order.

        Raises EngineError when too many fail, or when no server answers until the deadline; what was answered before has
        been told. Raises what `on_answer` raises; then the rest of the questions is not asked.
        """
        batch = Batch(questions)
        self._loop.call_soon_threadsafe(self._add, batch)
        try:
            num_left = len(questions)
            while num_left:
                item = batch.finished.get()
                if isinstance(item, Exception):
                    raise item
                if isinstance(item, Notice):
                    _logger.warning("%s", item.text)
                    continue
                num_left -= len(item)
                for answer in item:
                    on_answer(*answer)
        finally:
            batch.is_abandoned = True

    def close(self) -> None:
        """What is under way is dropped."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._has_closed.set)
            self._thread.join()

    def _add(self, batch: Batch) -> None:
        assert self._dispatcher
        self._dispatcher.add(batch)

    def _serve(self) -> None:
        try:
            self._loop.run_until_complete(self._dispatch())
        finally:
            self._is_ready.set()
            self._loop.close()

    async def _dispatch(self) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)  # the window is the limit
        headers, no_cookies = {**HEADERS, **self._key.headers()}, aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(connector=connector, headers=headers, cookie_jar=no_cookies) as session:
            self._dispatcher = Dispatcher(self._server, self._served, self._key, self._replicas, session)
            self._is_ready.set()
            await self._has_closed.wait()
            self._dispatcher.end(EngineError(f"the window of requests to {self._server.model} was closed"))
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)


@contextmanager
def open_window(
    server: ServerSection, served: Served, route: str, is_at_root: bool = False
) -> Iterator[RequestWindow]:  # fmt: skip
    """`route` comes after the base URL; `is_at_root`: after what stands before its /v1. Raises EngineError without a key."""
    window = RequestWindow(server, served, route, is_at_root)
    try:
        yield window
    finally:
        window.close()
