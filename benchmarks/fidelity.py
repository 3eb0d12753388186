"""How long it takes to score two tables, beside SDMetrics' QualityReport and DiagnosticReport, in one run.

    python benchmarks/fidelity.py --sdmetrics-python /path/to/environment/bin/python [--rows 100000] [--repetitions 7]

SDMetrics 0.32 needs pandas < 3, so it lives in an environment of its own: `python -m venv E && E/bin/pip install
sdmetrics==0.32.* 'pandas<3'`. Both make the same tables from the same seed and are timed without imports and without
making the tables, by turns, so that what else the machine does meets both: by the clock, and in seconds of CPU. A ratio
is the median of those of the repetitions; the first, which warms up, counts. Neither is tuned, but that Polars is given one
thread. SDMetrics is timed twice: as it comes, which draws 50,000 rows for pairs of categories, and on all rows; the second
must give the same scores as ours, to 1e-9. `--write-oracle` writes what the tests hold ours against, from 400 and 300 rows.
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
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests/quality/fidelity"
sys.path.insert(0, str(TESTS))
from made_table import KINDS, make_columns, make_frame  # noqa: E402

SEED = 11
LABELS = ("as it comes", "on all rows")
LEAST = 10
"""Times as fast, by the clock, that ours must be at 100,000 rows."""
SDTYPES = {"numeric": "numerical", "date": "datetime", "categorical": "categorical"}


def serve_sdmetrics(num_rows: int) -> None:
    """In the other environment: for each line that comes in, one repetition of both reports, and a line of JSON back."""
    import pandas as pd

    real, made = (pd.DataFrame(make_columns(num_rows, SEED, which)) for which in (False, True))
    for _ in sys.stdin:
        print(json.dumps(time_sdmetrics(real, made)), flush=True)


def time_sdmetrics(real: Any, made: Any) -> dict[str, Any]:
    """Seconds (by the clock, of CPU) of both reports, as they come and on all rows, and the scores on all rows."""
    from sdmetrics.reports.single_table.diagnostic_report import DiagnosticReport
    from sdmetrics.reports.single_table.quality_report import QualityReport

    metadata = {"columns": {name: {"sdtype": SDTYPES[kind]} for name, kind in KINDS.items()}}
    seconds, reports = {}, []
    for label in LABELS:
        reports = [QualityReport(), DiagnosticReport()]
        if label == "on all rows":
            for report in reports:
                report.num_rows_subsample = None
        clock, cpu = time.perf_counter(), time.process_time()
        for report in reports:
            report.generate(real, made, metadata, verbose=False)
        seconds[label] = (time.perf_counter() - clock, time.process_time() - cpu)
    return {"seconds": seconds, "scores": read_reports(reports)}


def read_reports(reports: list[Any]) -> dict[str, dict[str, float]]:
    scores: dict[str, dict[str, float]] = {}
    for report in reports:
        name = type(report).__name__
        scores[name] = {"score": report.get_score()}
        for each, value in report.get_properties().itertuples(index=False):
            scores[name][each] = value
            details = report.get_details(each)
            if "Column 1" in details:
                scores[each] = {f"{row[0]} ~ {row[1]}": row[3] for row in details.itertuples(index=False)}
            elif "Column" in details:
                scores[each] = dict(zip(details["Column"], details["Score"], strict=True))
    return scores


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


def name_as_sdmetrics(scores: Any) -> dict[str, dict[str, float]]:
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
    return named


def compare(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> int:
    """How many scores are the same to 1e-9; AssertionError for one that is not. A pair that does not count is NaN there."""
    num_same = 0
    for group, scores in theirs.items():
        for name, value in scores.items():
            if not (math.isnan(value) and name not in ours[group]):
                assert abs(ours[group][name] - value) <= 1e-9, (group, name, ours[group][name], value)
            num_same += 1
    return num_same


def race(python: str, num_rows: int, repetitions: int) -> None:
    """By turns; prints the medians. AssertionError if a score differs or the median ratio by the clock is below `LEAST`."""
    from synth_assets.quality.fidelity import score_tables

    tables = [make_frame(num_rows, SEED, which) for which in (False, True)]
    ours, theirs = [], []
    command = [python, "-W", "ignore", __file__, "--as", "sdmetrics", "--rows", str(num_rows)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin and other.stdout
        for _ in range(repetitions):
            print("again", file=other.stdin, flush=True)
            said = json.loads(other.stdout.readline())
            theirs.append(said["seconds"])
            clock, cpu = time.perf_counter(), time.process_time()
            scores = score_tables(tables[0], tables[1], KINDS)
            ours.append((time.perf_counter() - clock, time.process_time() - cpu))
        other.stdin.close()
    print(f"{num_rows:,} x {num_rows:,} rows, {len(KINDS)} columns, {repetitions} repetitions by turns")
    print(f"{compare(name_as_sdmetrics(scores), said['scores'])} scores equal to 1e-9")
    for at, kind in enumerate(("by the clock", "of CPU")):
        print(f"ours                    {median(each[at] for each in ours):6.3f} s {kind}")
        for label in LABELS:
            ratios = sorted(other[label][at] / own[at] for other, own in zip(theirs, ours, strict=True))
            seconds = median(other[label][at] for other in theirs)
            spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
            print(f"SDMetrics, {label:<12} {seconds:6.3f} s {kind}   {median(ratios):5.1f} times as long ({spread})")
            assert at or num_rows < 100_000 or median(ratios) >= LEAST, f"less than {LEAST} times as fast"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdmetrics-python")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--write-oracle", action="store_true")
    parser.add_argument("--as", dest="part", choices=["sdmetrics", "oracle"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.part == "sdmetrics":
        serve_sdmetrics(arguments.rows)
    elif arguments.part == "oracle":
        print(json.dumps(single_metrics(400, 300)))
    elif not arguments.sdmetrics_python:
        parser.error("--sdmetrics-python is needed: the Python of an environment that holds SDMetrics")
    elif arguments.write_oracle:
        write_oracle(arguments.sdmetrics_python)
    else:
        os.environ["POLARS_MAX_THREADS"] = "1"
        race(arguments.sdmetrics_python, arguments.rows, arguments.repetitions)


def write_oracle(python: str) -> None:
    run = [python, "-W", "ignore", __file__, "--as"]
    metrics, reports = (
        json.loads(subprocess.run([*run, *part], input="once\n", capture_output=True, text=True, check=True).stdout)
        for part in (["oracle"], ["sdmetrics", "--rows", "400"])
    )
    oracle = {"seed": SEED, "metrics": metrics, "reports": reports["scores"]}
    (TESTS / "sdmetrics.json").write_text(json.dumps(oracle, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
