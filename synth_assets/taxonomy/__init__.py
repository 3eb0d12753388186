"""Stage 1: files become leaf nodes, seed examples and document chunks."""

from synth_assets.taxonomy.checking import (
    TaxonomyDiff,
    check_json,
    check_taxonomy,
    check_text,
    diff_taxonomies,
    tree_text,
)
from synth_assets.taxonomy.documents import DocumentRules, document_fault, read_document_chunks
from synth_assets.taxonomy.leaf import JudgedLeaf, judge_leaf, read_leaf
from synth_assets.taxonomy.material import Material, read_chunks, read_material
from synth_assets.taxonomy.reading import Taxonomy, read_taxonomy, require_no_faults
from synth_assets.taxonomy.real_examples import read_real_examples
from synth_assets.taxonomy.splitting import count_words, split_document

__all__ = [
    "DocumentRules", "JudgedLeaf", "Material", "Taxonomy", "TaxonomyDiff", "check_json", "check_taxonomy", "check_text",
    "count_words", "diff_taxonomies", "document_fault", "judge_leaf", "read_chunks", "read_document_chunks", "read_leaf",
    "read_material", "read_real_examples", "read_taxonomy", "require_no_faults", "split_document", "tree_text",
]  # fmt: skip
