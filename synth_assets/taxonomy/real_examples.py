"""Real rows, which synthetic ones are compared with: a reference, and a holdout that nothing is ever made from.

JSON Lines or Parquet with the columns leaf_path, question, answer and perhaps context; others are left aside. A file that is
partly unreadable is not used at all: a comparison with what happened to be readable would be another comparison. Faults name
file and line and show no text: real rows may speak of real people, and an error is read by many.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from synth_assets.errors import Fault, RealDataError, Where
from synth_assets.records import RealExample, RealSplit, content_id
from synth_assets.taxonomy.data_sets import read_rows

_NUM_SHOWN = 20
_KEYS = ("leaf_path", "question", "answer")
_EXPECTED = "leaf_path, question and answer as texts, and perhaps context"


def read_real_examples(reference: Path, holdout: Path) -> list[RealExample]:
    """The rows of both files in their order; a row that stands twice in its file counts once.

    Raises RealDataError with file and line of each fault, also for a row that stands in both files: a holdout that is
    compared with itself says nothing.
    """
    rows: dict[str, RealExample] = {}
    faults: list[Fault] = []
    files: tuple[tuple[RealSplit, Path], ...] = (("reference", reference), ("holdout", holdout))
    for split, file in files:
        for number, example in _examples(file, split, faults):
            known = rows.setdefault(example.real_example_id, example)
            if known.split != split:
                message = "the row stands in the reference as well"
                faults.append(Fault(str(file), number, None, "", "", message, "rows of its own"))
    if faults or not rows:
        raise RealDataError(
            "the real data cannot be used", faults=faults[:_NUM_SHOWN], where=Where(str(holdout if rows else reference)),
            remedy="mend what is named, or set trust.real to other files",
        )  # fmt: skip
    return list(rows.values())


def _examples(file: Path, split: RealSplit, faults: list[Fault]) -> list[tuple[int, RealExample]]:
    """With the line or row number of each."""
    examples = []
    try:
        for number, row in read_rows(file):
            found = _example(row, split)
            if isinstance(found, str):
                faults.append(Fault(str(file), number, None, "", "", found, _EXPECTED))
            else:
                examples.append((number, found))
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        faults.append(Fault(str(file), None, None, "", "", f"cannot be read: {error}", "a .jsonl or .parquet file"))
    if not examples and not faults:
        faults.append(Fault(str(file), None, None, "", "", "there are no rows", _EXPECTED))
    return examples


def _example(row: Any, split: RealSplit) -> RealExample | str:
    """The row, or what is wrong with it."""
    if not isinstance(row, dict):
        return "no JSON object"
    for key in _KEYS:
        if not isinstance(row.get(key), str) or not row[key].strip():
            return f"no text for {key}"
    context = row.get("context") or None
    if context is not None and not isinstance(context, str):
        return "the context is no text"
    texts = (row["leaf_path"], context, row["question"], row["answer"])
    return RealExample(content_id("real_example", *texts), split, *texts)
