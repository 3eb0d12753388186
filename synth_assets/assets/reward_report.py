"""What the reward model does on the samples, as an asset beside the pipeline: only the run's report shows it.

No verifier is asked here, since none knows the right answers of any taxonomy; who has one gives it to `measure_rewards`.
"""

from dataclasses import replace
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.both_methods import counted_as, load_samples, load_scores
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, curves, table
from synth_assets.assets.leasing import making
from synth_assets.assets.prompting import prompted_samples
from synth_assets.assets.reward import GROUP, reward_filtered_set, scored_prompted_samples, scored_samples
from synth_assets.assets.storing import load, store
from synth_assets.frames import to_frame
from synth_assets.quality.reports import Sampling, measure_rewards
from synth_assets.recipe import Recipe
from synth_assets.records import KeptSample, RewardFigure
from synth_assets.storage import Warehouse


@dg.asset(
    deps=["synthetic_samples", prompted_samples, scored_samples, scored_prompted_samples, reward_filtered_set],
    group_name=GROUP,
    kinds={"python", "parquet"},
    metadata=column_schema("reward_report"),
)
def reward_report(
    context: dg.AssetExecutionContext, recipe: dg.ResourceParam[Recipe], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[Any]:
    """How many samples a cut would let pass, whether length or leaf drive the reward, and whether judges agree with it.

    The last rows are its calibration: the share of kept samples in each fifth of the rewards. Samples from topics count with
    their area, since a topic has few.
    """
    with making(context, recipe, warehouse) as made_of:
        kept = {sample.synthetic_sample_id for sample in load(warehouse, KeptSample)}
        areas = counted_as(recipe, warehouse)
        samples = [
            replace(sample, leaf_path=areas.get(sample.leaf_path, sample.leaf_path))
            for sample in load_samples(recipe, warehouse)
        ]
        figures = measure_rewards(
            samples, load_scores(recipe, warehouse), kept, recipe.reward.cut,
            Sampling(recipe.trust.bootstrap_draws, recipe.trust.confidence, recipe.seed),
        )  # fmt: skip
        return store(context, recipe, warehouse, made_of, figures, _metadata(to_frame(figures, RewardFigure)))


def shown_figures(figures: pl.DataFrame) -> pl.DataFrame:
    """Those over all leaves and the bins of the calibration, without what the table alone holds."""
    return figures.filter((pl.col("subject") == "all") | (pl.col("metric") == "accepted_share"))


def _metadata(figures: pl.DataFrame) -> dict[str, Any]:
    accepted = figures.filter(pl.col("metric") == "acceptance")
    lines = {
        str(key[0]): [(float(arm), value) for arm, value in rows.select("arm", "value").iter_rows()]
        for key, rows in accepted.partition_by("subject", as_dict=True, maintain_order=True).items()
    }
    length = figures.filter((pl.col("metric") == "length_correlation") & (pl.col("subject") != "all"))
    bins = figures.filter(pl.col("metric") == "accepted_share")
    return {
        "figures": table(shown_figures(figures)),
        "acceptance": curves(lines, "Share of samples that a cut lets pass", "threshold", "share"),
        "length_correlation_per_leaf": bars(
            dict(length.select("subject", "value").iter_rows()), "Reward and length of the response", "Spearman's rho"
        ),
        "calibration": bars(dict(bins.select("subject", "value").iter_rows()), "Kept, by fifths of the reward", "share"),
    }
