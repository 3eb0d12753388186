"""Between a stage and the warehouse: records in, records out, and what the Dagster UI is told about it.

A table's data version is the hash of its file: whoever holds a materialization can say whether the table still is
what was made then. An asset writes its own table last, so that a crash in between shows as a table that is not current.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import dagster as dg
import polars as pl

from synth_assets.frames import from_frame, schema_of, to_frame
from synth_assets.recipe import Recipe
from synth_assets.records import TABLES, RejectedSample, StageCounts
from synth_assets.storage import FileLock, Warehouse

RecordT = TypeVar("RecordT")
#: The stages that count rows, in pipeline order, and the asset whose table holds what each let through.
ASSET_OF_STAGE = {"generation": "synthetic_samples", "scoring": "scored_samples", "filter": "reward_filtered_set"}
_NAMES = {record_type: name for name, record_type in TABLES.items()}


def load(warehouse: Warehouse, record_type: type[RecordT]) -> list[RecordT]:
    """The rows of the table that holds these records. Raises WarehouseError if it was not made yet."""
    return from_frame(warehouse.read_table(_NAMES[record_type]), record_type)


def store(
    context: dg.AssetExecutionContext,
    recipe: Recipe,
    warehouse: Warehouse,
    made_of: str,
    records: Iterable[RecordT],
    metadata: Mapping[str, Any],
    *,
    counts: StageCounts | None = None,
    rejected: Sequence[RejectedSample] = (),
) -> dg.MaterializeResult[Any]:
    """Write an asset's table, and with `counts`, which must add up, the rows that it turned away.

    `made_of`: the asset's `inputs_id` from before it read anything, so that what changes under way makes it stale.
    """
    name = context.asset_key.path[-1]
    frame = to_frame(list(records), cast("type[RecordT]", TABLES[name]))
    counted: dict[str, Any] = {}
    if counts is not None:
        replace_stage_rows(warehouse, counts.stage, rejected, RejectedSample)
        replace_stage_rows(warehouse, counts.stage, [counts.check()], StageCounts)
        counted = {key: getattr(counts, key) for key in ("num_in", "num_kept", "num_rejected", "num_failed")}
    digest = warehouse.write_table(name, frame)
    return dg.MaterializeResult(
        metadata={
            **metadata,
            **counted,
            "dagster/row_count": frame.height,
            "table": dg.MetadataValue.path(str(warehouse.table_path(name))),
            "inputs_id": made_of,
            "recipe": f"{recipe.name} at scale {recipe.scale}, seed {recipe.seed}",
        },
        data_version=dg.DataVersion(digest),
    )


def num_by(frame: pl.DataFrame, column: str) -> dict[str, int]:
    """Rows for each value, in the order in which the values first stand."""
    return dict(frame.group_by(column, maintain_order=True).len().iter_rows())


def replace_stage_rows(warehouse: Warehouse, stage: str, records: Iterable[RecordT], record_type: type[RecordT]) -> None:
    """Put these rows in place of the stage's own in a table that several stages share, in pipeline order."""
    name = _NAMES[record_type]
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    own = to_frame(list(records), record_type)
    with FileLock(warehouse.folder / f"{name}.lock").hold():
        frames = {stage: own}
        if warehouse.has_table(name):
            table = warehouse.read_table(name)
            others = table.filter(pl.col("stage") != stage)
            frames |= {str(key[0]): rows for key, rows in others.partition_by("stage", as_dict=True).items()}
        known = [each for each in ASSET_OF_STAGE if each in frames]
        ordered = known + sorted(set(frames) - set(known))
        whole = pl.concat([frames[each] for each in ordered]) if ordered else own
        warehouse.write_table(name, whole, schema_of(record_type))
