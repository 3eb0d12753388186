"""A user's own data set as a leaf node: rows become seeds, and rows that cannot are named by their line."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from synth_assets.errors import TaxonomyError
from synth_assets.recipe import DataSetSpec
from synth_assets.taxonomy import read_taxonomy
from synth_assets.taxonomy.data_sets import read_data_set
from tests.made_taxonomy import put, skill

LEAF = "foundational_skills/mathematics/word_problems"


def spec(path: str = "sums.jsonl", **changes: Any) -> DataSetSpec:
    said = {"path": path, "leaf_path": LEAF, "question": "q", "answer": "a", "task_description": "Add.", "created_by": "me"}
    return DataSetSpec.model_validate(said | changes)


def test_rows_of_both_kinds_of_file_become_the_same_leaf(tmp_path: Path) -> None:
    rows = [{"q": f"What is {n} + 1?", "a": f" {n + 1} ", "more": n, "text": None if n else "On sums."} for n in range(4)]
    (tmp_path / "sums.jsonl").write_text("\n".join(json.dumps(row) for row in [*rows, rows[0]]) + "\n\n", encoding="utf-8")
    pl.DataFrame(rows).write_parquet(tmp_path / "sums.parquet")
    found = {}
    for name in ("sums.jsonl", "sums.parquet"):
        leaf, seeds, faults = read_data_set(spec(name, context="text"), tmp_path / name)
        assert leaf is not None and not faults
        assert (leaf.leaf_path, leaf.branch, leaf.num_seed_examples, leaf.created_by) == (
            LEAF,
            "foundational_skills",
            4,
            "me",
        )
        assert [(seed.position, seed.question, seed.answer, seed.context) for seed in seeds[:2]] == [
            (0, "What is 0 + 1?", "1", "On sums."), (1, "What is 1 + 1?", "2", None)
        ]  # fmt: skip
        found[name] = (leaf.leaf_node_id, seeds)
    assert found["sums.jsonl"] == found["sums.parquet"]
    fewer, seeds, _ = read_data_set(spec(context="text", max_rows=2), tmp_path / "sums.jsonl")
    assert fewer is not None and len(seeds) == 2 and fewer.leaf_node_id != found["sums.jsonl"][0]


def test_a_row_that_cannot_be_used_is_one_fault_with_its_line(tmp_path: Path) -> None:
    lines = ['{"q": "1 + 1?", "a": "2"}', "{", "[1]", '{"q": "", "a": "2"}', '{"q": "1?"}', '{"q": "2 + 1?", "a": 3}']
    lines.append('{"q": "half a character \\ud83d", "a": "2"}')
    (tmp_path / "sums.jsonl").write_text("\n".join(lines), encoding="utf-8")
    leaf, seeds, faults = read_data_set(spec(), tmp_path / "sums.jsonl")
    assert leaf is not None and len(seeds) == 1
    assert [(fault.line, fault.key) for fault in faults] == [(2, ""), (3, ""), (4, "q"), (5, "a"), (6, "a"), (7, "q")]
    assert all(fault.message and fault.expected for fault in faults)
    assert "no column 'a'" in faults[3].message and faults[4].value == "3"


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"PAR1 no parquet"])
@pytest.mark.parametrize("name", ["sums.jsonl", "sums.parquet"])
def test_a_file_that_cannot_be_read_is_a_fault_and_the_others_go_on(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    put(tmp_path / "taxonomy", "compositional_skills/adding", skill())
    found = read_taxonomy([tmp_path / "taxonomy"], [(spec(name), tmp_path / name)])
    assert [leaf.leaf_path for leaf in found.leaf_nodes] == ["compositional_skills/adding"]
    assert found.faults and {fault.file for fault in found.faults} == {str(tmp_path / name)}


def test_it_stands_among_the_leaves_of_the_taxonomy_and_after_them(tmp_path: Path) -> None:
    (tmp_path / "sums.jsonl").write_text('{"q": "1 + 1?", "a": "2"}', encoding="utf-8")
    (tmp_path / "attribution.txt").write_text("Title of work: Sums\nLicense of the work: CC-BY-4.0\nCreator names: Ann\n")
    put(tmp_path / "taxonomy", "compositional_skills/adding", skill())
    given = [(spec(), tmp_path / "sums.jsonl")]
    found = read_taxonomy([tmp_path / "taxonomy"], given)
    assert [leaf.leaf_path for leaf in found.leaf_nodes] == ["compositional_skills/adding", LEAF]
    assert [work.licence for work in found.attributions if work.leaf_path == LEAF] == ["CC-BY-4.0"]
    put(tmp_path / "taxonomy", LEAF, skill())
    found = read_taxonomy([tmp_path / "taxonomy"], given)
    assert [fault.value for fault in found.faults] == [LEAF] and found.leaf_nodes[1].num_seed_examples == 5
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaxonomyError):
        read_taxonomy([tmp_path / "empty"], given)


def _with_depths(folder: Path, depths: list[Any]) -> Path:
    rows = [{"q": f"What is {n} + 1?", "a": str(n + 1), "generation_depth": depth} for n, depth in enumerate(depths)]
    (folder / "sums.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return folder / "sums.jsonl"


def test_what_a_model_wrote_keeps_its_depth(tmp_path: Path) -> None:
    file = _with_depths(tmp_path, [1, None, 0, 2])
    of_column, seeds, faults = read_data_set(spec(), file)
    assert [seed.generation_depth for seed in seeds] == [1, None, 0, 2] and not faults
    of_people, seeds, _ = read_data_set(spec(generation_depth=0), file)
    assert {seed.generation_depth for seed in seeds} == {0}
    of_models, seeds, _ = read_data_set(spec(generation_depth=3), file)
    assert {seed.generation_depth for seed in seeds} == {3}
    assert len({leaf.leaf_node_id for leaf in (of_column, of_people, of_models) if leaf}) == 3  # other samples come of them
    file.write_text(
        "\n".join(f'{{"q": "1?", "a": "1", "generation_depth": {depth}}}' for depth in (0, 2, 1)), encoding="utf-8"
    )
    assert [seed.generation_depth for seed in read_data_set(spec(), file)[1]] == [2]


def test_a_depth_that_is_none_is_one_fault_with_its_line(tmp_path: Path) -> None:
    file = _with_depths(tmp_path, [1, "two", -1, True, None])
    _, seeds, faults = read_data_set(spec(generation_depth="generation_depth"), file)
    assert len(seeds) == 1 and [(fault.line, fault.key) for fault in faults] == [
        (n, "generation_depth") for n in (2, 3, 4, 5)
    ]
    _, seeds, faults = read_data_set(spec(generation_depth="made_by"), file)
    assert not seeds and "no column 'made_by'" in faults[0].message
