"""Records to Polars frames and back.

The schema is derived from a record's types, so that the two cannot drift: `str` String, `int` Int64, `float` Float64,
`bool` Boolean, `tuple[str, ...]` List(String), `X | None` may hold nulls.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Literal, TypeVar

import polars as pl

RecordT = TypeVar("RecordT")

_POLARS_TYPES: dict[type, pl.DataType] = {
    str: pl.String(), int: pl.Int64(), float: pl.Float64(), bool: pl.Boolean(), tuple: pl.List(pl.String())
}  # fmt: skip


def schema_of(record_type: type[Any]) -> pl.Schema:
    """The Polars schema of a record type: column names and types in the order of its fields."""
    hints = typing.get_type_hints(record_type)
    return pl.Schema({field.name: _polars_type(hints[field.name]) for field in fields(record_type)})


def to_frame(records: Iterable[RecordT], record_type: type[RecordT]) -> pl.DataFrame:
    """A frame with one row a record, also for no record at all. Raises TypeError where a type is wrong."""
    rows = list(records)
    columns = []
    for name, dtype in schema_of(record_type).items():
        values = [getattr(row, name) for row in rows]
        cells = [list(value) if isinstance(value, tuple) else value for value in values]
        columns.append(pl.Series(name, cells, dtype=dtype, strict=True))
        if columns[-1].null_count() and name not in _nullable(record_type):
            raise TypeError(f"{record_type.__name__}.{name} is None in row {values.index(None)}")
    return pl.DataFrame(columns)


def from_frame(frame: pl.DataFrame, record_type: type[RecordT]) -> list[RecordT]:
    """The inverse of `to_frame`; further columns are left aside."""
    names = [field.name for field in fields(record_type)]  # type: ignore[arg-type]
    return [
        record_type(*(tuple(value) if isinstance(value, list) else value for value in row))
        for row in frame.select(names).iter_rows()
    ]


def _nullable(record_type: type[Any]) -> set[str]:
    hints = typing.get_type_hints(record_type)
    return {name for name, hint in hints.items() if type(None) in typing.get_args(hint)}


def _polars_type(hint: Any) -> pl.DataType:
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    if origin is Literal:
        return pl.String()
    return _POLARS_TYPES[origin or hint]
