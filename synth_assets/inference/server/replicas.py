"""The replicas of a model: which is asked next, which are out, and whether they are back.

A lost connection, a time-out or a gateway's error makes a replica suspect: it is asked for its models beside the calls that
go on. If it does not answer, or another model stands behind it now, it is left out and asked again and again, ever more
seldom, until it is back. Nobody listening at its port leaves it out at once. The one with the fewest calls under way
is next.

Limit: another model that takes a server's place between two calls, without anything being lost, is not noticed until the
next run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from synth_assets.errors import EngineError
from synth_assets.inference.server.credentials import ApiKey
from synth_assets.inference.server.identity import NotServing, Served, ask_served
from synth_assets.recipe import ServerSection

if TYPE_CHECKING:
    from aiohttp import ClientSession

_FIRST_PROBE_S, _LAST_PROBE_S = 0.2, 5.0


class Replica:
    """One server."""

    def __init__(self, base_url: str, route: str, is_at_root: bool) -> None:
        self.base_url = base_url
        self.root_url = base_url.removesuffix("/v1")
        self.url = (self.root_url if is_at_root else base_url) + route
        self.num_in_flight = 0
        self.num_waiting = self.num_running = 0.0
        self.is_out = False
        self.not_before = 0.0
        self.probe: asyncio.Task[None] | None = None


class Replicas:
    """All of them. `on_change` is called when one goes out or comes back, with a sentence; `on_error` ends the run."""

    def __init__(
        self, server: ServerSection, served: Served, key: ApiKey, all_replicas: list[Replica],
        on_change: Callable[[str], None], on_error: Callable[[EngineError], None],
    ) -> None:  # fmt: skip
        self.all = all_replicas
        self._server, self._served, self._key = server, served, key
        self._on_change, self._on_error = on_change, on_error

    @property
    def are_all_out(self) -> bool:
        return all(replica.is_out for replica in self.all)

    def next(self, now: float) -> Replica | None:
        """The one to ask now; None if all are out, or asked to be left alone for a while."""
        free = [replica for replica in self.all if not replica.is_out and replica.not_before <= now]
        return min(free, key=lambda replica: replica.num_in_flight, default=None)

    def wait_s(self, now: float) -> float | None:
        """Seconds until one that asked to be left alone may be asked again; None if there is none."""
        resting = [replica.not_before - now for replica in self.all if not replica.is_out]
        return max(0.0, min(resting)) if resting else None

    def suspect(self, replica: Replica, session: ClientSession, words: str, is_gone: bool) -> None:
        """It may be out; ask it, unless that is under way."""
        if is_gone:
            self._leave_out(replica, words)
        if replica.probe is None:
            replica.probe = asyncio.get_running_loop().create_task(self._probe(replica, session))

    def _leave_out(self, replica: Replica, words: str) -> None:
        if not replica.is_out:
            replica.is_out = True
            self._on_change(f"{replica.base_url} is left out: {words}")

    async def _probe(self, replica: Replica, session: ClientSession) -> None:
        """Until it serves the model that it served before."""
        delay = _FIRST_PROBE_S
        try:
            while words := await self._fault(replica, session):
                self._leave_out(replica, words)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LAST_PROBE_S)
        except EngineError as error:
            self._on_error(error)
            return
        finally:
            replica.probe = None
        if replica.is_out:
            replica.is_out = False
            self._on_change(f"{replica.base_url} is back")

    async def _fault(self, replica: Replica, session: ClientSession) -> str:
        """Why it cannot be asked; empty if it can."""
        try:
            served = await ask_served(session, replica.base_url, self._server, self._key)
        except NotServing as error:
            return str(error)
        return "" if served == self._served else f"it serves another model now: {served.root or served.model}"
