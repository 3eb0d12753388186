"""Defects planted in sets and mixes, for the checks of the reports on diversity and collapse; and the same without any.

As `planted_rows`. Rewards are drawn, so that what the filter and the swaps of words do to groups is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from random import Random

import polars as pl

from synth_assets.frames import to_frame
from synth_assets.quality import Estimate
from synth_assets.quality.collapse import dropped_real_rows
from synth_assets.quality.diversity import estimate_leaf_entropy
from synth_assets.quality.fairness import estimate_representation, group_of
from synth_assets.quality.features import text_of_rows
from synth_assets.quality.reports import Made, measure_collapse, measure_diversity, swapped_rows
from synth_assets.quality.reports.rows import Embed
from synth_assets.records import KeptSample, RealExample, ScoredSample, SeedExample, SyntheticSample, TrainingExample
from synth_assets.studies.gates.planted import TOO_FEW
from synth_assets.studies.gates.planted_rows import Planted, clean, kept_of
from synth_assets.studies.gates.trust_world import PATHS, TrustWorld, examples_of, frame_of

GROUPS = "gender_of_names"
REWARD_SD = 1.0
_FEW = 50
#: Of either group, what the reward's cut turns away of clean rows.
TURNED_AWAY = 0.2


def plant_in_diversity(world: TrustWorld, embed: Embed) -> Iterator[Planted]:
    rng, samples = world.rng("diversity"), world.samples
    attribute, trust = world.recipe.trust.groups[GROUPS], world.recipe.trust
    rewards = {row.synthetic_sample_id: rng.gauss(4.5, REWARD_SD) for row in samples}
    groups = dict(zip(rewards, group_of(text_of_rows(frame_of(samples)), attribute), strict=True))
    fair = [row_id for row_id in rewards if rng.random() < TURNED_AWAY]
    measure = partial(_diversity, world, embed, rewards)
    yield clean(measure(kept_of(samples), fair, _swapped(world, rewards, 0.0, rng)))

    lost, unlucky = rng.choice(PATHS), rng.choice(list(attribute.groups))
    without_leaf = [row for row in kept_of(samples) if row.leaf_path != lost]
    more = 1 - 0.6 * (1 - TURNED_AWAY)
    biased = [row_id for row_id in rewards if rng.random() < (more if groups[row_id] == unlucky else TURNED_AWAY)]
    moved = _swapped(world, rewards, rng.choice((-0.5, 0.5)), rng)
    checks = ("leaf_coverage", "acceptance_ratio", "swap_reward_difference", TOO_FEW)
    yield Planted(checks, measure(without_leaf, biased, moved, num_real=_FEW))

    repeated = rng.sample(kept_of(samples), 50) * (len(samples) // 50)
    yield Planted(("vendi_ratio", "self_bleu_excess"), measure(repeated, fair, _swapped(world, rewards, 0.0, rng)))

    yield Planted(("leaf_entropy",), estimate_leaf_entropy(_crowded(samples, rng), PATHS))
    thinned = _with_share_halved(samples, groups, unlucky, attribute.targets[unlucky], rng)
    texts, ids = text_of_rows(frame_of(thinned)), [row.synthetic_sample_id for row in thinned]
    yield Planted(("representation_log_ratio",), estimate_representation(dict(trust.groups), texts, ids))


def _diversity(
    world: TrustWorld, embed: Embed, rewards: dict[str, float], kept: Sequence[KeptSample], low: Sequence[str],
    swapped: pl.DataFrame, num_real: int = 10_000,
) -> list[Estimate]:  # fmt: skip
    samples = frame_of(world.samples)
    scored = [ScoredSample(row_id, "", None, None, None, None, None, reward, "") for row_id, reward in rewards.items()]
    paths = dict(samples.select("synthetic_sample_id", "leaf_path").iter_rows())
    scored = [replace(row, leaf_path=paths[row.synthetic_sample_id]) for row in scored]
    made = Made(
        PATHS, to_frame(world.seeds, SeedExample), to_frame(scored, ScoredSample), samples, to_frame(kept, KeptSample), low
    )
    real = (world.reference.head(num_real), world.holdout.head(num_real))
    trust, seed = world.recipe.trust, world.seed
    return measure_diversity(made, real, {GROUPS: swapped}, embed, trust, seed).estimates


def _swapped(world: TrustWorld, rewards: dict[str, float], penalty: float, rng: Random) -> pl.DataFrame:
    """Rows with one group's words for another's. In standard deviations, the second group's reward is lower by `penalty`."""
    attribute = world.recipe.trust.groups[GROUPS]
    by_id = pl.DataFrame({"synthetic_sample_id": list(rewards), "reward": list(rewards.values())})
    rows = swapped_rows(frame_of(world.samples).join(by_id, on="synthetic_sample_id"), attribute, world.seed)
    second = list(attribute.groups)[1]
    sign = pl.when(pl.col("swapped_group") == second).then(-1.0).otherwise(1.0)
    noise = pl.Series([rng.gauss(0, 0.3 * REWARD_SD) for _ in range(rows.height)])
    return rows.with_columns(swapped_reward=pl.col("reward") + noise + sign * penalty * REWARD_SD)


