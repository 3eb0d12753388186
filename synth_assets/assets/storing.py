"""Between a stage and the warehouse: records in, records out, and what the Dagster UI is told about it.

A table's data version is the hash of its file: whoever holds a materialization can say whether the table still is
what was made then. An asset writes its own table last, so that a crash in between shows as a table that is not current.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_lineage
from synth_assets.assets.display import table
from synth_assets.assets.ingredients import INGREDIENTS, upstream_of
from synth_assets.assets.leaf_partitions import partition_key
from synth_assets.counting import sum_counts
from synth_assets.frames import from_frame, schema_of, to_frame
from synth_assets.recipe import Recipe
from synth_assets.records import (
    TABLES,
    TRUST_REPORTS,
    Measurement,
    RejectedSample,
    ScoredSample,
    StageCounts,
    SyntheticSample,
    content_id,
)
from synth_assets.storage import FileLock, Warehouse

RecordT = TypeVar("RecordT")
#: The stages that count rows, in pipeline order, and the asset whose table holds what each let through.
ASSET_OF_STAGE = {
    "generation": "synthetic_samples", "prompt_topics": "prompt_topics", "prompt_synthesis": "synthetic_prompts",
    "answering": "prompted_samples", "scoring": "scored_samples", "prompted_scoring": "scored_prompted_samples",
    "filter": "reward_filtered_set", "preferences": "preference_pairs",
}  # fmt: skip
#: Metadata of a leaf's materialization: the hash of the rows that were made then.
ROWS_ID = "rows_id"
#: Of tables with the same record, the first.
_NAMES = {record_type: name for name, record_type in reversed(TABLES.items())}


def stages_of(recipe: Recipe) -> dict[str, str]:
    """ASSET_OF_STAGE, of the assets that the recipe has."""
    return {stage: asset for stage, asset in ASSET_OF_STAGE.items() if INGREDIENTS[asset].is_declared(recipe)}


def of_stages(table: str, recipe: Recipe, warehouse: Warehouse) -> pl.DataFrame:
    """`stage_counts` or `rejected_samples`, without what stages left that the recipe has no more; empty if not made yet."""
    gone = [stage for stage in ASSET_OF_STAGE if stage not in stages_of(recipe)]
    rows = warehouse.read_table(table) if warehouse.has_table(table) else pl.DataFrame(schema=schema_of(TABLES[table]))
    return rows.filter(~pl.col("stage").is_in(gone)) if gone else rows


def load(warehouse: Warehouse, record_type: type[RecordT], table: str | None = None) -> list[RecordT]:
    """The rows of the table, or of the first that holds these records. Raises WarehouseError if it was not made yet."""
    return from_frame(warehouse.read_table(table or _NAMES[record_type]), record_type)


def store_leaves(
    context: dg.AssetExecutionContext,
    recipe: Recipe,
    warehouse: Warehouse,
    made_of: Mapping[str, str],
    records: Iterable[RecordT],
    metadata: Mapping[str, Any],
    counts: Sequence[StageCounts],
    rejected: Sequence[RejectedSample],
) -> dg.MaterializeResult[Any]:
    """Put the rows of these leaves (`made_of`: leaf path -> `inputs_id`) in place of those that they had."""
    name, paths = context.asset_key.path[-1], set(made_of)
    record_type = cast("type[RecordT]", TABLES[name])
    frame = to_frame(list(records), record_type)
    stage = next(stage for stage, asset in ASSET_OF_STAGE.items() if asset == name)
    replace_rows(warehouse, rejected, RejectedSample, stage, paths)
    replace_rows(warehouse, [each.check() for each in counts], StageCounts, stage, paths)
    replace_rows(warehouse, list(records), record_type, leaf_paths=paths)
    digests, count_of = leaf_digests(frame), {each.leaf_path: each for each in counts}
    for path, inputs in made_of.items():
        said: dict[str, Any] = {
            "leaf_path": path,
            "dagster/row_count": frame.filter(pl.col("leaf_path") == path).height,
            "inputs_id": inputs,
            ROWS_ID: digests.get(path, ""),
            **(_counted(count_of[path]) if path in count_of else {}),
        }
        context.add_asset_metadata(said, partition_key=partition_key(path))
    return dg.MaterializeResult(
        metadata={**metadata, **_about(name, recipe, warehouse)},
        data_version=dg.DataVersion(content_id("rows", sorted(digests.items()))),
    )


def store(
    context: dg.AssetExecutionContext,
    recipe: Recipe,
    warehouse: Warehouse,
    made_of: str,
    records: Iterable[RecordT],
    metadata: Mapping[str, Any],
    *,
    counts: Sequence[StageCounts] = (),
    rejected: Sequence[RejectedSample] = (),
) -> dg.MaterializeResult[Any]:
    """Write an asset's table, and with `counts`, which must add up, the rows that it turned away.

    `made_of`: the asset's `inputs_id` from before it read anything, so that what changes under way makes it stale.
    """
    name = context.asset_key.path[-1]
    frame = to_frame(list(records), cast("type[RecordT]", TABLES[name]))
    counted: dict[str, Any] = {}
    if counts:
        stage = counts[0].stage
        replace_rows(warehouse, rejected, RejectedSample, stage)
        replace_rows(warehouse, [each.check() for each in counts], StageCounts, stage)
        counted = _counted(sum_counts(stage, counts))
    digest = warehouse.write_table(name, frame)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            **counted,
            **_about(name, recipe, warehouse),
            "dagster/row_count": frame.height,
            "inputs_id": made_of,
        },
        data_version=dg.DataVersion(digest),
    )


def store_measures(
    context: dg.AssetExecutionContext,
    recipe: Recipe,
    warehouse: Warehouse,
    made_of: str,
    measured: Sequence[Measurement],
    metadata: Mapping[str, Any],
) -> dg.MaterializeResult[Any]:
    """Put what a report on trust has measured in place of what it measured before."""
    report = context.asset_key.path[-1]
    own = to_frame(measured, Measurement)
    _rewrite(warehouse, "measures", Measurement, pl.col("report") == report, own)
    verdicts = num_by(own, "verdict")
    shown = ["measure", "subject", "value", "ci_low", "ci_high", "threshold", "severity", "verdict", "detail"]
    return dg.MaterializeResult(
        metadata={
            "measures": table(own.select(shown)),
            **metadata,
            **{f"num_{verdict}": num for verdict, num in verdicts.items()},
            "table": dg.MetadataValue.path(str(warehouse.table_path("measures"))),
            "recipe": recipe.label,
            "dagster/row_count": own.height,
            "inputs_id": made_of,
        },
        data_version=dg.DataVersion(hashlib.sha256(own.write_ndjson().encode()).hexdigest()),
    )


def num_by(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Rows for each value, in the order in which the values first stand."""
    return dict(frame.group_by(column, maintain_order=True).len().iter_rows())


