"""Two tables of files: what is read, what is told when it cannot be, and what the command says."""

import json
import os
import re
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result
from made_table import make_frame

from synth_assets.cli import cli
from synth_assets.errors import TableError
from synth_assets.quality.fidelity import compare_tables, make_comparable, read_table, render_comparison
from synth_assets.quality.fidelity.tables import add_text_features, feature_names

SENTENCES = ["The cat sat.", "A dog, 2 years old, barked!", "Rain fell on the roof", "No 7 of 9 came home"]


def make(num_rows: int, is_synthetic: bool) -> pl.DataFrame:
    texts = [f"{SENTENCES[number % 4]} ({number})" for number in range(num_rows)]
    return make_frame(num_rows, 3, is_synthetic).with_columns(pl.Series("note", texts))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    real, made = make(300, False), make(400, True)
    real.write_csv(tmp_path / "real.csv")
    made.write_csv(tmp_path / "made.csv")
    made.write_parquet(tmp_path / "made.parquet")
    with duckdb.connect(tmp_path / "made.duckdb") as connection:
        connection.register("frame", made.to_arrow())
        connection.execute('CREATE TABLE "of ours" AS SELECT * FROM frame')
    named = {name: str(tmp_path / name) for name in ("real.csv", "made.csv", "made.parquet")}
    return {**named, "duckdb": f"{tmp_path}/made.duckdb:of ours"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["fidelity", *arguments])


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_the_same_rows_give_the_same_figures_from_any_kind_of_file(files: dict[str, str]) -> None:
    found = []
    for name in ("made.csv", "made.parquet", "duckdb"):
        result = run(files["real.csv"], files[name], "--json")
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert said["synthetic"] == {"table": files[name], "num_rows": 400}
        found.append((said["measures"], said["sdmetrics"], said["columns"]))
    assert found[0] == found[1] == found[2]
    assert found[0][2]["since"] == "date" and found[0][2]["is_member"] == "categorical"
    assert found[0][2]["note: words"] == "numeric" and "note" not in found[0][2]


def test_what_is_asked_for_first_comes_first_and_fail_makes_an_exit_code(files: dict[str, str]) -> None:
    result = run(files["real.csv"], files["made.csv"])
    titles = [line.split(":")[0] for line in result.stdout.splitlines() if re.match(r"[A-Z]\w+:", line)]
    assert titles == ["Means", "Variances", "Correlations", "Shapes", "Categories", "Pairs"] and result.exit_code == 0
    assert "QualityReport" in result.stdout and "is_member" in result.stdout
    assert re.search(r"^\d+ blocking tolerances? broken$", result.stdout, re.MULTILINE)
    assert run(files["real.csv"], files["made.csv"], "--fail").exit_code == 1
    same = run(files["real.csv"], files["real.csv"], "--fail")
    assert same.exit_code == 0 and "no blocking tolerance broken" in same.stdout


def test_kinds_can_be_said(files: dict[str, str]) -> None:
    chosen = ["--columns", "visits, note,region", "--categorical", "visits", "--text", "region"]
    said = json.loads(run(files["real.csv"], files["made.csv"], "--json", *chosen).stdout)
    assert [name for name, kind in said["columns"].items() if kind == "categorical"] == ["visits"]
    assert set(said["columns"]) == {"visits", *feature_names("note"), *feature_names("region")}


def test_features_of_texts_by_hand() -> None:
    frame = add_text_features(pl.DataFrame({"t": ["Ab 12, c!", "", None]}), ["t"])
    words, mean_length, digits, marks = (frame[name].to_list() for name in feature_names("t"))
    assert words == [3, 0, None] and mean_length[0] == pytest.approx(7 / 3)
    assert digits[0] == pytest.approx(2 / 7) and marks[0] == pytest.approx(2 / 7)
    assert np.isnan(mean_length[1]) and mean_length[2] is None


