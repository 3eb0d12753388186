"""What may happen to a run on a real machine: each is said clearly, and the tables are in the end as if it had not."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import duckdb
import pytest
from small_run import Undisturbed
from ui import wait_for

from synth_assets.storage import open_journal
from synth_assets.studies.killing import KINDS, Damage, Kill, RunningDemo, damage, kill_again_and_again

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
#: root may write everywhere; without this right it may not, like anybody else
LIKE_A_USER = ("setpriv", "--bounding-set=-dac_override") if os.geteuid() == 0 else ()
FULL = 8 * 2**20
NUM_KILLS = len(KINDS)
SEED = 20
HOLD = """
import duckdb, sys, time
while True:
    try:
        held = duckdb.connect(sys.argv[1])
        break
    except duckdb.Error:
        time.sleep(0.05)
time.sleep(float(sys.argv[2]))
"""


def test_two_runs_at_once_and_a_reader_that_holds_the_snapshot(tmp_path: Path, undisturbed: Undisturbed) -> None:
    warehouse = tmp_path / "shared"
    both = [RunningDemo(undisturbed.recipe, warehouse), RunningDemo(undisturbed.recipe, warehouse)]
    wait_for("the first tables", lambda: _holds_table(warehouse / "snapshot.duckdb", "seed_examples"), 120, 0.05)
    with duckdb.connect(warehouse / "snapshot.duckdb", read_only=True) as reader:
        before = reader.sql("SELECT count(*) FROM seed_examples").fetchall()
        for demo in both:
            assert "finished" in demo.finish()
        assert reader.sql("SELECT count(*) FROM seed_examples").fetchall() == before
        assert not _tables_of(reader) >= {"evaluation"}, "the reader holds what was there when it began"
    with duckdb.connect(warehouse / "snapshot.duckdb", read_only=True) as reader:
        assert _tables_of(reader) >= {"evaluation"}
    assert damage(warehouse, undisturbed.warehouse) == Damage()


def test_a_read_only_warehouse_a_full_disk_a_signal_a_held_database_and_a_clock_set_back(
    tmp_path: Path, undisturbed: Undisturbed
) -> None:
    warehouse = tmp_path / "disturbed"
    warehouse.mkdir(mode=0o555)
    said = _failing(RunningDemo(undisturbed.recipe, warehouse, LIKE_A_USER))
    assert "cannot be written" in said and "make the folder writable" in said
    warehouse.chmod(0o755)

    _fill_journal(warehouse / "journal", FULL)
    said = _failing(RunningDemo(undisturbed.recipe, warehouse, _no_file_larger_than(FULL)))
    assert "the journal of model calls cannot be written" in said and "free some space and run again" in said

    demo, size = RunningDemo(undisturbed.recipe, warehouse), _journal_size(warehouse)
    wait_for("the first answers", lambda: _journal_size(warehouse) > size, 120, 0.05)
    demo.process.send_signal(signal.SIGTERM)
    said = _failing(demo)
    assert "interrupted" in said and "go on" in said

    said = _failing(RunningDemo(undisturbed.recipe, warehouse, _no_file_larger_than(FULL + 2**20)))
    assert "lora_checkpoint: TuningError: " in said and "File too large" in said and "free some space" in said

    (warehouse / "demo.log").unlink()
    clock = {"PYTHONPATH": str(Path(__file__).parent / "clock"), "CLOCK_IS_SET_BACK_WHEN": str(warehouse / "set_back")}
    demo = RunningDemo(undisturbed.recipe, warehouse, environment=clock)
    wait_for("the run", (warehouse / "demo.log").exists, 120, 0.05)  # from here on the run is under way
    (warehouse / "set_back").touch()
    shell = subprocess.Popen([sys.executable, "-c", HOLD, str(warehouse / "synth_assets.duckdb"), "8"])
    assert "finished" in demo.finish() and shell.wait() == 0
    (warehouse / "set_back").unlink()
    assert "everything was current" in RunningDemo(undisturbed.recipe, warehouse).finish()
    assert damage(warehouse, undisturbed.warehouse) == Damage()


def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path: Path, undisturbed: Undisturbed) -> None:
    rng = Random(SEED)
    kills: list[Kill] = []
    for number in range(NUM_KILLS):
        warehouse, left = tmp_path / f"killed-{number}", NUM_KILLS - len(kills)
        kinds = (*KINDS[len(kills) % 4 :], *KINDS[: len(kills) % 4])
        kills += kill_again_and_again(undisturbed.recipe, warehouse, rng, undisturbed.length_s, left, kinds)
        assert damage(warehouse, undisturbed.warehouse) == Damage()
        if len(kills) == NUM_KILLS:
            break
    assert {kill.kind for kill in kills} == set(KINDS) and len(kills) == NUM_KILLS


def _failing(demo: RunningDemo) -> str:
    said, _ = demo.process.communicate(timeout=300)
    assert demo.process.returncode not in (0, None), said
    assert "Traceback" not in said
    return said


def _fill_journal(folder: Path, size: int) -> None:
    """Records of calls that nobody makes, up to a few bytes below this size."""
    with open_journal(folder) as journal:
        (file,) = folder.glob("calls-*.log")
        for number in range(100):
            journal.append(f"filler-{number}", {"text": "x" * min(2**17, size - file.stat().st_size - 100)})
            journal.commit()
            if size - file.stat().st_size < 200:
                return


def _no_file_larger_than(size: int) -> tuple[str, ...]:
    """What a full disk is to whoever writes."""
    return ("prlimit", f"--fsize={size}")


def _journal_size(warehouse: Path) -> int:
    return sum(file.stat().st_size for file in (warehouse / "journal").glob("*.log"))


def _holds_table(file: Path, name: str) -> bool:
    if not file.is_file():
        return False
    with duckdb.connect(file, read_only=True) as connection:
        return name in _tables_of(connection)


def _tables_of(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall()}
