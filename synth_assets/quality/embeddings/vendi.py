"""The Vendi score: how many different texts there are in effect.

D. Friedman, A. Dieng 2022 (arXiv 2210.02410), definition 3.1: the exponential of the entropy of the eigenvalues of K / n,
with cosines for K. n rows that have nothing in common score n, copies of one row 1.
"""

from __future__ import annotations

import math

import numpy as np

from synth_assets.quality.embeddings.clouds import Clouds, Floats
from synth_assets.quality.estimates import Estimate

MEASURE = "vendi_ratio"
NUM_DRAWS = 5
SIZE = 1000


def vendi_score(rows: Floats) -> float:
    """Of (n, d) vectors, brought to unit length first; NaN for none, or for one of no length.

    X X^T and X^T X have the same eigenvalues but for zeros, so the smaller one is taken.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not len(rows) or not (lengths > 0).all():
        return math.nan
    unit = rows / lengths
    gram = unit @ unit.T if len(unit) <= unit.shape[1] else unit.T @ unit
    shares = np.linalg.eigvalsh(gram / len(unit))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def estimate_vendi(clouds: Clouds, *, seed: int = 0) -> list[Estimate]:
    """`vendi_ratio`: the synthetic rows' score over the reference's at equally many rows, mean of 5 draws; at_least .85."""
    if short := clouds.too_few(MEASURE):
        return [short]
    scores = np.array(
        [
            [
                vendi_score(clouds.reference[draw.reference]),
                vendi_score(clouds.holdout[draw.holdout]),
                vendi_score(clouds.synthetic[draw.synthetic]),
            ]
            for draw in clouds.draws(NUM_DRAWS, SIZE, seed)
        ]
    )
    real, held, made = scores.mean(axis=0)
    words = f"synthetic {made:.1f}, reference {real:.1f}, holdout {held:.1f}"
    return [
        Estimate(
            MEASURE, clouds.subject, float(made / real), num_reference=clouds.num_real, num_synthetic=len(clouds.synthetic),
            words=words,
        )
    ]  # fmt: skip
