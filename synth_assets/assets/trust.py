"""The reports on trust, as assets: what is measured before anything is tuned. Their gates stand before the student.

Each loads tables, calls its measure in `quality.reports`, and writes its part of the table `measures`; the checks of the
asset hold the figures against the gates of the recipe, and the student waits for them.
"""

from contextlib import ExitStack
from typing import Any, cast

import dagster as dg
import polars as pl

from synth_assets.assets.both_methods import SAMPLES, SCORES, counted_as, load_samples, read_both
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import gallery
from synth_assets.assets.embedding import embed_once
from synth_assets.assets.generation import synthetic_samples
from synth_assets.assets.journaling import calls_metadata, journaled_reward_model, once
from synth_assets.assets.leasing import making
from synth_assets.assets.made_of import rejected_before_pairs
from synth_assets.assets.progress import Progress
from synth_assets.assets.prompting import prompted_samples
from synth_assets.assets.resources import Engines
from synth_assets.assets.reward import reward_filtered_set, scored_prompted_samples, scored_samples
from synth_assets.assets.storing import load, store_measures
from synth_assets.assets.taxonomy import document_chunks, real_examples, seed_examples, taxonomy
from synth_assets.assets.trust_files import check_trust_files, previous_mix
from synth_assets.assets.trust_report import keep_pictures
from synth_assets.assets.tuning import training_mix
from synth_assets.judging import REFUSALS
from synth_assets.quality import hold_all
from synth_assets.quality.reports import (
    Findings,
    Made,
    Sets,
    measure_collapse,
    measure_diversity,
    measure_fidelity,
    measure_mix,
    measure_privacy,
    response_losses,
    rows_of_real,
    rows_of_samples,
    rows_of_seeds,
    swapped_rows,
)
from synth_assets.recipe import Recipe
from synth_assets.records import (
    DocumentChunk,
    KeptSample,
    RealExample,
    SeedExample,
    TrainingExample,
    TrustReport,
)
from synth_assets.reward import LOW_REWARD, rewards_of_texts
from synth_assets.storage import Warehouse

GROUP = "trust"
KINDS = {"python", "polars", "parquet"}
SCHEMA = column_schema("measures")


