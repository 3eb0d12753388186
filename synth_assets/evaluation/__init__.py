"""Stage 5: base and tuned student answer the held-out benchmark; what may be said of the difference."""

from synth_assets.evaluation.accuracy import (
    PairedDifference,
    accuracy_table,
    paired_difference,
    wilson_interval,
)
from synth_assets.evaluation.answering import answer_benchmark
from synth_assets.evaluation.benchmark import read_benchmark
from synth_assets.evaluation.comparison import caveats, compare
from synth_assets.evaluation.harness import run_harness
from synth_assets.evaluation.harness_tasks import check_tasks, write_tasks

__all__ = [
    "PairedDifference",
    "accuracy_table",
    "answer_benchmark",
    "caveats",
    "check_tasks",
    "compare",
    "paired_difference",
    "read_benchmark",
    "run_harness",
    "wilson_interval",
    "write_tasks",
]
