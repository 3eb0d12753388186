"""The judges' own examination as an asset: what they say of seed examples, good ones and spoiled ones."""

from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import sample_rows, table
from synth_assets.assets.generation import GROUP
from synth_assets.assets.journaling import calls_metadata, journaled_judge, panel_of
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import load, store
from synth_assets.assets.taxonomy import seed_examples, taxonomy
from synth_assets.frames import to_frame
from synth_assets.generation import calibrate_judges
from synth_assets.intervals import wilson_interval
from synth_assets.recipe import Recipe
from synth_assets.records import JudgedCase, LeafNode, SeedExample
from synth_assets.storage import Warehouse


@dg.asset(
    deps=[taxonomy, seed_examples],
    group_name=GROUP,
    kinds={"python", "vllm", "parquet"},
    metadata=column_schema("judge_calibration"),
)
def judge_calibration(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """What each judge says of seed examples, which it must accept, and of spoiled ones, which it must refuse.

    The true positive rate is the share of good cases that are accepted, the false positive rate that of bad ones.
    """
    with (
        making(context, recipe, warehouse) as made_of,
        journaled_judge(engines, warehouse, recipe, progress=Progress(context)) as judge,
    ):
        assert judge is not None
        cases = calibrate_judges(
            load(warehouse, LeafNode), load(warehouse, SeedExample), panel_of(recipe, judge),
            recipe.generation.num_seeds_in_prompt, recipe.seed,
        )  # fmt: skip
        frame = to_frame(cases, JudgedCase)
        wrong = frame.filter(pl.col("must_accept") != pl.col("is_accepted"))
        shown = ["judge", "leaf_path", "spoiled_by", "instruction", "response", "verdict", "reasons"]
        metadata = {
            "rates": table(rates_of_judges(frame, recipe.evaluation.confidence)),
            "judged_wrongly": sample_rows(wrong, shown, 20, hide=recipe.trust.privacy),
            **calls_metadata(context, judge.calls),
        }
        return store(context, recipe, warehouse, made_of, cases, metadata)


def rates_of_judges(cases: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """By judge and branch: both rates as percentages with their Wilson intervals, and the number of cases of each."""
    counts = cases.group_by("judge", "branch", "must_accept", maintain_order=True).agg(
        pl.len(), pl.col("is_accepted").sum().alias("accepted")
    )
    rows = []
    for judge, branch, must_accept, num, accepted in counts.sort("judge", "branch", "must_accept").iter_rows():
        low, high = wilson_interval(accepted, num, confidence)
        name = "true positive rate" if must_accept else "false positive rate"
        rows.append((judge, branch, name, f"{accepted / num:.0%} ({low:.0%} to {high:.0%})", num))
    return pl.DataFrame(rows, schema=["judge", "branch", "rate", "share accepted", "cases"], orient="row")