@dg.asset(
    deps=[real_examples, seed_examples, synthetic_samples, prompted_samples, reward_filtered_set],
    group_name=GROUP,
    kinds=KINDS | {"pytorch"},
    metadata=SCHEMA,
)
def fidelity_report(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """Are the kept rows like real ones? Means, variances, correlations, shapes, categories, and the cloud of embeddings.

    The same figures of all samples stand beside them, from before the filter, which can shift what a teacher got right.
    """
    with making(context, recipe, warehouse) as made_of:
        reference, holdout = real_rows(warehouse, recipe)
        samples = rows_of_samples(read_both(SAMPLES, recipe, warehouse))
        kept = rows_of_samples(warehouse.read_table("reward_filtered_set"))
        with ExitStack() as stack:
            base = once(lambda: stack.enter_context(engines.open_likelihood_model(recipe.student)))
            findings = measure_fidelity(
                Sets(reference, holdout, samples, kept), embed_once(engines, warehouse, recipe),
                lambda rows: response_losses(base(), rows, recipe.generation.prompts), recipe.trust, recipe.seed,
            )  # fmt: skip
        return store_findings(context, recipe, warehouse, made_of, findings)


@dg.asset(
    deps=[
        real_examples,
        seed_examples,
        document_chunks,
        synthetic_samples,
        prompted_samples,
        reward_filtered_set,
        training_mix,
    ],
    group_name=GROUP,
    kinds=KINDS,
    metadata=SCHEMA,
)
def privacy_report(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """Does the data give anybody away? Personal data, keys, values that leaked from the sources, copies of the sources."""
    with making(context, recipe, warehouse) as made_of:
        real = load(warehouse, RealExample) if recipe.trust.real else []
        findings = measure_privacy(
            load_samples(recipe, warehouse), load(warehouse, KeptSample), load(warehouse, SeedExample),
            load(warehouse, DocumentChunk), [row for row in real if row.split == "holdout"], recipe.trust.privacy,
            recipe.seed, recipe.trust.min_reference_rows,
        )  # fmt: skip
        findings.estimates.extend(measure_mix(load(warehouse, TrainingExample), recipe.trust.privacy))
        return store_findings(context, recipe, warehouse, made_of, findings)


@dg.asset(
    deps=[
        taxonomy,
        real_examples,
        seed_examples,
        synthetic_samples,
        prompted_samples,
        scored_samples,
        scored_prompted_samples,
        reward_filtered_set,
    ],
    group_name=GROUP,
    kinds=KINDS | {"vllm"},
    metadata=SCHEMA,
)
def diversity_report(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """Are all tasks there, do rows repeat one another, and are the groups that the recipe declares treated alike?"""
    with making(context, recipe, warehouse) as made_of:
        rejected = rejected_before_pairs(recipe, warehouse)
        reason, areas = pl.col("rejection_reason"), counted_as(recipe, warehouse)
        made = Made(
            leaf_paths=[*warehouse.read_table("taxonomy")["leaf_path"], *sorted(set(areas.values()))],
            seeds=warehouse.read_table("seed_examples"),
            scored=read_both(SCORES, recipe, warehouse),
            samples=read_both(SAMPLES, recipe, warehouse),
            kept=warehouse.read_table("reward_filtered_set"),
            low_rewards=rejected.filter(reason == LOW_REWARD)["synthetic_sample_id"].to_list(),
            refused=rejected.filter(reason.is_in(REFUSALS)),
            counted_as=areas,
        )
        swapped, calls = _swapped(context, recipe, warehouse, engines, made)
        real = real_rows(warehouse, recipe)
        findings = measure_diversity(made, real, swapped, embed_once(engines, warehouse, recipe), recipe.trust, recipe.seed)
        return store_findings(context, recipe, warehouse, made_of, findings, calls)


@dg.asset(deps=[real_examples, training_mix], group_name=GROUP, kinds=KINDS, metadata=SCHEMA)
def collapse_report(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """Does the data feed on itself? How many models deep it is, how much of it is real, and what was lost since."""
    with making(context, recipe, warehouse) as made_of:
        check_trust_files(recipe, warehouse)
        previous = previous_mix(recipe)
        real = warehouse.read_table("real_examples").filter(pl.col("split") == "holdout") if recipe.trust.real else None
        findings = measure_collapse(
            warehouse.read_table("training_mix"),
            pl.read_parquet(previous, glob=False) if previous else None,
            real, recipe.trust, recipe.seed,
        )  # fmt: skip
        return store_findings(context, recipe, warehouse, made_of, findings)


def store_findings(
    context: dg.AssetExecutionContext,
    recipe: Recipe,
    warehouse: Warehouse,
    made_of: str,
    findings: Findings,
    calls: dict[str, Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Hold what was found against the gates, and store it with its pictures."""
    name = cast(TrustReport, context.asset_key.path[-1])
    keep_pictures(warehouse, name, findings.pictures)
    measured = hold_all(name, findings.estimates, recipe.trust)
    return store_measures(
        context, recipe, warehouse, made_of, measured, {**gallery(findings.pictures), **(calls or {})}
    )  # fmt: skip


def real_rows(warehouse: Warehouse, recipe: Recipe) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Reference and holdout; without real data the seed examples, and no holdout."""
    if recipe.trust.real is None:
        return rows_of_seeds(warehouse.read_table("seed_examples")), None
    real = warehouse.read_table("real_examples")
    return rows_of_real(real, "reference"), rows_of_real(real, "holdout")


def _swapped(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines, made: Made
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:  # fmt: skip
    """By attribute: rows in which one group's words stand for another's, with the rewards before and after."""
    attributes = {name: attribute for name, attribute in recipe.trust.groups.items() if attribute.swaps}
    if recipe.reward_model is None or recipe.reward_model.num_rewards == 1 or not attributes:
        return {}, {}  # a scalar reward says nothing across prompts, and a swapped one is another
    rewards = made.scored.select("synthetic_sample_id", "reward")
    swapped = {}
    with journaled_reward_model(engines, warehouse, recipe.reward_model, Progress(context)) as model:
        for name, attribute in attributes.items():
            rows = swapped_rows(made.samples.join(rewards, on="synthetic_sample_id"), attribute, recipe.seed)
            texts = rows.select("swapped_context", "swapped_instruction", "swapped_response").rows()
            paths = rows["leaf_path"].to_list()
            scores = rewards_of_texts(texts, model, recipe.reward.weights, recipe.generation.prompts, paths)
            swapped[name] = rows.with_columns(swapped_reward=pl.Series(scores, dtype=pl.Float64)).drop_nulls(
                "swapped_reward"
            )
        return swapped, calls_metadata(context, model.calls)
