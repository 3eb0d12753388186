"""What may come of a call, and how servers word their errors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MAX_WORDS = 500


class UnreadableAnswer(ValueError):
    """The body is cut off, or of no known shape: the same request may be answered well the next time."""


class UnfitAnswer(ValueError):
    """A whole answer that cannot be used: the same request would be answered so again."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`value` is what the call's `read` made of the body; `num_tokens` is what it used, 0 if the server does not say."""

    value: Any
    num_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """Not to be tried again, or tried often enough."""

    words: str


@dataclass(frozen=True, slots=True)
class Lost:
    """May succeed if tried again. `is_refusal`: the server has no room just now; `is_suspect`: it may be gone;
    `is_unreachable`: there was nobody to ask, so that it was no try."""

    words: str
    wait_s: float = 0.0
    is_counted: bool = True
    is_refusal: bool = False
    is_suspect: bool = False
    is_unreachable: bool = False


Outcome = Answered | Failed | Lost


def cut(text: str) -> str:
    """White space joined, and as long as fits a row."""
    words = " ".join(text.split())
    return words if len(words) <= MAX_WORDS else words[: MAX_WORDS - 1] + "…"


def words_of(body: bytes) -> str:
    """What a server says went wrong, out of the shapes in which OpenAI's, vLLM's, FastAPI's and others put it."""
    text = body[: 64 * 1024].decode("utf-8", "replace")
    try:
        said = json.loads(text)
    except ValueError:
        return text
    while isinstance(said, dict):
        inner = next((said[key] for key in ("error", "message", "detail", "title") if said.get(key)), None)
        if inner is None:
            return text
        said = inner
    return said if isinstance(said, str) else json.dumps(said)
