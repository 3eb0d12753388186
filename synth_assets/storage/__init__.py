"""Where rows and artefacts lie: Parquet files, published in one DuckDB file; the journal of model calls."""

from synth_assets.storage.journal import Journal, open_journal, read_journal
from synth_assets.storage.lock import FileLock
from synth_assets.storage.warehouse import SCHEMA_VERSION, Warehouse, frame_digest

__all__ = ["SCHEMA_VERSION", "FileLock", "Journal", "Warehouse", "frame_digest", "open_journal", "read_journal"]
