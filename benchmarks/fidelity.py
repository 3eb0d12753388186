"""How long it takes to score two tables, beside SDMetrics' QualityReport and DiagnosticReport, in one run.

    python benchmarks/fidelity.py --sdmetrics-python /path/to/environment/bin/python [--rows 100000] [--write-oracle]

SDMetrics 0.32 needs pandas < 3, so it lives in an environment of its own: `python -m venv E && E/bin/pip install
sdmetrics==0.32.* 'pandas<3'`. Both make the same tables from the same seed and are timed without imports and without
making the tables, in seconds of CPU, so that others on the machine do not count. SDMetrics is timed twice: as it comes,
which draws 50,000 rows for pairs of categories, and on all rows; the second must give the same scores as ours, to 1e-9.
`--write-oracle` writes what the tests hold ours against, from 400 and 300 rows.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests/quality/fidelity"
sys.path.insert(0, str(TESTS))
from made_table import KINDS, make_columns, make_frame  # noqa: E402

SEED = 11
SDTYPES = {"numeric": "numerical", "date": "datetime", "categorical": "categorical"}


def time_sdmetrics(num_rows: int) -> dict[str, Any]:
    """In the other environment: seconds of both reports, as they come and on all rows, and the scores on all rows."""
    import pandas as pd
    from sdmetrics.reports.single_table.diagnostic_report import DiagnosticReport
    from sdmetrics.reports.single_table.quality_report import QualityReport

    real, made = (pd.DataFrame(make_columns(num_rows, SEED, which)) for which in (False, True))
    metadata = {"columns": {name: {"sdtype": SDTYPES[kind]} for name, kind in KINDS.items()}}
    seconds, scores = {}, {}
    for label in ("as it comes", "on all rows"):
        start = time.process_time()
        for report in (QualityReport(), DiagnosticReport()):
            if label == "on all rows":
                report.num_rows_subsample = None
            report.generate(real, made, metadata, verbose=False)
            name = type(report).__name__
            scores[name] = {"score": report.get_score()}
            for each, value in report.get_properties().itertuples(index=False):
                scores[name][each] = value
                details = report.get_details(each)
                if "Column 1" in details:
                    pairs = details.itertuples(index=False)
                    scores[each] = {f"{row[0]} ~ {row[1]}": row[3] for row in pairs}
                elif "Column" in details:
                    scores[each] = dict(zip(details["Column"], details["Score"], strict=True))
        seconds[label] = time.process_time() - start
    return {"seconds": seconds, "scores": scores}


def single_metrics(num_real: int, num_made: int) -> dict[str, dict[str, float]]:
    """In the other environment: every measure by itself, of every column and pair that it takes."""
    import pandas as pd
    from sdmetrics import column_pairs, single_column

    real = pd.DataFrame(make_columns(num_real, SEED, False))
    made = pd.DataFrame(make_columns(num_made, SEED, True))
    numbers = [name for name, kind in KINDS.items() if kind != "categorical"]
    categories = [name for name, kind in KINDS.items() if kind == "categorical"]
    found: dict[str, dict[str, float]] = {}
    for names, columns in (
        (("KSComplement", "BoundaryAdherence", "RangeCoverage"), numbers),
        (("TVComplement", "CategoryAdherence", "CategoryCoverage"), categories),
        (("MissingValueSimilarity",), [*numbers, *categories]),
    ):
        for name in names:
            measure = getattr(single_column, name)
            found[name] = {column: float(measure.compute(real[column], made[column])) for column in columns}
    for coefficient in ("Pearson", "Spearman"):
        found[coefficient] = {
            " ~ ".join(pair): float(
                column_pairs.CorrelationSimilarity.compute(real[[*pair]], made[[*pair]], coefficient=coefficient)
            )
            for pair in combinations(numbers, 2)
        }
    floats = [name for name in numbers if KINDS[name] == "numeric"]
    found["ContingencySimilarity"] = {
        " ~ ".join(pair): float(
            column_pairs.ContingencySimilarity.compute(
                real[[*pair]].copy(), made[[*pair]].copy(), continuous_column_names=[name for name in pair if name in floats]
            )
        )
        for pair in combinations([*floats, *categories], 2)
    }
    return found


def time_ours(num_rows: int) -> tuple[float, dict[str, dict[str, float]]]:
    """Seconds, the best of three, and scores under SDMetrics' names."""
    from synth_assets.quality.fidelity import score_tables

    tables = [make_frame(num_rows, SEED, which) for which in (False, True)]
    seconds = []
    for _ in range(3):
        start = time.process_time()
        scores = score_tables(tables[0], tables[1], KINDS)
        seconds.append(time.process_time() - start)
    named: dict[str, dict[str, float]] = {
        "QualityReport": {
            "score": scores.quality, "Column Shapes": scores.column_shapes, "Column Pair Trends": scores.column_pair_trends
        },
        "DiagnosticReport": {
            "score": scores.diagnostic, "Data Validity": scores.data_validity, "Data Structure": scores.data_structure
        },
    }  # fmt: skip
    for of, measures in (
        ("Column Shapes", ("KSComplement", "TVComplement")),
        ("Column Pair Trends", ("CorrelationSimilarity", "ContingencySimilarity")),
        ("Data Validity", ("BoundaryAdherence", "CategoryAdherence")),
    ):
        named[of] = {each.subject: each.value for each in scores.details if each.measure in measures and each.counts}
    return min(seconds), named


def compare(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> int:
    """How many scores are the same to 1e-9; AssertionError for one that is not. A pair that does not count is NaN there."""
    num_same = 0
    for group, scores in theirs.items():
        for name, value in scores.items():
            if not (math.isnan(value) and name not in ours[group]):
                assert abs(ours[group][name] - value) <= 1e-9, (group, name, ours[group][name], value)
            num_same += 1
    return num_same


def ask(python: str, *arguments: str) -> Any:
    run = [python, "-W", "ignore", __file__, *arguments]
    return json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdmetrics-python", required=True)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--write-oracle", action="store_true")
    parser.add_argument("--as", dest="part", choices=["sdmetrics", "oracle"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.part:
        found = time_sdmetrics(arguments.rows) if arguments.part == "sdmetrics" else single_metrics(400, 300)
        print(json.dumps(found))
        return
    python = ["--sdmetrics-python", arguments.sdmetrics_python]
    if arguments.write_oracle:
        reports = ask(arguments.sdmetrics_python, *python, "--as", "sdmetrics", "--rows", "400")["scores"]
        oracle = {"seed": SEED, "metrics": ask(arguments.sdmetrics_python, *python, "--as", "oracle"), "reports": reports}
        (TESTS / "sdmetrics.json").write_text(json.dumps(oracle, indent=1) + "\n", encoding="utf-8")
        return
    os.environ["POLARS_MAX_THREADS"] = "1"
    theirs = ask(arguments.sdmetrics_python, *python, "--as", "sdmetrics", "--rows", str(arguments.rows))
    seconds, ours = time_ours(arguments.rows)
    print(f"{arguments.rows:,} x {arguments.rows:,} rows, {len(KINDS)} columns")
    print(f"{compare(ours, theirs['scores'])} scores equal to 1e-9")
    print(f"ours                    {seconds:6.2f} s")
    for label, other in theirs["seconds"].items():
        print(f"SDMetrics, {label:<12} {other:6.2f} s   {other / seconds:5.1f} times as long")


if __name__ == "__main__":
    main()
