"""What a measure is, and what is measured of every stage that counts its rows: that the counts add up, and few failures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from synth_assets.recipe import Recipe

Tables = Mapping[str, pl.DataFrame]
ALL = "all"


class Measure(NamedTuple):
    measure: str
    subject: str
    value: float | None
    threshold: float
    words: str = ""


def count_measures(
    tables: Tables, recipe: Recipe, stage: str, num_kept: int, num_in: int | None = None
) -> list[Measure]:  # fmt: skip
    """Rows in the tables against what the stage says that it counted, and few failures.

    `num_kept`: rows of the stage's own table; `num_in`: rows of the table before it, where there is one. A stage that
    left no counts is not a stage without failures.
    """
    rows = tables["stage_counts"].filter(pl.col("stage") == stage)
    unaccounted = failed = math.nan
    if rows.height:
        counts = rows.select(pl.col("num_in", "num_failed").sum()).row(0, named=True)
        ended = tables["rejected_samples"].filter(pl.col("stage") == stage).height
        unaccounted = abs(counts["num_in"] - num_kept - ended)
        unaccounted += 0 if num_in is None else abs(counts["num_in"] - num_in)
        failed = ratio(counts["num_failed"], counts["num_in"])
    return [
        Measure("unaccounted_rows", stage, unaccounted, 0),
        Measure("failed_share", stage, failed, recipe.quality.max_failed_share.value),
    ]


def ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
