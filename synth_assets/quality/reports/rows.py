"""Real, synthetic and kept rows in one form, so that they can be set beside each other.

Columns: row_id, leaf_path, branch, context (may be null), instruction, response.
"""

from __future__ import annotations

import polars as pl

COLUMNS = ("row_id", "leaf_path", "branch", "context", "instruction", "response")
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
