"""Stage 5: base and tuned student answer the held-out benchmark; what may be said of the difference."""

from synth_assets.evaluation.accuracy import (
    PairedDifference,
    accuracy_table,
    paired_difference,
    wilson_interval,
)
from synth_assets.evaluation.answering import answer_benchmark
from synth_assets.evaluation.benchmark import read_benchmark

__all__ = [
    "PairedDifference",
    "accuracy_table",
    "answer_benchmark",
    "paired_difference",
    "read_benchmark",
    "wilson_interval",
]
