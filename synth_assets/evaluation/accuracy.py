"""Accuracies with intervals, and the difference between two models that answered the same questions.

Why Wilson: at 0 or 100 % right, which small benchmarks meet often, the textbook interval has no width. Why a paired
difference: the questions' common difficulty cancels, so that the interval is much narrower than the two side by side
suggest. All intervals speak of *questions like these*, drawn anew within the same leaves; what another taxonomy
would show they do not tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from synth_assets.errors import BenchmarkError
from synth_assets.frames import to_frame
from synth_assets.intervals import wilson_interval
from synth_assets.records import BenchmarkAnswer, ModelArm, Suite

ALL_LEAVES = "all"
ACCURACY_SCHEMA = pl.Schema(
    {
        "model": pl.String, "suite": pl.String, "leaf_path": pl.String, "num_questions": pl.Int64,
        "num_right": pl.Int64, "accuracy": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64,
    }
)  # fmt: skip


def accuracy_table(answers: Sequence[BenchmarkAnswer], confidence: float) -> pl.DataFrame:
    """One row for each model, suite and leaf, and one with leaf_path `all` before them; Wilson intervals."""
    frame = to_frame(answers, BenchmarkAnswer).select("model", "suite", "leaf_path", "is_right")
    frame = pl.concat([frame.with_columns(leaf_path=pl.lit(ALL_LEAVES)), frame])
    counts = frame.group_by("model", "suite", "leaf_path").agg(
        num_questions=pl.len().cast(pl.Int64), num_right=pl.col("is_right").sum().cast(pl.Int64)
    )
    counts = counts.sort(pl.col("suite") != "taxonomy", pl.col("leaf_path") != ALL_LEAVES, "leaf_path", "model")
    rows = [
        (*row, row[4] / row[3], *wilson_interval(row[4], row[3], confidence))
        for row in counts.select("model", "suite", "leaf_path", "num_questions", "num_right").iter_rows()
    ]
    return pl.DataFrame(rows, schema=ACCURACY_SCHEMA, orient="row")


@dataclass(frozen=True)
class PairedDifference:
    """accuracy(tuned) - accuracy(base) on the same questions, with its interval and McNemar's exact p-value.

    `base` may be another model that the tuned one is held against, such as the teacher (`promotion`).
    """

    suite: Suite
    num_questions: int
    base: float
    tuned: float
    difference: float
    ci_low: float
    ci_high: float
    p_value: float


def paired_difference(
    answers: Sequence[BenchmarkAnswer], suite: Suite, confidence: float, against: ModelArm = "base"
) -> PairedDifference:
    """Interval: R. G. Newcombe 1998, Stat. Med. 17:2635, method 10 (paired, from Wilson intervals, continuity-
    corrected correlation). p-value: McNemar 1947, exact binomial on the questions that one model alone has right.

    Raises BenchmarkError unless both models answered the same questions of the suite, at least one.
    """
    right: dict[str, dict[str, bool]] = {against: {}, "tuned": {}}
    for answer in answers:
        if answer.suite == suite and answer.model in right:
            right[answer.model][answer.benchmark_question_id] = answer.is_right
    base, tuned = right[against], right["tuned"]
    if not base or base.keys() != tuned.keys():
        whom = "base" if against == "base" else f"{against} model"
        raise BenchmarkError(
            f"{whom} and tuned student must answer the same questions of suite {suite}",
            value=(len(base), len(tuned)), remedy="materialize evaluation again",
        )  # fmt: skip
    both = sum(base[key] and tuned[key] for key in base)
    only_base, only_tuned = sum(base.values()) - both, sum(tuned.values()) - both
    num = len(base)
    low, high = _newcombe_interval(both, only_tuned, only_base, num - both - only_base - only_tuned, confidence)
    share_base, share_tuned = sum(base.values()) / num, sum(tuned.values()) / num
    return PairedDifference(
        suite, num, share_base, share_tuned, share_tuned - share_base, low, high, _mcnemar(only_base, only_tuned)
    )


def _newcombe_interval(e: int, f: int, g: int, h: int, confidence: float) -> tuple[float, float]:
    """For (f - g) / n; e, f, g, h as in the paper: both right, first only, second only, neither."""
    n = e + f + g + h
    first, second = (e + f) / n, (e + g) / n
    low_1, high_1 = wilson_interval(e + f, n, confidence)
    low_2, high_2 = wilson_interval(e + g, n, confidence)
    margins = (e + f) * (g + h) * (e + g) * (f + h)
    product = float(e * h - f * g)
    if product > 0:
        product = max(product - n / 2, 0.0)
    phi = product / math.sqrt(margins) if margins else 0.0
    down, up = (first - low_1, high_2 - second), (high_1 - first, second - low_2)
    low, high = (math.sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0)) for a, b in (down, up))
    return first - second - low, first - second + high


def _mcnemar(only_base: int, only_tuned: int) -> float:
    num, fewer = only_base + only_tuned, min(only_base, only_tuned)
    num_as_extreme = 2 * sum(math.comb(num, k) for k in range(fewer + 1))
    return min(1.0, num_as_extreme / (1 << num))
