"""Recall and coverage: is everything that is in the real rows in the synthetic ones as well?

Precision and density ask the opposite, whether synthetic rows lie where real ones do. They do not see a collapse: 50 good
texts repeated ten times are all in the right place. They are shown; recall and coverage are held against a gate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synth_assets.intervals import cluster_bootstrap
from synth_assets.quality.embeddings.clouds import Clouds, Floats, squared_distances
from synth_assets.quality.estimates import Estimate

NEAREST_K = 5
NUM_DRAWS = 5
SIZE = 1000
MEASURES = ("recall", "coverage", "precision", "density")


class Overlap(NamedTuple):
    """Per row: what of the reference is covered (recall, coverage), what of the other lies within (precision, density)."""

    recall: Floats
    coverage: Floats
    precision: Floats
    density: Floats


def manifold_overlap(reference: Floats, other: Floats, k: int = NEAREST_K) -> Overlap:
    """The four measures' contributions of each row; their means are the measures.

    M. F. Naeem et al. 2020 (arXiv 2002.09797), sections 2 and 3; recall and precision are T. Kynkäänniemi's (1904.06991).
    A ball around a row reaches to its k-th nearest neighbour in its own cloud. Raises ValueError for k rows or fewer.
    """
    if min(len(reference), len(other)) <= k:
        raise ValueError(f"{min(len(reference), len(other))} rows have no {k}-th nearest neighbour")
    between = squared_distances(reference, other)
    real_radii, other_radii = _radii(reference, k), _radii(other, k)
    is_in_other_ball = between < other_radii[None, :]
    is_in_real_ball = between < real_radii[:, None]
    return Overlap(
        recall=_any(is_in_other_ball, axis=1),
        coverage=_any(is_in_real_ball, axis=1),
        precision=_any(is_in_real_ball, axis=0),
        density=is_in_real_ball.sum(axis=0) / k,
    )


def estimate_coverage(
    clouds: Clouds,
    *,
    clusters: Sequence[object] | None = None,
    seed: int = 0,
    num_bootstrap: int = 1000,
    confidence: float = 0.95,
) -> list[Estimate]:
    """recall, coverage, precision, density of the synthetic rows as a share of what the holdout reaches; at_least .8.

    Means over 5 draws of at most 1,000 rows of each cloud. `clusters` names the cluster of each reference row (its leaf) for
    the intervals of recall and coverage; None: rows are taken for independent. The intervals take both manifolds as given,
    and where whole leaves are missing they are wide: the gate is held against the value. Of precision and density there is
    the value alone.
    """
    if clouds.too_few("recall"):
        return [short for measure in MEASURES if (short := clouds.too_few(measure))]
    num_rows = len(clouds.reference)
    used = np.zeros(num_rows)
    covered = {(measure, whose): np.zeros(num_rows) for measure in MEASURES[:2] for whose in ("made", "held")}
    within: dict[tuple[str, str], list[float]] = {}
    for draw in clouds.draws(NUM_DRAWS, SIZE, seed):
        used[draw.reference] += 1
        real = clouds.reference[draw.reference]
        for whose, rows in (("made", clouds.synthetic[draw.synthetic]), ("held", clouds.holdout[draw.holdout])):
            overlap = manifold_overlap(real, rows)
            for measure in MEASURES[:2]:
                covered[measure, whose][draw.reference] += getattr(overlap, measure)
            for measure in MEASURES[2:]:
                within.setdefault((measure, whose), []).append(float(getattr(overlap, measure).mean()))
    seen = used > 0
    names = [name for name, is_seen in zip(clusters or range(num_rows), seen, strict=True) if is_seen]
    found = []
    for measure in MEASURES[:2]:
        made, held = (covered[measure, whose][seen] for whose in ("made", "held"))
        interval = cluster_bootstrap(
            lambda rows, made=made, held=held: _ratio(made[rows[0]], held[rows[0]]),  # type: ignore[misc]
            [names], num_draws=num_bootstrap, confidence=confidence, seed=seed,
        )  # fmt: skip
        found.append(_estimate(clouds, measure, made / used[seen], held / used[seen], interval))
    for measure in MEASURES[2:]:
        found.append(_estimate(clouds, measure, np.array(within[measure, "made"]), np.array(within[measure, "held"])))
    return found


def _estimate(
    clouds: Clouds, measure: str, made: Floats, held: Floats, interval: tuple[float, float] | None = None
) -> Estimate:
    low, high = interval or (None, None)
    return Estimate(
        measure, clouds.subject, _ratio(made, held), low, high, clouds.num_real, len(clouds.synthetic),
        words=f"synthetic {made.mean():.3f}, holdout {held.mean():.3f}",
    )  # fmt: skip


def _ratio(made: NDArray[np.float64], held: NDArray[np.float64]) -> float:
    return float(made.sum() / held.sum()) if held.sum() > 0 else math.nan


def _any(is_inside: NDArray[np.bool_], axis: int) -> Floats:
    inside: Floats = np.asarray(is_inside.any(axis=axis), dtype=np.float64)
    return inside


def _radii(rows: Floats, k: int) -> Floats:
    """Squared distance of each row to its k-th nearest neighbour; the 0 to itself comes before the first."""
    radii: Floats = np.partition(squared_distances(rows, rows), k, axis=1)[:, k]
    return radii
