"""What the gates on averages say where a recipe has few leaf nodes: a part of `make study-gates`.

Few clusters tell little from chance, and what cannot be told must not pass. `verdict_share` is the share of seeds that end
in a verdict (`arm`), with one feature of the world's rows moved by a standard deviation, in each leaf node by another amount
about it, and with nothing planted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from synth_assets.quality import Estimate, hold_all
from synth_assets.quality.features import TEXT_FEATURES, text_features
from synth_assets.quality.fidelity import compare_features
from synth_assets.recipe import Recipe
from synth_assets.records import Verdict
from synth_assets.studies.gates.trust_world import PATHS, TrustWorld, rows_of
from synth_assets.studies.results import StudyRow, share

NUM_LEAVES = (5, 8, 12)
MEASURE = "mean_shift"
#: Of the shift between leaf nodes, in standard deviations of the feature.
SPREAD = 0.3
_WORST_FIRST: tuple[Verdict, ...] = ("failed", "not_computable", "insufficient_reference", "passed")


def few_leaves(recipe: Recipe, seeds: Sequence[int]) -> Iterator[StudyRow]:
    """Both worlds at every number of leaf nodes; the shares of one world are 1 in sum."""
    for num_leaves in NUM_LEAVES:
        pairs = [verdicts_of(TrustWorld(recipe, seed), num_leaves) for seed in seeds]
        for what, verdicts in zip(("shifted by leaf node", "nothing planted"), zip(*pairs, strict=True), strict=True):
            for verdict in _WORST_FIRST:
                if verdict != "not_computable" or verdict in verdicts:
                    subject = f"{MEASURE}, {num_leaves} leaf nodes, {what}"
                    yield share("verdict_share", verdict, subject, verdicts.count(verdict), len(verdicts))


def verdicts_of(world: TrustWorld, num_leaves: int) -> tuple[Verdict, Verdict]:
    """Of the feature that is shifted, and the worst of all features of clean rows."""
    rng = world.rng(f"{num_leaves} leaf nodes")
    paths = rng.sample(PATHS, num_leaves)
    real, made, held_out = (_with_features(rows, paths) for rows in (world.reference, rows_of(world.samples), world.holdout))
    names = [name for name in TEXT_FEATURES if all(rows[name].n_unique() > 2 for rows in (real, made, held_out))]
    name, sign = rng.choice(names), rng.choice((-1, 1))
    moved_by = {path: sign * rng.gauss(1, SPREAD) * _sd(real[name]) for path in paths}
    shift = pl.col("leaf_path").replace_strict(moved_by, return_dtype=pl.Float64)
    moved = _verdicts(world, real, made.with_columns(pl.col(name) + shift), held_out, names)
    return moved[name], min(_verdicts(world, real, made, held_out, names).values(), key=_WORST_FIRST.index)


def _with_features(rows: pl.DataFrame, paths: Sequence[str]) -> pl.DataFrame:
    rows = rows.filter(pl.col("leaf_path").is_in(list(paths)))
    return pl.concat([rows, text_features(rows)], how="horizontal")


def _sd(column: pl.Series) -> float:
    spread = column.std()
    assert isinstance(spread, float)
    return spread


def _verdicts(
    world: TrustWorld, real: pl.DataFrame, made: pl.DataFrame, held_out: pl.DataFrame, names: Sequence[str]
) -> dict[str, Verdict]:
    """Feature -> what the gate says of its mean."""
    trust = world.recipe.trust
    found: list[Estimate] = compare_features(
        real, made, held_out, numeric=names, categorical=(), clusters="leaf_path", num_draws=trust.bootstrap_draws,
        confidence=trust.confidence, min_rows=trust.min_reference_rows, seed=world.seed,
    )  # fmt: skip
    held = hold_all("fidelity_report", [each for each in found if each.measure == MEASURE], trust)
    return {row.subject: row.verdict for row in held if row.measure == MEASURE}
