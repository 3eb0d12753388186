"""Figures of a report on trust, each held against its gate: what the reports write, and the suites that judge it.

A gate whose measure was not computed at all has a row as well, which fails: a measure that silently drops out would
otherwise pass for ever.

A gate is one question with one answer: one failed subject of twenty stops what comes after. So a measure of many subjects
(columns, pairs of columns) answers for the chance that *any* clean one fails, by Bonferroni within the measure
(`fidelity.resampling`). Where all finds are listed for a reader, as by `synth-assets fidelity`, what counts is which share
of them is false, and columns are tested at a false discovery rate (`fidelity.table_comparison`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from synth_assets.quality.estimates import Estimate, hold
from synth_assets.quality.expectations import Expectation, Suite, measure_at_least, measure_at_most
from synth_assets.recipe import GATES, Recipe, TrustSection
from synth_assets.records import TRUST_REPORTS, Measurement, TrustReport

#: Ends the name under which a measure is held against its nearer threshold.
NEARER = "_warn"


def gates_of(report: TrustReport) -> list[str]:
    """The measures of a report that have a gate, in order."""
    return [measure for measure, declared in GATES.items() if declared.report == report]


def hold_all(report: TrustReport, estimates: Sequence[Estimate], trust: TrustSection) -> list[Measurement]:
    """One measurement an estimate; those without a gate are shown as they are. The order is kept."""
    found = {estimate.measure for estimate in estimates}
    absent = [
        Estimate(measure, "all", math.nan, words="it was not measured", verdict="not_computable")
        for measure in gates_of(report)
        if measure not in found
    ]
    return [_held(report, estimate, trust) for estimate in (*estimates, *absent)]


def _held(report: TrustReport, estimate: Estimate, trust: TrustSection) -> Measurement:
    declared = GATES.get(estimate.measure)
    if declared is None or declared.report != report:
        return hold(estimate, report, None, "at_most", "info")
    gate = trust.gate(estimate.measure)
    return hold(estimate, report, gate.value, declared.direction, gate.severity)


def trust_suites(recipe: Recipe) -> list[Suite]:
    """One suite a report: a check for each measure whose gate blocks or warns."""
    return [Suite(report, ("measures",), tuple(_expectations(report, recipe.trust))) for report in TRUST_REPORTS]


def _expectations(report: TrustReport, trust: TrustSection) -> list[Expectation]:
    checks = []
    for measure in gates_of(report):
        gate, direction = trust.gate(measure), GATES[measure].direction
        if gate.severity != "info":
            held = measure_at_most if direction == "at_most" else measure_at_least
            checks.append(held(f"{measure}_is_within_bounds", measure, gate.reason, is_blocking=gate.severity == "block"))
            if gate.warn is not None:
                checks.append(held(f"{measure}_is_comfortable", f"{measure}{NEARER}", gate.reason, is_blocking=False))
    checks.append(
        measure_at_most(
            "there_are_rows_to_compare_with", "measures_with_too_few_rows",
            "with few rows identical populations look different, and nothing is said of them", is_blocking=False,
        )
    )  # fmt: skip
    return checks
