"""The queue of a vLLM, from its /metrics: it takes in whatever it is sent and lets it wait, without any refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synth_assets.inference.server.identity import ASK_TIMEOUT_S

if TYPE_CHECKING:
    from aiohttp import ClientSession

LOOKED_EVERY_S = 2.0
WAITING, RUNNING = "vllm:num_requests_waiting", "vllm:num_requests_running"


async def read_queue(session: ClientSession, root_url: str) -> tuple[float, float] | None:
    """(requests that wait, requests that run), summed over engines; None if the server does not tell."""
    import aiohttp

    try:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        async with session.get(f"{root_url}/metrics", timeout=timeout, allow_redirects=False) as response:
            text = await response.text() if response.status == 200 else ""
    except (aiohttp.ClientError, OSError, ValueError, TimeoutError):
        return None
    return queue_in(text)


def queue_in(metrics: str) -> tuple[float, float] | None:
    """Out of Prometheus' text format: `name{labels} value`, a line each."""
    sums: dict[str, float] = {}
    for line in metrics.splitlines():
        name = line.partition("{")[0].partition(" ")[0]
        if name in (WAITING, RUNNING):
            try:
                sums[name] = sums.get(name, 0.0) + float(line.rpartition(" ")[2])
            except ValueError:
                return None
    return (sums[WAITING], sums.get(RUNNING, 0.0)) if WAITING in sums else None
