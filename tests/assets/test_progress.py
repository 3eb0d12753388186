"""Progress: numbers on the asset, a line in the log, and neither too often."""

from pathlib import Path

import dagster as dg
import pytest
from made_pipeline import made_recipe, materialize

from synth_assets.assets import progress
from synth_assets.assets.progress import SHARE, TEXT, Progress
from synth_assets.storage import Warehouse


def observations(instance: dg.DagsterInstance, asset: str) -> list[dict[str, object]]:
    records = instance.fetch_observations(dg.AssetKey(asset), limit=1000).records
    found = [record.event_log_entry.dagster_event for record in reversed(records)]
    events = [event.asset_observation_data.asset_observation for event in found if event]
    return [{name: value.value for name, value in event.metadata.items()} for event in events]


def test_calls_are_counted_on_the_asset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
        told = observations(instance, "synthetic_samples")
        assert [row["done"] for row in told[:24]] == list(range(1, 25)) and told[23][SHARE] == 1.0
        assert "24 of 24 calls" in str(told[23][TEXT]) and "s left" in str(told[1][TEXT])
        assert "0 of 24 samples accepted, 0 turned away" in str(told[24][TEXT])
        assert observations(instance, "scored_samples")[-1]["done"] == 24


def test_it_tells_once_in_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)

    @dg.asset
    def work(context: dg.AssetExecutionContext) -> None:
        nonlocal now
        told = Progress(context, "steps")
        told.begin(100, done=10)
        for _ in range(90):
            now += 1.0
            told.advance()
        told.end()
        told.tell("said at any time", None)

    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([work], instance=instance).success
        rows = observations(instance, "work")
    assert [row["done"] for row in rows] == [21, 31, 41, 51, 61, 71, 81, 91, 100]
    assert rows[0][TEXT] == "21 of 100 steps, 1 a second, 79 s left"
