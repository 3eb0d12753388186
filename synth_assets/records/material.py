"""What stage 1 reads: leaf nodes, their seeds, the works and documents behind them."""

from __future__ import annotations

from dataclasses import dataclass

from synth_assets.records.kinds import Branch, RealSplit


@dataclass(frozen=True)
class LeafNode:
    """A taxonomy task that holds seeds. `leaf_path` such as compositional_skills/writing/polite_request.

    The id covers everything that the file says, its seeds included. `file` is relative to the taxonomy root.
    `domain` and the `document_` fields are those of knowledge leaves, empty elsewhere; a knowledge leaf's
    `task_description` is its document outline.
    """

    leaf_node_id: str
    leaf_path: str
    branch: Branch
    task_description: str
    created_by: str
    version: int
    domain: str
    document_outline: str
    document_repo: str
    document_commit: str
    document_patterns: tuple[str, ...]
    file: str
    num_seed_examples: int


@dataclass(frozen=True)
class SeedExample:
    """A human-written question and answer. With a context it is *grounded*, without *freeform*.

    `position` counts from 0 within the leaf. A knowledge leaf gives one for each question-and-answer pair. What stands in
    the taxonomy's files counts as real (`generation_depth` 0); a data set may say that models wrote its rows; null:
    it does not say who did.
    """

    seed_example_id: str
    leaf_node_id: str
    leaf_path: str
    position: int
    context: str | None
    question: str
    answer: str
    generation_depth: int | None = 0

    @property
    def is_grounded(self) -> bool:
        return self.context is not None


@dataclass(frozen=True)
class RealExample:
    """A question and answer of the real world, to compare with. The holdout is what nothing may be made from."""

    real_example_id: str
    split: RealSplit
    leaf_path: str
    context: str | None
    question: str
    answer: str


@dataclass(frozen=True)
class Attribution:
    """A work that a leaf node was made from, as declared beside it; `position` counts a leaf's works from 0."""

    leaf_path: str
    position: int
    title: str
    link: str
    revision: str
    licence: str
    creators: str


@dataclass(frozen=True)
class DocumentChunk:
    """A piece of a document: `text` is its characters `char_start:char_end`. `source` is a relative path."""

    document_chunk_id: str
    leaf_node_id: str
    leaf_path: str
    source: str
    heading: str
    char_start: int
    char_end: int
    text: str
