"""Every column of every table says in the UI what it means."""

import dagster as dg
import pytest

from synth_assets.assets.columns import DESCRIPTIONS, column_schema
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
