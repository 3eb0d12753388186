"""Stage 2 as an asset: the teacher writes new instructions and answers them."""

from contextlib import ExitStack
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.descent import teacher_depth
from synth_assets.assets.display import bars, sample_rows, table
from synth_assets.assets.journaling import calls_metadata, journaled_judge, journaled_text_model, panel_of
from synth_assets.assets.leaf_partitions import LEAF_NODES, ONE_RUN, leaf_paths_of_run
from synth_assets.assets.leasing import lease
from synth_assets.assets.made_of import sample_inputs
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import load, num_by, store_leaves
from synth_assets.assets.taxonomy import document_chunks, seed_examples, taxonomy
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.frames import to_frame
from synth_assets.generation import GenerationOutcome, OnStep, generate_samples
from synth_assets.quality.privacy import hide_rejected
from synth_assets.quality.reports import shown_chunks
from synth_assets.recipe import Recipe
from synth_assets.records import DocumentChunk, LeafNode, RejectedSample, SeedExample, SyntheticSample
from synth_assets.storage import Warehouse
from synth_assets.taxonomy import Material

GROUP = "stage_2_generation"


@dg.asset(
    deps=[taxonomy, seed_examples, document_chunks],
    partitions_def=LEAF_NODES,
    backfill_policy=ONE_RUN,
    group_name=GROUP,
    kinds={"python", "vllm", "parquet"},
    metadata=column_schema("synthetic_samples"),
)
def synthetic_samples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """What the teacher made of the seeds: for every leaf node new instructions, each with the teacher's response.

    Candidates are asked for until the leaf has its quota or its budget is spent. What cannot be read, is cut off, repeats
    the prompt or another sample is rejected, with that reason, into the table `rejected_samples`; so is what a judge of the
    recipe refuses. Rejected rows are stored, and examples shown, without personal data and keys.
    """
    with lease(context, recipe, warehouse):
        check_trust_files(recipe, warehouse)
        depth = teacher_depth(recipe)
        shown = shown_chunks(load(warehouse, DocumentChunk), recipe.trust.privacy.split_share)
        material = Material(load(warehouse, LeafNode), load(warehouse, SeedExample), shown)
        paths = leaf_paths_of_run(context, [leaf.leaf_path for leaf in material.leaf_nodes])
        made_of = {path: made for path, made in sample_inputs(recipe, material).items() if path in paths}
        leaves = [leaf for leaf in material.leaf_nodes if leaf.leaf_path in made_of]
        progress = Progress(context)
        with ExitStack() as stack:
            teacher = stack.enter_context(journaled_text_model(engines, warehouse, recipe.teacher, progress=progress))
            judge = stack.enter_context(journaled_judge(engines, warehouse, recipe, teacher, progress))
            panel = panel_of(recipe, judge) if judge else None
            outcome = generate_samples(
                leaves, material.seed_examples, material.chunks, teacher, recipe.generation, recipe.seed,
                told_into(progress), panel, depth,
            )  # fmt: skip
            metadata = _metadata(outcome, recipe) | calls_metadata(context, teacher.calls, *([judge.calls] if judge else []))
        rejected = hide_rejected(outcome.rejected, recipe.trust.privacy)
        return store_leaves(context, recipe, warehouse, made_of, outcome.samples, metadata, outcome.leaf_counts, rejected)


def _metadata(outcome: GenerationOutcome, recipe: Recipe) -> dict[str, Any]:
    samples = to_frame(outcome.samples, SyntheticSample)
    rejected = to_frame(outcome.rejected, RejectedSample)
    short = [f"{row.leaf_path}: {row.num_missing} short, {row.why}" for row in outcome.shortfalls]
    return {
        "examples": sample_rows(samples, ["leaf_path", "context", "instruction", "response"], 12, hide=recipe.trust.privacy),
        "rows_per_leaf": bars(num_by(samples, "leaf_path"), "Samples of each leaf node", "samples"),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "candidates"),
        "leaves_below_quota": table(pl.DataFrame({"leaf": short})),
    }


def told_into(progress: Progress) -> OnStep:
    """What a round has brought, beside the calls that are counted anyway."""

    def report(num_settled: int, num_wanted: int, num_accepted: int, num_rejected: int) -> None:
        progress.detail = f"{num_accepted:,} of {num_wanted:,} samples accepted, {num_rejected:,} turned away"

    return report
