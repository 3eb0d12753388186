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
from synth_assets.quality.fidelity import TOLERANCES, compare_features
from synth_assets.quality.fidelity.dependence import correlation_matrix
from synth_assets.quality.plots import draw_correlations, draw_distributions, draw_embeddings, draw_shares
from synth_assets.quality.reports.findings import Findings
from synth_assets.quality.reports.rows import MAX_EMBEDDED, Embed, drawn, halves
from synth_assets.recipe import TrustSection

CATEGORIES = ("leaf_path", "branch")
BEFORE = "_before_filter"
_ONE_OF = 3
"""Of so many reference rows that are embedded the axes of the embeddings are fitted on one."""
SHOWN = {
    "log_instruction_tokens": "Length of the instruction, ln(1 + tokens)",
    "log_response_tokens": "Length of the response, ln(1 + tokens)",
    "reading_ease": "Flesch reading ease",
    "log_mtld": "Lexical diversity, ln MTLD",
}
#: Rows -> mean negative log-likelihood of each response, nats per token; None where there is none.
Likelihood = Callable[[pl.DataFrame], Sequence[float | None]]


class Sets(NamedTuple):
    """Rows as `reports.rows` gives them; `samples`: all that the teacher wrote, `kept`: what the filter left."""

    reference: pl.DataFrame
    holdout: pl.DataFrame | None
    samples: pl.DataFrame
    kept: pl.DataFrame


def measure_fidelity(
    sets: Sets, embed: Embed, likelihood: Likelihood | None, trust: TrustSection, seed: int, *,
    has_pictures: bool = True,
) -> Findings:  # fmt: skip
    """All measures with a gate in the fidelity report, and those without one that stand beside them."""
    with_features = Sets(*(None if rows is None else _with_features(rows) for rows in sets))  # type: ignore[arg-type]
    size = _num_embedded(with_features, trust)
    few = Sets(*(None if rows is None else drawn(rows, size, seed) for rows in with_features))  # type: ignore[arg-type]
    if few.holdout is None:
        reference, holdout = halves(few.reference, seed)
        few = few._replace(reference=reference, holdout=holdout)
    vectors = [embed(text_of_rows(rows)) for rows in few if rows is not None]
    dense = _with_dense_features(few, vectors, likelihood, seed)
    estimates = _compared(with_features, list(TEXT_FEATURES), CATEGORIES, trust, seed)
    names = [name for name in dense.reference.columns if name not in with_features.reference.columns]
    estimates += _compared(dense, names, (), trust, seed)
    for made, which in ((vectors[3], ""), (vectors[2], BEFORE)):
        known, held, cloud = (each.astype(np.float64) for each in (vectors[0], vectors[1], made))
        clouds = Clouds(known, held, cloud, least=trust.min_reference_rows)
        covered = estimate_coverage(
            clouds, clusters=few.reference["leaf_path"].to_list(), seed=seed, num_bootstrap=trust.bootstrap_draws,
            confidence=trust.confidence,
        )  # fmt: skip
        found = [*covered, *estimate_discrepancy(clouds, seed=seed)]
        estimates += [replace(each, measure=each.measure + which) for each in found]
    return Findings(estimates, _pictures(with_features, dense, vectors) if has_pictures else {})


def _num_embedded(sets: Sets, trust: TrustSection) -> int:
    """Rows of each set: none where one is too small to be compared with anyway."""
    smallest = min(rows.height for rows in sets if rows is not None)
    return MAX_EMBEDDED if smallest >= trust.min_reference_rows else 0


def _with_features(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows, text_features(rows)], how="horizontal")


def _with_dense_features(sets: Sets, vectors: list[NDArray[np.float32]], likelihood: Likelihood | None, seed: int) -> Sets:
    """With the features that take a model.

    The axes are those of a third of the reference, drawn with the seed, which is then left out. Of their own rows axes show
    the greatest variance, and no correlation: compared with those rows, any others, real ones too, varied less by a third,
    and most clean tables failed. To the holdout, the yardstick, nothing is fitted.
    """
    reference = sets.reference
    if len(reference) < 2 * _ONE_OF:
        return sets
    is_fitted = np.isin(np.arange(len(reference)), np.random.default_rng(seed).permutation(len(reference))[::_ONE_OF])
    components = fit_components(vectors[0][is_fitted])
    centroids = fit_leaf_centroids(vectors[0], reference["leaf_path"].to_list())
    extended = []
    for number, (rows, embedded) in enumerate(zip(sets, vectors, strict=True)):
        assert rows is not None
        paths = rows["leaf_path"].to_list()
        features = embedding_features(embedded, paths, components, centroids, are_reference=number == 0)
        if likelihood is not None:
            features = features.with_columns(nll=pl.Series(likelihood(rows), dtype=pl.Float64))
        extended.append(pl.concat([rows, features], how="horizontal"))
    return Sets(extended[0].filter(~is_fitted), *extended[1:])


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
            tolerances={measure: trust.gate(measure).value for measure in TOLERANCES},
        )  # fmt: skip
        compared += [replace(each, measure=each.measure + which) for each in found]
    return compared


def _pictures(sets: Sets, dense: Sets, vectors: list[NDArray[np.float32]]) -> dict[str, str]:
    """Distributions of the features that people can picture, the mixture of leaves, correlations, and the map of texts."""
    real, made = sets.reference, sets.kept
    names = [name for name in TEXT_FEATURES if real[name].n_unique() > 1 and made[name].n_unique() > 1]
    pictures = {
        f"{SHOWN[name]}, real and kept rows": draw_distributions(_numbers(real[name]), _numbers(made[name]), SHOWN[name])
        for name in SHOWN
        if name in names
    }
    pictures["Leaf nodes, real and kept rows"] = draw_shares(
        _counts(real["leaf_path"]), _counts(made["leaf_path"]), "Share of each leaf node"
    )
    if min(real.height, made.height) > 1 and len(names) > 1:
        pictures["Correlations of features"] = draw_correlations(
            _correlations(real, names), _correlations(made, names), names, "Spearman's correlations"
        )
    known, cloud = vectors[0].astype(np.float64), vectors[-1].astype(np.float64)
    pictures["Map of the texts"] = draw_embeddings(known, cloud, "Embeddings of real and kept rows")
    return {title: picture for title, picture in pictures.items() if picture}


def _correlations(rows: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    return correlation_matrix([_numbers(rows[name]) for name in names], "spearman")


def _numbers(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _counts(column: pl.Series) -> dict[str, int]:
    return dict(column.value_counts(sort=True).iter_rows())
