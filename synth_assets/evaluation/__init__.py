"""Stage 5: base and tuned student answer the held-out benchmark; what may be said of the difference."""

from synth_assets.evaluation.accuracy import (
    PairedDifference,
    accuracy_table,
    paired_difference,
)
from synth_assets.evaluation.answering import answer_benchmark
from synth_assets.evaluation.benchmark import read_benchmark
from synth_assets.evaluation.comparison import caveats, compare
from synth_assets.evaluation.harness import run_harness
from synth_assets.evaluation.harness_tasks import check_tasks, write_tasks
from synth_assets.evaluation.pairwise import answer_open_questions, compare_answers, read_open_questions
from synth_assets.evaluation.promotion import against_teacher, is_better, questions_that_decide

__all__ = [
    "PairedDifference",
    "accuracy_table",
    "against_teacher",
    "answer_benchmark",
    "answer_open_questions",
    "caveats",
    "check_tasks",
    "compare",
    "compare_answers",
    "is_better",
    "paired_difference",
    "questions_that_decide",
    "read_benchmark",
    "read_open_questions",
    "run_harness",
    "write_tasks",
]
