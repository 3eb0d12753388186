"""What studies write, and what the documents say of it."""

import json
from pathlib import Path

import pytest

from synth_assets.intervals import wilson_interval
from synth_assets.recipe import project_root, resolve_path
from synth_assets.studies.documents import DOCUMENTS, render_document
from synth_assets.studies.results import StudyRow, mean_over_seeds, mean_share, roc_auc, share, write_study
from synth_assets.studies.running import STUDIES


def test_auc_counts_pairs_and_half_the_ties() -> None:
    assert roc_auc([2.0, 3.0], [0.0, 1.0]) == 1.0
    assert roc_auc([0.0], [1.0, 2.0]) == 0.0
    assert roc_auc([1.0, 2.0], [1.0]) == 0.75


def test_a_mean_over_seeds_has_students_interval() -> None:
    row = mean_over_seeds("m", "a", "all", [0.4, 0.5, 0.6])
    assert row.value == pytest.approx(0.5) and row.n == 3
    assert row.ci_low == pytest.approx(0.5 - 4.302653 * 0.1 / 3**0.5, abs=1e-6)  # t with 2 degrees of freedom
    assert mean_over_seeds("m", "a", "all", [0.4]).ci_low is None


def test_a_mean_of_shares_has_a_width_where_every_share_is_zero() -> None:
    row = mean_share("m", "a", "all", [(0, 100), (0, 100)])
    low, high = wilson_interval(0, 100, 0.95)
    assert (row.value, row.ci_low, row.n) == (0.0, 0.0, 200) and low == 0
    assert row.ci_high == pytest.approx(high / 2**0.5)  # two independent leaves
    assert mean_share("m", "a", "all", [(3, 10)]).ci_low == pytest.approx(wilson_interval(3, 10, 0.95)[0])


def test_a_study_is_written_with_its_command_and_rows(tmp_path: Path) -> None:
    file = write_study(tmp_path, "tiny", [share("m", "a", "all", 1, 3)], [1, 2], 90.0, {"scale": "smoke"})
    written = json.loads(file.read_text())
    assert written["command"] == "make study-tiny" and written["seeds"] == [1, 2] and written["minutes"] == 1.5
    assert written["made_with"] == {"scale": "smoke"}
    assert written["rows"][0]["value"] == 0.3333 and written["rows"][0]["n"] == 3


def test_tables_are_rendered_from_the_study_and_from_nothing_else(tmp_path: Path) -> None:
    rows = [
        StudyRow("right", "base", "all", 0.25, 0.2, 0.3, 100),
        StudyRow("right", "base", "a/b", 0.5, None, None, 10),
        StudyRow("right", "tuned", "a/b", 0.75, None, None, 10),
    ]
    write_study(tmp_path, "tiny", rows, [1], 1.0, {})
    by_arm = "x <!-- study tiny: right by arm -->\nold 99 %\n<!-- end --> y"
    rendered = render_document(by_arm, tmp_path)
    assert "| right | base | 25.0 % | 20.0 % to 30.0 % | 100 |" in rendered and "99 %" not in rendered
    assert render_document(rendered, tmp_path) == rendered
    by_leaf = render_document("<!-- study tiny: right by leaf -->\n<!-- end -->", tmp_path)
    assert "| leaf node | right, base | right, tuned |" in by_leaf and "| a/b | 50.0 % | 75.0 % |" in by_leaf


def test_whole_numbers_are_shown_as_counts(tmp_path: Path) -> None:
    rows = [StudyRow("lost", "run", "all", 0, None, None, 51), StudyRow("lost", "run", "tuning", 1200, None, None, 51)]
    write_study(tmp_path, "tiny", rows, [1], 1.0, {})
    assert "| lost | run | 0 |  | 51 |" in render_document("<!-- study tiny: lost by arm -->\n<!-- end -->", tmp_path)
    by_step = render_document("<!-- study tiny: lost by step -->\n<!-- end -->", tmp_path)
    assert "| step | lost |" in by_step and "| tuning | 1,200 |" in by_step


@pytest.mark.parametrize("name", sorted(file.stem for file in resolve_path("data/studies").glob("*.json")))
def test_the_committed_study_has_its_form_and_the_documents_its_figures(name: str) -> None:
    study = json.loads((resolve_path("data/studies") / f"{name}.json").read_text())
    assert set(study) == {"study", "command", "seeds", "machine", "minutes", "made_with", "rows"}
    assert study["seeds"] == list(STUDIES[name][1])
    for row in study["rows"]:
        assert set(row) == {"metric", "arm", "subject", "value", "ci_low", "ci_high", "n"}
    texts = [(project_root() / document).read_text() for document in DOCUMENTS]
    assert any(f"<!-- study {name}:" in text for text in texts)
    assert [render_document(text, resolve_path("data/studies")) for text in texts] == texts
