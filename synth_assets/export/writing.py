"""Writes data set, preference pairs and adapter into a folder, all whole or not at all, and only if their gates hold.

What leaves the warehouse is trusted by people who cannot see its checks. So a check that blocks and has failed, or was not
run on what is there now, stops the export; who exports all the same has it written on the card.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from synth_assets.assets.ingredients import student_asset
from synth_assets.assets.tuning import load_student, tuned_student_folder
from synth_assets.assets.verdicts import OpenGate
from synth_assets.errors import GateError, WarehouseError
from synth_assets.export.cards import dataset_card, folder_name, model_card, preferences_card
from synth_assets.export.dataset import dataset_splits, require_mix
from synth_assets.export.preferences import preference_rows
from synth_assets.model_folder import read_lineage, write_lineage
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
MAX_NAMED = 12


@dataclass(frozen=True)
class OpenGates:
    """Gates that do not hold: those of the data, of the student that was tuned on it, and of the pairs of its responses."""

    of_data: Sequence[OpenGate] = ()
    of_student: Sequence[OpenGate] = ()
    of_pairs: Sequence[OpenGate] = ()


def export(
    recipe: Recipe, warehouse: Warehouse, target: Path, gates: OpenGates, *, despite_failed_checks: bool = False
) -> list[Path]:  # fmt: skip
    """`target`/dataset and, once there are such, `target`/preferences and `target`/adapter; the folders are returned.

    Raises GateError if a gate of what is exported is open, unless that is wanted: then the cards say so. Raises
    WarehouseError if one of the folders is there already, or nothing is there to be exported.
    """
    require_mix(warehouse)
    pairs = preference_rows(recipe, warehouse)
    parts = ["dataset", *(["preferences"] if pairs.height else [])]
    parts += ["adapter"] if warehouse.has_table(student_asset(recipe)) else []
    for part in parts:
        if (target / part).exists():
            remedy = "name another folder, or move that one away"
            raise WarehouseError("the export is there already", value=str(target / part), remedy=remedy)
    of_adapter = [*gates.of_data, *gates.of_student]
    of_pairs = [*gates.of_data, *gates.of_pairs]
    told = {"adapter": of_adapter, "preferences": of_pairs}
    found = list(dict.fromkeys([*gates.of_data, *(gate for part in parts for gate in told.get(part, ()))]))
    if found and not despite_failed_checks:
        raise _refusal(found)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".exporting-") as folder:
            _write_dataset(recipe, warehouse, Path(folder) / "dataset", gates.of_data)
            if "preferences" in parts:
                write_preferences(recipe, warehouse, pairs, Path(folder) / "preferences", of_pairs)
            if "adapter" in parts:
                _write_adapter(recipe, warehouse, Path(folder) / "adapter", of_adapter)
            return [(Path(folder) / part).rename(target / part) for part in parts]
    except OSError as error:
        remedy = "name a folder that can be written, on a disk with room"
        raise WarehouseError(f"{target} cannot be written: {error}", remedy=remedy) from error


def _refusal(gates: Sequence[OpenGate]) -> GateError:
    lines = [f"nothing is exported: {len(gates)} of its gates do not hold", *map(str, gates[:MAX_NAMED])]
    if len(gates) > MAX_NAMED:
        lines.append(f"and {len(gates) - MAX_NAMED} more")
    return GateError(
        "\n  ".join(lines),
        remedy="mend what they say and run `synth-assets demo`, or export with --despite-failed-checks: the cards will tell",
    )


def _write_dataset(recipe: Recipe, warehouse: Warehouse, folder: Path, gates: Sequence[OpenGate]) -> None:
    splits = dataset_splits(recipe, warehouse)
    _write_splits(folder, splits, dataset_card(recipe, warehouse, splits, gates))


def write_preferences(
    recipe: Recipe, warehouse: Warehouse, pairs: pl.DataFrame, folder: Path, gates: Sequence[OpenGate] = ()
) -> None:
    """`pairs` as `preference_rows` gives them, with their card, into a folder that is not there yet."""
    _write_splits(folder, {"train": pairs}, preferences_card(recipe, warehouse, pairs, gates))


def _write_splits(folder: Path, splits: Mapping[str, pl.DataFrame], card: str) -> None:
    for part in ("data", "jsonl"):
        (folder / part).mkdir(parents=True)
    for split, frame in splits.items():
        if frame.height:
            frame.write_parquet(folder / "data" / f"{split}.parquet")
            frame.write_ndjson(folder / "jsonl" / f"{split}.jsonl")
    (folder / "README.md").write_text(card, encoding="utf-8")


def _write_adapter(recipe: Recipe, warehouse: Warehouse, folder: Path, gates: Sequence[OpenGate]) -> None:
    folder.mkdir()
    checkpoint = load_student(warehouse, recipe)
    source = warehouse.folder / checkpoint.adapter_path
    for name in (WEIGHTS, CONFIG):
        if not (source / name).is_file():
            remedy = f"materialize {student_asset(recipe)} again"
            raise WarehouseError("a file of the adapter is gone", value=str(source / name), remedy=remedy)
    shutil.copyfile(source / WEIGHTS, folder / WEIGHTS)
    config = json.loads((source / CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = folder_name(recipe.student.path)  # not where it lies on this machine
    (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    write_lineage(folder, read_lineage(tuned_student_folder(warehouse, recipe, checkpoint)))
    (folder / "README.md").write_text(model_card(recipe, warehouse, gates), encoding="utf-8")
