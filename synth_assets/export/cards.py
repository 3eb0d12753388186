"""Data set card and model card, in the form of the Hugging Face Hub: YAML on top, then Markdown.

Every figure is read from the warehouse. Words of people and models are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth_assets import __version__
from synth_assets.assets.both_methods import SAMPLES, counted_as, read_both
from synth_assets.assets.display import escape
from synth_assets.assets.storing import load, of_stages
from synth_assets.assets.tuning import load_student
from synth_assets.assets.verdicts import OpenGate
from synth_assets.evaluation import accuracy_table
from synth_assets.evaluation.accuracy import ALL_LEAVES
from synth_assets.frames import from_frame
from synth_assets.recipe import Recipe
from synth_assets.records import BenchmarkAnswer, Checkpoint
from synth_assets.storage import Warehouse

MAX_TEXT = 10_000
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def dataset_card(
    recipe: Recipe, warehouse: Warehouse, splits: Mapping[str, pl.DataFrame], gates: Sequence[OpenGate] = ()
) -> str:
    """`splits` as `dataset_splits` gives them; `gates`: those that do not hold."""
    num_rows = sum(frame.height for frame in splits.values())
    head = {
        "pretty_name": f"{recipe.name} by synth_assets",
        "task_categories": ["text-generation"],
        "size_categories": [_size(num_rows)],
        "tags": ["synthetic", "instruction-tuning", "synth_assets"],
        "license": "other",
        "configs": [{
            "config_name": "default",
            "data_files": [{"split": split, "path": f"data/{split}.parquet"} for split in splits if splits[split].height],
        }],
    }  # fmt: skip
    counts = pl.col("num_in", "num_kept", "num_rejected", "num_failed").sum()
    by_leaf = [frame.group_by("leaf_path").len(split) for split, frame in splits.items()]
    leaves = warehouse.read_table("taxonomy").select("leaf_path", "created_by", seed_examples="num_seed_examples")
    areas = counted_as(recipe, warehouse)
    generated = [
        {"leaf_path": area, "created_by": "the teacher", "seed_examples": 0} for area in sorted(set(areas.values()))
    ]
    leaves = pl.concat([leaves, pl.DataFrame(generated, schema=leaves.schema)]) if generated else leaves
    for frame in by_leaf:
        frame = (
            frame.with_columns(pl.col("leaf_path").replace(areas)).group_by("leaf_path").agg(pl.exclude("leaf_path").sum())
        )
        leaves = leaves.join(frame, on="leaf_path", how="left", maintain_order="left").fill_null(0)
    return _render(
        "dataset_card.md.j2",
        head=head,
        recipe=recipe,
        models={role: folder_name(spec.name) for role, spec in recipe.models.items() if role != "student"},
        splits={split: frame.height for split, frame in splits.items()},
        stages=of_stages("stage_counts", recipe, warehouse).group_by("stage", maintain_order=True).agg(counts).rows(),
        reasons=_reasons(recipe, warehouse),
        num_prompted=read_both(("prompted_samples",), recipe, warehouse).height,
        leaves=(leaves.columns, leaves.rows()),
        teachers=read_both(SAMPLES, recipe, warehouse)["teacher"].unique(maintain_order=True).to_list(),
        works=_works(warehouse),
        gates=gates,
    )


def model_card(recipe: Recipe, warehouse: Warehouse, gates: Sequence[OpenGate] = ()) -> str:
    """Of the adapter of the tuned student; `gates`: those that do not hold, of its data as well."""
    checkpoints = load(warehouse, Checkpoint)
    head = {
        "base_model": Path(recipe.student.path).name,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "license": "other",
        "tags": ["lora", "synthetic", "synth_assets"],
    }
    accuracy = pl.DataFrame()
    if warehouse.has_table("evaluation"):
        answers = from_frame(warehouse.read_table("evaluation"), BenchmarkAnswer)
        accuracy = accuracy_table(answers, recipe.evaluation.confidence)
    return _render(
        "model_card.md.j2",
        head=head,
        recipe=recipe,
        student=folder_name(recipe.student.path),
        checkpoint=load_student(warehouse, recipe),
        phases=[each for each in checkpoints if each.is_chosen],
        aligned=_iterations(recipe, warehouse),
        counts=_row_counts(warehouse),
        whole=accuracy.filter(pl.col("leaf_path") == ALL_LEAVES).to_dicts() if accuracy.height else [],
        leaves=accuracy.filter(pl.col("leaf_path") != ALL_LEAVES).to_dicts() if accuracy.height else [],
        works=_works(warehouse),
        gates=gates,
    )


def _iterations(recipe: Recipe, warehouse: Warehouse) -> list[Checkpoint]:
    """Those of alignment, of a recipe that has it."""
    if recipe.alignment is None:
        return []
    found = from_frame(warehouse.read_table("aligned_checkpoint"), Checkpoint)
    return [each for each in found if each.is_chosen]


def preferences_card(recipe: Recipe, warehouse: Warehouse, pairs: pl.DataFrame, gates: Sequence[OpenGate] = ()) -> str:
    """`pairs` as `preference_rows` gives them, at least one; `gates`: those of the data that do not hold."""
    head = {
        "pretty_name": f"{recipe.name} by synth_assets, preference pairs",
        "size_categories": [_size(pairs.height)],
        "tags": ["synthetic", "preference", "dpo", "synth_assets"],
        "license": "other",
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]}],
    }
    other = pl.col("decided_by") != "reward"
    decided = pairs.group_by("decided_by", maintain_order=True).agg(
        pl.len(),
        pl.when(other & pl.col("margin").is_not_null()).then(pl.col("agreement").list.contains("reward")).mean().alias("by"),
    )
    said = [(name, num, "-" if share is None else f"{share:.1%}") for name, num, share in decided.rows()]
    turned_away = [row[1:] for row in _reasons(recipe, warehouse) if row[0] == "preferences"]
    return _render(
        "preferences_card.md.j2",
        head=head,
        recipe=recipe,
        num_pairs=pairs.height,
        num_prompts=pairs["prompt_id"].n_unique(),
        decided=said,
        reasons=turned_away,
        gates=gates,
    )


def folder_name(path: str) -> str:
    """As the recipe says it, but nothing of the machine that an absolute path tells."""
    return Path(path).name if Path(path).is_absolute() else path


def _size(num_rows: int) -> str:
    return next((name for limit, name in _SIZES if num_rows < limit), "1M<n<10M")


def _reasons(recipe: Recipe, warehouse: Warehouse) -> list[tuple[Any, ...]]:
    rejected = of_stages("rejected_samples", recipe, warehouse)
    return rejected.group_by("stage", "rejection_reason", maintain_order=True).len().sort("len", descending=True).rows()


def _row_counts(warehouse: Warehouse) -> dict[str, dict[str, int]]:
    """Training rows by phase: new ones, and replayed ones of the base and of earlier phases."""
    train = warehouse.read_table("training_mix").filter(pl.col("split") == "train")
    is_replay, has_sample = pl.col("source") == "replay", pl.col("synthetic_sample_id").is_not_null()
    counts = train.group_by("phase").agg(
        new=(~is_replay).sum(), known=(is_replay & ~has_sample).sum(), taught=(is_replay & has_sample).sum()
    )
    return {row["phase"]: row for row in counts.to_dicts()}


def _works(warehouse: Warehouse) -> list[dict[str, Any]]:
    return warehouse.read_table("attributions").to_dicts() if warehouse.has_table("attributions") else []


def _render(template: str, head: Mapping[str, Any], **values: Any) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=False, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["e"] = environment.filters["escape"] = partial(escape, max_letters=MAX_TEXT)
    top = yaml.safe_dump(dict(head), sort_keys=False, allow_unicode=True)
    body = environment.get_template(template).render(version=__version__, **values)
    return f"---\n{top}---\n\n{body}"
