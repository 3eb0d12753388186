"""Whether a tuned student may teach the next generation: it must beat its teacher on the same questions, beyond doubt.

Iterative weak-to-strong alignment (Nemotron-4 340B, arXiv 2406.11704): teacher, data, student, and the student
is the next teacher *if it is better*. Better is that the paired interval of the difference lies above zero as a whole; a
student that is merely not worse would move the chain one model further from people for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.errors import BenchmarkError
from synth_assets.evaluation.accuracy import PairedDifference, paired_difference
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion


def questions_that_decide(questions: Sequence[BenchmarkQuestion], folder: str) -> list[BenchmarkQuestion]:
    """Those of what is taught. Raises BenchmarkError if there is none."""
    taught = [question for question in questions if question.suite == "taxonomy"]
    if not taught:
        raise BenchmarkError(
            "there is no question to judge a next teacher by", value=folder,
            remedy="name a folder with questions of suite taxonomy in evaluation.benchmark or tuning.checkpoint_choice",
        )  # fmt: skip
    return taught


def against_teacher(
    teacher: Sequence[BenchmarkAnswer], student: Sequence[BenchmarkAnswer], confidence: float
) -> PairedDifference:
    """The student (arm tuned) less the teacher (arm teacher), on what is taught.

    Raises BenchmarkError unless both answered the same questions.
    """
    return paired_difference([*teacher, *student], "taxonomy", confidence, against="teacher")


def is_better(difference: PairedDifference) -> bool:
    """Whether the whole interval lies above zero."""
    return difference.ci_low > 0
