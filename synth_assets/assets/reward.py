"""Stage 3 as assets: every sample is scored, then kept or rejected with a reason."""

from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.both_methods import load_samples, load_scores
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, histogram, sample_rows
from synth_assets.assets.generation import synthetic_samples
from synth_assets.assets.held_out import held_out_questions, held_out_rows
from synth_assets.assets.journaling import calls_metadata, journaled_reward_model
from synth_assets.assets.leaf_partitions import LEAF_NODES, ONE_RUN, leaf_paths_of_run
from synth_assets.assets.leasing import lease, making
from synth_assets.assets.made_of import score_inputs
from synth_assets.assets.progress import Progress
from synth_assets.assets.prompting import prompted_samples
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import leaf_digests, load, num_by, store, store_leaves
from synth_assets.assets.taxonomy import document_chunks, seed_examples, taxonomy
from synth_assets.counting import counts_or_zero
from synth_assets.frames import to_frame
from synth_assets.quality.privacy import find_refusals, hide_rejected
from synth_assets.recipe import Recipe
from synth_assets.records import (
    GENERATED_BRANCH,
    REWARD_ATTRIBUTES,
    DocumentChunk,
    KeptSample,
    LeafNode,
    PromptedSample,
    RejectedSample,
    ScoredSample,
    SeedExample,
    SyntheticSample,
)
from synth_assets.reward import FilterOutcome, ScoreOutcome, filter_samples, score_by_verdicts, score_samples
from synth_assets.storage import Warehouse

GROUP = "stage_3_reward"
PROMPTED = "prompted_scoring"


@dg.asset(
    deps=[synthetic_samples],
    partitions_def=LEAF_NODES,
    backfill_policy=ONE_RUN,
    group_name=GROUP,
    kinds={"python", "vllm", "parquet"},
    metadata=column_schema("scored_samples"),
)
def scored_samples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """The reward model's five attributes for every sample, and their weighted sum: the reward.

    In a recipe without a reward model the reward is what the judges' verdicts say.
    """
    with lease(context, recipe, warehouse):
        paths = leaf_paths_of_run(context, [leaf.leaf_path for leaf in load(warehouse, LeafNode)])
        samples = [sample for sample in load(warehouse, SyntheticSample) if sample.leaf_path in paths]
        digests = leaf_digests(to_frame(samples, SyntheticSample))
        made_of = score_inputs(recipe, {path: digests.get(path, "") for path in paths})
        calls: dict[str, Any] = {}
        if recipe.reward_model is None:
            outcome = score_by_verdicts(samples)
        else:
            with journaled_reward_model(engines, warehouse, recipe.reward_model, Progress(context)) as model:
                outcome = score_samples(samples, model, recipe.reward.weights, recipe.generation.prompts)
                calls = calls_metadata(context, model.calls)
        metadata = _score_metadata(outcome) | calls
        failed = hide_rejected(outcome.failed, recipe.trust.privacy)
        return store_leaves(context, recipe, warehouse, made_of, outcome.scored, metadata, outcome.leaf_counts, failed)


@dg.asset(
    deps=[prompted_samples],
    group_name=GROUP,
    kinds={"python", "vllm", "parquet"},
    metadata=column_schema("scored_prompted_samples"),
)
def scored_prompted_samples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """Rewards of the answers to prompts from topics, as those of the other samples; of a conversation all turns are read.

    Its own table, since `scored_samples` is made leaf by leaf. Without a reward model the judges' verdicts are the reward.
    """
    with making(context, recipe, warehouse) as made_of:
        samples, calls = load(warehouse, PromptedSample), dict[str, Any]()
        if recipe.reward_model is None:
            outcome = score_by_verdicts(samples, PROMPTED)
        else:
            with journaled_reward_model(engines, warehouse, recipe.reward_model, Progress(context)) as model:
                outcome = score_samples(samples, model, recipe.reward.weights, recipe.generation.prompts, PROMPTED)
                calls = calls_metadata(context, model.calls)
        metadata = _score_metadata(outcome) | calls
        counts = counts_or_zero(PROMPTED, GENERATED_BRANCH, outcome.leaf_counts)
        failed = hide_rejected(outcome.failed, recipe.trust.privacy)
        return store(context, recipe, warehouse, made_of, outcome.scored, metadata, counts=counts, rejected=failed)


@dg.asset(
    deps=[
        taxonomy,
        seed_examples,
        document_chunks,
        synthetic_samples,
        prompted_samples,
        scored_samples,
        scored_prompted_samples,
    ],
    group_name=GROUP,
    kinds={"python", "polars", "parquet"},
    metadata=column_schema("reward_filtered_set"),
)
def reward_filtered_set(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """The samples that are worth training on: well rewarded, no duplicates, nothing from a benchmark or the real holdout.

    What is turned away goes with its reason into the table `rejected_samples`.
    """
    with making(context, recipe, warehouse) as made_of:
        samples, scored = load_samples(recipe, warehouse), load_scores(recipe, warehouse)
        seeds, chunks = load(warehouse, SeedExample), load(warehouse, DocumentChunk)
        refusals = find_refusals(samples, seeds, chunks, recipe.trust.privacy)
        outcome = filter_samples(
            samples, scored, recipe.reward.cut, recipe.filter, held_out_questions(recipe), refusals, held_out_rows(recipe)
        )
        metadata = _filter_metadata(outcome, scored, recipe)
        return store(
            context,
            recipe,
            warehouse,
            made_of,
            outcome.kept,
            metadata,
            counts=outcome.leaf_counts,
            rejected=outcome.rejected,
        )


def _score_metadata(outcome: ScoreOutcome) -> dict[str, Any]:
    rows = to_frame(outcome.scored, ScoredSample)
    means = rows.group_by("leaf_path", maintain_order=True).agg(pl.col("reward").mean().round(3))
    return {
        "rewards": histogram({"all samples": rows["reward"].to_list()}, "Rewards", "reward"),
        "mean_reward_per_leaf": bars(dict(means.iter_rows()), "Mean reward of each leaf node", "reward"),
        "examples": sample_rows(rows, ["leaf_path", *REWARD_ATTRIBUTES, "reward"]),
    }


def _filter_metadata(outcome: FilterOutcome, scored: list[ScoredSample], recipe: Recipe) -> dict[str, Any]:
    kept = to_frame(outcome.kept, KeptSample)
    rejected = to_frame(outcome.rejected, RejectedSample)
    rewards = {score.synthetic_sample_id: score.reward for score in scored}
    cut = recipe.reward.cut
    columns = ["rejection_reason", "detail", "leaf_path", "instruction", "response"]
    return {
        "examples": sample_rows(kept, ["leaf_path", "reward", "context", "instruction", "response"], 12),
        "rejected_examples": sample_rows(rejected, columns),
        "rewards": histogram(
            {
                "kept": [sample.reward for sample in outcome.kept],
                "rejected": [rewards[row.synthetic_sample_id] for row in outcome.rejected],
            },
            "Rewards of kept and rejected samples",
            "reward",
            cut.value if cut.mode == "absolute" else None,
        ),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "samples"),
        "rows_per_leaf": bars(num_by(kept, "leaf_path"), "Kept samples of each leaf node", "samples"),
    }
