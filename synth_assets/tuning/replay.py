"""The replay buffer: conversations that the student knew before, mixed in so that tuning does not wipe them out.

It is a file beside the student rather than something that is generated: only who trained the base knows what it
knew. One JSON object a line with exactly `prompt`, `response` and `leaf_path`; the prompt is the whole user turn,
as it was in the base's own training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from synth_assets.errors import TuningError, Where


@dataclass(frozen=True)
class ReplayExample:
    """One user turn with the answer that the base gives; `leaf_path` names the kind of task."""

    prompt: str
    response: str
    leaf_path: str


_KEYS = tuple(field.name for field in fields(ReplayExample))
_REMEDY = "mend this line, or name another file in tuning.replay_buffer"


def read_replay_buffer(path: Path) -> list[ReplayExample]:
    """All examples of a JSON Lines file; empty lines are passed over.

    Raises TuningError with file and line for what is no such object, and for a file without examples.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TuningError(
            f"the replay buffer cannot be read: {error}",
            where=Where(str(path)),
            remedy="name a readable file in tuning.replay_buffer, or set tuning.replay_share to 0",
        ) from error
    examples = [_parse(line, Where(str(path), number)) for number, line in enumerate(lines, 1) if line.strip()]
    if not examples:
        raise TuningError("the replay buffer holds no example", where=Where(str(path)), remedy=_REMEDY)
    return examples


def _parse(line: str, where: Where) -> ReplayExample:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TuningError(f"this line is no JSON: {error}", value=line, where=where, remedy=_REMEDY) from error
    if not isinstance(value, dict) or set(value) != set(_KEYS):
        raise TuningError(
            "expected an object with exactly the keys " + ", ".join(_KEYS), value=value, where=where, remedy=_REMEDY
        )
    for key in _KEYS:
        if not isinstance(value[key], str) or not value[key].strip():
            raise TuningError(f"{key} must be a text", value=value[key], where=where, remedy=_REMEDY)
    return ReplayExample(**value)