def replace_rows(
    warehouse: Warehouse,
    records: Sequence[RecordT],
    record_type: type[RecordT],
    stage: str | None = None,
    leaf_paths: Collection[str] | None = None,
) -> None:
    """Put these rows in place of the stage's, and of these leaves', own. A table is ordered by stage, then by leaf path."""
    name = _NAMES[record_type]
    mine = pl.lit(True) if stage is None else pl.col("stage") == stage
    if leaf_paths is not None:
        mine &= pl.col("leaf_path").is_in(list(leaf_paths))
    _rewrite(warehouse, name, record_type, mine, to_frame(list(records), record_type))


def retire_leaves(warehouse: Warehouse, leaf_paths: Collection[str], kept_branch: str | None = None) -> dict[str, int]:
    """Take the rows of all other leaves out of the tables that are made by leaf: leaf path -> samples taken out.

    Those of the branch `kept_branch` stay: they are no leaves of the taxonomy.
    """
    taken: dict[str, int] = {}
    for record_type in (RejectedSample, StageCounts, ScoredSample, SyntheticSample):
        name = _NAMES[record_type]
        if warehouse.has_table(name):
            others = ~pl.col("leaf_path").is_in(list(leaf_paths))
            if kept_branch:
                others &= ~(pl.col("leaf_path") + "/").str.starts_with(f"{kept_branch}/")
            gone = num_by(warehouse.read_table(name).filter(others), "leaf_path")
            if gone:
                _rewrite(warehouse, name, record_type, others, to_frame([], record_type))
            taken |= {path: num for path, num in gone.items() if record_type is SyntheticSample or path not in taken}
    return dict(sorted(taken.items()))


def leaf_digests(frame: pl.DataFrame) -> dict[str, str]:
    """Leaf path -> hash of the leaf's rows."""
    parts = frame.partition_by("leaf_path", as_dict=True)
    return {str(key[0]): hashlib.sha256(rows.write_ndjson().encode()).hexdigest()[:16] for key, rows in parts.items()}


def _rewrite(warehouse: Warehouse, name: str, record_type: type[Any], mine: pl.Expr, own: pl.DataFrame) -> None:
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(warehouse.folder / f"{name}.lock").hold():
        others = warehouse.read_table(name).filter(~mine) if warehouse.has_table(name) else own.clear()
        rows = pl.concat([others, own]).sort(_order(own.columns), maintain_order=True)
        warehouse.write_table(name, rows, schema_of(record_type))


def _order(columns: Collection[str]) -> list[Any]:
    """Stages and reports in the order of the pipeline, leaves by their paths."""
    if "report" in columns:
        return [_rank("report", TRUST_REPORTS)]
    return [*([_rank("stage", list(ASSET_OF_STAGE)), "stage"] if "stage" in columns else []), "leaf_path"]


def _rank(column: str, order: Sequence[str]) -> pl.Expr:
    return pl.col(column).replace_strict({name: number for number, name in enumerate(order)}, default=len(order))


def _counted(counts: StageCounts) -> dict[str, int]:
    return {key: getattr(counts, key) for key in ("num_in", "num_kept", "num_rejected", "num_failed")}


def _about(name: str, recipe: Recipe, warehouse: Warehouse) -> dict[str, Any]:
    return {
        "table": dg.MetadataValue.path(str(warehouse.table_path(name))),
        "recipe": recipe.label,
        **column_lineage(name, upstream_of(name, recipe)),
    }
