"""The page on trust: readable before anything is measured, complete after, and never a way in for what a row says."""

from pathlib import Path

from made_pipeline import made_recipe
from markupsafe import escape

from synth_assets.assets.trust_report import SECTIONS, keep_pictures, render_trust_report, write_trust_report
from synth_assets.frames import to_frame
from synth_assets.quality import Estimate, gates_of, hold_all, insufficient, not_assessed
from synth_assets.recipe import GATES, Gate
from synth_assets.records import TRUST_REPORTS, Measurement
from synth_assets.storage import Warehouse


def test_a_warehouse_without_measures_has_a_page_that_says_so(tmp_path: Path) -> None:
    page = render_trust_report(made_recipe(tmp_path), Warehouse(tmp_path / "warehouse"), [])
    assert "Nothing has been measured yet" in page and page.count("Not measured in this warehouse") == len(SECTIONS)


def test_every_gate_has_a_question_with_its_figure_and_what_failed_stands_first(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    measured: list[Measurement] = []
    for report in TRUST_REPORTS:
        found = [Estimate(each, "all", GATES[each].gate.value, num_synthetic=2087) for each in gates_of(report)]
        measured += hold_all(report, found, recipe.trust)
    leak = Estimate("leaked_values", "all", 3.0, words="row <script>alert(1)</script> holds m***@example.org")
    measured += hold_all("privacy_report", [leak], recipe.trust)[:1]
    measured += hold_all("diversity_report", [not_assessed("vendi_ratio", "b", "nobody has declared it")], recipe.trust)[:1]
    measured += hold_all("fidelity_report", [insufficient("mean_shift", "c", 7, 2087)], recipe.trust)[:1]
    warehouse.write_table("measures", to_frame(measured, Measurement))
    keep_pictures(warehouse, "fidelity_report", {"A map": "data:image/png;base64,AAAA"})
    page = write_trust_report(recipe, warehouse, tmp_path / "trust.html", TRUST_REPORTS).read_text(encoding="utf-8")
    for declared in GATES.values():
        assert escape(declared.asks) in page and escape(declared.gate.reason) in page
    assert "Stopped: 1 of the checks" in page and "m***@example.org" in page and "<script>" not in page
    assert "vendi_ratio: nobody has declared it" in page and "mean_shift: 7 rows are too few" in page
    assert 'src="data:image/png;base64,AAAA"' in page and "http" not in page
    assert page.index("Stopped: 1") < page.index("Is it like the real data?")


def test_a_report_of_earlier_data_is_shown_as_such_and_not_counted(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    student = [
        Estimate("perplexity_ratio", "base", 9.0, num_synthetic=200),
        not_assessed("canary_exposure", "all", "no shadow"),
    ]
    measured = hold_all("student_report", student, recipe.trust)
    good = [Estimate(each, "all", GATES[each].gate.value) for each in gates_of("privacy_report")]
    measured += hold_all("privacy_report", good, recipe.trust)
    warehouse.write_table("measures", to_frame(measured, Measurement))
    page = render_trust_report(recipe, warehouse, TRUST_REPORTS)
    assert "Stopped: " in page and "earlier data" not in page and "canary_exposure: no shadow" in page
    others = [name for name in TRUST_REPORTS if name != "student_report"]
    page = render_trust_report(recipe, warehouse, others)
    assert "Stopped: " not in page and "None of the checks that stop a run has failed" in page
    assert page.count("Measured on earlier data, not on the present") == 2 and "canary_exposure: no shadow" not in page
    assert f"{len(gates_of('privacy_report'))} questions were judged, 0 could not be" in page
    page = render_trust_report(recipe, warehouse, [])
    assert "Nothing has been measured of the present data" in page


def test_bounds_are_those_that_figures_were_held_against(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    measured = hold_all("student_report", [Estimate("perplexity_ratio", "base", 1.1, num_synthetic=200)], recipe.trust)
    warehouse.write_table("measures", to_frame(measured, Measurement))
    gates = {"perplexity_ratio": Gate(value=7.25, severity="block", reason="for the tests: a bound of today")}
    today = recipe.model_copy(update={"trust": recipe.trust.model_copy(update={"gates": gates})})
    page = render_trust_report(today, warehouse, ["student_report"])
    assert "at most 1.15" in page and "7.25" not in page and "a bound of today" not in page


def test_a_pass_says_what_could_not_be_told(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    words = "not told from chance, which at this size makes up to 0.4"
    found = [
        Estimate("mean_shift", "a", 0.31, bound=0.0, words=words), Estimate("mean_shift", "b", 0.02, bound=0.0),
        insufficient("mean_shift", "c", 7, 2087),
    ]  # fmt: skip
    measured = hold_all("fidelity_report", found, recipe.trust)
    warehouse.write_table("measures", to_frame(measured, Measurement))
    page = render_trust_report(recipe, warehouse, TRUST_REPORTS)
    assert "passed; of 1 of 3 too few rows" in page and page.count(words) == 2


def test_rates_stand_only_beside_the_bounds_that_they_were_measured_at(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    cell = '<td class="n">100% / 0%</td>'

    def page(gates: dict[str, Gate], confidence: float = 0.95) -> str:
        trust = recipe.trust.model_copy(update={"gates": gates, "confidence": confidence})
        found = [Estimate("leaf_coverage", "all", 1.0, num_synthetic=2000)]
        measured = [each for each in hold_all("diversity_report", found, trust) if each.measure == "leaf_coverage"]
        warehouse.write_table("measures", to_frame(measured, Measurement))
        return render_trust_report(recipe.model_copy(update={"trust": trust}), warehouse, TRUST_REPORTS)

    usual = page({})
    assert cell in usual and "figure (95 % interval)" in usual
    assert cell not in page({"leaf_coverage": Gate(value=0.5, severity="block", reason="half of them is enough")})
    surer = page({}, 0.99)
    assert cell not in surer and "figure (99 % interval)" in surer
