"""What a server says of the model behind it: by that the journal knows the model again.

GET /models names it, and of a vLLM the folder or repository that was loaded (`root`). Addresses, and the time at which a
server was started (`created`), are no part of it: replicas and restarts serve the same model. Of a model whose folder the
recipe names the folder's content is part of it as well.

Limits: a hosted server may put other weights behind a name without a word. Servers that have no /models (HTTP 404, 405)
are known by the name alone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from synth_assets.errors import EngineError
from synth_assets.inference.server.answers import cut, words_of
from synth_assets.inference.server.credentials import ApiKey, read_key
from synth_assets.recipe import ServerSection
from synth_assets.records import content_id

if TYPE_CHECKING:
    from aiohttp import ClientSession

ASK_TIMEOUT_S = 10.0
_KNOWN_FOR_S = 60
_REMEDY = "start it (`synth-assets serve`), or mend server.base_urls in the recipe"


class NotServing(Exception):
    """A server does not answer, or not yet: why."""


@dataclass(frozen=True)
class Served:
    """The model as a server names it. `root` is empty where it does not say."""

    model: str
    root: str = ""
    is_vllm: bool = False


async def ask_served(session: ClientSession, base_url: str, server: ServerSection, key: ApiKey) -> Served:
    """What this server says of the recipe's model.

    Raises NotServing while there is no answer, and EngineError for an answer that waiting will not change: the key is
    refused, or the model is not among those that are served.
    """
    import aiohttp

    try:
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        async with session.get(f"{base_url}/models", timeout=timeout, allow_redirects=False) as response:
            status, body = response.status, await response.read()
            said = await response.json(content_type=None) if status == 200 else None
    except TimeoutError as error:
        raise NotServing(f"{base_url} gives no answer within {ASK_TIMEOUT_S:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NotServing(f"{base_url}: {key.masked(cut(str(error) or type(error).__name__))}") from error
    if status in (404, 405):
        return Served(server.model)
    if status in (401, 403):
        held = f"the key in {server.api_key_env}" if server.api_key_env else "a request without a key"
        what = f"{base_url} refuses {held}: HTTP {status}: {key.masked(cut(words_of(body)))}"
        raise EngineError(what, remedy="set the right key; `server.api_key_env` in the recipe names its variable")
    if status != 200:
        raise NotServing(f"{base_url}/models: HTTP {status}: {key.masked(cut(words_of(body)))}")
    return _among(said, base_url, server)


def _among(said: Any, base_url: str, server: ServerSection) -> Served:
    rows = said.get("data") if isinstance(said, dict) else None
    if not isinstance(rows, list):
        raise NotServing(f"{base_url}/models answers with something else than a list of models")
    models = {str(row.get("id")): row for row in rows if isinstance(row, dict)}
    if server.model not in models:
        names = ", ".join(sorted(models)[:20]) or "none"
        raise EngineError(
            f"{base_url} does not serve this model; it serves {names}", value=server.model,
            remedy="set server.model in the recipe to one of them",
        )  # fmt: skip
    row = models[server.model]
    return Served(server.model, str(row.get("root") or ""), row.get("owned_by") == "vllm")


def find_served(server: ServerSection) -> Served:
    """What the replicas that answer say of the model; asked at most once a minute.

    Raises EngineError if none answers, if two differ, and as `ask_served` does.
    """
    return _find_served(server, int(time.monotonic() // _KNOWN_FOR_S))


@lru_cache(maxsize=64)
def _find_served(server: ServerSection, _minute: int) -> Served:
    found: Future[list[Served | BaseException]] = Future()

    def ask() -> None:
        try:
            found.set_result(asyncio.run(_ask_all(server, read_key(server))))
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()  # there may be an event loop in this one
    answers = found.result()
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, NotServing):
            raise answer
    served = sorted({answer for answer in answers if isinstance(answer, Served)}, key=str)
    if not served:
        words = "; ".join(str(answer) for answer in answers)
        raise EngineError(f"no server of {server.model} answers: {words}", remedy=_REMEDY)
    if len(served) > 1:
        raise EngineError(
            f"the replicas of {server.model} serve different models", value=[each.root or each.model for each in served],
            remedy="start all of them with the same model, or name only one under server.base_urls",
        )  # fmt: skip
    return served[0]


async def _ask_all(server: ServerSection, key: ApiKey) -> list[Served | BaseException]:
    import aiohttp

    async with aiohttp.ClientSession(headers=key.headers()) as session:
        asked = [ask_served(session, url, server, key) for url in server.base_urls]
        return await asyncio.gather(*asked, return_exceptions=True)


def server_fingerprint(server: ServerSection, folder_fingerprint: str = "") -> str:
    """16 hex digits over what the server says of the model, and over the fingerprint of its folder if there is one.

    Raises EngineError as `find_served` does.
    """
    served = find_served(server)
    return content_id("server", served.model, served.root, folder_fingerprint)
