"""The whole job on the embedded models at scale smoke: every step a process, real vLLM, real peft.

One run serves all tests of this module; a second one shows that nothing current is made again.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from synth_assets.definitions import assets_of
from synth_assets.recipe import read_recipe
from synth_assets.storage import Warehouse

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def demo(warehouse: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SYNTH_ASSETS_WAREHOUSE": str(warehouse)}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "synth_assets.cli", "--scale", "smoke", *options, "demo"]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, cwd=ROOT)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Warehouse, str]]:
    folder = tmp_path_factory.mktemp("warehouse")
    said = demo(folder)
    log = folder / "demo.log"
    assert said.returncode == 0, said.stdout + said.stderr + (log.read_text()[-4000:] if log.is_file() else "")
    yield Warehouse(folder), said.stdout


def test_the_summary_tells_the_whole_story(smoke: tuple[Warehouse, str]) -> None:
    _, text = smoke
    for part in ("finished", "MiB", "generation", "scoring", "filter", "Turned away because", "Checks: ",
                 "Right answers", "taxonomy  base", "taxonomy  tuned", "retained", "adapter", "Data Docs", "trust.html",
                 "synth-assets --scale smoke dev"):  # fmt: skip
        assert part in text, part
    warnings = [line for line in text.splitlines() if line.startswith(("  warning ", "  STOPPED "))]
    assert warnings and all("there_are_rows_to_compare_with" in line for line in warnings), (
        "smoke has few rows, and no fault"
    )
    for asset in assets_of(read_recipe()):
        assert f"  {asset.key.path[-1]}: " in text


def test_every_row_is_accounted_for(smoke: tuple[Warehouse, str]) -> None:
    warehouse, _ = smoke
    counts = warehouse.read_table("stage_counts")
    assert counts["stage"].unique(maintain_order=True).to_list() == ["generation", "scoring", "filter"]
    assert counts.filter(pl.col("num_in") != pl.col("num_kept") + pl.col("num_rejected") + pl.col("num_failed")).is_empty()
    rejected = warehouse.read_table("rejected_samples").group_by("stage", "leaf_path", "outcome").len()
    for stage, leaf_path, _, _, num_rejected, num_failed in counts.iter_rows():
        mine = (pl.col("stage") == stage) & (pl.col("leaf_path") == leaf_path)
        rows = dict(rejected.filter(mine).select("outcome", "len").iter_rows())
        assert (rows.get("rejected", 0), rows.get("failed", 0)) == (num_rejected, num_failed)


def test_one_query_goes_from_a_kept_sample_to_all_that_made_it(smoke: tuple[Warehouse, str]) -> None:
    warehouse, _ = smoke
    rows = warehouse.query("""
        SELECT k.synthetic_sample_id, s.teacher, s.instruction_prompt, c.reward_model, c.reward, t.split, e.question
        FROM reward_filtered_set k
        JOIN synthetic_samples s USING (synthetic_sample_id)
        JOIN scored_samples c USING (synthetic_sample_id)
        JOIN training_mix t USING (synthetic_sample_id)
        JOIN seed_examples e ON list_contains(s.seed_example_ids, e.seed_example_id)
    """)
    kept = warehouse.read_table("reward_filtered_set")
    assert set(rows["synthetic_sample_id"]) == set(kept["synthetic_sample_id"])
    assert rows.null_count().sum_horizontal().item() == 0


def test_the_adapter_is_safetensors_and_the_tuned_student_a_plain_folder(smoke: tuple[Warehouse, str]) -> None:
    warehouse, _ = smoke
    (path,) = warehouse.read_table("lora_checkpoint")["adapter_path"]
    adapter = warehouse.folder / path
    assert (adapter / "adapter_model.safetensors").is_file() and (adapter / "adapter_config.json").is_file()
    (tuned,) = (warehouse.folder / "artefacts/tuned_students").glob("*/*/config.json")
    assert json.loads(tuned.read_text())["architectures"]


def test_a_second_demo_makes_nothing_again(smoke: tuple[Warehouse, str]) -> None:
    warehouse, first = smoke
    tables = {name: warehouse.table_path(name).stat().st_mtime_ns for name in warehouse.table_names()}
    said = demo(warehouse.folder)
    assert said.returncode == 0, said.stderr
    assert f"0 of {len(assets_of(read_recipe()))} assets to make" in said.stdout
    assert "everything was current" in said.stdout
    assert {name: warehouse.table_path(name).stat().st_mtime_ns for name in warehouse.table_names()} == tables
    accuracy = first[first.index("Right answers") :]
    assert accuracy.strip() in said.stdout
