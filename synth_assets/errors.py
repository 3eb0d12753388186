"""The one tree of errors. Each says what failed, with which value, where, and what to do.

    SynthAssetsError
    ├── RecipeError                 the recipe is wrong: all its faults at once
    ├── TaxonomyError               there is no taxonomy, or not one leaf node in it
    │   └── LeafError               one leaf node is wrong: its faults; the other leaves go on
    ├── DocumentError               a document of a knowledge leaf is missing, too big or out of bounds
    ├── BenchmarkError              the held-out questions are missing or wrong
    ├── RealDataError               the real rows to compare with are missing or wrong
    ├── ModelError                  a model folder is missing, no safetensors, or another architecture
    ├── EngineError                 an engine could not start, or died with requests under way; no server answers
    ├── HarnessError                the lm-evaluation-harness, a task of it or the task's data is not there
    ├── TableError                  two tables cannot be read, or not be compared
    ├── GateError                   a check that blocks has failed upstream
    ├── GenerationError             generation as a whole cannot reach what the recipe asks for
    ├── ConstraintError             a verifiable constraint cannot be read, or there is no such kind
    ├── TuningError                 tuning cannot start, or its loss is no number
    ├── WarehouseError              the warehouse cannot be read or written
    │   ├── WarehouseLockedError    another process holds it
    │   ├── WarehouseVersionError   another version of this program wrote it
    │   └── WarehouseSpaceError     the disk is full
    └── CountsError                 rows in are not kept + rejected + failed

A bad *sample* is never an error: it is a row with a reason (see `records.RejectedSample`). A bad *file* is
one `Fault`; faults are plain data, so that a run can go on, count them and show them in a table.
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass

_SHORT = reprlib.Repr()
_SHORT.maxstring, _SHORT.maxother, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxlevel = 80, 80, 4, 4, 2


def short_repr(value: object) -> str:
    """`repr(value)`, cut to a length that fits a message, whatever its size or depth."""
    return _SHORT.repr(value)


@dataclass(frozen=True)
class Where:
    """A place in a file. Lines and columns count from 1; None where there is none."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file: a row of `taxonomy_faults`, a line of a RecipeError."""

    file: str
    line: int | None
    column: int | None
    key: str
    value: str
    message: str
    expected: str

    @property
    def where(self) -> Where:
        return Where(self.file, self.line, self.column)

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        value = f", found {self.value}" if self.value else ""
        return f"{self.where}: {key}{self.message}{value}; expected {self.expected}"


class SynthAssetsError(Exception):
    """The root. `what` failed, with which `value`, `where`, and the `remedy`, which is an imperative."""

    def __init__(self, what: str, *, value: object = None, where: Where | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.value = value
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.value is not None:
            text += f" (found {short_repr(self.value)})"
        return f"{text}\n  -> {self.remedy}" if self.remedy else text


class _FaultyFileError(SynthAssetsError):
    """An error that lists every fault of its file, so that one reading is enough to mend them all."""

    def __init__(
        self,
        what: str,
        *,
        faults: Sequence[Fault] = (),
        value: object = None,
        where: Where | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(what, value=value, where=where, remedy=remedy)
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"  {fault}" for fault in self.faults)])


class RecipeError(_FaultyFileError):
    """The recipe does not say what may be run. Nothing has been started."""


class TaxonomyError(SynthAssetsError):
    """There is no taxonomy where the recipe says, or it holds no leaf node that can be read."""


class LeafError(_FaultyFileError, TaxonomyError):
    """One leaf node cannot be used."""


class DocumentError(SynthAssetsError):
    """A document of a knowledge leaf cannot be used."""


class BenchmarkError(SynthAssetsError):
    """The held-out questions cannot be used."""


class RealDataError(_FaultyFileError):
    """The real rows that synthetic ones are compared with cannot be used."""


class ModelError(SynthAssetsError):
    """A model folder is missing, holds no safetensors, or another architecture than its role needs."""


class EngineError(SynthAssetsError):
    """An engine could not start, or died with requests under way; no server answers, or too many calls fail."""


class HarnessError(SynthAssetsError):
    """The lm-evaluation-harness is not installed, does not know a task, lacks its data, or failed in it."""


class TableError(SynthAssetsError):
    """A table of real or of synthetic rows cannot be read, or the two cannot be compared."""


class GateError(SynthAssetsError):
    """A check that blocks has failed on what this would be made from, in this run or an earlier one."""


class GenerationError(SynthAssetsError):
    """Generation as a whole cannot reach what the recipe asks for."""


class ConstraintError(SynthAssetsError):
    """A verifiable constraint cannot be read, or there is no such kind, or none where one is needed."""


class TuningError(SynthAssetsError):
    """Tuning cannot start, or its loss is no number."""


class WarehouseError(SynthAssetsError):
    """The warehouse cannot be read or written. The tables are as they were before."""


class WarehouseLockedError(WarehouseError):
    """Another process holds the warehouse, and did not let go in time."""


class WarehouseVersionError(WarehouseError):
    """The warehouse was written by another version of this program."""


class WarehouseSpaceError(WarehouseError):
    """There is no room left on the disk."""


class CountsError(SynthAssetsError):
    """Rows have vanished or multiplied: in is not kept + rejected + failed."""
