"""Defects planted in rows and features, for the checks of the reports on fidelity and privacy; and the same without any.

Each function yields `Planted`: the checks that a defect is there for (None: all, on clean data), and the estimates that the
report's own measures give. Several defects share a measurement where none touches what another is seen by. The sizes in
words are in `planted.DEFECTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import NamedTuple

import numpy as np
import polars as pl

from synth_assets.quality import Estimate
from synth_assets.quality.features import TEXT_FEATURES, text_features
from synth_assets.quality.fidelity import compare_features
from synth_assets.quality.reports import Sets, measure_fidelity, measure_privacy
from synth_assets.quality.reports.fidelity import BEFORE, CATEGORIES, Likelihood
from synth_assets.quality.reports.rows import Embed
from synth_assets.records import DocumentChunk, KeptSample, SeedExample, SyntheticSample
from synth_assets.studies.gates.planted import TOO_FEW
from synth_assets.studies.gates.planted_values import random_email, random_identifier, random_phone, random_secret
from synth_assets.studies.gates.trust_world import PATHS, TrustWorld, rows_of

_FEW = 50


class Planted(NamedTuple):
    """`checks`: measures of the report, or TOO_FEW; None: every check of it."""

    checks: tuple[str, ...] | None
    estimates: list[Estimate]
    has_defect: bool = True


def clean(estimates: list[Estimate], *checks: str) -> Planted:
    return Planted(checks or None, estimates, has_defect=False)


def plant_in_fidelity(world: TrustWorld, embed: Embed, likelihood: Likelihood | None) -> Iterator[Planted]:
    """One measurement gives both: the rows without half of the leaf nodes take the place of those before the filter."""
    kept, trust = rows_of(world.samples), world.recipe.trust
    half = world.rng("half of the topics").sample(PATHS, len(PATHS) // 2)
    sets = Sets(world.reference, world.holdout, kept.filter(pl.col("leaf_path").is_in(half)), kept)
    found = measure_fidelity(sets, embed, likelihood, trust, world.seed, has_pictures=False).estimates
    yield clean([each for each in found if not each.measure.endswith(BEFORE)])
    of_half = [replace(each, measure=each.measure.removesuffix(BEFORE)) for each in found if each.measure.endswith(BEFORE)]
    yield Planted(("recall", "coverage", "mmd_excess"), of_half)
    few = Sets(world.reference.head(_FEW), world.holdout.head(_FEW), kept.head(_FEW), kept.head(_FEW))
    yield Planted((TOO_FEW,), measure_fidelity(few, embed, None, trust, world.seed, has_pictures=False).estimates)
    yield from _planted_in_features(world, kept)


def _planted_in_features(world: TrustWorld, kept: pl.DataFrame) -> Iterator[Planted]:
    tables = [pl.concat([rows, text_features(rows)], how="horizontal") for rows in (world.reference, kept, world.holdout)]
    names = [name for name in TEXT_FEATURES if all(table[name].n_unique() > 2 for table in tables)]
    for check, plant in FEATURE_DEFECTS.items():
        made = plant(tables[1], tables[0], names, world.rng(check))
        trust = world.recipe.trust
        found = compare_features(
            tables[0], made, tables[2], numeric=names, categorical=CATEGORIES, clusters="leaf_path",
            num_draws=trust.bootstrap_draws, confidence=trust.confidence, min_rows=trust.min_reference_rows, seed=world.seed,
        )  # fmt: skip
        yield Planted((check,), found)


def _without_leaves(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    return made.filter(~pl.col("leaf_path").is_in(rng.sample(PATHS, 3)))


def _shifted(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    name = rng.choice(names)
    return made.with_columns(pl.col(name) + rng.choice((-0.5, 0.5)) * _sd(real[name]))


def _spread(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    centre = pl.col(rng.choice(names))
    return made.with_columns(centre.mean() + (centre - centre.mean()) * 2**0.5)


def _turned(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    """The feature's mirror image: its mean and variance stay, all its correlations change their sign."""
    ranks = real.select(pl.col(names).rank()).to_numpy()
    strongest = np.abs(np.corrcoef(ranks, rowvar=False) - np.eye(len(names))).max(axis=0)
    name = rng.choice([each for each, rho in zip(names, strongest, strict=True) if rho >= 0.3])
    return made.with_columns(pl.col(name).mean() * 2 - pl.col(name))


