"""A user's own data set as a leaf node: rows of a JSON Lines or Parquet file become its seed examples.

LAB's foundational skills come from data sets that exist already. The recipe maps columns to question, answer and context; a
row that has no text there is a fault with its line (of Parquet its row, counted from 1), and the others go on. Rows that
stand twice count once. A leaf is known by its content: other rows, another id, and its samples are made anew.

A set may hold what a model wrote, such as one that an earlier run exported. Its `generation_depth` is read, so that what
comes of it is counted as one generation further; of a row that stands twice the greater depth counts. Of a set that does
not say it, nobody knows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from synth_assets.errors import Fault
from synth_assets.recipe import DataSetSpec
from synth_assets.records import LeafNode, SeedExample, content_id

_VERSION = 3
_SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, which no file can hold
_MAX_SHOWN = 80
_DEPTH = "generation_depth"
_NO_ROW = "a JSON object a line, or a row of a Parquet file, with the columns that the recipe names"


def read_data_set(spec: DataSetSpec, file: Path) -> tuple[LeafNode | None, list[SeedExample], list[Fault]]:
    """The leaf with its seeds, the first `max_rows` good rows; None if there is not one. Never raises for bad content."""
    faults: list[Fault] = []
    texts: dict[tuple[str | None, str, str], int | None] = {}
    try:
        for number, row in read_rows(file):
            if len(texts) == spec.max_rows:
                break
            found = _texts_of(row, spec, file, number)
            depth = found if isinstance(found, Fault) else _depth_of(row, spec, file, number)
            if isinstance(depth, Fault):
                faults.append(depth)
            elif not isinstance(found, Fault):
                texts[found] = depth if found not in texts else _deeper(depth, texts[found])
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        faults.append(Fault(str(file), None, None, "", "", f"cannot be read: {error}", "a .jsonl or .parquet file"))
    if not texts:
        if not faults:
            faults.append(Fault(str(file), None, None, "", "", "the data set has no rows", _NO_ROW))
        return None, [], faults
    depths = [list(texts.values())] if set(texts.values()) != {0} else []
    leaf_id = content_id("leaf_node", "data_set", spec.leaf_path, spec.task_description, list(texts), *depths)
    leaf = LeafNode(
        leaf_id, spec.leaf_path, "foundational_skills", spec.task_description, spec.created_by, _VERSION, "", "", "", "", (),
        spec.path, len(texts),
    )  # fmt: skip
    seeds = [
        SeedExample(content_id("seed_example", leaf_id, position), leaf_id, spec.leaf_path, position, *text, depth)
        for position, (text, depth) in enumerate(texts.items())
    ]
    return leaf, seeds, faults


def read_rows(file: Path) -> Iterator[tuple[int, Any]]:
    """Line or row number, and the row; a line that is no JSON comes as the text it is."""
    if file.suffix == ".parquet":
        yield from enumerate(pl.read_parquet(file, glob=False).iter_rows(named=True), 1)
        return
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError):
                    yield number, line.strip()


def _deeper(one: int | None, other: int | None) -> int | None:
    """Of a row that stands twice."""
    return None if one is None or other is None else max(one, other)


def _texts_of(row: Any, spec: DataSetSpec, file: Path, number: int) -> tuple[str | None, str, str] | Fault:
    """Context, question and answer of a row."""
    if not isinstance(row, dict):
        return Fault(str(file), number, 1, "", _told_of(row), "no JSON object", _NO_ROW)
    columns = {"question": spec.question, "answer": spec.answer, **({"context": spec.context} if spec.context else {})}
    for role, column in columns.items():
        value = row.get(column)
        if role == "context" and value in (None, ""):
            continue
        if not isinstance(value, str) or not value.strip() or _SURROGATE.search(value):
            there = ", ".join(map(str, row))[:_MAX_SHOWN]
            message = f"no text for the {role}" if column in row else f"no column {column!r} for the {role}, only {there}"
            shown = "" if column not in row else _told_of(value)
            return Fault(str(file), number, None, column, shown, message, "a text that is not blank")
    context = row.get(spec.context) if spec.context else None
    return context.strip() if context else None, row[spec.question].strip(), row[spec.answer].strip()


def _depth_of(row: dict[str, Any], spec: DataSetSpec, file: Path, number: int) -> int | Fault | None:
    """What is said of all rows, else what the row says; None where neither says it: nobody knows who wrote the row."""
    if isinstance(spec.generation_depth, int):
        return spec.generation_depth
    column = spec.generation_depth or _DEPTH
    value = row.get(column)
    if value is None and spec.generation_depth is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    message = "no depth of generation" if column in row else f"no column {column!r} for the generation_depth"
    shown = _told_of(value) if column in row else ""
    return Fault(str(file), number, None, column, shown, message, "a whole number: 0 for rows of people, 1 for a model's")


def _told_of(value: Any) -> str:
    """Of numbers the value, of all else what it is: faults go into logs and tables, and no row's text does."""
    if isinstance(value, str):
        what = "blank" if not value.strip() else "with half a character" if _SURROGATE.search(value) else "text"
        return f"{len(value)} characters, {what}"
    return str(value) if value is None or isinstance(value, bool | int | float) else f"a {type(value).__name__}"