def _crowded(samples: Sequence[SyntheticSample], rng: Random) -> list[str]:
    """Leaf paths, of which 80 % are two."""
    two = rng.sample(PATHS, 2)
    num = round(0.8 * len(samples))
    others = [path for path in PATHS if path not in two]
    return [rng.choice(two) for _ in range(num)] + [rng.choice(others) for _ in range(len(samples) - num)]


def _with_share_halved(
    samples: Sequence[SyntheticSample], groups: dict[str, str | None], unlucky: str, target: float, rng: Random
) -> list[SyntheticSample]:
    """So few rows of the group that its share of the declared ones is half of its target."""
    halved = target / 2
    share = halved * (1 - target) / (1 - halved) / target
    return [row for row in samples if groups[row.synthetic_sample_id] != unlucky or rng.random() < share]


def plant_in_collapse(world: TrustWorld) -> Iterator[Planted]:
    """Generation 1 is the real reference with synthetic rows; generation 2 keeps the real rows, with synthetic rows anew."""
    rng = world.rng("collapse")
    real = examples_of([row for row in world.real if row.split == "reference"], 0)
    holdout = [row for row in world.real if row.split == "holdout"]
    made = [examples_of(world.drawn_samples(f"generation {number}"), 1) for number in (1, 2)]
    before, now = [*real, *made[0]], [*real, *made[1]]
    measure = partial(_collapse, world, holdout=holdout)
    yield clean(measure(now, before))

    deep = [replace(row, generation_depth=2) for row in made[1]]
    deep_enough = [*real, *deep[: len(real) // 2]]
    yield clean(measure(deep_enough), "real_share_from_depth_2")
    yield Planted(("real_share_from_depth_2",), measure([*real, *deep[: 3 * len(real)]]))
    yield Planted(("real_share_below_depth_2",), measure(made[1]))

    at, where = rng.randrange(len(real)), rng.randrange(len(made[1]))
    deeper = list(now)
    deeper[len(real) + where] = replace(made[1][where], generation_depth=2)
    changed = list(holdout)
    which = rng.randrange(len(holdout))
    changed[which] = replace(holdout[which], question=_with_another_word(holdout[which].question, rng))
    yield Planted(("max_depth", "holdout_changed"), measure(deeper, holdout=changed))
    replaced = list(now)
    replaced[at] = replace(real[at], response=made[1][where].response + ".")
    frames = (to_frame(mix, TrainingExample) for mix in (before, replaced))
    yield Planted(("dropped_real_rows",), dropped_real_rows(*frames))

    lost = rng.choice(PATHS)
    pool = rng.sample([row for row in made[0] if row.leaf_path != lost], round(0.3 * len(made[0])))
    fed = [replace(row, training_example_id=f"again{n}") for n, row in enumerate(rng.choices(pool, k=len(made[0])))]
    checks = ("distinct_3_ratio", "vocabulary_ratio", "leaves_kept")
    yield Planted(checks, measure(fed, made[0]))
    yield Planted((TOO_FEW,), measure(now, before[:_FEW]))


def _collapse(
    world: TrustWorld, mix: Sequence[TrainingExample], before: Sequence[TrainingExample] = (), *,
    holdout: Sequence[RealExample],
) -> list[Estimate]:  # fmt: skip
    previous, rows = to_frame(before, TrainingExample) if before else None, to_frame(mix, TrainingExample)
    return measure_collapse(rows, previous, to_frame(holdout, RealExample), world.recipe.trust, world.seed).estimates


def _with_another_word(text: str, rng: Random) -> str:
    words = text.split(" ")
    words[rng.randrange(len(words))] += "s"
    return " ".join(words)
