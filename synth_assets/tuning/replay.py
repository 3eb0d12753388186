"""The replay buffer: conversations that the student knew before, mixed in so that tuning does not wipe them out.

It is a file beside the student rather than something that is generated: only who trained the base knows what it
knew. One JSON object a line with `prompt`, `response`, `leaf_path` and perhaps `generation_depth` (0: no model wrote the
row); the prompt is the whole user turn, as it was in the base's own training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

from synth_assets.errors import TuningError, Where


@dataclass(frozen=True)
class ReplayExample:
    """One user turn with the answer that the base gives; `leaf_path` names the kind of task.

    `generation_depth` None: the file does not say who wrote the row.
    """

    prompt: str
    response: str
    leaf_path: str
    generation_depth: int | None = None


_DEPTH = "generation_depth"
_KEYS = tuple(field.name for field in fields(ReplayExample) if field.name != _DEPTH)
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
        raise TuningError(
            f"this line is no JSON: {error}", value=f"{len(line)} characters", where=where, remedy=_REMEDY
        ) from error
    if not isinstance(value, dict) or set(value) - {_DEPTH} != set(_KEYS):
        raise TuningError(
            f"expected an object with the keys {', '.join(_KEYS)} and perhaps {_DEPTH}, no others", value=_keys_of(value),
            where=where, remedy=_REMEDY,
        )  # fmt: skip
    for key in _KEYS:
        if not isinstance(value[key], str) or not value[key].strip():
            raise TuningError(f"{key} must be a text", value=_told_of(value[key]), where=where, remedy=_REMEDY)
    depth = value.get(_DEPTH, 0)
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 0:
        raise TuningError(f"{_DEPTH} must be a whole number from 0 on", value=_told_of(depth), where=where, remedy=_REMEDY)
    return ReplayExample(**value)


def _keys_of(value: object) -> str:
    """Which of the keys are missing, and how many others there are; nothing that the row says."""
    if not isinstance(value, dict):
        return f"a {type(value).__name__}"
    missing = [key for key in _KEYS if key not in value]
    return f"{len(set(value) - {*_KEYS, _DEPTH})} other keys; missing: {', '.join(missing) or 'none'}"


def _told_of(value: object) -> str:
    """Of numbers the value, of all else what it is: errors go into logs, and no row does."""
    if isinstance(value, str):
        return f"{len(value)} characters"
    return str(value) if value is None or isinstance(value, bool | int | float) else f"a {type(value).__name__}"
