"""Where rows and artefacts lie: Parquet files, published in one DuckDB file."""

from synth_assets.storage.lock import FileLock
from synth_assets.storage.warehouse import SCHEMA_VERSION, Warehouse

__all__ = ["SCHEMA_VERSION", "FileLock", "Warehouse"]
