"""Real rows: read whole or not at all, with file and line of every fault, and no row on both sides."""

import json
from pathlib import Path

import polars as pl
import pytest

from synth_assets.assets.currency import material_of_files
from synth_assets.errors import RealDataError
from synth_assets.recipe import read_recipe, resolve_path
from synth_assets.records import DocumentChunk, SeedExample
from synth_assets.taxonomy import read_real_examples


def write(file: Path, rows: list[object]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def row(number: int, **changes: object) -> dict[str, object]:
    return {"leaf_path": "skills/a", "question": f"What is {number}?", "answer": str(number), **changes}


def test_both_files_are_read_in_order_and_further_columns_are_left_aside(tmp_path: Path) -> None:
    reference = write(tmp_path / "r.jsonl", [row(1, context="A text."), row(2, author="me"), row(2)])
    pl.DataFrame([row(3), row(4)]).write_parquet(tmp_path / "h.parquet")
    found = read_real_examples(reference, tmp_path / "h.parquet")
    assert [(each.split, each.context, each.answer) for each in found] == [
        ("reference", "A text.", "1"), ("reference", None, "2"), ("holdout", None, "3"), ("holdout", None, "4"),
    ]  # fmt: skip
    assert len({each.real_example_id for each in found}) == 4


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row(1), row(2, answer=" ")], "h.jsonl:2: no text for answer"),
        ([row(1), ["no", "object"]], "h.jsonl:2: no JSON object"),
        ([row(1, context=5)], "h.jsonl:1: the context is no text"),
        ([{"question": "q", "answer": "a"}], "h.jsonl:1: no text for leaf_path"),
        ([], "there are no rows"),
        ([row(8), row(9)], "h.jsonl:2: the row stands in the reference as well"),
    ],
)
def test_a_fault_is_told_with_its_place_and_nothing_is_read(tmp_path: Path, rows: list[object], told: str) -> None:
    reference = write(tmp_path / "r.jsonl", [row(9)])
    with pytest.raises(RealDataError) as caught:
        read_real_examples(reference, write(tmp_path / "h.jsonl", rows))
    assert told in str(caught.value) and "trust.real" in str(caught.value)
    assert "What is" not in str(caught.value), "an error repeats nothing of what real people said"


def test_a_row_of_the_holdout_that_the_teacher_is_shown_is_a_fault_with_its_line(tmp_path: Path) -> None:
    reference, holdout = write(tmp_path / "r.jsonl", [row(1)]), write(tmp_path / "h.jsonl", [row(2), row(3), row(4)])
    seeds = [SeedExample("s1", "l", "skills/a", n, None, f"what  IS {n}?", str(n)) for n in (1, 3)]
    with pytest.raises(RealDataError) as caught:
        read_real_examples(reference, holdout, seeds)
    assert (
        "h.jsonl:2: the row is seed example s1" in str(caught.value) and len(caught.value.faults) == 1
    )  # not the reference's
    other_text = [SeedExample("s1", "l", "skills/a", 0, "On a text:", "What is 3?", "3")]
    other_leaf = [DocumentChunk("d1", "l", "skills/b", "f.md", "", 0, 9, "What is 4? 4.")]
    before = [DocumentChunk("d1", "l", "skills/a", "f.md", "", 0, 9, "It is 4. But what is it? What is four? What is 4?")]
    assert len(read_real_examples(reference, holdout, other_text, [*other_leaf, *before])) == 4
    chunk = DocumentChunk("d2", "l", "skills/a", "faq.md", "", 0, 9, "Questions. What is\n4? It is 4.")
    with pytest.raises(RealDataError, match=r"h\.jsonl:3: question and answer stand in document chunk d2"):
        read_real_examples(reference, holdout, [], [chunk])


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RealDataError, match="cannot be read"):
        read_real_examples(tmp_path / "none.jsonl", write(tmp_path / "h.jsonl", [row(1)]))


def test_the_bundled_rows_are_those_that_the_recipe_records_and_no_teacher_is_shown_them() -> None:
    from synth_assets.frames import to_frame
    from synth_assets.quality.collapse import holdout_digest
    from synth_assets.records import RealExample

    said = read_recipe().trust.real
    assert said is not None
    shown = material_of_files(read_recipe())
    found = read_real_examples(resolve_path(said.reference), resolve_path(said.holdout), shown.seed_examples, shown.chunks)
    held = to_frame([each for each in found if each.split == "holdout"], RealExample)
    assert len(found) == 2 * held.height and holdout_digest(held) == said.holdout_digest
