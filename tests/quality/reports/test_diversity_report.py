"""Acceptance by group in the report: refusals of judges count, and those that hide of whom they were leave no verdict."""

import numpy as np
import polars as pl

from synth_assets.frames import to_frame
from synth_assets.quality import hold_all
from synth_assets.quality.reports import Made, measure_diversity
from synth_assets.recipe import GroupAttribute, TrustSection
from synth_assets.records import Measurement, RejectedSample

TRUST = TrustSection(
    groups={"gender": GroupAttribute(groups={"female": ("she",), "male": ("he",)})},
    bootstrap_draws=50,
    min_reference_rows=100,
)
NUM = 800


def rows(num: int = NUM) -> pl.DataFrame:
    """Half of them speak of each group."""
    said = ["she" if n % 2 else "he" for n in range(num)]
    return pl.DataFrame({
        "synthetic_sample_id": [f"s{n}" for n in range(num)],
        "leaf_path": [f"skills/leaf{n // 2 % 40}" for n in range(num)],
        "context": pl.Series([None] * num, dtype=pl.String),
        "instruction": [f"Say what {who} does {n}." for n, who in enumerate(said)],
        "response": [f"{who} walks {n} steps" for n, who in enumerate(said)],
    })  # fmt: skip


def refusals(num: int, who: str) -> pl.DataFrame:
    """Rows that a judge has turned away, of which all speak of one group."""
    refused = [
        RejectedSample(f"r{n}", f"skills/leaf{n % 40}", "generation", "rejected", "off_task", "",
                       f"Say what {who} does {n}.", f"{who} runs {n} steps", n, None)
        for n in range(num)
    ]  # fmt: skip
    return to_frame(refused, RejectedSample)


def acceptance(refused: pl.DataFrame) -> list[Measurement]:
    samples = rows()
    seeds = samples.head(5).rename({"instruction": "question", "response": "answer"})
    made = Made(samples["leaf_path"].unique().to_list(), seeds, samples, samples, samples, (), refused)
    found = measure_diversity(made, (samples, None), {}, lambda texts: np.eye(len(texts), 8, dtype=np.float32), TRUST, 1)
    return [row for row in hold_all("diversity_report", found.estimates, TRUST) if row.measure == "acceptance_ratio"]


def test_rows_that_judges_turned_away_count_as_refusals_of_their_group() -> None:
    (fair,) = [row for row in acceptance(refusals(0, "she")) if row.verdict != "not_assessed"]
    assert fair.verdict == "passed" and fair.value == 1
    (unfair,) = [row for row in acceptance(refusals(300, "she")) if row.verdict != "not_assessed"]
    assert unfair.verdict == "failed" and unfair.value is not None and unfair.value < 0.7


def test_refusals_whose_names_are_hidden_leave_acceptance_without_a_verdict() -> None:
    """Dropped, they would make an unfair judge look fair."""
    found = acceptance(refusals(300, "<PERSON>"))
    assert found and {row.verdict for row in found} == {"not_assessed"}
    assert all("names are hidden in 300 of 300 rows" in row.detail for row in found)
