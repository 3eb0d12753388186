"""The checks of stage 3: what the filter keeps, and what the reward model does on the samples."""

from __future__ import annotations

from synth_assets.quality.expectations import (
    Expectation,
    Suite,
    between,
    measure_at_least,
    measure_at_most,
    not_blank,
    rows_exist,
    unique,
)
from synth_assets.quality.prompt_suites import tables_of_filter
from synth_assets.recipe import QualitySection, Recipe, RewardReportSection
from synth_assets.records import REWARD_ATTRIBUTES

_TWICE = "the same content under one id twice would count twice"
_BLANK = "a blank text teaches nothing and hides a fault before"


def reward_suites(recipe: Recipe) -> list[Suite]:
    return [
        Suite("reward_filtered_set", tables_of_filter(recipe), _reward_filtered_set(recipe.quality)),
        Suite("reward_report", ("reward_report",), _reward_report(recipe)),
    ]


def _reward_filtered_set(quality: QualitySection) -> tuple[Expectation, ...]:
    kept, scored = "reward_filtered_set", "scored_samples"
    ranges = tuple(
        between(
            f"{name}_is_in_range", scored, name, -1, 5, "HelpSteer's scale runs from 0 to 4; a regression may overshoot",
            allows_null=True, is_blocking=False,
        )
        for name in REWARD_ATTRIBUTES
    )  # fmt: skip
    return (
        rows_exist(kept),
        rows_exist(scored),
        unique(kept, "synthetic_sample_id", _TWICE),
        not_blank(kept, "instruction", _BLANK),
        not_blank(kept, "response", _BLANK),
        between("reward_is_a_number", scored, "reward", -1e9, 1e9, "a cut at what is no number keeps at random"),
        *ranges,
        measure_at_most("kept_rows_have_a_sample", "kept_rows_without_sample", "a row from nowhere is a stale row"),
        measure_at_most("kept_rows_have_a_score", "kept_rows_without_score", "nothing is kept unscored"),
        measure_at_most("filter_counts_add_up", "unaccounted_rows", "every sample is kept, rejected or failed, never lost"),
        measure_at_most("few_samples_failed", "failed_share", quality.max_failed_share.reason),
        measure_at_least("enough_is_kept", "kept_share", quality.min_kept_share.reason),
        measure_at_most("no_leaf_node_crowds_out", "leaf_share", quality.max_leaf_share.reason, is_blocking=False),
        measure_at_most(
            "every_leaf_node_is_kept", "leaf_nodes_without_kept_samples", "the student will not learn a leaf without rows",
            is_blocking=False,
        ),
    )  # fmt: skip


def _reward_report(recipe: Recipe) -> tuple[Expectation, ...]:
    said = recipe.reward.report or RewardReportSection()
    return (
        rows_exist("reward_report"),
        measure_at_most(
            "length_does_not_drive_the_reward", "length_correlation", said.max_length_correlation.reason, is_blocking=False
        ),
        measure_at_most(
            "leaves_do_not_drive_the_reward", "leaf_variance_share", said.max_leaf_variance_share.reason, is_blocking=False
        ),
    )
