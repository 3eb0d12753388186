"""Writes the data set and the adapter into a folder, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from synth_assets.errors import WarehouseError
from synth_assets.export.cards import dataset_card, model_card
from synth_assets.export.dataset import dataset_splits
from synth_assets.frames import from_frame
from synth_assets.recipe import Recipe
from synth_assets.records import Checkpoint
from synth_assets.storage import Warehouse

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")


def export(recipe: Recipe, warehouse: Warehouse, target: Path) -> list[Path]:
    """`target`/dataset and, once there is an adapter, `target`/adapter; the two folders are returned.

    Raises WarehouseError if one of them is there already, or nothing is there to be exported.
    """
    parts = ["dataset", *(["adapter"] if warehouse.has_table("lora_checkpoint") else [])]
    for part in parts:
        if (target / part).exists():
            remedy = "name another folder, or move that one away"
            raise WarehouseError("the export is there already", value=str(target / part), remedy=remedy)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".exporting-") as folder:
            _write_dataset(recipe, warehouse, Path(folder) / "dataset")
            if "adapter" in parts:
                _write_adapter(recipe, warehouse, Path(folder) / "adapter")
            return [(Path(folder) / part).rename(target / part) for part in parts]
    except OSError as error:
        remedy = "name a folder that can be written, on a disk with room"
        raise WarehouseError(f"{target} cannot be written: {error}", remedy=remedy) from error


def _write_dataset(recipe: Recipe, warehouse: Warehouse, folder: Path) -> None:
    splits = dataset_splits(recipe, warehouse)
    for part in ("data", "jsonl"):
        (folder / part).mkdir(parents=True)
    for split, frame in splits.items():
        if frame.height:
            frame.write_parquet(folder / "data" / f"{split}.parquet")
            frame.write_ndjson(folder / "jsonl" / f"{split}.jsonl")
    (folder / "README.md").write_text(dataset_card(recipe, warehouse, splits), encoding="utf-8")


def _write_adapter(recipe: Recipe, warehouse: Warehouse, folder: Path) -> None:
    folder.mkdir()
    (checkpoint,) = from_frame(warehouse.read_table("lora_checkpoint"), Checkpoint)
    for name in ADAPTER_FILES:
        shutil.copyfile(warehouse.folder / checkpoint.adapter_path / name, folder / name)
    (folder / "README.md").write_text(model_card(recipe, warehouse, checkpoint), encoding="utf-8")
