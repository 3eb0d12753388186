"""YAML together with the line and column of every key, so that a fault can point at its place.

PyYAML forgets where a value stood once it has built it; so the node tree is walked once before building.
Files come from strangers: only plain data is built (SafeLoader), a key that stands twice is an error rather
than a silent overwrite, and size, depth and what aliases blow up are bounded.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from synth_assets.errors import Fault, short_repr

KeyPath = tuple[str | int, ...]
MAX_YAML_BYTES = 2_000_000
MAX_YAML_KEYS = 100_000


@dataclass(frozen=True)
class LocatedYaml:
    """The value of a YAML file, and for each key path the (line, column) where it stands, from 1."""

    file: str
    value: Any
    marks: dict[KeyPath, tuple[int, int]] = field(repr=False)

    def fault(self, key_path: Iterable[str | int], value: object, message: str, expected: str) -> Fault:
        """A Fault at this key path or at its nearest ancestor in the file. `value` None: nothing to show."""
        path = tuple(key_path)
        line, column = next(
            (self.marks[path[:depth]] for depth in range(len(path), -1, -1) if path[:depth] in self.marks),
            (1, 1),
        )
        shown = "" if value is None else short_repr(value)
        return Fault(self.file, line, column, key_text(path), shown, message, expected)


class UnreadableYaml(Exception):
    """The file cannot be read as YAML at all: one fault tells why. Callers make it an error of their own."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read_located_yaml(path: Path, shown_as: str | None = None) -> LocatedYaml:
    """Read a YAML file; `shown_as` is the file's name in messages. Raises UnreadableYaml."""
    file = shown_as or str(path)
    try:
        size = path.stat().st_size
        if size > MAX_YAML_BYTES:
            raise UnreadableYaml(Fault(file, 1, 1, "", f"{size} bytes", "is too big", f"at most {MAX_YAML_BYTES} bytes"))
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableYaml(Fault(file, 1, 1, "", "", f"cannot be read: {reason}", "a readable file")) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        fault = Fault(file, line, column, "", f"byte {content[error.start]:#04x}", "is not UTF-8", "text in UTF-8")
        raise UnreadableYaml(fault) from error
    return _parse(text.replace("\r\n", "\n"), file)


def key_text(path: KeyPath) -> str:
    """A key path as people write it: seed_examples[2].answer."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def nearest_key(key: str, known: Iterable[str]) -> str:
    """What to expect instead of an unknown key: the nearest known one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(key, names, n=1, cutoff=0.6)
    return f"perhaps {close[0]!r}" if close else "one of " + ", ".join(sorted(names))


def validation_faults(
    source: LocatedYaml, model: type[BaseModel], error: ValidationError, moved: Mapping[KeyPath, KeyPath]
) -> list[Fault]:
    """What pydantic found, each at its place; `moved` tells where a key path stands in the file."""
    faults = []
    for item in error.errors():
        path: KeyPath = tuple(item["loc"])
        origin, kind = moved.get(path, path), item["type"]
        message = str(item["msg"]).removeprefix("Value error, ").replace("Input should be ", "")
        if kind == "extra_forbidden":
            known = nearest_key(str(path[-1]), _known_keys(model, path[:-1]))
            key = (*moved.get(path[:-1], path[:-1]), path[-1])  # where the key stands, not the value that a scale chose
            faults.append(source.fault(key, None, "unknown key", known))
        elif kind == "missing":
            what = "missing section" if _known_keys(model, path) else "missing key"
            faults.append(source.fault(path, None, what, f"{key_text(path)} with a value"))
        else:
            if isinstance(item["input"], str) and kind in ("float_type", "int_type"):
                message += "; YAML reads 1e-3 and quoted numbers as text, write 1.0e-3"
            faults.append(source.fault(origin, item["input"], "wrong value", message))
    return faults


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys of the section at this path; none where there is no section."""
    section: Any = model
    for part in path:
        fields = section.model_fields if _is_model(section) else {}
        if part not in fields:
            return []
        section = fields[part].annotation
    return list(section.model_fields) if _is_model(section) else []


def _is_model(section: Any) -> bool:
    return isinstance(section, type) and issubclass(section, BaseModel)


def _parse(text: str, file: str) -> LocatedYaml:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            raise UnreadableYaml(Fault(file, 1, 1, "", "", "is empty", "a mapping of keys to values"))
        marks: dict[KeyPath, tuple[int, int]] = {}
        _walk(root, (), marks, file)
        return LocatedYaml(file, loader.construct_document(root), marks)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        fault = Fault(file, line, column, "", "", f"is not YAML: {error.problem or error.context}", "valid YAML")
        raise UnreadableYaml(fault) from error
    except RecursionError as error:
        fault = Fault(file, 1, 1, "", "", "is nested too deeply, or contains itself", "plain nesting")
        raise UnreadableYaml(fault) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableYaml(Fault(file, 1, 1, "", "", f"is not YAML: {reason}", "valid YAML")) from error
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: KeyPath, marks: dict[KeyPath, tuple[int, int]], file: str) -> None:
    place = (node.start_mark.line + 1, node.start_mark.column + 1)
    marks.setdefault(path, place)
    if len(marks) > MAX_YAML_KEYS:
        fault = Fault(file, *place, "", "", "holds too many keys, aliases expanded", f"at most {MAX_YAML_KEYS}")
        raise UnreadableYaml(fault)
    if isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            inner = (*path, str(key_node.value))
            place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if inner in marks:
                message = f"stands twice (first in line {marks[inner][0]})"
                raise UnreadableYaml(Fault(file, *place, key_text(inner), "", message, "each key once"))
            marks[inner] = place
            _walk(value_node, inner, marks, file)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), marks, file)
