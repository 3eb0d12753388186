"""Tables by generation and the plot of collapse come from the study's file and from nothing else."""

import json
from pathlib import Path

import pytest

from synth_assets.studies.documents import render_document
from synth_assets.studies.plots import COLORS, PANELS, curve_of, draw_plots
from synth_assets.studies.results import StudyRow, mean_over_seeds, write_study


def _rows(worst: float = 9.0) -> list[StudyRow]:
    return [
        mean_over_seeds(metric, arm, f"generation {number}", [1 + number * worst, 1.1 + number * worst], (0.0, 1e9))
        for metric in PANELS
        for arm in COLORS
        for number in (0, 1, 2)
    ]


def test_a_curve_has_its_generations_in_order_with_their_intervals(tmp_path: Path) -> None:
    rows = json.loads(write_study(tmp_path, "collapse", _rows()[::-1], [1, 2], 1.0, {}).read_text())["rows"]
    curve = curve_of(rows, "holdout_perplexity", "guarded")
    assert curve.generations == [0, 1, 2] and curve.values == pytest.approx([1.05, 10.05, 19.05])
    assert all(low < value < high for value, low, high in zip(curve.values, curve.lows, curve.highs, strict=True))
    alone = [{"metric": "m", "arm": "a", "subject": "generation 0", "value": 2.0, "ci_low": None, "ci_high": None, "n": 1}]
    assert curve_of(alone, "m", "a") == ([0], [2.0], [2.0], [2.0])


def test_the_plot_is_drawn_from_the_figures_and_drawn_the_same_again(tmp_path: Path) -> None:
    assert draw_plots(tmp_path) == []
    pictures = []
    for worst in (9.0, 9.0, 2.0):
        write_study(tmp_path, "collapse", _rows(worst), [1, 2], 1.0, {})
        (file,) = draw_plots(tmp_path)
        pictures.append(file.read_bytes())
    assert pictures[0][:8] == b"\x89PNG\r\n\x1a\n" and pictures[0] == pictures[1] != pictures[2]


def test_a_table_by_generation_shows_perplexities_as_they_are_and_shares_as_percent(tmp_path: Path) -> None:
    rows = [
        StudyRow("holdout_perplexity", "replace", "generation 0", 2.5, 2.4, 2.6, 5),
        StudyRow("holdout_perplexity", "replace", "generation 1", 4.0, None, None, 5),
        StudyRow("distinct_3", "guarded", "generation 1", 0.5, 0.4, 0.6, 5),
    ]
    write_study(tmp_path, "tiny", rows, [1], 1.0, {})
    text = render_document("<!-- study tiny: holdout_perplexity, distinct_3 by generation -->\n<!-- end -->", tmp_path)
    assert "| metric | arm | generation 0 | generation 1 |" in text
    assert "| holdout_perplexity | replace | 2.50 (2.40 to 2.60) | 4.00 |" in text
    assert "| distinct_3 | guarded | - | 50.0 % (40.0 % to 60.0 %) |" in text
    assert render_document(text, tmp_path) == text
