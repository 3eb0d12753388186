"""A taxonomy looked at by people: which files hold a leaf node, what is wrong in the others, what differs from another.

For the command line and for pre-commit, which names single files; no recipe and no warehouse are needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth_assets.errors import Fault, TaxonomyError
from synth_assets.records import BRANCHES
from synth_assets.taxonomy.leaf import JudgedLeaf, judge_leaf
from synth_assets.taxonomy.reading import LEAF_FILE, Taxonomy, walk


@dataclass(frozen=True)
class TaxonomyDiff:
    """Leaf paths, each list sorted. Changed: the file says something else, comments and layout aside."""

    added: list[str]
    changed: list[str]
    removed: list[str]


def check_taxonomy(paths: Sequence[Path]) -> list[JudgedLeaf]:
    """Every qna.yaml under these paths: roots, folders inside one, or single files; sorted by file, each once.

    The root of a folder or file is what stands before the name of a branch in its path: before the first one below the
    current folder, else before the last one. A file that lies in no branch is a fault. Raises TaxonomyError for a path that
    does not exist or holds no leaf node.
    """
    judged: dict[Path, JudgedLeaf] = {}
    for path in paths:
        if not path.exists():
            raise TaxonomyError(
                "there is no such file or folder", value=str(path), remedy="name a taxonomy, or a file in it"
            )
        files = list(_files_of(path.absolute()))
        if not files:
            raise TaxonomyError(f"there is no {LEAF_FILE} in it", value=str(path), remedy="name a taxonomy or a file")
        for root, file in files:
            if file not in judged:
                judged[file] = judge_leaf(root, file) if root else _outside(file)
    return [judged[file] for file in sorted(judged)]


def diff_taxonomies(old: Taxonomy, new: Taxonomy) -> TaxonomyDiff:
    """What a run over `new` would do after one over `old`; leaves that cannot be read count as not there."""
    before, after = ({leaf.leaf_path: leaf.leaf_node_id for leaf in taxonomy.leaf_nodes} for taxonomy in (old, new))
    return TaxonomyDiff(
        added=sorted(after.keys() - before.keys()),
        changed=sorted(path for path in after.keys() & before.keys() if after[path] != before[path]),
        removed=sorted(before.keys() - after.keys()),
    )


def check_json(judged: Sequence[JudgedLeaf]) -> list[dict[str, Any]]:
    """One object a file: path, branch, version, valid, faults."""
    return [
        {
            "path": leaf.file,
            "branch": _branch(leaf),
            "version": leaf.version,
            "valid": not leaf.faults,
            "faults": [
                {key: getattr(fault, key) for key in ("line", "column", "key", "value", "message", "expected")}
                for fault in leaf.faults
            ],
        }
        for leaf in judged
    ]


def check_text(judged: Sequence[JudgedLeaf]) -> str:
    """A line for each fault, as editors and pre-commit know them, and the counts."""
    lines = [str(fault) for leaf in judged for fault in leaf.faults]
    num_bad = sum(bool(leaf.faults) for leaf in judged)
    lines.append(f"{len(judged)} leaf nodes: {len(judged) - num_bad} valid, {num_bad} with {len(lines)} faults")
    return "\n".join(lines)


def tree_text(judged: Sequence[JudgedLeaf]) -> str:
    """Folders and leaf nodes, each with its kind and number of seed examples."""
    lines: list[str] = []
    shown: tuple[str, ...] = ()
    for leaf in judged:
        parts = Path(leaf.file).parent.parts
        common = next((i for i, (a, b) in enumerate(zip(parts, shown, strict=False)) if a != b), min(len(parts), len(shown)))
        for depth in range(common, len(parts)):
            about = f"  ({_kind(leaf)})" if depth == len(parts) - 1 else ""
            lines.append(f"{'  ' * depth}{parts[depth]}{about}")
        shown = parts
    return "\n".join(lines)


def _kind(leaf: JudgedLeaf) -> str:
    if leaf.faults:
        return f"{len(leaf.faults)} fault{'s' if len(leaf.faults) > 1 else ''}"
    grounded = sum(seed.is_grounded for seed in leaf.seed_examples)
    kind = "grounded" if grounded == len(leaf.seed_examples) else "freeform" if not grounded else "freeform and grounded"
    what = "knowledge" if _branch(leaf) == "knowledge" else kind
    return f"{what}, {len(leaf.seed_examples)} seed examples"


def _branch(leaf: JudgedLeaf) -> str | None:
    first = leaf.file.split("/")[0]
    return first if first in BRANCHES else None


def _files_of(path: Path) -> Iterator[tuple[Path | None, Path]]:
    """(root, file) of every qna.yaml; no root where the file lies in no branch."""
    here = Path.cwd()
    start = len(here.parts) if path.is_relative_to(here) else 0
    inside = [index for index, part in enumerate(path.parts) if part in BRANCHES]
    below = [index for index in inside if index >= start > 0]
    if not below and any((path / branch).is_dir() for branch in BRANCHES):
        for branch in BRANCHES:
            yield from ((path, file) for file in walk(path / branch))
        return
    at = below[0] if below else inside[-1] if inside else None
    root = None if at is None else Path(*path.parts[:at])
    for file in [path] if path.is_file() else walk(path):
        yield root, file


def _outside(file: Path) -> JudgedLeaf:
    fault = Fault(
        str(file), 1, 1, "", "", "lies in no branch of a taxonomy",
        f"a {LEAF_FILE} below one of {', '.join(BRANCHES)}",
    )  # fmt: skip
    return JudgedLeaf(str(file), None, (fault,))
