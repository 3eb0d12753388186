"""From a figure with its interval to a measurement with its verdict.

A gate is held against a confidence bound, never against a p-value alone: with enough rows any difference is
"significant". Which bound it is, is the measure's own choice: `ci_high <= tolerance` asks the data to show that they are
within the tolerance, `ci_low <= tolerance` stops only what is shown to be outside.

Too few rows are no pass: below `MIN_REFERENCE` rows identical distributions look different, and the verdict says
`insufficient_reference`; so it does where chance alone makes what must be caught (`fidelity.comparison`). A figure that is
no number has a verdict of its own as well, and its check fails.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from synth_assets.records import Direction, Measurement, Severity, TrustReport, Verdict

MIN_REFERENCE = 100
PERHAPS_CHANCE = "not told from chance"


@dataclass(frozen=True)
class Estimate:
    """A figure about one subject. `bound`: what is held against the threshold; None: the value.

    `words`: why there is no figure (`verdict` then says which kind of none), or which rows it is about.
    """

    measure: str
    subject: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    num_reference: int = 0
    num_synthetic: int = 0
    bound: float | None = None
    words: str = ""
    verdict: Verdict | None = None


def insufficient(measure: str, subject: str, num_reference: int, num_synthetic: int, least: int = MIN_REFERENCE) -> Estimate:
    """There are too few rows to compare."""
    words = f"{min(num_reference, num_synthetic)} rows are too few to compare: at least {least} are needed"
    return Estimate(
        measure, subject, math.nan, num_reference=num_reference, num_synthetic=num_synthetic, words=words,
        verdict="insufficient_reference",
    )  # fmt: skip


def not_assessed(measure: str, subject: str, why: str) -> Estimate:
    """Nothing was looked at, and `why` says why."""
    return Estimate(measure, subject, math.nan, words=why, verdict="not_assessed")


def hold(
    estimate: Estimate, report: TrustReport, threshold: float | None, direction: Direction, severity: Severity
) -> Measurement:
    """The measurement with its verdict. Without a threshold a figure is shown and passes."""
    bound = estimate.value if estimate.bound is None else estimate.bound
    return Measurement(
        report=report,
        measure=estimate.measure,
        subject=estimate.subject,
        num_reference=estimate.num_reference,
        num_synthetic=estimate.num_synthetic,
        value=_finite(estimate.value),
        ci_low=_finite(estimate.ci_low),
        ci_high=_finite(estimate.ci_high),
        bound=_finite(bound),
        threshold=threshold,
        direction=direction,
        severity=severity,
        verdict=estimate.verdict or _verdict(bound, threshold, direction),
        detail=estimate.words,
    )


def _verdict(bound: float, threshold: float | None, direction: Direction) -> Verdict:
    if not math.isfinite(bound):
        return "not_computable"
    if threshold is None:
        return "passed"
    return "passed" if (bound <= threshold if direction == "at_most" else bound >= threshold) else "failed"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
