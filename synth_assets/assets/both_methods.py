"""Samples from seeds and samples from topics, read as one: whoever comes after them treats both alike.

The tables stay apart, since the one is made leaf by leaf and the other as a whole. Of a recipe without prompt synthesis
only the first is read, whatever an earlier run has left.
"""

from collections.abc import Sequence

import polars as pl

from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.assets.recipe_parts import has_prompts
from synth_assets.frames import from_frame, schema_of
from synth_assets.recipe import Recipe
from synth_assets.records import TABLE_FROM_TOPICS, TABLES, ScoredSample, SyntheticSample, area_path, is_generated
from synth_assets.storage import Warehouse

SAMPLES = ("synthetic_samples", TABLE_FROM_TOPICS["synthetic_samples"])
SCORES = ("scored_samples", TABLE_FROM_TOPICS["scored_samples"])
LEAVES = ("taxonomy", TABLE_FROM_TOPICS["taxonomy"])


def read_both(tables: Sequence[str], recipe: Recipe, warehouse: Warehouse) -> pl.DataFrame:
    """The rows of the tables that the recipe has, one below the other, with the columns of the first.

    A table that was not made yet has no rows.
    """
    columns = schema_of(TABLES[tables[0]])
    there = [name for name in tables if _is_declared(name, recipe) and warehouse.has_table(name)]
    frames = [warehouse.read_table(name).select(columns.names()) for name in there]
    return pl.concat([pl.DataFrame(schema=columns), *frames]) if frames else pl.DataFrame(schema=columns)


def load_samples(recipe: Recipe, warehouse: Warehouse) -> list[SyntheticSample]:
    return from_frame(read_both(SAMPLES, recipe, warehouse), SyntheticSample)


def load_scores(recipe: Recipe, warehouse: Warehouse) -> list[ScoredSample]:
    return from_frame(read_both(SCORES, recipe, warehouse), ScoredSample)


def counted_as(recipe: Recipe, warehouse: Warehouse) -> dict[str, str]:
    """Leaf path of a generated topic that has samples -> path of its area.

    A recipe asks for prompts of a kind, not for rows of each topic that a teacher may name: what must be there is the area.
    """
    if not has_prompts(recipe):
        return {}
    paths = read_both(SAMPLES, recipe, warehouse)["leaf_path"].unique().sort()
    return {path: area_path(path) for path in paths if is_generated(path)}


def _is_declared(table: str, recipe: Recipe) -> bool:
    """A table beside an asset's own is there with the section that it comes from."""
    return INGREDIENTS[table].is_declared(recipe) if table in INGREDIENTS else has_prompts(recipe)
