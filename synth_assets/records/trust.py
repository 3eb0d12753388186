"""What the reports on fidelity, privacy, diversity and collapse write: one row a measure and subject."""

from __future__ import annotations

from dataclasses import dataclass

from synth_assets.records.kinds import Direction, Severity, TrustReport, Verdict


@dataclass(frozen=True)
class Measurement:
    """A figure about data or a model, and what it is held against.

    `subject` is what was measured: a feature, a branch, a group, or `all`. `bound` is the number that must stay on the
    right side of `threshold` (`direction`: at_most or at_least): an end of the interval, or the value itself. Figures are
    null where there is none; beside insufficient_reference they may be shown, and nothing is said of them. `detail` names
    rows, or says in words why nothing was assessed.
    """

    report: TrustReport
    measure: str
    subject: str
    num_reference: int
    num_synthetic: int
    value: float | None
    ci_low: float | None
    ci_high: float | None
    bound: float | None
    threshold: float | None
    direction: Direction
    severity: Severity
    verdict: Verdict
    detail: str
