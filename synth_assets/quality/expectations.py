"""What a check is, as plain data: Dagster asks for names when it loads, Great Expectations judges much later.

An `Expectation` names one of Great Expectations' own (`kind` and `kwargs`) on one table, and says why it is there.
This module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEASURES_TABLE = "measures"


@dataclass(frozen=True)
class Expectation:
    """One check. `name` is unique in its suite; `reason` says why it is held, in one line.

    `where` leaves only the rows of the table in which each column has the value. Columns that the kind reads must
    hold neither nulls nor NaN, unless `allows_null`: a value that is not there is no value within bounds. A table
    without rows fails, unless `may_be_empty`.
    """

    name: str
    table: str
    kind: str
    reason: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    is_blocking: bool = True
    where: tuple[tuple[str, str], ...] = ()
    allows_null: bool = False
    may_be_empty: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the kind reads."""
        return tuple(str(self.kwargs[key]) for key in ("column", "column_A", "column_B") if key in self.kwargs)

    @property
    def expected(self) -> str:
        """The kind with its bounds, in words."""
        bounds = ", ".join(f"{key}={value}" for key, value in self.kwargs.items())
        where = " where " + " and ".join(f"{key} = {value}" for key, value in self.where) if self.where else ""
        return f"{self.table}{where}: {self.kind.removeprefix('expect_').replace('_', ' ')} ({bounds})"


@dataclass(frozen=True)
class Suite:
    """The checks of one stage. `tables`: what must be loaded to judge it, what measures are made of included."""

    name: str
    tables: tuple[str, ...]
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class ExpectationResult:
    """What came of one expectation. `error` is empty unless it could not be judged, which is never a pass.

    `document` is Great Expectations' own result as JSON, for the Data Docs; empty where it was not asked.
    """

    name: str
    is_passed: bool
    is_blocking: bool
    observed: str
    expected: str
    reason: str
    error: str = ""
    document: str = field(default="", repr=False)


def rows_exist(table: str, **options: Any) -> Expectation:
    reason = "an empty table would pass every other check"
    kwargs = {"min_value": 1}
    return Expectation(f"{table}_has_rows", table, "expect_table_row_count_to_be_between", reason, kwargs, **options)


def unique(table: str, column: str, reason: str, **options: Any) -> Expectation:
    name = f"{column}_is_unique"
    return Expectation(name, table, "expect_column_values_to_be_unique", reason, {"column": column}, **options)


def not_blank(table: str, column: str, reason: str, **options: Any) -> Expectation:
    kwargs = {"column": column, "regex": r"\S"}
    return Expectation(f"{column}_is_not_blank", table, "expect_column_values_to_match_regex", reason, kwargs, **options)


def one_of(name: str, table: str, column: str, values: tuple[Any, ...], reason: str, **options: Any) -> Expectation:
    kwargs = {"column": column, "value_set": list(values)}
    return Expectation(name, table, "expect_column_values_to_be_in_set", reason, kwargs, **options)


def between(
    name: str, table: str, column: str, low: float | None, high: float | None, reason: str, **options: Any
) -> Expectation:
    bounds = {"min_value": low, "max_value": high}
    kwargs = {"column": column, **{key: value for key, value in bounds.items() if value is not None}}
    return Expectation(name, table, "expect_column_values_to_be_between", reason, kwargs, **options)


def greater(name: str, table: str, column: str, than: str, reason: str, **options: Any) -> Expectation:
    kwargs = {"column_A": column, "column_B": than, "or_equal": False}
    kind = "expect_column_pair_values_a_to_be_greater_than_b"
    return Expectation(name, table, kind, reason, kwargs, **options)


def measure_at_least(name: str, measure: str, reason: str, **options: Any) -> Expectation:
    return _measured(name, measure, "value", "threshold", reason, options)


def measure_at_most(name: str, measure: str, reason: str, **options: Any) -> Expectation:
    return _measured(name, measure, "threshold", "value", reason, options)


def _measured(name: str, measure: str, larger: str, smaller: str, reason: str, options: dict[str, Any]) -> Expectation:
    kwargs = {"column_A": larger, "column_B": smaller, "or_equal": True}
    kind = "expect_column_pair_values_a_to_be_greater_than_b"
    where = (("measure", measure),)
    return Expectation(name, MEASURES_TABLE, kind, reason, kwargs, where=where, **options)
