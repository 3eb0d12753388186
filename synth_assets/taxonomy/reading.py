"""Taxonomy roots -> leaf nodes and seed examples. A leaf node is a folder with a file named qna.yaml.

All three branches are read at any depth (the reference code silently skips foundational_skills). A leaf that
is wrong is reported with all its faults, and the others go on: one typing mistake must not stop a team's run.
A root without any readable leaf is no mistake of a leaf but of the recipe, and stops.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from synth_assets.errors import Fault, TaxonomyError
from synth_assets.recipe import DataSetSpec
from synth_assets.records import BRANCHES, Attribution, LeafNode, SeedExample
from synth_assets.taxonomy.attribution import read_attributions
from synth_assets.taxonomy.data_sets import read_data_set
from synth_assets.taxonomy.leaf import judge_leaf

LEAF_FILE = "qna.yaml"
MAX_LISTED = 20


@dataclass(frozen=True)
class Taxonomy:
    """What could be read, sorted by leaf path, and what could not."""

    leaf_nodes: tuple[LeafNode, ...]
    seed_examples: tuple[SeedExample, ...]
    faults: tuple[Fault, ...]
    attributions: tuple[Attribution, ...] = ()


def read_taxonomy(roots: Sequence[Path], data_sets: Sequence[tuple[DataSetSpec, Path]] = ()) -> Taxonomy:
    """Every leaf node under the roots, and one for each data set; of two with the same leaf path the first one counts.

    Raises TaxonomyError if a root is no folder, holds no qna.yaml, or not one leaf of all could be read.
    """
    leaves: dict[str, tuple[LeafNode, Sequence[SeedExample]]] = {}
    attributions: dict[str, list[Attribution]] = {}
    faults: list[Fault] = []
    for root in roots:
        for file in leaf_files(root):
            judged = judge_leaf(root, file)
            leaf_node = judged.leaf_node
            if leaf_node is None:
                faults.extend(judged.faults)
            elif leaf_node.leaf_path in leaves:
                faults.append(_stands_twice(leaf_node, root))
            else:
                leaves[leaf_node.leaf_path] = (leaf_node, judged.seed_examples)
                attributions[leaf_node.leaf_path] = read_attributions(leaf_node.leaf_path, root, file)
    for spec, file in data_sets:
        leaf_node, seeds, found = read_data_set(spec, file)
        faults += found
        if leaf_node and spec.leaf_path in leaves:
            faults.append(_stands_twice(leaf_node, file.parent))
        elif leaf_node:
            leaves[spec.leaf_path] = (leaf_node, seeds)
            attributions[spec.leaf_path] = read_attributions(spec.leaf_path, file.parent, file)
    if not leaves:
        raise _faulty("not one leaf node could be read", faults)
    ordered = [leaves[path] for path in sorted(leaves)]
    return Taxonomy(
        tuple(leaf_node for leaf_node, _ in ordered),
        tuple(seed for _, seeds in ordered for seed in seeds),
        tuple(faults),
        tuple(work for path in sorted(attributions) for work in attributions[path]),
    )


def require_no_faults(faults: Sequence[Fault]) -> None:
    """For recipes that say `strict`. Raises TaxonomyError with the faults."""
    if faults:
        raise _faulty("the recipe says `strict: true`", faults)


def _faulty(what: str, faults: Sequence[Fault]) -> TaxonomyError:
    listed = "\n".join(f"  {fault}" for fault in faults[:MAX_LISTED])
    first = ", the first of them" if len(faults) > MAX_LISTED else ""
    remedy = "mend the files named above; `synth-assets doctor` lists all faults"
    return TaxonomyError(f"{what}; {len(faults)} faults{first}:\n{listed}", remedy=remedy)


def leaf_files(root: Path) -> list[Path]:
    """All files that hold a leaf node, sorted. Raises TaxonomyError if there is no folder, or no such file in it."""
    if not root.is_dir():
        raise TaxonomyError(
            "the taxonomy is not a folder" if root.exists() else "there is no taxonomy",
            value=str(root),
            remedy="set taxonomy.paths in the recipe to a folder with " + ", ".join(BRANCHES),
        )
    files = sorted(file for branch in BRANCHES for file in walk(root / branch))
    if not files:
        raise TaxonomyError(
            f"the taxonomy holds no leaf node: no {LEAF_FILE} under " + ", ".join(f"{name}/" for name in BRANCHES),
            value=str(root),
            remedy=f"a leaf node is a folder such as compositional_skills/writing/haiku with a {LEAF_FILE}",
        )
    return files


def walk(folder: Path) -> Iterator[Path]:
    """The qna.yaml files at any depth below the folder."""
    for parent, _, names in os.walk(folder):  # does not follow links to folders
        if LEAF_FILE in names:
            yield Path(parent) / LEAF_FILE


def _stands_twice(leaf_node: LeafNode, root: Path) -> Fault:
    return Fault(
        str(root / leaf_node.file), 1, 1, "", leaf_node.leaf_path,
        "an earlier taxonomy root holds this leaf node already; this one is left aside",
        "each leaf path once",
    )  # fmt: skip
