"""Every column of every table says in the UI what it means."""

import dagster as dg
import pytest

from synth_assets.assets.columns import DESCRIPTIONS, RENAMED, column_lineage, column_schema
from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.frames import schema_of
from synth_assets.records import TABLES


@pytest.mark.parametrize("name", TABLES)
def test_every_column_is_described(name: str) -> None:
    schema = column_schema(name)["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == schema_of(TABLES[name]).names()
    assert [column.name for column in schema.columns if not column.description] == []


def test_no_description_is_left_over() -> None:
    columns = {name for record_type in TABLES.values() for name in schema_of(record_type).names()}
    assert {key.rpartition(".")[2] for key in DESCRIPTIONS} <= columns


def test_lineage_names_columns_that_there_are() -> None:
    for table, made_of in INGREDIENTS.items():
        if not made_of.has_table:
            continue
        lineage = column_lineage(table, made_of.upstream)["dagster/column_lineage"].deps_by_column
        assert set(lineage) <= set(schema_of(TABLES[table]))
        for deps in lineage.values():
            for dep in deps:
                assert dep.column_name in schema_of(TABLES[dep.asset_key.path[-1]])
                assert dep.asset_key.path[-1] in made_of.upstream
    assert set(RENAMED) <= {f"{table}.{column}" for table in TABLES for column in schema_of(TABLES[table])}
