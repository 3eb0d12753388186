"""Documents of knowledge leaves -> chunks of bounded size, each a span of its document.

`document.repo: local` means the recipe's documents folder; `patterns` are globs relative to it. Other folders and git
repositories are read if the recipe allows them (`taxonomy.repositories`). Those that it does not allow are not fetched: the
chunks of such a leaf are the contexts of its own seeds, each once, with the leaf's file as source. So a public taxonomy
can be run offline, on the material that its authors put into the leaf.

A document that cannot be read, or that gives no chunk, is a fault of its leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synth_assets.errors import DocumentError, Fault, Where
from synth_assets.located_yaml import LocatedYaml, read_located_yaml
from synth_assets.records import DocumentChunk, LeafNode, SeedExample, content_id
from synth_assets.taxonomy.document_sources import DocumentSource, FolderSource, open_source
from synth_assets.taxonomy.document_text import UnreadableDocument, document_text
from synth_assets.taxonomy.splitting import count_words, split_document

LOCAL_REPO = "local"
MAX_DOCUMENTS = 1_000


@dataclass(frozen=True)
class DocumentRules:
    """What the recipe says of documents. `repositories`: beginnings of repository names that may be read.

    `cache`: where fetched repositories are kept.
    """

    folder: Path
    max_chunk_tokens: int
    overlap_tokens: int = 0
    repositories: tuple[str, ...] = ()
    cache: Path = Path("repositories")
    opened: dict[tuple[str, str], DocumentSource | None] = field(default_factory=dict, compare=False, repr=False)
    """Sources by repository and commit, each opened once."""


def read_document_chunks(
    leaf_node: LeafNode,
    rules: DocumentRules,
    seed_examples: Sequence[SeedExample] = (),
    count_tokens: Callable[[str], int] = count_words,
) -> list[DocumentChunk]:
    """The chunks of one leaf node, in the order of its patterns, files and text; none for a skill.

    `seed_examples` are needed for leaves with a repository that is not allowed (see above); those of other leaves are
    left aside. Raises DocumentError for a pattern that matches nothing or leads out of the folder, and for a
    document that is too big, empty, without text, or no UTF-8.
    """
    if leaf_node.branch != "knowledge":
        return []
    value: str | None = None
    try:
        source = _source(leaf_node, rules)
        if source is None:
            return _chunks_of_contexts(leaf_node, seed_examples)
        chunks = []
        for pattern in leaf_node.document_patterns:
            value = pattern
            for name in _matches(source, pattern):
                value = name
                text = document_text(name, source.read(name))
                chunks += _chunks(leaf_node, source.label(name), text, rules, count_tokens)
        return list({chunk.document_chunk_id: chunk for chunk in chunks}.values())
    except UnreadableDocument as error:
        raise DocumentError(error.what, value=value, where=Where(leaf_node.file), remedy=error.remedy) from error
    except (OSError, ValueError) as error:  # names that no file can have, folders that cannot be read
        remedy = "mend document.repo, commit and patterns"
        raise DocumentError(
            f"a document cannot be had: {error}", value=value, where=Where(leaf_node.file), remedy=remedy
        ) from error


def _source(leaf_node: LeafNode, rules: DocumentRules) -> DocumentSource | None:
    if leaf_node.document_repo == LOCAL_REPO:
        return FolderSource(rules.folder)
    name = (leaf_node.document_repo, leaf_node.document_commit)
    if name not in rules.opened:
        rules.opened[name] = open_source(*name, rules.repositories, rules.cache)
    return rules.opened[name]


def _matches(source: DocumentSource, pattern: str) -> list[str]:
    names = source.matches(pattern)
    if not names:
        raise UnreadableDocument(f"no document matches the pattern {pattern!r} in {source}", "mend document.patterns")
    if len(names) > MAX_DOCUMENTS:
        raise UnreadableDocument(f"a pattern matches {len(names)} documents", f"at most {MAX_DOCUMENTS}: name fewer")
    return names


def _chunks(
    leaf_node: LeafNode, name: str, text: str, rules: DocumentRules, count_tokens: Callable[[str], int]
) -> list[DocumentChunk]:
    spans = split_document(text, rules.max_chunk_tokens, rules.overlap_tokens, count_tokens)
    if not spans:
        raise UnreadableDocument("a document holds no text beside its headings", "fill it, or leave it out of the patterns")
    return [_chunk(leaf_node, name, heading, start, text[start:end]) for heading, start, end in spans]


def _chunks_of_contexts(leaf_node: LeafNode, seed_examples: Sequence[SeedExample]) -> list[DocumentChunk]:
    own = (seed for seed in seed_examples if seed.leaf_node_id == leaf_node.leaf_node_id)
    contexts = dict.fromkeys(seed.context for seed in own if seed.context)
    return [_chunk(leaf_node, leaf_node.file, f"context {n}", 0, text) for n, text in enumerate(contexts, start=1)]


def _chunk(leaf_node: LeafNode, source: str, heading: str, start: int, text: str) -> DocumentChunk:
    chunk_id = content_id("document_chunk", leaf_node.leaf_path, source, heading, start, text)
    end = start + len(text)
    return DocumentChunk(chunk_id, leaf_node.leaf_node_id, leaf_node.leaf_path, source, heading, start, end, text)


def document_fault(leaf_node: LeafNode, error: DocumentError, roots: Iterable[Path]) -> Fault:
    """What is wrong with a leaf's documents, at the line of its file that names them."""
    file = next((root / leaf_node.file for root in roots if (root / leaf_node.file).is_file()), None)
    source = read_located_yaml(file, leaf_node.file) if file else LocatedYaml(leaf_node.file, None, {})
    return source.fault(("document", "patterns"), error.value, error.what, error.remedy or "a document that can be read")
