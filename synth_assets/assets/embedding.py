"""Embeddings of sets of texts, made once: two reports ask for the same rows, a nightly run for those of the last.

A set is known by its texts, in their order, and by the embedder. One lock for all of them: of two steps that run at the same
time the second waits, and finds what it needs without having loaded the embedder. The `NUM_KEPT` sets that were used last
stay, 0.8 MB each with 500 texts and the bundled embedder.
"""

from __future__ import annotations

import io
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synth_assets.assets.journaling import once
from synth_assets.assets.resources import Engines
from synth_assets.inference import bundled_sentence_transformer
from synth_assets.model_folder import model_fingerprint
from synth_assets.quality.reports.rows import Embed
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import content_id
from synth_assets.storage import FileLock, Warehouse
from synth_assets.storage.atomic import write_beside

KIND = "embeddings"
NUM_KEPT = 16


def embed_once(engines: Engines, warehouse: Warehouse, recipe: Recipe) -> Embed:
    """The recipe's embedder behind what the warehouse has, loaded when there is a first text for it.

    Raises ModelError for what is wrong with its folder, WarehouseError for what is wrong with the warehouse's.
    """
    folder = resolve_path(recipe.trust.embedder) if recipe.trust.embedder else None
    embedder = once(lambda: engines.open_embedder(folder))
    fingerprint = once(lambda: model_fingerprint(folder or bundled_sentence_transformer()))

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, 1), np.float32)
        known = warehouse.artefact_dir(KIND, content_id(KIND, fingerprint(), list(texts)))
        file = known / "vectors.npy"
        with FileLock(known.parent / "embeddings.lock", math.inf).hold():
            if not file.is_file():
                _keep(file, embedder().embed(texts))
            os.utime(known)
            _forget_oldest(known.parent)
            vectors: NDArray[np.float32] = np.load(file, allow_pickle=False)
            return vectors

    return embed


def _keep(file: Path, vectors: NDArray[np.float32]) -> None:
    content = io.BytesIO()
    np.save(content, vectors, allow_pickle=False)
    file.parent.mkdir(exist_ok=True)
    os.replace(write_beside(file, content.getvalue()), file)


def _forget_oldest(folder: Path) -> None:
    by_age = sorted(
        (each for each in folder.iterdir() if each.is_dir()), key=lambda each: (-each.stat().st_mtime_ns, each.name)
    )
    for each in by_age[NUM_KEPT:]:
        shutil.rmtree(each)
