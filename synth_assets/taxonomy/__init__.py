"""Stage 1: files become leaf nodes, seed examples and document chunks."""

from synth_assets.taxonomy.documents import count_words, document_fault, read_document_chunks, split_document
from synth_assets.taxonomy.leaf import read_leaf
from synth_assets.taxonomy.reading import Taxonomy, read_taxonomy

__all__ = [
    "Taxonomy", "count_words", "document_fault", "read_document_chunks", "read_leaf", "read_taxonomy", "split_document",
]  # fmt: skip
