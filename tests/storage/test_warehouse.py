"""The warehouse keeps what it had, whatever happens; tried with real second processes and real full disks."""

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl
import pytest

from synth_assets.errors import WarehouseError, WarehouseLockedError, WarehouseVersionError
from synth_assets.frames import to_frame
from synth_assets.records import StageCounts
from synth_assets.storage import FileLock, Warehouse

COUNTS = to_frame([StageCounts("reward", "a", 3, 1, 1, 1), StageCounts("filter", "a", 1, 1, 0, 0)], StageCounts)


@pytest.fixture(name="warehouse")
def _warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse", lock_timeout_s=0.3)


@contextmanager
def other_process(code: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has said `ready` and then waits until its input is closed."""
    script = textwrap.dedent(code) + "\nprint('ready', flush=True)\nimport sys; sys.stdin.read()\n"
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.communicate(timeout=30)


def run_python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_what_is_written_is_read_in_order_and_by_sql(warehouse: Warehouse) -> None:
    assert not warehouse.has_table("stage_counts") and warehouse.table_names() == []
    warehouse.write_table("stage_counts", COUNTS)
    assert warehouse.read_table("stage_counts").equals(COUNTS)
    assert warehouse.query("SELECT sum(num_in) AS n FROM stage_counts")["n"].to_list() == [4]
    with duckdb.connect(warehouse.database, read_only=True) as connection:
        assert connection.execute("SELECT stage FROM stage_counts").fetchall() == [("reward",), ("filter",)]
        assert connection.execute("SELECT name, num_rows FROM published_tables").fetchall() == [("stage_counts", 2)]


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    digests, contents = set(), set()
    for name in ("a", "b"):
        warehouse = Warehouse(tmp_path / name)
        pieces = pl.concat([COUNTS.head(1), COUNTS.tail(1)], rechunk=name == "a")
        digests.add(warehouse.write_table("stage_counts", pieces))
        contents.add(warehouse.table_path("stage_counts").read_bytes())
    assert len(digests) == len(contents) == 1
    assert Warehouse(tmp_path / "c").write_table("stage_counts", COUNTS.reverse()) not in digests


def test_nothing_but_the_tables_is_left_behind(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    warehouse.write_table("stage_counts", COUNTS.head(1))
    assert [path.name for path in warehouse.table_path("stage_counts").parent.iterdir()] == ["stage_counts.parquet"]
    assert warehouse.read_table("stage_counts").height == 1


def test_a_frame_of_another_schema_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="num_in"):
        warehouse.write_table("stage_counts", COUNTS.with_columns(pl.col("num_in").cast(pl.Int32)))
    with pytest.raises(WarehouseError, match="order of columns"):
        warehouse.write_table("stage_counts", COUNTS.select(reversed(COUNTS.columns)))
    frame = pl.DataFrame({"x": [1]})
    warehouse.write_table("a_table_of_ones_own", frame, pl.Schema({"x": pl.Int64()}))
    with pytest.raises(WarehouseError, match="not a name"):
        warehouse.write_table("../escape", frame)
    with pytest.raises(WarehouseError, match="not a name"):
        warehouse.artefact_dir("adapters", "../../escape")


def test_a_table_that_is_not_there_is_named(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="seed_examples"):
        warehouse.read_table("seed_examples")


@pytest.mark.parametrize("sql", ["DROP VIEW stage_counts", "SELECT 1; SELECT 2", "COPY (SELECT 1) TO 'x.csv'", "SELEC"])
def test_a_query_can_only_read(warehouse: Warehouse, sql: str) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    with pytest.raises(WarehouseError):
        warehouse.query(sql)
    assert warehouse.has_table("stage_counts")


def test_a_database_held_by_another_process_is_an_error_that_names_it(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    hold = "import duckdb, sys; held = duckdb.connect(sys.argv[1])"
    with other_process(hold, warehouse.database) as process:
        with pytest.raises(WarehouseLockedError, match=str(process.pid)):
            warehouse.write_table("stage_counts", COUNTS.head(1))
        assert warehouse.read_table("stage_counts").equals(COUNTS)
        assert warehouse.query("SELECT * FROM stage_counts").height == 2
    warehouse.write_table("stage_counts", COUNTS.head(1))
    assert warehouse.read_table("stage_counts").height == 1


def test_a_writer_that_holds_the_lock_is_named_and_its_death_frees_it(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    hold = """
        import sys; from pathlib import Path; from synth_assets.storage import FileLock
        lock = FileLock(Path(sys.argv[1])).hold(); lock.__enter__()
    """
    lock_file = warehouse.folder / "warehouse.lock"
    with other_process(hold, lock_file) as process:
        start = time.monotonic()
        with pytest.raises(WarehouseLockedError, match=f"process {process.pid}"):
            warehouse.write_table("stage_counts", COUNTS.head(1))
        assert 0.3 <= time.monotonic() - start < 5
        process.kill()
    with FileLock(lock_file, timeout_s=5).hold():
        pass
    assert warehouse.read_table("stage_counts").equals(COUNTS)


def test_writers_in_several_processes_all_get_their_turn(warehouse: Warehouse) -> None:
    code = """
        import sys, polars as pl; from pathlib import Path; from synth_assets.storage import Warehouse
        for n in range(5):
            Warehouse(Path(sys.argv[1])).write_table(f"t{sys.argv[2]}_{n}", pl.DataFrame({"x": [n]}))
    """
    processes = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(warehouse.folder), str(number)])
        for number in range(3)
    ]
    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert len(warehouse.table_names()) == 15
    with duckdb.connect(warehouse.database, read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM published_tables").fetchall() == [(15,)]


def test_a_newer_warehouse_is_left_alone(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    file = warehouse.folder / "warehouse.json"
    file.write_text(json.dumps({"schema_version": 99}))
    for attempt in (
        lambda: warehouse.write_table("stage_counts", COUNTS.head(1)),
        lambda: warehouse.read_table("stage_counts"),
        lambda: warehouse.query("SELECT 1"),
        lambda: warehouse.artefact_dir("adapters", "x"),
    ):
        with pytest.raises(WarehouseVersionError, match="99"):
            attempt()
    file.write_text("{}")
    with pytest.raises(WarehouseError, match=r"warehouse\.json"):
        warehouse.read_table("stage_counts")
    file.write_text(json.dumps({"schema_version": 3}))
    assert warehouse.read_table("stage_counts").equals(COUNTS)


def test_a_full_disk_leaves_the_previous_table(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    before = warehouse.table_path("stage_counts").read_bytes()
    code = """
        import resource, signal, sys, random, polars as pl; from pathlib import Path
        from synth_assets.errors import WarehouseSpaceError; from synth_assets.storage import Warehouse
        warehouse = Warehouse(Path(sys.argv[1])); frame = warehouse.read_table("stage_counts")
        noise = frame.with_columns(stage=pl.lit(random.Random(1).randbytes(200_000).hex()))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        try:
            warehouse.write_table("stage_counts", noise)
        except WarehouseSpaceError as error:
            print(error)
    """
    said = run_python(code, warehouse.folder)
    assert "no room left" in said and "free some space" in said
    assert warehouse.table_path("stage_counts").read_bytes() == before
    assert [path.name for path in warehouse.table_path("stage_counts").parent.iterdir()] == ["stage_counts.parquet"]


def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "read_only"
    folder.mkdir()
    folder.chmod(0o555)
    code = """
        import os, sys, polars as pl; from pathlib import Path
        from synth_assets.errors import WarehouseError; from synth_assets.storage import Warehouse
        if os.getuid() == 0:
            os.setuid(65534)
        try:
            Warehouse(Path(sys.argv[1])).write_table("t", pl.DataFrame({"x": [1]}))
        except WarehouseError as error:
            print(error)
    """
    said = run_python(code, folder)
    assert "cannot be written" in said and "make the folder writable" in said


def test_a_publication_that_fails_puts_the_previous_table_back(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.write_table("stage_counts", COUNTS)

    def full(*_: object) -> None:
        raise duckdb.IOException("IO Error: No space left on device")

    monkeypatch.setattr("synth_assets.storage.warehouse._publish", full)
    with pytest.raises(WarehouseError, match="no room left"):
        warehouse.write_table("stage_counts", COUNTS.head(1))
    with pytest.raises(WarehouseError, match="no room left"):
        warehouse.write_table("benchmark", pl.DataFrame({"x": [1]}))
    assert warehouse.read_table("stage_counts").equals(COUNTS)
    assert warehouse.table_names() == ["stage_counts"]


def test_a_damaged_table_is_an_error_of_the_warehouse(warehouse: Warehouse) -> None:
    warehouse.write_table("stage_counts", COUNTS)
    warehouse.table_path("stage_counts").write_bytes(b"PAR1 no longer")
    with pytest.raises(WarehouseError, match="delete it"):
        warehouse.read_table("stage_counts")


def test_artefacts_have_a_folder_and_the_check_of_writing_leaves_no_table(warehouse: Warehouse) -> None:
    folder = warehouse.artefact_dir("adapters", "0123abcd")
    assert folder.is_dir() and folder == warehouse.artefact_dir("adapters", "0123abcd")
    assert os.path.relpath(folder, warehouse.folder) == "artefacts/adapters/0123abcd"
    warehouse.check_writable()
    assert warehouse.table_names() == []


def test_a_reader_may_hold_the_snapshot_while_runs_write(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    schema = pl.Schema({"n": pl.Int64})
    warehouse.write_table("numbers", pl.DataFrame({"n": [1, 2]}, schema=schema), schema)
    with duckdb.connect(warehouse.snapshot, read_only=True) as held:
        assert held.sql("SELECT sum(n) FROM numbers").fetchall() == [(3,)]
        warehouse.write_table("numbers", pl.DataFrame({"n": [5]}, schema=schema), schema)
        assert held.sql("SELECT sum(n) FROM numbers").fetchall() == [(3,)]
        with duckdb.connect(str(warehouse.snapshot.rename(tmp_path / "moved.duckdb")), read_only=True) as new:
            assert new.sql("SELECT sum(n) FROM numbers").fetchall() == [(5,)]
    assert not list(tmp_path.glob(".snapshot*"))
