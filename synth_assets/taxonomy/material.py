"""All that generation starts from: leaf nodes, their seed examples, and the chunks of their documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth_assets.errors import DocumentError, Fault
from synth_assets.recipe import DataSetSpec
from synth_assets.records import DocumentChunk, LeafNode, SeedExample
from synth_assets.taxonomy.documents import DocumentRules, document_fault, read_document_chunks
from synth_assets.taxonomy.reading import read_taxonomy


@dataclass(frozen=True)
class Material:
    """The records of stage 1, sorted by leaf path."""

    leaf_nodes: Sequence[LeafNode]
    seed_examples: Sequence[SeedExample]
    chunks: Sequence[DocumentChunk]
    faults: Sequence[Fault] = ()


def read_material(
    roots: Sequence[Path], rules: DocumentRules, data_sets: Sequence[tuple[DataSetSpec, Path]] = ()
) -> Material:
    """From the files; what cannot be read is left out, and among the `faults`. Raises TaxonomyError."""
    found = read_taxonomy(roots, data_sets)
    chunks, faults = read_chunks(found.leaf_nodes, found.seed_examples, rules, roots)
    return Material(found.leaf_nodes, found.seed_examples, chunks, [*found.faults, *faults])


def read_chunks(
    leaf_nodes: Sequence[LeafNode], seed_examples: Sequence[SeedExample], rules: DocumentRules, roots: Iterable[Path]
) -> tuple[list[DocumentChunk], list[Fault]]:
    """The chunks of all leaves; a leaf whose documents cannot be read has none, and a fault."""
    chunks: list[DocumentChunk] = []
    faults: list[Fault] = []
    places = list(roots)
    for leaf in leaf_nodes:
        try:
            chunks += read_document_chunks(leaf, rules, seed_examples)
        except DocumentError as error:
            faults.append(document_fault(leaf, error, places))
    return chunks, faults
