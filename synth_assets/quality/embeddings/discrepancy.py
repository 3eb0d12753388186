"""MMD: do two clouds differ in any way that a smooth function could show?

A permutation test says whether a difference is more than chance; with many rows any is, so the figure that is held against a
threshold is by how much the clouds differ beyond what two real samples do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synth_assets.quality.embeddings.clouds import Clouds, Floats, squared_distances
from synth_assets.quality.estimates import Estimate

MEASURE = "mmd_excess"
NUM_DRAWS = 5
SIZE = 500
NUM_PERMUTATIONS = 200
MAX_P = 0.01


def estimate_discrepancy(clouds: Clouds, *, seed: int = 0) -> list[Estimate]:
    """`mmd_excess`: MMD^2 of reference and synthetic less that of reference and holdout (if above 0); at_most .005.

    The median over 5 draws of at most 500 rows of each cloud. `bound` is that value where the median p-value is below .01,
    else 0: what may be chance is no difference. The bandwidth is the median distance within the reference.
    """
    if short := clouds.too_few(MEASURE):
        return [short]
    rng = np.random.default_rng([seed, 1])
    excesses, p_values = [], []
    for draw in clouds.draws(NUM_DRAWS, SIZE, seed):
        real, held, made = clouds.reference[draw.reference], clouds.holdout[draw.holdout], clouds.synthetic[draw.synthetic]
        bandwidth = median_bandwidth(real)
        value, p_value = permutation_test(_kernel(np.vstack([real, made]), bandwidth), len(real), rng)
        between_real = mmd_squared(_kernel(np.vstack([real, held]), bandwidth), len(real))
        excesses.append(value - max(0.0, between_real))
        p_values.append(p_value)
    excess, p_value = float(np.median(excesses)), float(np.median(p_values))
    bound = excess if p_value < MAX_P or not np.isfinite(excess) else 0.0
    words = f"permutation p = {p_value:.3f}, median of {NUM_DRAWS} draws of {len(draw.reference)} rows"
    return [
        Estimate(
            MEASURE, clouds.subject, excess, num_reference=clouds.num_real, num_synthetic=len(clouds.synthetic), bound=bound,
            words=words,
        )
    ]  # fmt: skip


def median_bandwidth(rows: Floats) -> float:
    """Median squared distance between different rows (A. Gretton et al. 2012, section 8); NaN if most are the same."""
    squared = squared_distances(rows, rows)[np.triu_indices(len(rows), k=1)]
    median = float(np.median(squared))
    return median if median > 0 else float("nan")


def mmd_squared(kernel: Floats, num_first: int) -> float:
    """Unbiased estimate of MMD^2 from the (n + m, n + m) kernel matrix, its first `num_first` rows against the others.

    A. Gretton et al. 2012, J. Mach. Learn. Res. 13:723, lemma 6, equation 3. It may be below 0.
    """
    first = np.zeros((len(kernel), 1))
    first[:num_first] = 1
    return float(_mmd_of(kernel, first)[0])


def permutation_test(kernel: Floats, num_first: int, rng: np.random.Generator) -> tuple[float, float]:
    """MMD^2 and the share of relabelings, the given one among them, that reach it."""
    labels = np.zeros((len(kernel), NUM_PERMUTATIONS + 1))
    labels[:num_first, 0] = 1
    for column in range(1, NUM_PERMUTATIONS + 1):
        labels[rng.permutation(len(kernel))[:num_first], column] = 1
    values = _mmd_of(kernel, labels)
    return float(values[0]), float((values >= values[0]).mean())


def _mmd_of(kernel: Floats, labels: Floats) -> NDArray[np.float64]:
    """MMD^2 for each column of 0/1 labels; all columns hold equally many ones."""
    n = labels[:, 0].sum()
    m = len(kernel) - n
    off = kernel - np.diag(np.diag(kernel))
    within_first = (labels * (off @ labels)).sum(axis=0)
    across = labels.T @ off.sum(axis=1) - within_first
    within_second = off.sum() - within_first - 2 * across
    values: NDArray[np.float64] = within_first / (n * (n - 1)) + within_second / (m * (m - 1)) - 2 * across / (n * m)
    return values


def _kernel(rows: Floats, bandwidth: float) -> Floats:
    """Gaussian: exp(-d^2 / (2 median d^2))."""
    kernel: Floats = np.exp(-squared_distances(rows, rows) / (2 * bandwidth))
    return kernel
