"""Are the kept rows like the real ones? Features of the texts, embeddings, and the mixture of leaf nodes and groups.

The kept rows are held against the gates; the same figures of all samples, before the filter, are shown beside them, since a
filter can shift what a teacher got right. Features of embeddings, and what else costs a model a call a row, are taken of
at most `MAX_EMBEDDED` rows of each set, drawn once with the seed.

Without real data the seed examples are the reference, and halves of them the yardstick; with few seeds most verdicts then
say that there are too few rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from synth_assets.quality.fidelity import compare_features

from synth_assets.quality.embeddings import Clouds, estimate_coverage, estimate_discrepancy
from synth_assets.quality.estimates import Estimate
from synth_assets.quality.features import (
    TEXT_FEATURES,
    embedding_features,
    fit_components,
    fit_leaf_centroids,
    text_features,
    text_of_rows,
)
from synth_assets.quality.reports.findings import Findings
from synth_assets.recipe import TrustSection

MAX_EMBEDDED = 500
CATEGORIES = ("leaf_path", "branch")
BEFORE = "_before_filter"
Embed = Callable[[Sequence[str]], NDArray[np.float32]]
#: Rows -> mean negative log-likelihood of each response, nats per token; None where there is none.
Likelihood = Callable[[pl.DataFrame], Sequence[float | None]]


class Sets(NamedTuple):
    """Rows as `reports.rows` gives them; `samples`: all that the teacher wrote, `kept`: what the filter left."""

    reference: pl.DataFrame
    holdout: pl.DataFrame | None
    samples: pl.DataFrame
    kept: pl.DataFrame


def measure_fidelity(sets: Sets, embed: Embed, likelihood: Likelihood | None, trust: TrustSection, seed: int) -> Findings:
    """All measures with a gate in the fidelity report, and those without one that stand beside them."""
    with_features = Sets(*(None if rows is None else _with_features(rows) for rows in sets))  # type: ignore[arg-type]
    drawn = Sets(*(None if rows is None else _drawn(rows, seed) for rows in with_features))  # type: ignore[arg-type]
    if drawn.holdout is None:
        reference, holdout = _halves(drawn.reference, seed)
        drawn = drawn._replace(reference=reference, holdout=holdout)
    vectors = [embed(text_of_rows(rows)).astype(np.float64) for rows in drawn if rows is not None]
    dense = _with_dense_features(drawn, vectors, likelihood)
    estimates = _compared(with_features, list(TEXT_FEATURES), CATEGORIES, trust, seed)
    names = [name for name in dense.reference.columns if name not in with_features.reference.columns]
    estimates += _compared(dense, names, (), trust, seed)
    for made, which in ((vectors[3], ""), (vectors[2], BEFORE)):
        clouds = Clouds(vectors[0], vectors[1], made, least=trust.min_reference_rows)
        found = [*estimate_coverage(clouds, seed=seed), *estimate_discrepancy(clouds, seed=seed)]
        estimates += [replace(each, measure=each.measure + which) for each in found]
    return Findings(estimates, _pictures(with_features, dense, vectors))


def _with_features(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, text_features(rows)], how="horizontal")


def _drawn(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """At most so many rows, in the order in which they stand."""
    if rows.height <= MAX_EMBEDDED:
        return rows
    chosen = np.sort(np.random.default_rng(seed).permutation(rows.height)[:MAX_EMBEDDED])
    return rows[chosen]


def _halves(rows: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    order = np.random.default_rng(seed).permutation(rows.height)
    middle = rows.height // 2
    return rows[np.sort(order[:middle])], rows[np.sort(order[middle:])]


def _with_dense_features(sets: Sets, vectors: list[NDArray[np.float64]], likelihood: Likelihood | None) -> Sets:
    """With the features that take a model: all fitted on the reference."""
    reference = sets.reference
    if reference.height < 2:
        return sets
    components = fit_components(vectors[0])
    centroids = fit_leaf_centroids(vectors[0], reference["leaf_path"].to_list())
    extended = []
    for number, (rows, embedded) in enumerate(zip(sets, vectors, strict=True)):
        assert rows is not None
        paths = rows["leaf_path"].to_list()
        features = embedding_features(embedded, paths, components, centroids, are_reference=number == 0)
        if likelihood is not None:
            features = features.with_columns(nll=pl.Series(likelihood(rows), dtype=pl.Float64))
        extended.append(pl.concat([rows, features], how="horizontal"))
    return Sets(*extended)


def _compared(
    sets: Sets, numeric: Sequence[str], categorical: Sequence[str], trust: TrustSection, seed: int
) -> list[Estimate]:  # fmt: skip
    """Kept rows, then all samples without a gate. A column that is the same everywhere is left out."""
    varying = [name for name in numeric if any(rows is not None and rows[name].n_unique() > 1 for rows in sets)]
    compared = []
    for made, which in ((sets.kept, ""), (sets.samples, BEFORE)):
        found = compare_features(
            sets.reference, made, sets.holdout, numeric=varying, categorical=categorical, clusters="leaf_path",
            num_draws=trust.bootstrap_draws, confidence=trust.confidence, min_rows=trust.min_reference_rows, seed=seed,
        )  # fmt: skip
        compared += [replace(each, measure=each.measure + which) for each in found]
    return compared


def _pictures(sets: Sets, dense: Sets, vectors: list[NDArray[np.float64]]) -> dict[str, str]:
    return {}
