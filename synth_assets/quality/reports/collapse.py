"""Does the data feed on itself? Depth, real rows, the frozen holdout, and what was lost since an earlier generation.

The generation before is the training mix that the recipe names (`trust.previous_mix`); without one nothing is said of losses
against it, and the rules on depth and on real rows stand all the same.
"""

from __future__ import annotations

import polars as pl

from synth_assets.quality.collapse import (
    depth_measures,
    diversity_against,
    dropped_real_rows,
    holdout_digest,
    holdout_measures,
    real_share_measures,
)
from synth_assets.quality.estimates import Estimate, not_assessed
from synth_assets.quality.reports.findings import Findings
from synth_assets.recipe import TrustSection

_OF_PREVIOUS = ("dropped_real_rows", "distinct_3_ratio", "vocabulary_ratio", "leaves_kept")


def measure_collapse(
    mix: pl.DataFrame, previous: pl.DataFrame | None, holdout: pl.DataFrame | None, trust: TrustSection, seed: int
) -> Findings:
    """`mix`, `previous`: the tables training_mix; `holdout`: real_examples of that split, if there are any."""
    return Findings(
        [
            *depth_measures(mix),
            *real_share_measures(mix),
            *_holdout(holdout, trust),
            *(_against(previous, mix, trust, seed) if previous is not None else _nothing_before()),
        ],
        {},
    )


def _holdout(holdout: pl.DataFrame | None, trust: TrustSection) -> list[Estimate]:
    if holdout is None or trust.real is None:
        return [not_assessed("holdout_changed", "all", "there is no real holdout: set trust.real in the recipe")]
    if trust.real.holdout_digest is None:
        now = holdout_digest(holdout)
        return [not_assessed("holdout_changed", "all", f"the recipe does not record trust.real.holdout_digest: {now}")]
    return holdout_measures(trust.real.holdout_digest, holdout)


def _against(previous: pl.DataFrame, mix: pl.DataFrame, trust: TrustSection, seed: int) -> list[Estimate]:
    before, now = _written(previous), _written(mix)
    return [
        *dropped_real_rows(previous, mix),
        *diversity_against(before, now, confidence=trust.confidence, seed=seed, least=trust.min_reference_rows),
    ]


def _written(mix: pl.DataFrame) -> pl.DataFrame:
    """What is new in a mix, as instructions with responses."""
    new = mix.filter(pl.col("source").is_in(["synthetic", "seed"]))
    return new.select("leaf_path", instruction="prompt", response="response")


def _nothing_before() -> list[Estimate]:
    why = "the recipe names no earlier generation (trust.previous_mix)"
    return [not_assessed(measure, "all", why) for measure in _OF_PREVIOUS]