def test_the_page_stands_by_itself_and_escapes_what_tables_hold(files: dict[str, str], tmp_path: Path) -> None:
    evil = "<script>alert(1)</script> $x$"
    chosen = ["age", "trade", "note", pl.col("grade").alias(evil)]
    real, made = make(200, False).select(chosen), make(200, True).select(chosen)
    made = made.with_columns(trade=pl.lit("<img src=http://evil/x.png>"))
    page = render_comparison(compare_tables(make_comparable(real, made), ("a<b>.csv", "s.csv")))
    assert "<script" not in page and "a&lt;b&gt;.csv" in page and "&lt;script&gt;" in page
    assert not re.search(r"""(?:src|href)=["'](?!data:image/png;base64,)""", page) and "http" not in page
    assert page.count("<img alt") == 1 + 3 + 4
    report = tmp_path / "report.html"
    few = ["--columns", "age"]
    assert run(files["real.csv"], files["made.csv"], *few, "--report", str(report)).exit_code == 0
    first = report.read_bytes()
    assert run(files["real.csv"], files["made.csv"], *few, "--report", str(report)).exit_code == 0
    assert report.read_bytes() == first and b"Variances" in first
    nowhere = run(files["real.csv"], files["made.csv"], *few, "--report", str(tmp_path / "no" / "r.html"))
    assert nowhere.exit_code == 1 and "TableError" in nowhere.stderr and "name a file in a folder" in nowhere.stderr


def test_files_that_cannot_be_read_are_named(files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    (tmp_path / "head.csv").write_text("a,b\n", encoding="utf-8")
    (tmp_path / "cut.parquet").write_bytes(Path(files["made.parquet"]).read_bytes()[:500])
    (tmp_path / "not.duckdb").write_bytes(b"x" * 5000)
    (tmp_path / "table.xlsx").write_bytes(b"PK")
    for name, said in (
        ("none.csv", "there is no such file"),
        ("empty.csv", "the table is empty"),
        ("head.csv", "2 columns, 0 rows"),
        ("cut.parquet", "cannot be read"),
        ("not.duckdb:t", "cannot be read"),
        ("made.duckdb:none", "name one of of ours"),
        ("table.xlsx", "no table that can be read"),
    ):
        result = run(files["real.csv"], str(tmp_path / name))
        assert result.exit_code == 1 and "Traceback" not in result.output
        assert result.stderr.startswith("TableError: ") and said in result.stderr, (name, result.stderr)
        assert name.split(":")[0] in result.stderr and "->" in result.stderr


def test_columns_that_do_not_match_are_named_all_at_once() -> None:
    real = pl.DataFrame({"a": [1, 2], "b": ["x", "y"], "when": [date(2020, 1, 1)] * 2})
    with pytest.raises(TableError, match=r"made.csv: columns are missing: b, when\n  -> give it the real table's columns"):
        make_comparable(real, real.select("a"), ("real.csv", "made.csv"))
    with pytest.raises(TableError, match=r"real.csv: column is missing: z"):
        make_comparable(real, real, ("real.csv", "made.csv"), text=["z"])
    wrong = pl.DataFrame({"a": ["1", "2"], "b": ["x", "y"], "when": ["then", "now"]})
    with pytest.raises(
        TableError, match=r"made.csv: columns of another type: a is String, not Int64; when is String, not Date"
    ):
        make_comparable(real, wrong, ("real.csv", "made.csv"))
    assert make_comparable(real, wrong, categorical=["a", "when"]).kinds["a"] == "categorical"


def test_what_cannot_be_compared_is_left_out_and_empty_columns_are_of_any_type() -> None:
    real = pl.DataFrame({"a": [1.5, 2], "list": [[1], [2]], "none": [None, None]})
    tables = make_comparable(real, pl.DataFrame({"a": [None, None], "list": [[1], [2]], "none": ["x", "y"]}))
    assert tables.kinds == {"a": "numeric"} and tables.synthetic.schema["a"] == pl.Float64
    assert [each.split(":")[0] for each in tables.left_out] == ["list", "none"]
    with pytest.raises(TableError, match="no column to compare"):
        make_comparable(real.select("list"), real.select("list"))


def test_a_database_is_only_read(files: dict[str, str]) -> None:
    path = Path(files["duckdb"].split(":")[0])
    before = path.read_bytes()
    path.chmod(0o444)
    assert read_table(files["duckdb"]).height == 400
    assert path.read_bytes() == before and not path.with_suffix(".duckdb.wal").exists()
