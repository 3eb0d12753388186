"""Preference pairs in the conversational form that TRL's trainers take: `prompt`, `chosen` and `rejected` as messages.

`prompt` holds the turns up to the last user turn, `chosen` and `rejected` one assistant turn each. The other columns say
where a pair comes from and who decided; trainers leave them aside.
"""

from __future__ import annotations

import polars as pl

from synth_assets.frames import schema_of
from synth_assets.recipe import Recipe
from synth_assets.records import PreferencePair
from synth_assets.storage import Warehouse

TABLE = "preference_pairs"
_MESSAGES = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
_TURNS = ("prompt", "chosen", "rejected")


def preference_rows(recipe: Recipe, warehouse: Warehouse) -> pl.DataFrame:
    """One row a pair, by leaf path and id; no row where no pairs were made, or the recipe declares none any more."""
    if recipe.preferences is None or not warehouse.has_table(TABLE):
        return in_trl_form(pl.DataFrame(schema=schema_of(PreferencePair)))
    return in_trl_form(warehouse.read_table(TABLE).sort("leaf_path", "preference_pair_id"))


def in_trl_form(pairs: pl.DataFrame) -> pl.DataFrame:
    """The table `preference_pairs` with messages in place of texts; everything else as it is."""

    def answer(column: str) -> pl.Expr:
        turn = pl.struct(pl.lit("assistant").alias("role"), pl.col(column).alias("content"))
        return pl.concat_list(turn).alias(column)

    rest = pl.exclude(*_TURNS)
    return pairs.select(pl.col("prompt").str.json_decode(_MESSAGES), answer("chosen"), answer("rejected"), rest)
