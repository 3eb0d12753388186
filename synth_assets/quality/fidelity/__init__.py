"""How near synthetic rows come to real ones: columns, pairs of columns, whole tables."""

from synth_assets.quality.fidelity.columns import Kind
from synth_assets.quality.fidelity.compare import HOLDOUT_MARGIN, LEAST, MEASURES, TOLERANCES, compare_features
from synth_assets.quality.fidelity.scores import Score, TableScores, score_tables
from synth_assets.quality.fidelity.table_comparison import TableComparison, compare_tables, comparison_json
from synth_assets.quality.fidelity.table_report import comparison_text, render_comparison, write_report
from synth_assets.quality.fidelity.tables import ComparableTables, make_comparable, read_table

__all__ = [
    "HOLDOUT_MARGIN",
    "LEAST",
    "MEASURES",
    "TOLERANCES",
    "ComparableTables",
    "Kind",
    "Score",
    "TableComparison",
    "TableScores",
    "compare_features",
    "compare_tables",
    "comparison_json",
    "comparison_text",
    "make_comparable",
    "read_table",
    "render_comparison",
    "score_tables",
    "write_report",
]
