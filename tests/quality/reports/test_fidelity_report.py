"""The report on fidelity: axes of embeddings are fitted on rows that are then left out, and coverage draws whole leaves."""

import hashlib
from collections.abc import Sequence
from random import Random

import numpy as np
import polars as pl
from numpy.typing import NDArray

from synth_assets.quality import Estimate, hold_all
from synth_assets.quality.reports import Sets, measure_fidelity
from synth_assets.recipe import TrustSection

TRUST = TrustSection(bootstrap_draws=200)
WORDS = "river bridge mill house garden road forest tower market harbour field barn".split()


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """A direction for each text that has nothing to do with any other's, but for that of its first word."""
    rows = []
    for text in texts:
        own, first = (
            int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest()) for said in (text, text.split()[0])
        )
        rows.append(np.random.default_rng(own).normal(size=150) + 4 * np.random.default_rng(first).normal(size=150))
    stacked = np.stack(rows)
    unit: NDArray[np.float32] = (stacked / np.linalg.norm(stacked, axis=1, keepdims=True)).astype(np.float32)
    return unit


def rows(seed: int, each: int, num_leaves: int = 12) -> pl.DataFrame:
    rng = Random(seed)
    leaves = [leaf for leaf in range(num_leaves) for _ in range(each)]
    said = [f"{WORDS[leaf]} " + " ".join(rng.choices(WORDS, k=rng.randint(5, 12))) for leaf in leaves]
    return pl.DataFrame({
        "row_id": [f"{seed}-{number}" for number in range(len(leaves))],
        "leaf_path": [f"knowledge/{leaf}" for leaf in leaves], "branch": ["knowledge"] * len(leaves),
        "context": pl.Series([None] * len(leaves), dtype=pl.String), "instruction": said,
        "response": [" ".join(rng.choices(WORDS, k=rng.randint(8, 16))) + "." for _ in leaves],
    })  # fmt: skip


def measured(made: pl.DataFrame) -> list[Estimate]:
    sets = Sets(rows(1, 30), rows(2, 30), made, made)
    return measure_fidelity(sets, embed, None, TRUST, 7, has_pictures=False).estimates


def test_real_rows_vary_along_the_axes_as_much_as_the_reference_does() -> None:
    found = measured(rows(3, 40))
    held = hold_all("fidelity_report", found, TRUST)
    assert not [row for row in held if row.severity == "block" and row.verdict in ("failed", "not_computable")]
    of_axes = [each for each in found if each.measure == "variance_ratio" and each.subject.startswith("component")]
    assert len(of_axes) == 8 and all(each.num_reference == 240 and each.value < 0.3 for each in of_axes)


def test_the_interval_of_recall_is_of_whole_leaves() -> None:
    """Half of the leaf nodes are gone: which of them are drawn is nearly all of the chance."""
    of_half = measured(rows(3, 80).filter(pl.col("leaf_path").is_in([f"knowledge/{leaf}" for leaf in range(6)])))
    recall = next(each for each in of_half if each.measure == "recall")
    assert recall.ci_low is not None and recall.ci_high is not None
    assert recall.value < 0.8 and recall.ci_high - recall.ci_low > 0.3
