"""Real, synthetic and kept rows in one form, so that they can be set beside each other.

Columns: row_id, leaf_path, branch, context (may be null), instruction, response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

COLUMNS = ("row_id", "leaf_path", "branch", "context", "instruction", "response")
#: Texts -> unit vectors, as `roles.Embedder.embed`.
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
#: Rows of each set that are embedded.
MAX_EMBEDDED = 500
_BRANCH = pl.col("leaf_path").str.split("/").list.first().alias("branch")


def rows_of_real(examples: pl.DataFrame, split: str) -> pl.DataFrame:
    """Of the table real_examples."""
    own = examples.filter(pl.col("split") == split)
    return _rows(own.rename({"real_example_id": "row_id", "question": "instruction", "answer": "response"}))


def rows_of_seeds(seeds: pl.DataFrame) -> pl.DataFrame:
    """Of the table seed_examples."""
    return _rows(seeds.rename({"seed_example_id": "row_id", "question": "instruction", "answer": "response"}))


def rows_of_samples(samples: pl.DataFrame) -> pl.DataFrame:
    """Of the tables synthetic_samples and reward_filtered_set."""
    return _rows(samples.rename({"synthetic_sample_id": "row_id"}))


def _rows(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(_BRANCH).select(COLUMNS)


def drawn(rows: pl.DataFrame, most: int, seed: int) -> pl.DataFrame:
    """At most so many rows, in the order in which they stand."""
    if rows.height <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).permutation(rows.height)[:most])]


def halves(rows: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two parts at random, the second not the smaller: reference and holdout, where nothing better is there."""
    order = np.random.default_rng(seed).permutation(rows.height)
    middle = rows.height // 2
    return rows[np.sort(order[:middle])], rows[np.sort(order[middle:])]
