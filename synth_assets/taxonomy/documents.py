"""Documents of knowledge leaves -> chunks of bounded size, each a span of its document.

`document.repo: local` means the recipe's documents folder; `patterns` are globs relative to it. Any other
value of `repo` is a remote repository, which is not fetched: the chunks of such a leaf are the contexts
of its own seeds, each once, with the leaf's file as source. So a public taxonomy can be run offline, on the
material that its authors put into the leaf.

A chunk never crosses a Markdown heading and is cut at paragraphs, then sentences, then words. Its text is
exactly the characters char_start:char_end of the source, without heading line and surrounding blanks. The
heading is kept beside it as a path ("Kettle > Cleaning").

Taxonomies come from strangers: a pattern cannot leave the documents folder, nor can a link inside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from synth_assets.errors import DocumentError, Fault, Where
from synth_assets.located_yaml import LocatedYaml, read_located_yaml
from synth_assets.records import DocumentChunk, LeafNode, SeedExample, content_id

LOCAL_REPO = "local"
MAX_DOCUMENT_BYTES = 20_000_000
Span = tuple[int, int]
_WORD = re.compile(r"\w+|[^\w\s]")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")
_BLANK = re.compile(r"\s+")


def count_words(text: str) -> int:
    """Words and punctuation marks: a stand-in for tokens that needs no tokenizer."""
    return sum(1 for _ in _WORD.finditer(text))


def read_document_chunks(
    leaf_node: LeafNode,
    documents_dir: Path,
    max_chunk_tokens: int,
    seed_examples: Sequence[SeedExample] = (),
    count_tokens: Callable[[str], int] = count_words,
) -> list[DocumentChunk]:
    """The chunks of one leaf node, in the order of its patterns, files and text; none for a skill.

    `seed_examples` are needed for leaves with a remote repository (see above); those of other leaves are left
    aside. Raises DocumentError for a pattern that matches nothing or leads out of the folder, and for a
    document that is too big, empty or no UTF-8.
    """
    if leaf_node.branch != "knowledge":
        return []
    if leaf_node.document_repo != LOCAL_REPO:
        return _chunks_of_contexts(leaf_node, seed_examples)
    chunks = []
    for file in _matched_files(leaf_node, documents_dir):
        text = _read_text(leaf_node, file)
        source = file.relative_to(documents_dir).as_posix()
        spans = split_document(text, max_chunk_tokens, count_tokens)
        chunks += [_chunk(leaf_node, source, heading, start, text[start:end]) for heading, start, end in spans]
    return chunks


def split_document(
    text: str, max_chunk_tokens: int, count_tokens: Callable[[str], int] = count_words
) -> list[tuple[str, int, int]]:
    """(heading path, start, end) of each chunk; only a single word can be over the budget."""
    cuts = (_PARAGRAPH_END, _SENTENCE_END, _BLANK)
    return [
        (heading, *span)
        for heading, section in _sections(text)
        for span in _split(text, section, cuts, lambda part: count_tokens(part) <= max_chunk_tokens)
    ]


def _sections(text: str) -> Iterator[tuple[str, Span]]:
    headings: list[tuple[int, str]] = []
    start = position = 0
    in_fence = False
    for line in text.splitlines(keepends=True):
        in_fence ^= bool(_FENCE.match(line))
        match = None if in_fence else _HEADING.match(line.rstrip("\r\n"))
        if match:
            yield " > ".join(name for _, name in headings), (start, position)
            level = len(match[1])
            headings = [*(entry for entry in headings if entry[0] < level), (level, match[2])]
            start = position + len(line)
        position += len(line)
    yield " > ".join(name for _, name in headings), (start, position)


def _split(text: str, span: Span, cuts: Sequence[re.Pattern[str]], fits: Callable[[str], bool]) -> Iterator[Span]:
    """Cut at the coarsest place that does, then put neighbours together as long as they fit."""
    start, end = _strip(text, span)
    if start == end:
        return
    if fits(text[start:end]) or not cuts:
        yield start, end
        return
    edges = [start, *(match.end() for match in cuts[0].finditer(text, start, end)), end]
    open_span: Span | None = None
    for piece in pairwise(edges):
        if open_span and fits(text[open_span[0] : piece[1]].rstrip()):
            open_span = (open_span[0], piece[1])
            continue
        if open_span:
            yield from _split(text, open_span, cuts[1:], fits)
        open_span = piece
    if open_span:
        yield from _split(text, open_span, cuts[1:], fits)


def _strip(text: str, span: Span) -> Span:
    start, end = span
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _matched_files(leaf_node: LeafNode, documents_dir: Path) -> list[Path]:
    inside = documents_dir.resolve()
    files: dict[Path, None] = {}
    for pattern in leaf_node.document_patterns:
        parts = PurePosixPath(pattern.replace("\\", "/"))
        if parts.is_absolute() or ".." in parts.parts or ":" in "".join(parts.parts[:1]):
            raise _error(leaf_node, "a pattern leads out of the documents folder", pattern, "make it relative to it")
        try:
            matched = sorted(path for path in documents_dir.glob(str(parts)) if path.is_file())
        except (ValueError, IndexError) as error:
            raise _error(leaf_node, "a pattern is no glob", pattern, "write it like manuals/*.md") from error
        if not matched:
            remedy = f"put the document into {documents_dir}, or mend document.patterns"
            raise _error(leaf_node, f"no document matches the pattern {pattern!r}", None, remedy)
        for path in matched:
            if not path.resolve().is_relative_to(inside):
                raise _error(leaf_node, "a link leads out of the documents folder", str(path), "copy the document")
            files[path] = None
    return list(files)


def _read_text(leaf_node: LeafNode, file: Path) -> str:
    size = file.stat().st_size
    if not 0 < size <= MAX_DOCUMENT_BYTES:
        remedy = f"a document has 1 to {MAX_DOCUMENT_BYTES} bytes; split it or leave it out"
        raise _error(leaf_node, f"a document has {size} bytes", str(file), remedy)
    try:
        return file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        remedy = "only text and Markdown in UTF-8 are read; convert it"
        raise _error(leaf_node, f"a document is not UTF-8 (byte {error.start})", str(file), remedy) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise _error(leaf_node, f"a document cannot be read: {reason}", str(file), "mend its permissions") from error


def _chunks_of_contexts(leaf_node: LeafNode, seed_examples: Sequence[SeedExample]) -> list[DocumentChunk]:
    own = (seed for seed in seed_examples if seed.leaf_node_id == leaf_node.leaf_node_id)
    contexts = dict.fromkeys(seed.context for seed in own if seed.context)
    return [_chunk(leaf_node, leaf_node.file, f"context {n}", 0, text) for n, text in enumerate(contexts, start=1)]


def _chunk(leaf_node: LeafNode, source: str, heading: str, start: int, text: str) -> DocumentChunk:
    chunk_id = content_id("document_chunk", leaf_node.leaf_path, source, heading, start, text)
    end = start + len(text)
    return DocumentChunk(chunk_id, leaf_node.leaf_node_id, leaf_node.leaf_path, source, heading, start, end, text)


def _error(leaf_node: LeafNode, what: str, value: str | None, remedy: str) -> DocumentError:
    return DocumentError(what, value=value, where=Where(leaf_node.file), remedy=remedy)


def document_fault(leaf_node: LeafNode, error: DocumentError, roots: Iterable[Path]) -> Fault:
    """What is wrong with a leaf's documents, at the line of its file that names them."""
    file = next((root / leaf_node.file for root in roots if (root / leaf_node.file).is_file()), None)
    source = read_located_yaml(file, leaf_node.file) if file else LocatedYaml(leaf_node.file, None, {})
    return source.fault(("document", "patterns"), error.value, error.what, error.remedy or "a document that can be read")
