"""One try of one call: the request goes out, and what comes back or does not is an `Outcome`.

Nothing is raised but a cancellation. A body that is cut off, or no JSON, is a lost try; a status of which a repetition is no
use is a failure with the server's words, the key masked in them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synth_assets.inference.server.answers import (
    Answered,
    Failed,
    Lost,
    Outcome,
    UnfitAnswer,
    UnreadableAnswer,
    cut,
    words_of,
)
from synth_assets.inference.server.credentials import ApiKey
from synth_assets.inference.server.retries import TOO_MANY_REQUESTS, is_retried, retry_after_s

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession, ClientTimeout

_UNAVAILABLE = (502, 503, 504)
#: Of the session, so that they are put together once.
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be asked: `body` makes its bytes, `read` makes the answer of the JSON that comes back.

    `read` raises UnreadableAnswer and UnfitAnswer. `num_new_tokens` is how many the answer may have at most.
    """

    body: Callable[[], bytes]
    read: Callable[[Any], Answered]
    num_new_tokens: int = 0


async def attempt(
    session: ClientSession, url: str, body: bytes, read: Callable[[Any], Answered], timeout: ClientTimeout, key: ApiKey
) -> Outcome:  # fmt: skip
    """Send it once."""
    import aiohttp

    try:
        async with session.post(url, data=body, timeout=timeout, allow_redirects=False) as response:
            content = await response.read()
    except TimeoutError:
        return Lost(f"no answer within {timeout.total:g} s", is_refusal=True, is_suspect=True)
    except aiohttp.ClientConnectorError as error:
        words = key.masked(cut(str(error)))
        return Lost(words, is_counted=False, is_suspect=True, is_unreachable=True)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        words = key.masked(cut(f"{type(error).__name__}: {error}"))
        return Lost(f"the connection was lost: {words}", is_suspect=True)
    if response.status == 200:
        return _read(content, read, key)
    return _without_answer(response, content, key)


def _read(content: bytes, read: Callable[[Any], Answered], key: ApiKey) -> Outcome:
    try:
        return read(json.loads(content))
    except UnfitAnswer as error:
        return Failed(key.masked(str(error)))
    except UnreadableAnswer as error:
        return Lost(key.masked(str(error)))
    except (ValueError, RecursionError) as error:
        return Lost(f"the answer is no JSON ({len(content)} bytes): {key.masked(cut(str(error)))}")


def _without_answer(response: ClientResponse, content: bytes, key: ApiKey) -> Outcome:
    status = response.status
    words = f"HTTP {status}: {cut(key.masked(words_of(content))) or response.reason}"
    if not is_retried(status):
        return Failed(words)
    has_no_room = status in (TOO_MANY_REQUESTS, 503)
    return Lost(
        words,
        wait_s=retry_after_s(response.headers) if has_no_room else 0.0,
        is_counted=status != TOO_MANY_REQUESTS,
        is_refusal=has_no_room,
        is_suspect=status in _UNAVAILABLE,
    )
