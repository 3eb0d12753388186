"""Tables that several stages share."""

from pathlib import Path

import pytest

from synth_assets.assets.storing import ASSET_OF_STAGE, load, num_by, replace_rows
from synth_assets.errors import WarehouseError
from synth_assets.frames import to_frame
from synth_assets.records import LeafNode, RejectedSample, StageCounts
from synth_assets.storage import Warehouse

FIRST = next(iter(ASSET_OF_STAGE))


def row(stage: str, number: int) -> RejectedSample:
    return RejectedSample(f"{stage}{number}", "leaf", stage, "rejected", "empty", "", "", "", number)


def test_each_stage_replaces_its_own_rows_in_pipeline_order(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    first, second, *_ = ASSET_OF_STAGE
    replace_rows(warehouse, [row(second, 0), row(second, 1)], RejectedSample, second)
    replace_rows(warehouse, [row(first, 0)], RejectedSample, first)
    assert load(warehouse, RejectedSample) == [row(first, 0), row(second, 0), row(second, 1)]
    replace_rows(warehouse, [row(second, 7)], RejectedSample, second)
    assert load(warehouse, RejectedSample) == [row(first, 0), row(second, 7)]
    replace_rows(warehouse, [], RejectedSample, first)
    assert load(warehouse, RejectedSample) == [row(second, 7)]


def test_an_unknown_stage_comes_last(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    for stage in ("zzz", FIRST, "aaa"):
        replace_rows(warehouse, [StageCounts(stage, "leaf", 1, 1, 0, 0)], StageCounts, stage)
    assert [counts.stage for counts in load(warehouse, StageCounts)] == [FIRST, "aaa", "zzz"]


def test_loading_what_was_not_made(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="no such table"):
        load(Warehouse(tmp_path), LeafNode)


def test_num_by_keeps_the_order() -> None:
    frame = to_frame([row("b", 0), row("a", 1), row("b", 2)], RejectedSample)
    assert list(num_by(frame, "stage").items()) == [("b", 2), ("a", 1)]
