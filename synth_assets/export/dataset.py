"""The data set: one conversation a row in the `messages` form, with all that says where it comes from.

train and validation are those of the training mix, without the rows that were replayed from before; test are the held-out
questions of the benchmark's suite `taxonomy`, which no row of the others overlaps with. Each leaf is in each split in its
share.
"""

from __future__ import annotations

import polars as pl

from synth_assets.assets.both_methods import SAMPLES, read_both
from synth_assets.errors import WarehouseError
from synth_assets.prompts import render_prompt
from synth_assets.prompts.conversations import turns_of_prompt
from synth_assets.recipe import Recipe
from synth_assets.records import NEW_SOURCES
from synth_assets.roles import conversation
from synth_assets.storage import Warehouse

SPLITS = ("train", "validation", "test")
COLUMNS = (
    "messages", "leaf_path", "source", "synthetic_sample_id", "seed_example_ids", "teacher", "reward", "generation_depth",
)  # fmt: skip
_MESSAGES = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
_SCHEMA: dict[str, pl.DataType] = {
    "leaf_path": pl.String(), "source": pl.String(), "synthetic_sample_id": pl.String(),
    "seed_example_ids": pl.List(pl.String()), "teacher": pl.String(), "reward": pl.Float64(), "generation_depth": pl.Int64(),
}  # fmt: skip


def dataset_splits(recipe: Recipe, warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    """Rows of each split, in a fixed order. Raises WarehouseError if there is no training mix yet."""
    require_mix(warehouse)
    samples = read_both(SAMPLES, recipe, warehouse).select("synthetic_sample_id", "seed_example_ids", "teacher")
    rewards = warehouse.read_table("reward_filtered_set").select("synthetic_sample_id", "reward")
    mix = warehouse.read_table("training_mix").filter(pl.col("source").is_in(NEW_SOURCES)).sort("leaf_path", "position")
    rows = mix.join(samples, on="synthetic_sample_id", how="left", maintain_order="left")
    rows = rows.join(rewards, on="synthetic_sample_id", how="left", maintain_order="left")
    lost = rows.filter((pl.col("source") == "synthetic") & (pl.col("teacher").is_null() | pl.col("reward").is_null()))
    if lost.height:
        what = f"{lost.height} rows of the training mix are no longer among the samples or the kept ones"
        raise WarehouseError(what, remedy="a run is under way, or did not end well: run `synth-assets demo`, then export")
    splits = {split: _with_messages(rows.filter(pl.col("split") == split)) for split in ("train", "validation")}
    return splits | {"test": _test_rows(recipe, warehouse)}


def require_mix(warehouse: Warehouse) -> None:
    """Raises WarehouseError if there is no training mix yet."""
    if not warehouse.has_table("training_mix"):
        raise WarehouseError("there is no training mix to export", remedy="run `synth-assets demo` first")


def _test_rows(recipe: Recipe, warehouse: Warehouse) -> pl.DataFrame:
    if not warehouse.has_table("benchmark_questions"):
        return _with_messages(pl.DataFrame(schema={"prompt": pl.String(), "response": pl.String(), **_SCHEMA}))
    questions = warehouse.read_table("benchmark_questions").filter(pl.col("suite") == "taxonomy").sort("leaf_path")
    prompts = [
        render_prompt(recipe.generation.prompts, "question", context=context, instruction=question)
        for context, question in questions.select("context", "question").iter_rows()
    ]
    missing = [pl.lit(None, kind).alias(name) for name, kind in _SCHEMA.items() if name not in ("leaf_path", "source")]
    rows = questions.select("leaf_path", pl.lit("benchmark").alias("source"), pl.col("answer").alias("response"), *missing)
    return _with_messages(rows.with_columns(prompt=pl.Series(prompts, dtype=pl.String)))


def _with_messages(rows: pl.DataFrame) -> pl.DataFrame:
    turns = [
        conversation((*turns_of_prompt(path, prompt), response))
        for path, prompt, response in rows.select("leaf_path", "prompt", "response").iter_rows()
    ]
    messages = pl.Series("messages", [[turn._asdict() for turn in each] for each in turns], dtype=_MESSAGES)
    return rows.select(messages, *(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())).select(COLUMNS)
