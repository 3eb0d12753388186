"""What a check is, as plain data: Dagster asks for names when it loads, Great Expectations judges much later.

An `Expectation` names one of Great Expectations' own (`kind` and `kwargs`) on one table, and says why it is there.
This module imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEASURES_TABLE = "measures"
_A_GREATER_THAN_B = "expect_column_pair_values_a_to_be_greater_than_b"


@dataclass(frozen=True)
class Expectation:
    """One check. `name` is unique in its suite; `expected` says in words what must hold, `reason` why, in one line each.

    `where` leaves only the rows of the table in which each column has the value. Columns that the kind reads must
    hold neither nulls nor NaN, unless `allows_null`: a value that is not there is no value within bounds. A table
    without rows fails, unless `may_be_empty`.
    """

    name: str
    table: str
    kind: str
    expected: str
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
    kind, reason = "expect_table_row_count_to_be_between", "an empty table would pass every other check"
    return Expectation(f"{table}_has_rows", table, kind, f"{table} has rows", reason, {"min_value": 1}, **options)


def no_rows(name: str, table: str, reason: str, **options: Any) -> Expectation:
    kind = "expect_table_row_count_to_equal"
    return Expectation(name, table, kind, f"{table} has no rows", reason, {"value": 0}, **options)


def unique(table: str, column: str, reason: str, **options: Any) -> Expectation:
    kind, expected = "expect_column_values_to_be_unique", f"no {column} of {table} occurs twice"
    return Expectation(f"{column}_is_unique", table, kind, expected, reason, {"column": column}, **options)


def not_blank(table: str, column: str, reason: str, **options: Any) -> Expectation:
    expected = f"no {column} of {table} is blank"
    return _matching(f"{column}_is_not_blank", table, column, r"\S", expected, reason, **options)


def matching(name: str, table: str, column: str, regex: str, reason: str, **options: Any) -> Expectation:
    return _matching(name, table, column, regex, f"every {column} of {table} matches {regex}", reason, **options)


def _matching(
    name: str, table: str, column: str, regex: str, expected: str, reason: str, **options: Any
) -> Expectation:  # fmt: skip
    kwargs = {"column": column, "regex": regex}
    return Expectation(name, table, "expect_column_values_to_match_regex", expected, reason, kwargs, **options)


def one_of(name: str, table: str, column: str, values: tuple[Any, ...], reason: str, **options: Any) -> Expectation:
    expected = f"every {column} of {table} is {' or '.join(map(str, values))}"
    kwargs = {"column": column, "value_set": list(values)}
    return Expectation(name, table, "expect_column_values_to_be_in_set", expected, reason, kwargs, **options)


def between(
    name: str, table: str, column: str, low: float | None, high: float | None, reason: str, **options: Any
) -> Expectation:
    bounds = {key: value for key, value in {"min_value": low, "max_value": high}.items() if value is not None}
    words = {"min_value": "at least", "max_value": "at most"}
    limits = " and ".join(f"{words[key]} {value:g}" for key, value in bounds.items())
    expected = f"every {column} of {table} is {limits}"
    kwargs = {"column": column, **bounds}
    return Expectation(name, table, "expect_column_values_to_be_between", expected, reason, kwargs, **options)


def greater(name: str, table: str, column: str, than: str, reason: str, **options: Any) -> Expectation:
    expected = f"in every row of {table}, {column} is greater than {than}"
    kwargs = {"column_A": column, "column_B": than, "or_equal": False}
    return Expectation(name, table, _A_GREATER_THAN_B, expected, reason, kwargs, **options)


def measure_at_least(name: str, measure: str, reason: str, **options: Any) -> Expectation:
    return _measured(name, measure, "at least", ("value", "threshold"), reason, options)


def measure_at_most(name: str, measure: str, reason: str, **options: Any) -> Expectation:
    return _measured(name, measure, "at most", ("threshold", "value"), reason, options)


def _measured(
    name: str, measure: str, bound: str, larger_smaller: tuple[str, str], reason: str, options: dict[str, Any]
) -> Expectation:
    larger, smaller = larger_smaller
    kwargs = {"column_A": larger, "column_B": smaller, "or_equal": True}
    expected = f"{measure} is {bound} its threshold"
    where = (("measure", measure),)
    return Expectation(name, MEASURES_TABLE, _A_GREATER_THAN_B, expected, reason, kwargs, where=where, **options)
