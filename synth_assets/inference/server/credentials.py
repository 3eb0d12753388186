"""The key of a server: read from the environment, sent in a header, shown nowhere."""

from __future__ import annotations

import json
from urllib.parse import quote

from synth_assets.errors import EngineError
from synth_assets.recipe import ServerSection, read_secret

_MASK = "***"


class ApiKey:
    """A key, or none. Only `headers` gives it away."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"ApiKey({_MASK if self._value else 'none'})"

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._value}"} if self._value else {}

    def masked(self, text: str) -> str:
        """The text with *** in the key's place, also where it stands escaped."""
        if self._value:
            for shown in dict.fromkeys((self._value, json.dumps(self._value)[1:-1], quote(self._value, safe=""))):
                text = text.replace(shown, _MASK)
        return text


def read_key(server: ServerSection) -> ApiKey:
    """The key that the environment holds for this server. Raises EngineError if it holds none, or no text for a header."""
    if server.api_key_env is None:
        return ApiKey("")
    value = read_secret(server.api_key_env)
    if not value:
        raise EngineError(
            f"the environment variable {server.api_key_env}, which is to hold the key of {server.model}, is not set",
            remedy=f"export {server.api_key_env} before the run, or leave out api_key_env for a server without keys",
        )
    if not value.isascii() or not value.isprintable():
        raise EngineError(
            f"the environment variable {server.api_key_env} holds line ends or letters beyond ASCII, as no key does",
            remedy="set it again; its value is not shown",
        )
    return ApiKey(value)
