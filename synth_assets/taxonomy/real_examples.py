"""Real rows, which synthetic ones are compared with: a reference, and a holdout that nothing is ever made from.

A holdout that the teacher has seen says nothing: a row of it that is a seed example, in context, question and answer, or
whose question stands before its answer in a document chunk of its leaf, is a fault of its file. That both ask about the same
text is none.

JSON Lines or Parquet with the columns leaf_path, question, answer and perhaps context; others are left aside. A file that is
partly unreadable is not used at all: a comparison with what happened to be readable would be another comparison. Faults name
file and line and show no text: real rows may speak of real people, and an error is read by many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from synth_assets.errors import Fault, RealDataError, Where
from synth_assets.records import DocumentChunk, RealExample, RealSplit, SeedExample, content_id
from synth_assets.sketches import plain, row_key
from synth_assets.taxonomy.data_sets import read_rows

_NUM_SHOWN = 20
_KEYS = ("leaf_path", "question", "answer")
_EXPECTED = "leaf_path, question and answer as texts, and perhaps context"


def read_real_examples(
    reference: Path, holdout: Path, seeds: Iterable[SeedExample] = (), chunks: Iterable[DocumentChunk] = ()
) -> list[RealExample]:  # fmt: skip
    """The rows of both files in their order; a row that stands twice in its file counts once.

    `seeds`, `chunks`: what the teacher is shown. Raises RealDataError with file and line of each fault, also for a row of
    the holdout that stands in the reference, or in what the teacher is shown: it would be compared with itself.
    """
    rows: dict[str, RealExample] = {}
    faults: list[Fault] = []
    shown = _Shown(seeds, chunks)
    files: tuple[tuple[RealSplit, Path], ...] = (("reference", reference), ("holdout", holdout))
    for split, file in files:
        for number, example in _examples(file, split, faults):
            known = rows.setdefault(example.real_example_id, example)
            taken = "the row stands in the reference as well" if known.split != split else ""
            if taken := taken or (shown.holds(example) if split == "holdout" else ""):
                faults.append(Fault(str(file), number, None, "", "", taken, "rows of its own"))
    if faults or not rows:
        raise RealDataError(
            "the real data cannot be used", faults=faults[:_NUM_SHOWN], where=Where(str(holdout if rows else reference)),
            remedy="mend what is named, or set trust.real to other files",
        )  # fmt: skip
    return list(rows.values())


class _Shown:
    """What the teacher is shown: seed examples by their texts, and the chunks of each leaf node."""

    def __init__(self, seeds: Iterable[SeedExample], chunks: Iterable[DocumentChunk]) -> None:
        self._seeds = {row_key(seed.context, seed.question, seed.answer): seed.seed_example_id for seed in seeds}
        self._chunks: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for chunk in chunks:
            self._chunks[chunk.leaf_path].append((chunk.document_chunk_id, plain(chunk.text)))

    def holds(self, row: RealExample) -> str:
        """Where the row stands; empty if nowhere."""
        key = row_key(row.context, row.question, row.answer)
        if seed_id := self._seeds.get(key):
            return f"the row is seed example {seed_id}, which the teacher is shown"
        _, question, answer = key
        for chunk_id, text in self._chunks.get(row.leaf_path, ()):
            start = text.find(question)
            if start >= 0 and answer in text[start + len(question) :]:
                return f"question and answer stand in document chunk {chunk_id}, which the teacher is shown"
        return ""


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
