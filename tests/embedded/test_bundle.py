"""The bundled data are what the world writes, and nothing in them was trained on."""

import json
from collections import Counter
from pathlib import Path

from synth_assets.embedded.bundle import REAL_PER_LEAF, SELECTION_PER_LEAF, write_bundle
from synth_assets.embedded.leaves import BY_PATH, TAUGHT
from synth_assets.embedded.primitives import PRIMITIVES
from synth_assets.recipe import resolve_path
from synth_assets.taxonomy import DocumentRules, read_document_chunks, read_taxonomy

BUNDLED = ("taxonomy", "documents", "benchmark", "selection", "open_questions", "real")
QUESTIONS = ("benchmark/questions.jsonl", "selection/questions.jsonl")
REAL = ("real/reference.jsonl", "real/holdout.jsonl")


def test_the_committed_bundle_is_what_the_world_writes(tmp_path: Path) -> None:
    write_bundle(tmp_path)
    for name in BUNDLED:
        written = {f.relative_to(tmp_path): f.read_text() for f in (tmp_path / name).rglob("*") if f.is_file()}
        committed = {file: (resolve_path("data") / file).read_text() for file in written}
        assert written == committed


def test_ten_leaves_over_three_branches_two_of_them_with_documents() -> None:
    taxonomy = read_taxonomy([resolve_path("data/taxonomy")])
    assert not taxonomy.faults and len(taxonomy.leaf_nodes) == len(TAUGHT) >= 10
    assert {leaf.branch for leaf in taxonomy.leaf_nodes} == {"knowledge", "foundational_skills", "compositional_skills"}
    with_documents = 0
    for leaf in taxonomy.leaf_nodes:
        chunks = read_document_chunks(leaf, DocumentRules(resolve_path("data/documents"), 60))
        assert all(BY_PATH[leaf.leaf_path].reads_context(chunk.text) for chunk in chunks)
        with_documents += bool(chunks)
    assert with_documents >= 2


def test_seeds_and_benchmark_are_right_and_held_out() -> None:
    kinds = BY_PATH | {kind.leaf_path: kind for kind in PRIMITIVES}
    for seed in read_taxonomy([resolve_path("data/taxonomy")]).seed_examples:
        instance = kinds[seed.leaf_path].read(seed.question, seed.context or "")
        assert instance is not None and instance.is_held_out and instance.answer == seed.answer
    seeds = {s.context or s.question for s in read_taxonomy([resolve_path("data/taxonomy")]).seed_examples}
    documents = "\n".join(file.read_text() for file in resolve_path("data/documents").glob("*.md"))
    for row in (row for file in (*QUESTIONS, *REAL) for row in _rows(file)):
        instance = kinds[row["leaf_path"]].read(row["question"], row["context"] or "")
        assert instance is not None and instance.is_held_out and instance.answer == row["answer"]
        assert (row["context"] or row["question"]) not in seeds
        assert not row["context"] or row["context"] not in documents


def test_no_question_of_the_choice_is_reported() -> None:
    reported, choosing = ({_said(row) for row in _rows(file)} for file in QUESTIONS)
    assert len(choosing) == SELECTION_PER_LEAF * len(TAUGHT) and not choosing & reported
    leaves = Counter(row["leaf_path"] for row in _rows("selection/questions.jsonl"))
    assert leaves == {kind.leaf_path: SELECTION_PER_LEAF for kind in TAUGHT}


def test_real_rows_are_nowhere_else() -> None:
    said = [{_said(row) for row in _rows(file)} for file in (*QUESTIONS, *REAL)]
    assert len(set.union(*said)) == sum(map(len, said))
    assert all(len(rows) == REAL_PER_LEAF * len(TAUGHT) for rows in said[2:])


def _rows(file: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (resolve_path("data") / file).read_text().splitlines()]


def _said(row: dict[str, str]) -> str:
    """What makes a question: its text, or the text that it is asked on."""
    return row["context"] or row["question"]
