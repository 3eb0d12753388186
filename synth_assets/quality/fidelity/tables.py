"""Two tables of files: read, their columns' kinds told, and made comparable.

CSV, Parquet, or one table of a DuckDB database, `FILE.duckdb:table`, which is opened read-only. Kinds are told from the
real table's types: numbers are numeric, dates and times are dates, truth values and texts are categories; a column of texts
is text if it holds more than `MAX_CATEGORIES` different ones, more than half as many as rows. Text is compared by features:
words, mean length of a word, shares of digits and of punctuation. Lists, other nested columns, and those that are empty in
the real table are left out, and named.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from synth_assets.errors import TableError, Where
from synth_assets.quality.fidelity.columns import Kind

MAX_CATEGORIES = 50
READABLE = "a .csv or .parquet file, or FILE.duckdb:TABLE"


@dataclass(frozen=True)
class ComparableTables:
    """Two frames with the columns of `kinds`, features in place of texts; `left_out`: why others are not there."""

    reference: pl.DataFrame
    synthetic: pl.DataFrame
    kinds: dict[str, Kind]
    left_out: tuple[str, ...]


def read_table(source: str) -> pl.DataFrame:
    """Raises TableError for a file that is not there, cannot be read, or holds no row."""
    file, _, table = source.rpartition(":") if ".duckdb:" in source else (source, "", "")
    path = Path(file)
    if not path.is_file():
        raise TableError("there is no such file", value=file, remedy=f"name {READABLE}")
    try:
        frame = _read_duckdb(path, table) if table else _read_file(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        line = next(iter(str(error).splitlines()), "")
        raise TableError(
            f"cannot be read: {line}", where=Where(file), remedy=f"give {READABLE}, whole and not cut"
        ) from error
    if not frame.width or not frame.height:
        found = f"{frame.width} columns, {frame.height} rows"
        raise TableError("the table is empty", value=found, where=Where(source), remedy="give one with at least one row")
    return frame


def _read_file(path: Path) -> pl.DataFrame:
    if path.suffix == ".csv":
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None, raise_if_empty=False)
    if path.suffix in (".parquet", ".pq"):
        return pl.read_parquet(path, glob=False)
    raise TableError("no table that can be read", value=path.name, remedy=f"give {READABLE}")


def _read_duckdb(path: Path, table: str) -> pl.DataFrame:
    import duckdb

    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            names = [str(row[0]) for row in connection.execute("SHOW TABLES").fetchall()]
            if table not in names:
                remedy = f"name one of {', '.join(names)}" if names else "give a database that holds tables"
                raise TableError("there is no such table", value=table, where=Where(str(path)), remedy=remedy)
            frame: pl.DataFrame = connection.table('"' + table.replace('"', '""') + '"').pl()
            return frame
    except duckdb.Error as error:
        remedy = "close whatever else holds it, and give a DuckDB database"
        raise TableError(f"cannot be read: {error}", where=Where(str(path)), remedy=remedy) from error


def make_comparable(
    reference: pl.DataFrame,
    synthetic: pl.DataFrame,
    names: tuple[str, str] = ("the real table", "the synthetic table"),
    *,
    categorical: Collection[str] = (),
    text: Collection[str] = (),
    columns: Collection[str] | None = None,
) -> ComparableTables:
    """The columns of the reference, or those named, with their kinds. `names` is how errors call the two tables.

    Raises TableError for a column that one table lacks, or that is another thing in the other; all of them at once.
    """
    wanted = list(reference.columns) if columns is None else list(columns)
    asked = [*wanted, *categorical, *text]
    _require(reference, asked, names[0], "--columns, --categorical and --text name columns of both tables")
    reference, synthetic = reference.select(wanted), _require(synthetic, wanted, names[1], _remedy(reference, wanted))
    kinds = {name: _kind(reference[name], name in categorical, name in text) for name in wanted}
    left_out = [f"{name}: {reference.schema[name]} is not compared" for name, kind in kinds.items() if kind is None]
    known: dict[str, Kind] = {name: kind for name, kind in kinds.items() if kind is not None}
    if not known:
        raise TableError("there is no column to compare", value=wanted, where=Where(names[0]), remedy="name others")
    synthetic = _with_types(synthetic.select(wanted), reference, known, names)
    texts = [name for name, kind in known.items() if kind == "text"]
    kinds_of_all: dict[str, Kind] = {name: kind for name, kind in known.items() if kind != "text"}
    kinds_of_all |= {feature: "numeric" for name in texts for feature in feature_names(name)}
    real, made = (add_text_features(frame, texts).select(list(kinds_of_all)) for frame in (reference, synthetic))
    return ComparableTables(real, made, kinds_of_all, tuple(left_out))


def _remedy(reference: pl.DataFrame, wanted: Sequence[str]) -> str:
    listed = ", ".join(wanted[:8]) + (", ..." if len(wanted) > 8 else "")
    return f"give it the real table's columns ({listed}), or choose some with --columns"


def _require(frame: pl.DataFrame, wanted: Sequence[str], name: str, remedy: str) -> pl.DataFrame:
    if missing := [column for column in dict.fromkeys(wanted) if column not in frame.columns]:
        word = "columns are" if len(missing) > 1 else "column is"
        raise TableError(f"{word} missing: {', '.join(missing)}", where=Where(name), remedy=remedy)
    return frame


def _kind(column: pl.Series, is_categorical: bool, is_text: bool) -> Kind | None:
    dtype = column.dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object) or column.null_count() == len(column):
        return None
    if is_categorical:
        return "categorical"
    if dtype.is_numeric():
        return "numeric"
    if dtype.is_temporal():
        return "date"
    if dtype == pl.String and (is_text or _is_text(column)):
        return "text"
    return "categorical"


def _is_text(column: pl.Series) -> bool:
    num_different = column.n_unique()
    return num_different > MAX_CATEGORIES and 2 * num_different > len(column)


def _with_types(
    synthetic: pl.DataFrame, reference: pl.DataFrame, kinds: dict[str, Kind], names: tuple[str, str]
) -> pl.DataFrame:
    """The synthetic table, empty columns given the reference's types. Raises TableError where a column is another thing."""
    empty = [name for name in kinds if synthetic[name].null_count() == synthetic.height]
    synthetic = synthetic.with_columns(pl.lit(None, dtype=reference.schema[name]).alias(name) for name in empty)
    wrong = []
    for name, kind in kinds.items():
        real, made = reference.schema[name], synthetic.schema[name]
        is_right = real == made or (real.is_numeric() and made.is_numeric())
        if kind == "categorical":
            is_right = is_right or not made.is_nested()
        if kind == "date" and made.is_temporal() and real != made:
            synthetic, is_right = synthetic.with_columns(pl.col(name).cast(real)), True
        if not is_right:
            wrong.append(f"{name} is {made}, not {real}")
    if wrong:
        remedy = f"write them as in {names[0]}, or name them with --categorical"
        raise TableError(f"columns of another type: {'; '.join(wrong)}", where=Where(names[1]), remedy=remedy)
    return synthetic


def feature_names(column: str) -> list[str]:
    """Those that `add_text_features` adds for a column of texts."""
    return [f"{column}: {what}" for what in ("words", "mean word length", "share of digits", "share of punctuation")]


def add_text_features(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Four numbers a column; missing for a text that is missing, the last three for one without letters as well."""
    added = []
    for column in columns:
        text = pl.col(column).cast(pl.String)
        words, letters = text.str.count_matches(r"\S+"), text.str.count_matches(r"\S")
        counted = (
            letters / words,
            text.str.count_matches(r"\d") / letters,
            text.str.count_matches(r"[\p{P}\p{S}]") / letters,
        )
        added += [each.alias(name) for name, each in zip(feature_names(column), (words, *counted), strict=True)]
    return frame.with_columns(added)
