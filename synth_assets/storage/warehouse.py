"""The warehouse: one Parquet file a table, and one DuckDB file in which each is a view.

    <folder>/warehouse.json                 schema version
    <folder>/tables/<table>/<table>.parquet replaced as a whole, atomically
    <folder>/synth_assets.duckdb            views over them, and `published_tables`
    <folder>/snapshot.duckdb                all tables, copied, for people's own queries
    <folder>/artefacts/<kind>/<key>/        what is no table: adapters, reports

A DuckDB file that is open for writing shuts out every other process, so no connection is held: a write
takes the file lock, opens the database, renames the finished Parquet into place, publishes
the view and lets go.
The database is opened *before* the rename: if another process holds it, the previous table stays. Our own
reads never open it, they go to the Parquet files, and so cannot block a writer nor be blocked. For people there is the
snapshot: a file of its own that is swapped in by a rename after each publication, so that a shell or notebook may hold
the one that it opened for hours, while runs write.

Determinism: the same frame gives the same bytes (row order, compression and row groups are fixed, and no time
is written into the file). Simplification: a table is put together in memory before it is written.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from synth_assets.errors import (
    WarehouseError,
    WarehouseLockedError,
    WarehouseSpaceError,
    WarehouseVersionError,
)
from synth_assets.frames import schema_of
from synth_assets.records import TABLES
from synth_assets.storage.atomic import swapped_in, write_beside
from synth_assets.storage.lock import POLL_S, FileLock

SCHEMA_VERSION = 3
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
#: safetensors and torch raise errors of their own
_NO_SPACE_IN_WORDS = (
    "no space left", "disk quota exceeded", "file too large", "failed writing file", "os error 28", "disk is full",
)  # fmt: skip


@dataclass(frozen=True)
class Warehouse:
    """A folder of tables and artefacts. Making the object touches nothing on disk."""

    folder: Path
    lock_timeout_s: float = 120.0

    @property
    def database(self) -> Path:
        return self.folder / "synth_assets.duckdb"

    @property
    def snapshot(self) -> Path:
        return self.folder / "snapshot.duckdb"

    def table_path(self, name: str) -> Path:
        """Where the table's Parquet file lies or would lie."""
        return self.folder / "tables" / _checked(name, _NAME) / f"{name}.parquet"

    def has_table(self, name: str) -> bool:
        return self.table_path(name).is_file()

    def table_names(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("tables/*/*.parquet") if path.stem == path.parent.name)

    def write_table(self, name: str, frame: pl.DataFrame, schema: pl.Schema | None = None) -> str:
        """Replace a table by this frame, in its row order; returns the SHA-256 of the file.

        `schema` defaults to that of the record in `records.TABLES`. Raises WarehouseError, with the previous
        table intact: wrong schema, locked, no space, read-only, written by a newer version.
        """
        self._check_schema(name, frame, schema)
        content = _parquet_bytes(frame)
        digest = hashlib.sha256(content).hexdigest()
        with self._writing():
            target = self.table_path(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            finished = write_beside(target, content)
            try:
                with self._database() as connection, swapped_in(finished, target):
                    _publish(connection, target, name, frame.height, digest)
                self._swap_snapshot()
            finally:
                finished.unlink(missing_ok=True)
        return digest

    def _swap_snapshot(self) -> None:
        """Simplification: all tables are copied each time, about 1 s for 100 MB."""
        partial = self.folder / f".snapshot.{os.getpid()}.tmp"
        try:
            with duckdb.connect(partial) as connection:
                for name in self.table_names():
                    connection.execute(_view_sql(name, self.table_path(name), "TABLE"))
            os.replace(partial, self.snapshot)
        except (duckdb.Error, OSError) as error:
            raise _write_failure(error, self.snapshot) from error
        finally:
            partial.unlink(missing_ok=True)

    def read_table(self, name: str) -> pl.DataFrame:
        """The whole table. Raises WarehouseError if there is none."""
        self._check_version()
        if not self.has_table(name):
            there = ", ".join(self.table_names()) or "none"
            raise WarehouseError(
                "there is no such table in the warehouse",
                value=name,
                remedy=f"materialize the asset first; the tables are: {there}",
            )
        try:
            return pl.read_parquet(self.table_path(name), glob=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _write_failure(error, self.table_path(name)) from error

    def query(self, sql: str) -> pl.DataFrame:
        """The rows of one SELECT over all tables, without a lock. Raises WarehouseError for anything else."""
        self._check_version()
        with duckdb.connect(":memory:") as connection:
            for name in self.table_names():
                connection.execute(_view_sql(name, self.table_path(name)))
            try:
                statements = connection.extract_statements(sql)
                if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
                    raise WarehouseError("a query is exactly one SELECT", value=sql, remedy="queries cannot write")
                frame: pl.DataFrame = connection.sql(sql).pl()
                return frame
            except duckdb.Error as error:
                names = ", ".join(self.table_names()) or "none"
                raise WarehouseError(f"the query failed: {error}", remedy=f"the tables are: {names}") from error

    def artefact_dir(self, kind: str, key: str) -> Path:
        """The folder of an artefact, made if need be; `key` is a content hash or another plain name."""
        self._check_version()
        path = self.folder / "artefacts" / _checked(kind, _NAME) / _checked(key, _KEY)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _write_failure(error, path) from error
        return path

    def check_writable(self) -> None:
        """Raises WarehouseError if a table could not be written now."""
        with self._writing(), self._database():
            pass

    def _check_schema(self, name: str, frame: pl.DataFrame, schema: pl.Schema | None) -> None:
        record_type = TABLES.get(_checked(name, _NAME))
        expected = schema if schema is not None else (schema_of(record_type) if record_type else None)
        if expected is not None and list(frame.schema.items()) != list(expected.items()):
            differing = sorted(set(frame.schema.items()) ^ set(expected.items()), key=str)
            raise WarehouseError(
                f"table {name}: the frame has another schema than the table",
                value=", ".join(f"{column}: {kind}" for column, kind in differing) or "order of columns",
                remedy="build the frame with records.to_frame",
            )

    def _check_version(self) -> None:
        file = self.folder / "warehouse.json"
        try:
            version = json.loads(file.read_text(encoding="utf-8"))["schema_version"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            remedy = "move it away, and with it the warehouse if it is not yours"
            raise WarehouseError(f"{file} cannot be read: {error}", remedy=remedy) from error
        if isinstance(version, int) and version < SCHEMA_VERSION:
            raise WarehouseVersionError(
                f"{self.folder} was written by an older version of synth_assets, whose tables had other columns",
                value=f"schema {version}, this program writes {SCHEMA_VERSION}",
                remedy="move it away, or choose another folder with SYNTH_ASSETS_WAREHOUSE; all of it can be made again",
            )
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise WarehouseVersionError(
                f"{self.folder} was written by a newer version of synth_assets",
                value=f"schema {version}, this program knows up to {SCHEMA_VERSION}",
                remedy="update synth_assets, or choose another folder with SYNTH_ASSETS_WAREHOUSE",
            )

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "warehouse.lock", self.lock_timeout_s).hold():
                self._check_version()
                if not (self.folder / "warehouse.json").exists():
                    content = json.dumps({"schema_version": SCHEMA_VERSION}).encode()
                    file = self.folder / "warehouse.json"
                    os.replace(write_beside(file, content), file)
                yield
        except OSError as error:
            raise _write_failure(error, self.folder) from error

    @contextmanager
    def _database(self) -> Iterator[duckdb.DuckDBPyConnection]:
        connection = self._connect()
        try:
            yield connection
        except duckdb.Error as error:
            raise _write_failure(error, self.database) from error
        finally:
            connection.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.lock_timeout_s
        while True:
            try:
                return duckdb.connect(self.database)
            except duckdb.Error as error:
                if "lock" not in str(error).lower():
                    raise _write_failure(error, self.database) from error
                if time.monotonic() >= deadline:
                    holder = re.search(r"\(PID (\d+)\)", str(error))
                    raise WarehouseLockedError(
                        f"another process has {self.database} open",
                        value=f"process {holder[1]}" if holder else str(error),
                        remedy="close it there (a DuckDB shell, a notebook) and run again; nothing is lost",
                    ) from error
            time.sleep(POLL_S)


def frame_digest(frame: pl.DataFrame) -> str:
    """The SHA-256 that the file of a table with these rows has."""
    return hashlib.sha256(_parquet_bytes(frame)).hexdigest()


def _parquet_bytes(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.rechunk().write_parquet(buffer, compression="zstd", compression_level=3, row_group_size=65_536)
    return buffer.getvalue()


def _publish(connection: duckdb.DuckDBPyConnection, file: Path, name: str, num_rows: int, digest: str) -> None:
    connection.execute("BEGIN")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS published_tables (name VARCHAR PRIMARY KEY, num_rows BIGINT, sha256 VARCHAR)"
    )
    connection.execute("INSERT OR REPLACE INTO published_tables VALUES (?, ?, ?)", [name, num_rows, digest])
    connection.execute(_view_sql(name, file))
    connection.execute("COMMIT")


def _view_sql(name: str, file: Path, kind: str = "VIEW") -> str:
    quoted = str(file.absolute()).replace("'", "''")
    return f"CREATE OR REPLACE {kind} \"{name}\" AS SELECT * FROM read_parquet('{quoted}')"


def _checked(name: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(name):
        raise WarehouseError("not a name of a table or artefact", value=name, remedy=f"names match {pattern.pattern}")
    return name


def no_room_left(error: Exception) -> bool:
    """Whether this is how the system, or a library that writes files, says that a disk or a quota is full."""
    number = error.errno if isinstance(error, OSError) else None
    return number in _NO_SPACE or any(words in str(error).lower() for words in _NO_SPACE_IN_WORDS)


def room_failure(error: Exception, folder: Path) -> WarehouseSpaceError:
    """What to raise for it where what was under way can be gone on with."""
    remedy = "free some space and run again: it goes on from what was written before"
    first_line = next(iter(str(error).splitlines()), type(error).__name__)
    return WarehouseSpaceError(f"no room left to write in {folder}", value=first_line, remedy=remedy)


def _write_failure(error: Exception, path: Path) -> WarehouseError:
    number = error.errno if isinstance(error, OSError) else None
    text = str(error)
    if no_room_left(error):
        remedy = "free some space, or set SYNTH_ASSETS_WAREHOUSE to another folder; the previous table is intact"
        return WarehouseSpaceError(f"no room left to write {path}", value=text, remedy=remedy)
    if number in (errno.EACCES, errno.EPERM, errno.EROFS) or "permission denied" in text.lower():
        remedy = "make the folder writable, or choose another one with SYNTH_ASSETS_WAREHOUSE"
        return WarehouseError(f"{path} cannot be written", value=text, remedy=remedy)
    remedy = "look at the file named; if it is damaged, delete it and materialize the asset again"
    return WarehouseError(f"{path} cannot be used", value=text, remedy=remedy)
