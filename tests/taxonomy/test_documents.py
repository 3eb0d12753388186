"""Chunks are exact spans of bounded size, and a pattern cannot reach outside the documents."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.errors import DocumentError
from synth_assets.records import LeafNode, SeedExample
from synth_assets.taxonomy import DocumentRules, count_words, read_document_chunks, split_document

MANUAL = """# Kettle

It boils water.

## Cleaning

Use vinegar. Rinse twice. Let it dry.

```
# no heading, but code
```

## Safety
Never open it.
"""


def leaf(*patterns: str, repo: str = "local", branch: str = "knowledge") -> LeafNode:
    return LeafNode(
        leaf_node_id="id", leaf_path="knowledge/x", branch=branch,  # type: ignore[arg-type]
        task_description="", created_by="me", version=3, domain="d", document_outline="o", document_repo=repo,
        document_commit="local", document_patterns=patterns, file="knowledge/x/qna.yaml", num_seed_examples=5,
    )  # fmt: skip


def test_chunks_follow_headings_and_are_exact_spans(tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    (tmp_path / "manuals/kettle.md").write_text(MANUAL)
    chunks = read_document_chunks(leaf("manuals/*.md"), DocumentRules(tmp_path, 100))
    assert [chunk.heading for chunk in chunks] == ["Kettle", "Kettle > Cleaning", "Kettle > Safety"]
    assert [chunk.text for chunk in chunks][::2] == ["It boils water.", "Never open it."]
    assert all(MANUAL[chunk.char_start : chunk.char_end] == chunk.text for chunk in chunks)
    assert {chunk.source for chunk in chunks} == {"manuals/kettle.md"}
    assert len({chunk.document_chunk_id for chunk in chunks}) == 3


def test_a_long_section_is_cut_at_sentences() -> None:
    spans = split_document("One two three. Four five six. Seven eight nine.", 8)
    text = "One two three. Four five six. Seven eight nine."
    assert [text[start:end] for _, start, end in spans] == [
        "One two three. Four five six.",
        "Seven eight nine.",
    ]


@given(st.text(alphabet="ab .\n#`~é", max_size=200), st.integers(1, 6))
def test_no_word_is_lost_and_no_chunk_is_over_the_budget(text: str, budget: int) -> None:
    spans = split_document(text, budget)
    edges = [edge for _, start, end in spans for edge in (start, end)]
    assert edges == sorted(edges)
    pieces = [text[start:end] for _, start, end in spans]
    assert all(piece == piece.strip() and piece for piece in pieces)
    assert all(count_words(piece) <= budget or len(piece.split()) == 1 for piece in pieces)
    if "#" not in text:
        assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("pattern", ["../secret.md", "/etc/passwd", "a/../../secret.md", "C:/x.md"])
def test_a_pattern_that_leads_out_is_refused(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "secret.md").write_text("secret")
    documents = tmp_path / "documents"
    documents.mkdir()
    with pytest.raises(DocumentError, match="leads out"):
        read_document_chunks(leaf(pattern), DocumentRules(documents, 10))


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "a.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(DocumentError, match="link leads out"):
        read_document_chunks(leaf("*.md"), DocumentRules(documents, 10))


def test_a_pattern_without_a_match_names_file_and_pattern(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read_document_chunks(leaf("kettle.md"), DocumentRules(tmp_path / "none", 10))
    assert "knowledge/x/qna.yaml" in str(caught.value) and "'kettle.md'" in str(caught.value)
    for odd in (".", "a**b", "**"):
        with pytest.raises(DocumentError):
            read_document_chunks(leaf(odd), DocumentRules(tmp_path, 10))


def test_an_empty_or_binary_document_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"")
    with pytest.raises(DocumentError, match="0 bytes"):
        read_document_chunks(leaf("a.md"), DocumentRules(tmp_path, 10))
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    with pytest.raises(DocumentError, match="not UTF-8"):
        read_document_chunks(leaf("a.md"), DocumentRules(tmp_path, 10))


def test_a_remote_repository_gives_the_contexts_of_the_seeds_once(tmp_path: Path) -> None:
    seeds = [SeedExample(str(n), "id", "knowledge/x", n, f"Context {n // 3}.", "q", "a") for n in range(6)]
    other = SeedExample("o", "other", "knowledge/y", 0, "Other.", "q", "a")
    chunks = read_document_chunks(
        leaf("*.md", repo="https://example.org/a.git"), DocumentRules(tmp_path, 10), [*seeds, other]
    )
    assert [chunk.text for chunk in chunks] == ["Context 0.", "Context 1."]
    assert read_document_chunks(leaf("*.md", branch="compositional_skills"), DocumentRules(tmp_path, 10), seeds) == []
