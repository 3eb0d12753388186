"""YAML together with the line and column of every key, so that a fault can point at its place.

PyYAML forgets where a value stood once it has built it; so the node tree is walked once before building.
Files come from strangers: only plain data is built (SafeLoader), a key that stands twice is an error rather
than a silent overwrite, and size, depth and what aliases blow up are bounded.
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from synth_assets.errors import Fault, short_repr

KeyPath = tuple[str | int, ...]
MAX_YAML_BYTES = 2_000_000
MAX_YAML_KEYS = 20_000
MAX_YAML_LETTERS = 10_000_000
MAX_YAML_DEPTH = 50
MAX_SHOWN_KEY = 100
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader  # five times as fast, where it is there


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
    return _parse(text.replace("\r\n", "\n").replace("\r", "\n"), file)


def key_text(path: KeyPath) -> str:
    """A key path as people write it: seed_examples[2].answer."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{_shown(part)}" for part in path)
    return text.removeprefix(".")


def _shown(key: str) -> str:
    """As it stands if it is a plain word, else so that it neither fills nor commands a terminal."""
    return key if key.isprintable() and len(key) <= MAX_SHOWN_KEY else short_repr(key)


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
        elif kind == "secret_value":
            faults.append(source.fault(origin, None, "wrong value", message))
        else:
            if isinstance(item["input"], str) and kind in ("float_type", "int_type"):
                message += "; YAML reads 1e-3 and quoted numbers as text, write 1.0e-3"
            faults.append(source.fault(origin, item["input"], "wrong value", message))
    return faults


def _known_keys(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys of the section at this path; none where there is no section."""
    section: Any = model
    for part in path:
        if isinstance(part, int) and typing.get_args(section):  # an entry of a list
            section = typing.get_args(section)[0]
            continue
        fields = section.model_fields if _is_model(section) else {}
        if part not in fields:
            return []
        section = fields[part].annotation
    return list(section.model_fields) if _is_model(section) else []


def _is_model(section: Any) -> bool:
    return isinstance(section, type) and issubclass(section, BaseModel)


def _parse(text: str, file: str) -> LocatedYaml:
    loader: Any = _LOADER(text)
    try:
        _check_size(text, file)
        root = loader.get_single_node()
        if root is None:
            raise UnreadableYaml(Fault(file, 1, 1, "", "", "is empty", "a mapping of keys to values"))
        walk = _Walk(file)
        walk.note(root, ())
        return LocatedYaml(file, loader.construct_document(root), walk.marks)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        fault = Fault(file, line, column, "", "", f"is not YAML: {error.problem or error.context}", "valid YAML")
        raise UnreadableYaml(fault) from error
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
        fault = Fault(file, *place, "", short_repr(error.character), "is no character of YAML", "plain text")
        raise UnreadableYaml(fault) from error
    except RecursionError as error:
        raise UnreadableYaml(
            Fault(file, 1, 1, "", "", "is nested too deeply, or contains itself", "plain nesting")
        ) from error
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableYaml(Fault(file, 1, 1, "", "", f"is not YAML: {reason}", "valid YAML")) from error
    finally:
        loader.dispose()


def _check_size(text: str, file: str) -> None:
    """Before anything is built: building goes down into the nesting, and libyaml's way of doing so ends the process."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if number > 4 * MAX_YAML_KEYS:  # a key, a value, and a share of what begins and ends around them
            place = _place(event)
            raise UnreadableYaml(Fault(file, *place, "", "", "holds too many keys", f"at most {MAX_YAML_KEYS}"))
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_YAML_DEPTH:
                place = _place(event)
                raise UnreadableYaml(Fault(file, *place, "", "", "is nested too deeply", f"at most {MAX_YAML_DEPTH} levels"))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _place(part: Any) -> tuple[int, int]:
    """Line and column, from 1, of a node or an event."""
    return part.start_mark.line + 1, part.start_mark.column + 1


class _Walk:
    """Goes over a node tree once, aliases expanded, and notes where each key path stands."""

    def __init__(self, file: str) -> None:
        self.marks: dict[KeyPath, tuple[int, int]] = {}
        self._file = file
        self._num_letters = 0

    def note(self, node: yaml.Node, path: KeyPath) -> None:
        place = _place(node)
        self.marks.setdefault(path, place)
        if len(self.marks) > MAX_YAML_KEYS:
            self._refuse(place, "holds too many keys, aliases expanded", f"at most {MAX_YAML_KEYS}")
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                self._note_key(key_node, value_node, path)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.note(item, (*path, index))
        else:
            self._num_letters += len(node.value)
            if self._num_letters > MAX_YAML_LETTERS:
                self._refuse(place, "holds too much text, aliases expanded", f"at most {MAX_YAML_LETTERS} letters")

    def _note_key(self, key_node: yaml.Node, value_node: yaml.Node, path: KeyPath) -> None:
        if not isinstance(key_node, yaml.ScalarNode):  # and whatever its aliases would expand to
            self._refuse(_place(key_node), "has a list or a mapping for a key", "a word for a key")
        inner = (*path, str(key_node.value))
        place = _place(key_node)
        if inner in self.marks:
            self._refuse(place, f"stands twice (first in line {self.marks[inner][0]})", "each key once", key_text(inner))
        self.marks[inner] = place
        self.note(value_node, inner)

    def _refuse(self, place: tuple[int, int], message: str, expected: str, key: str = "") -> None:
        raise UnreadableYaml(Fault(self._file, *place, key, "", message, expected))
