"""Stage 2 as an asset: the teacher writes new instructions and answers them."""

import time
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, sample_rows, table
from synth_assets.assets.journaling import calls_metadata, journaled_text_model
from synth_assets.assets.leasing import making
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import load, num_by, store
from synth_assets.assets.taxonomy import document_chunks, seed_examples, taxonomy
from synth_assets.frames import to_frame
from synth_assets.generation import GenerationOutcome, Progress, generate_samples
from synth_assets.recipe import Recipe
from synth_assets.records import DocumentChunk, LeafNode, RejectedSample, SeedExample, SyntheticSample
from synth_assets.storage import Warehouse

GROUP = "stage_2_generation"
REPORT_EVERY_S = 10.0


@dg.asset(
    deps=[taxonomy, seed_examples, document_chunks],
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
    the prompt or another sample is rejected, with that reason, into the table `rejected_samples`.
    """
    with making(context, recipe, warehouse) as made_of:
        leaves, seeds = load(warehouse, LeafNode), load(warehouse, SeedExample)
        chunks = load(warehouse, DocumentChunk)
        with journaled_text_model(engines, warehouse, recipe.teacher) as teacher:
            outcome = generate_samples(leaves, seeds, chunks, teacher, recipe.generation, recipe.seed, _progress(context))
            metadata = _metadata(outcome) | calls_metadata(context, teacher.calls)
        return store(
            context, recipe, warehouse, made_of, outcome.samples, metadata, counts=outcome.counts, rejected=outcome.rejected
        )


def _metadata(outcome: GenerationOutcome) -> dict[str, Any]:
    samples = to_frame(outcome.samples, SyntheticSample)
    rejected = to_frame(outcome.rejected, RejectedSample)
    short = [f"{row.leaf_path}: {row.num_missing} short, {row.why}" for row in outcome.shortfalls]
    return {
        "examples": sample_rows(samples, ["leaf_path", "context", "instruction", "response"], 12),
        "rows_per_leaf": bars(num_by(samples, "leaf_path"), "Samples of each leaf node", "samples"),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "candidates"),
        "leaves_below_quota": table(pl.DataFrame({"leaf": short})),
    }


def _progress(context: dg.AssetExecutionContext) -> Progress:
    """A line in the run's log, at most one in REPORT_EVERY_S seconds."""
    told = time.monotonic()

    def report(done: int, total: int, accepted: int, rejected: int) -> None:
        nonlocal told
        if time.monotonic() - told >= REPORT_EVERY_S:
            told = time.monotonic()
            context.log.info(f"{accepted} of {total} samples accepted, {rejected} of {done} candidates turned away")

    return report
