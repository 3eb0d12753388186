"""Stage 1 as assets: the taxonomy's files become tables."""

from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, sample_rows, table
from synth_assets.assets.leasing import making
from synth_assets.assets.recipe_parts import document_rules, has_prompts, read_declared_taxonomy
from synth_assets.assets.storing import load, num_by, retire_leaves, store
from synth_assets.errors import Fault, TaxonomyError
from synth_assets.frames import to_frame
from synth_assets.quality.reports import shown_chunks
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import GENERATED_BRANCH, Attribution, DocumentChunk, LeafNode, RealExample, SeedExample
from synth_assets.storage import Warehouse
from synth_assets.taxonomy import read_chunks, read_real_examples, require_no_faults

GROUP = "stage_1_taxonomy"


@dg.asset(group_name=GROUP, kinds={"python", "yaml", "parquet"}, metadata=column_schema("taxonomy"))
def taxonomy(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """The leaf nodes: tasks, each with examples written by people, read from the taxonomy's qna.yaml files.

    A leaf node that cannot be read is left out and reported in the table `taxonomy_faults`; the others go on. What stands in
    an attribution.txt beside a leaf is kept in the table `attributions`.
    """
    with making(context, recipe, warehouse) as made_of:
        found = read_declared_taxonomy(recipe)
        if recipe.taxonomy.strict:
            require_no_faults(found.faults)
        faults = to_frame(found.faults, Fault)
        retired = retire_leaves(
            warehouse, [leaf.leaf_path for leaf in found.leaf_nodes], GENERATED_BRANCH if has_prompts(recipe) else None
        )
        for path, num_rows in retired.items():
            context.log.warning(f"leaf node {path} is gone, or cannot be read: its {num_rows} samples are retired")
        warehouse.write_table("taxonomy_faults", faults)
        attributions = to_frame(found.attributions, Attribution)
        warehouse.write_table("attributions", attributions)
        leaves = to_frame(found.leaf_nodes, LeafNode)
        shown = ["leaf_path", "branch", "num_seed_examples", "task_description", "created_by"]
        metadata = {
            "leaf_nodes": sample_rows(leaves, shown, 40),
            "num_faults": faults.height,
            "faults": sample_rows(faults.head(20), faults.columns, 20, hide=recipe.trust.privacy),
            "attributions": table(attributions.drop("position").head(40)),
            "retired_leaf_nodes": table(pl.DataFrame({"leaf": list(retired), "samples": list(retired.values())})),
        }
        return store(context, recipe, warehouse, made_of, found.leaf_nodes, metadata)


@dg.asset(
    deps=[taxonomy],
    group_name=GROUP,
    kinds={"python", "yaml", "parquet"},
    metadata=column_schema("seed_examples"),
)
def seed_examples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """The human-written questions and answers of every leaf node: what the teacher imitates."""
    with making(context, recipe, warehouse) as made_of:
        found = read_declared_taxonomy(recipe)
        if list(found.leaf_nodes) != load(warehouse, LeafNode):
            raise TaxonomyError(
                "the taxonomy's files were changed after the asset taxonomy was made",
                remedy="materialize taxonomy again, then seed_examples",
            )
        seeds = to_frame(found.seed_examples, SeedExample)
        metadata = {
            "examples": sample_rows(seeds, ["leaf_path", "context", "question", "answer"], 12),
            "rows_per_leaf": bars(
                {leaf.leaf_path: leaf.num_seed_examples for leaf in found.leaf_nodes},
                "Seed examples of each leaf node",
                "seed examples",
            ),
        }
        return store(context, recipe, warehouse, made_of, found.seed_examples, metadata)


@dg.asset(
    deps=[taxonomy, seed_examples],
    group_name=GROUP,
    kinds={"python", "markdown", "parquet"},
    metadata=column_schema("document_chunks"),
)
def document_chunks(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """The documents of the knowledge leaves, in pieces that fit into a prompt beside the seeds.

    A leaf node whose documents cannot be read has no chunks and is reported in the table `document_faults`.
    """
    with making(context, recipe, warehouse) as made_of:
        seeds = load(warehouse, SeedExample)
        roots = map(resolve_path, recipe.taxonomy.paths)
        chunks, faults = read_chunks(load(warehouse, LeafNode), seeds, document_rules(recipe), roots)
        if recipe.taxonomy.strict:
            require_no_faults(faults)
        told = to_frame(faults, Fault)
        warehouse.write_table("document_faults", told)
        rows = to_frame(chunks, DocumentChunk)
        metadata = {
            "examples": sample_rows(rows, ["leaf_path", "source", "heading", "text"]),
            "num_faults": len(faults),
            "faults": sample_rows(told.head(20), told.columns, 20, hide=recipe.trust.privacy),
        }
        return store(context, recipe, warehouse, made_of, chunks, metadata)


@dg.asset(
    deps=[seed_examples, document_chunks],
    group_name=GROUP,
    kinds={"python", "parquet"},
    metadata=column_schema("real_examples"),
)
def real_examples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """Real rows that synthetic ones are compared with; no teacher is ever shown those of the holdout.

    The holdout is the yardstick: so far as two real samples differ, synthetic rows may differ as well. A row of it that is a
    seed example, or stands in a document that the teacher is shown, is refused.
    """
    with making(context, recipe, warehouse) as made_of:
        assert recipe.trust.real is not None
        shown = shown_chunks(load(warehouse, DocumentChunk), recipe.trust.privacy.split_share)
        real = read_real_examples(
            resolve_path(recipe.trust.real.reference), resolve_path(recipe.trust.real.holdout),
            load(warehouse, SeedExample), shown,
        )  # fmt: skip
        rows = to_frame(real, RealExample)
        metadata = {
            "examples": sample_rows(
                rows, ["split", "leaf_path", "context", "question", "answer"], hide=recipe.trust.privacy
            ),
            "rows_by_split": bars(num_by(rows, "split"), "Real rows", "rows"),
            "rows_per_leaf": bars(num_by(rows, "leaf_path"), "Real rows of each leaf node", "rows"),
        }
        return store(context, recipe, warehouse, made_of, real, metadata)
