"""Every check has a planted defect, the verdicts are the product's own, and the committed rates are what they must be."""

import json
from dataclasses import replace

import pytest

from synth_assets.frames import to_frame
from synth_assets.quality import Estimate, hold_all, insufficient, judge_stage, not_assessed, suites_of
from synth_assets.recipe import GATES, Recipe, read_recipe, resolve_path
from synth_assets.records import TRUST_REPORTS, Measurement, TrustReport
from synth_assets.studies.documents import render_document
from synth_assets.studies.gates.planted import DEFECTS, TOO_FEW
from synth_assets.studies.gates.planted_rows import Planted, plant_in_privacy
from synth_assets.studies.gates.planted_sets import plant_in_collapse
from synth_assets.studies.gates.planted_tables import SPECIAL, defects_of
from synth_assets.studies.gates.study import Outcome, judge_report, rates, subjects_of
from synth_assets.studies.gates.trust_world import TrustWorld
from synth_assets.studies.gates.whole_tables import with_every_stage
from synth_assets.studies.results import write_study

RECIPE = with_every_stage(read_recipe("data/recipes/embedded.yaml", "demo"))
STUDY = resolve_path("data/studies/gates.json")


def _verdicts(report: TrustReport, estimates: list[Estimate], recipe: Recipe = RECIPE) -> dict[str, bool]:
    """Check -> whether it fails."""
    return {check.name: has_failed for check, has_failed in judge_report(recipe, report, estimates)}


def _estimates_of(report: TrustReport, distance: float) -> list[Estimate]:
    """A figure for each gate: so far on the right side of its thresholds; the first measure with a second subject."""
    found = []
    for name in (name for name, gate in GATES.items() if gate.report == report):
        sign = 1 if GATES[name].direction == "at_least" else -1
        gate = RECIPE.trust.gate(name)
        nearest = gate.value if gate.warn is None else gate.warn
        found.append(Estimate(name, "all", nearest + sign * distance))
    return [*found, replace(found[0], subject="another")]


@pytest.mark.parametrize("report", TRUST_REPORTS)
@pytest.mark.parametrize("plant", ["nothing", "beyond", "not a number", "not measured", "too few", "not assessed"])
def test_the_short_way_to_a_verdict_agrees_with_great_expectations(report: TrustReport, plant: str) -> None:
    estimates = _estimates_of(report, -0.01 if plant == "beyond" else 0.01)
    first = estimates[0]
    if plant == "not a number":
        estimates[0] = replace(first, value=float("nan"))
    if plant == "not measured":
        estimates = estimates[1:-1]
    if plant == "too few":
        estimates[0] = insufficient(first.measure, "all", 5, 5)
    if plant == "not assessed":
        estimates[0] = estimates[-1] = not_assessed(first.measure, "all", "for the test")
    suite = suites_of(RECIPE)[report]
    tables = {"measures": to_frame(hold_all(report, estimates, RECIPE.trust), Measurement)}
    judged = {result.name: not result.is_passed for result in judge_stage(suite, tables, RECIPE)}
    found = _verdicts(report, estimates)
    assert {name: found.get(name, False) for name in judged} == judged
    assert any(judged.values()) == (plant not in ("nothing", "not assessed"))


def _held(planted: Planted, report: TrustReport) -> dict[str, bool]:
    return {
        check.where[0][1]: has_failed
        for check, has_failed in judge_report(RECIPE, report, planted.estimates)
        if planted.checks is None or {check.where[0][1], check.name} & set(planted.checks)
    }


def test_planted_rows_fail_the_checks_on_privacy_and_clean_rows_pass() -> None:
    clean, *planted = [_held(each, "privacy_report") for each in plant_in_privacy(TrustWorld(RECIPE, 1))]
    assert clean and not any(clean.values())
    assert all(all(verdicts.values()) for verdicts in planted)
    found = set().union(*planted)
    assert {name for name, gate in GATES.items() if gate.report == "privacy_report"} < found


def test_planted_mixes_fail_the_checks_on_collapse_and_clean_mixes_pass() -> None:
    planted = [(each.has_defect, _held(each, "collapse_report")) for each in plant_in_collapse(TrustWorld(RECIPE, 1))]
    assert planted and all(set(verdicts.values()) == {has_defect} for has_defect, verdicts in planted)
    found = set().union(*(verdicts for has_defect, verdicts in planted if has_defect))
    assert {name for name, gate in GATES.items() if gate.report == "collapse_report"} <= found


def test_one_seed_draws_the_same_world_again_and_another_seed_another() -> None:
    first, again, other = (TrustWorld(RECIPE, seed).samples for seed in (1, 1, 2))
    assert first == again and first != other and 1800 < len(first) < 2200


def test_every_check_of_every_stage_has_a_planted_defect() -> None:
    stages = [suite for suite in suites_of(RECIPE).values() if suite.name not in TRUST_REPORTS]
    assert all(defects_of(suite, check) for suite in stages for check in suite.expectations)
    assert set(SPECIAL) <= {(suite.name, check.name) for suite in stages for check in suite.expectations}
    assert set(DEFECTS) == {name for name, gate in GATES.items() if gate.gate.severity != "info"}


def test_rates_are_shares_of_seeds_by_check() -> None:
    outcomes = [Outcome("a", "block", True, n < 19) for n in range(20)] + [Outcome("a", "block", False, False)] * 20
    detected, alarmed = rates(outcomes)
    assert (detected.metric, detected.arm, detected.subject, detected.value, detected.n) == (
        "detection_rate", "block", "a", 0.95, 20,
    )  # fmt: skip
    assert (alarmed.metric, alarmed.value) == ("false_alarm_rate", 0.0) and alarmed.ci_high == pytest.approx(
        0.1611, abs=1e-3
    )


def test_gates_and_checks_of_stages_have_tables_of_their_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    outcomes = [Outcome(name, "block", has_defect, has_defect) for name in ("recall", "a.b") for has_defect in (True, False)]
    write_study(tmp_path, "gates", list(rates(outcomes)), [1], 1.0, {})
    text = "<!-- study gates: detection_rate, false_alarm_rate by gate -->\n<!-- end -->"
    by_gate = render_document(text, tmp_path)
    assert f"| recall | block | 100.0 % | 0.0 % | {DEFECTS['recall']} |" in by_gate and "a.b" not in by_gate
    by_check = render_document(text.replace("by gate", "by check"), tmp_path)
    assert "| a.b | block | 100.0 % | 0.0 % |" in by_check and "recall" not in by_check


def test_the_committed_study_answers_for_every_check_and_blocking_ones_hold() -> None:
    rows = json.loads(STUDY.read_text())["rows"]
    wanted = subjects_of(RECIPE)
    for metric in ("detection_rate", "false_alarm_rate"):
        found = {row["subject"]: row for row in rows if row["metric"] == metric}
        assert {name: row["arm"] for name, row in found.items()} == wanted
        assert all(row["n"] >= 20 for row in found.values())
        for name, row in found.items():
            if row["arm"] == "block":
                assert row["value"] >= 0.95 if metric == "detection_rate" else row["value"] <= 0.05, (name, metric, row)


def test_the_check_for_too_few_rows_is_one_of_every_report() -> None:
    assert {name for name in subjects_of(RECIPE) if name.endswith(TOO_FEW)} == {
        f"{name}.{TOO_FEW}" for name in TRUST_REPORTS
    }
