"""The checks of the reports on trust: a measure within its bound passes, one beyond fails by name, and none is no pass."""

from pathlib import Path

import pytest

from synth_assets.frames import to_frame
from synth_assets.quality import (
    Estimate,
    ExpectationResult,
    gates_of,
    hold_all,
    insufficient,
    judge_stage,
    not_assessed,
    suites_of,
)
from synth_assets.recipe import GATES, read_recipe
from synth_assets.records import TRUST_REPORTS, Measurement, TrustReport

RECIPE = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml", "demo")
SUITES = suites_of(RECIPE)


def _at_its_bound(measure: str) -> Estimate:
    gate = GATES[measure].gate
    return Estimate(measure, "all", gate.value if gate.warn is None else gate.warn)


def _judge(report: str, measured: list[Measurement]) -> dict[str, ExpectationResult]:
    results = judge_stage(SUITES[report], {"measures": to_frame(measured, Measurement)}, RECIPE)
    assert [result.name for result in results] == [each.name for each in SUITES[report].expectations]
    return {result.name: result for result in results}


@pytest.mark.parametrize("report", TRUST_REPORTS)
def test_measures_at_their_bounds_pass(report: TrustReport) -> None:
    results = _judge(report, hold_all(report, [_at_its_bound(name) for name in gates_of(report)], RECIPE.trust))
    assert all(result.is_passed and result.observed and result.reason for result in results.values())


@pytest.mark.parametrize("report", TRUST_REPORTS)
def test_a_report_that_measured_nothing_passes_no_gate(report: TrustReport) -> None:
    """Neither with no row at all, nor with rows that say that there is no figure."""
    for measured in ([], hold_all(report, [], RECIPE.trust)):
        results = _judge(report, measured)
        del results["there_are_rows_to_compare_with"]
        assert results and not any(result.is_passed for result in results.values())


@pytest.mark.parametrize("measure", [name for name, declared in GATES.items() if declared.gate.severity != "info"])
def test_a_measure_beyond_its_bound_fails_its_check_and_names_the_rows(measure: str) -> None:
    declared = GATES[measure]
    beyond = declared.gate.value + (0.01 if declared.direction == "at_most" else -0.01)
    estimates = [_at_its_bound(name) for name in gates_of(declared.report) if name != measure]
    estimates += [_at_its_bound(measure), Estimate(measure, "a part", beyond, words="row 4711 of leaf a")]
    results = _judge(declared.report, hold_all(declared.report, estimates, RECIPE.trust))
    result = results[f"{measure}_is_within_bounds"]
    assert not result.is_passed and "a part" in result.observed and "row 4711" in result.observed
    assert result.is_blocking == (declared.gate.severity == "block")
    others = [each for name, each in results.items() if not name.startswith(measure)]
    assert all(each.is_passed for each in others)


def test_what_was_not_assessed_is_said_and_is_no_failure() -> None:
    rows = [not_assessed(name, "all", "nobody has declared it") for name in gates_of("diversity_report")]
    results = _judge("diversity_report", hold_all("diversity_report", rows, RECIPE.trust))
    assert all(result.is_passed for result in results.values())
    assert "not assessed: nobody has declared it" in results["acceptance_ratio_is_within_bounds"].observed
    few = [insufficient(name, "all", 7, 2000) for name in gates_of("diversity_report")]
    results = _judge("diversity_report", hold_all("diversity_report", few, RECIPE.trust))
    too_few = results["there_are_rows_to_compare_with"]
    assert not too_few.is_passed and "leaf_coverage" in too_few.observed and "more" in too_few.observed
    assert "7 rows" in results["vendi_ratio_is_within_bounds"].observed