def _two_humped(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    name = rng.choice(names)
    mean, sd = float(np.mean(made[name].to_numpy())), _sd(made[name])
    return made.with_columns(pl.Series(name, [mean + rng.choice((-sd, sd)) for _ in range(made.height)]))


def _torn_apart(made: pl.DataFrame, real: pl.DataFrame, names: Sequence[str], rng: Random) -> pl.DataFrame:
    branches = made["branch"].to_list()
    return made.with_columns(branch=pl.Series(rng.sample(branches, len(branches))))


def _sd(column: pl.Series) -> float:
    return float(np.std(column.to_numpy(), ddof=1))


#: (synthetic, reference, numeric columns, random stream) -> synthetic with the defect.
FEATURE_DEFECTS: Mapping[str, Callable[[pl.DataFrame, pl.DataFrame, Sequence[str], Random], pl.DataFrame]] = {
    "category": _without_leaves,
    "mean_shift": _shifted,
    "variance_ratio": _spread,
    "correlation": _turned,
    "shape": _two_humped,
    "pair_association": _torn_apart,
}


def plant_in_privacy(world: TrustWorld) -> Iterator[Planted]:
    samples, kept = world.samples_on_chunks, kept_of(world.samples_on_chunks)
    yield clean(_privacy(world, samples, kept, world.seeds, world.chunks))
    rng = world.rng("privacy")
    value = rng.choice((random_email, random_phone))(rng)
    chunks, told = list(world.chunks), list(samples)
    at, where = rng.randrange(len(chunks)), rng.randrange(len(told))
    chunks[at] = replace(chunks[at], text=f"{chunks[at].text} Contact: {value}.")
    told[where] = replace(told[where], response=f"{told[where].response} Contact: {value}.")
    first, second = rng.sample(range(len(kept)), 2)
    kept[first] = replace(kept[first], response=f"{kept[first].response} {random_identifier(rng)}")
    kept[second] = replace(kept[second], response=f"{kept[second].response} {random_secret(rng)}")
    checks = ("leaked_values", "personal_data_left", "secrets_left", TOO_FEW)
    yield Planted(checks, _privacy(world, told, kept, world.seeds[:_FEW], chunks))
    yield Planted(("copied_share",), _privacy(world, _with_copies(world, 0.02, 0, rng), [], world.seeds, world.chunks))
    yield Planted(("leak_test",), _privacy(world, _with_quotes(world, 0.02, rng), [], world.seeds, world.chunks))
    yield Planted(("dcr_share",), _privacy(world, _with_copies(world, 0.3, 1, rng), [], world.seeds, world.chunks))


def _privacy(
    world: TrustWorld, samples: Sequence[SyntheticSample], kept: Sequence[KeptSample], seeds: Sequence[SeedExample],
    chunks: Sequence[DocumentChunk],
) -> list[Estimate]:  # fmt: skip
    holdout = [row for row in world.real if row.split == "holdout"]
    return measure_privacy(samples, kept, seeds, chunks, holdout, world.recipe.trust.privacy, world.seed).estimates


def kept_of(samples: Sequence[SyntheticSample]) -> list[KeptSample]:
    return [
        KeptSample(s.synthetic_sample_id, s.leaf_node_id, s.leaf_path, s.branch, s.context, s.instruction, s.response, 4.5)
        for s in samples
    ]


def _with_copies(world: TrustWorld, share: float, num_changed: int, rng: Random) -> list[SyntheticSample]:
    """A share of the rows are seeds of their leaf node, with so many words exchanged for a word of another seed."""
    rows = list(world.samples_on_chunks)
    seeds = {path: [seed for seed in world.seeds if seed.leaf_path == path] for path in PATHS}
    for at in rng.sample(range(len(rows)), round(share * len(rows))):
        seed = rng.choice(seeds[rows[at].leaf_path])
        words = seed.question.split(" ")
        for place in rng.sample(range(len(words)), num_changed):
            words[place] = rng.choice(rng.choice(world.seeds).question.split(" "))
        rows[at] = replace(rows[at], context=seed.context, instruction=" ".join(words), response=seed.answer)
    return rows


def _with_quotes(world: TrustWorld, share: float, rng: Random) -> list[SyntheticSample]:
    """A share of the rows quote 10 to 12 words of a chunk that the teacher was shown."""
    rows = list(world.samples_on_chunks)
    for at in rng.sample(range(len(rows)), round(share * len(rows))):
        words, num = rng.choice(world.chunks).text.split(), rng.randint(10, 12)
        start = rng.randrange(len(words) - num)
        rows[at] = replace(rows[at], response=f"{rows[at].response} {' '.join(words[start : start + num])}")
    return rows
