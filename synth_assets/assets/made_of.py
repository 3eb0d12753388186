"""Content hashes of what assets are made of: by them it is known what is current, and what has to be made again.

Hashing reads every file: models of many GB take as long as reading them takes, once (`model_folder.model_fingerprint`).
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel

from synth_assets.assets.ingredients import INGREDIENTS, upstream_of
from synth_assets.assets.storing import of_stages
from synth_assets.inference import fingerprint_of
from synth_assets.quality.reports import shown_chunks
from synth_assets.recipe import SERVER_LIMITS, ModelSpec, Recipe, resolve_path
from synth_assets.records import content_id
from synth_assets.storage import Warehouse, frame_digest
from synth_assets.taxonomy import Material


def code_version(asset: str, recipe: Recipe) -> str:
    """Version of the code and hash of the part of the recipe that the asset reads."""
    parts = INGREDIENTS[asset]
    said = [_plain(part) for part in parts.settings(recipe)]
    return f"{parts.version}-{content_id('settings', asset, said)[:8]}"


def _plain(part: object) -> object:
    """Sections of the recipe as JSON can hold them; of a server only what its answers depend on."""
    if isinstance(part, ModelSpec):
        return part.model_dump(mode="json", exclude={"server": SERVER_LIMITS})
    if isinstance(part, BaseModel):
        return part.model_dump(mode="json")
    return [_plain(each) for each in part] if isinstance(part, list | tuple) else part


def inputs_id(asset: str, recipe: Recipe, warehouse: Warehouse) -> str:
    """Content hash of everything that the asset's rows depend on.

    Raises ModelError for a missing model, EngineError for one whose server does not answer.
    """
    parts = INGREDIENTS[asset]
    return content_id(
        "inputs",
        code_version(asset, recipe),
        {name: table_digest(warehouse, name) for name in upstream_of(asset, recipe)}
        | {name: _digest_of_read(recipe, warehouse, name) for name in parts.tables},
        [fingerprint_of(spec) for spec in parts.models(recipe)],
        [_files_digest(resolve_path(path)) for path in parts.files(recipe)],
    )


def sample_inputs(recipe: Recipe, material: Material) -> dict[str, str]:
    """By leaf path: what its synthetic samples depend on, from the material as files or tables hold it."""
    chunk_ids: dict[str, list[str]] = defaultdict(list)
    for chunk in shown_chunks(material.chunks, recipe.trust.privacy.split_share):
        chunk_ids[chunk.leaf_path].append(chunk.document_chunk_id)
    made_of = {leaf.leaf_path: (leaf.leaf_node_id, chunk_ids[leaf.leaf_path]) for leaf in material.leaf_nodes}
    return _leaf_inputs("synthetic_samples", recipe, made_of)


def score_inputs(recipe: Recipe, samples: Mapping[str, str]) -> dict[str, str]:
    """By leaf path: what its scores depend on; `samples` are the hashes of the leaves' samples."""
    return _leaf_inputs("scored_samples", recipe, samples)


def _leaf_inputs(asset: str, recipe: Recipe, made_of: Mapping[str, object]) -> dict[str, str]:
    fingerprints = [fingerprint_of(spec) for spec in INGREDIENTS[asset].models(recipe)]
    shared = content_id("inputs", code_version(asset, recipe), fingerprints)
    return {path: content_id("leaf_inputs", shared, path, made) for path, made in made_of.items()}


def table_digest(warehouse: Warehouse, name: str) -> str | None:
    """SHA-256 of the table's file, which `Warehouse.write_table` returned; None where there is none."""
    if not warehouse.has_table(name):
        return None
    return hashlib.sha256(warehouse.table_path(name).read_bytes()).hexdigest()


def _digest_of_read(recipe: Recipe, warehouse: Warehouse, name: str) -> str | None:
    """As `table_digest`; of the rejected rows those that a data set is judged by (`rejected_before_pairs`)."""
    if name != "rejected_samples" or not warehouse.has_table(name):
        return table_digest(warehouse, name)
    read = rejected_before_pairs(recipe, warehouse)
    is_whole = read.height == warehouse.read_table(name).height
    return table_digest(warehouse, name) if is_whole else frame_digest(read)


def rejected_before_pairs(recipe: Recipe, warehouse: Warehouse) -> pl.DataFrame:
    """Rejected rows of the recipe's stages before preference pairs: what a data set is judged by.

    The stage `preferences` comes after all who read them; what stages left that the recipe has no more counts for nothing.
    """
    return of_stages("rejected_samples", recipe, warehouse).filter(pl.col("stage") != "preferences")


def _files_digest(path: Path) -> str:
    """Names and contents of all files under a folder; a missing one has a digest as well."""
    whole = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()
