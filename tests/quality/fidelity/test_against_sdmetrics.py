"""Every measure that SDMetrics 0.32 has, to 1e-9 on the same data; its values lie in sdmetrics.json.

`python benchmarks/fidelity.py --sdmetrics-python ... --write-oracle` writes them anew.
"""

import json
import math
from itertools import combinations
from pathlib import Path

import pytest
from made_table import KINDS, make_frame

from synth_assets.quality.fidelity import TableScores, marginals, score_tables
from synth_assets.quality.fidelity.dependence import contingency_similarity, correlation_similarity

ORACLE = json.loads((Path(__file__).parent / "sdmetrics.json").read_text(encoding="utf-8"))
METRICS = ORACLE["metrics"]
REAL = make_frame(400, ORACLE["seed"], False)
MADE = make_frame(300, ORACLE["seed"], True)
MEASURES = {
    "KSComplement": marginals.ks_complement,
    "TVComplement": lambda real, made: marginals.tv_complement(real, made, marginals.SDMETRICS_UNSEEN),
    "BoundaryAdherence": marginals.boundary_adherence,
    "CategoryAdherence": marginals.category_adherence,
    "RangeCoverage": marginals.range_coverage,
    "CategoryCoverage": marginals.category_coverage,
    "MissingValueSimilarity": marginals.missing_value_similarity,
}


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_of_one_column(name: str) -> None:
    assert len(METRICS[name]) >= 5
    for column, value in METRICS[name].items():
        assert MEASURES[name](REAL[column], MADE[column]) == pytest.approx(value, abs=1e-9), column


@pytest.mark.parametrize("coefficient", ["Pearson", "Spearman"])
def test_of_two_columns_of_numbers(coefficient: str) -> None:
    assert len(METRICS[coefficient]) == 21
    for pair, value in METRICS[coefficient].items():
        names = pair.split(" ~ ")
        ours = correlation_similarity(REAL.select(names), MADE.select(names), coefficient.lower())  # type: ignore[arg-type]
        assert ours == pytest.approx(value, abs=1e-9), pair


def test_of_two_columns_of_any_kind() -> None:
    assert len(METRICS["ContingencySimilarity"]) == len(list(combinations(KINDS, 2))) - 11  # without the dates
    for pair, value in METRICS["ContingencySimilarity"].items():
        names = pair.split(" ~ ")
        assert contingency_similarity(REAL.select(names), MADE.select(names)) == pytest.approx(value, abs=1e-9), pair


def test_the_reports_of_a_whole_table() -> None:
    reports = ORACLE["reports"]
    tables = [make_frame(400, ORACLE["seed"], which) for which in (False, True)]
    scores = score_tables(tables[0], tables[1], KINDS)
    quality = {
        "score": scores.quality, "Column Shapes": scores.column_shapes, "Column Pair Trends": scores.column_pair_trends,
    }  # fmt: skip
    assert quality == pytest.approx(reports["QualityReport"], abs=1e-9)
    diagnostic = {
        "score": scores.diagnostic, "Data Validity": scores.data_validity, "Data Structure": scores.data_structure,
    }  # fmt: skip
    assert diagnostic == pytest.approx(reports["DiagnosticReport"], abs=1e-9)
    for name, group in (
        ("Column Shapes", ("KSComplement", "TVComplement")),
        ("Column Pair Trends", ("CorrelationSimilarity", "ContingencySimilarity")),
        ("Data Validity", ("BoundaryAdherence", "CategoryAdherence")),
    ):
        counted = {subject: value for subject, value in reports[name].items() if not math.isnan(value)}
        assert found(scores, group) == pytest.approx(counted, abs=1e-9)
        assert len(counted) < len(reports[name]) or name != "Column Pair Trends"


def found(scores: TableScores, measures: tuple[str, ...]) -> dict[str, float]:
    return {each.subject: each.value for each in scores.details if each.measure in measures and each.counts}
