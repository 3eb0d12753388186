"""The checks of prompts from topics, of recipes that make such.

That there are too few, or none at all, warns: the samples from seeds stand by themselves, and a teacher that names no topics
spoils none of them. Rows that come from nowhere, stand twice or were lost block, as everywhere.
"""

from __future__ import annotations

from synth_assets.quality.expectations import (
    Expectation,
    Suite,
    between,
    measure_at_least,
    measure_at_most,
    not_blank,
    one_of,
    rows_exist,
    unique,
)
from synth_assets.recipe import Recipe
from synth_assets.records import PROMPT_KINDS, REWARD_ATTRIBUTES, TABLE_FROM_TOPICS

_COUNTS = ("stage_counts", "rejected_samples")
_TWICE = "the same content under one id twice would count twice"
_BLANK = "a blank text teaches nothing and hides a fault before"
_ACCOUNTED = "every candidate is kept, rejected or failed, never lost"


def tables_of_filter(recipe: Recipe) -> tuple[str, ...]:
    """What the filter's suite reads: samples and scores of both ways of generating, where the recipe has both."""
    from_seeds = ("synthetic_samples", "scored_samples")
    both = [TABLE_FROM_TOPICS[name] for name in from_seeds] if recipe.prompt_synthesis else []
    return ("reward_filtered_set", "scored_samples", "synthetic_samples", *_COUNTS, *both)


def prompt_suites(recipe: Recipe) -> tuple[Suite, ...]:
    """In pipeline order; none for a recipe without the section."""
    if recipe.prompt_synthesis is None:
        return ()
    failed, quota = recipe.quality.max_failed_share.reason, recipe.quality.min_quota_share.reason
    obeyed = recipe.prompt_synthesis.min_constraint_share.reason
    topics, prompts = ("prompt_topics", "generated_leaf_nodes"), ("synthetic_prompts", "prompt_topics")
    samples = ("prompted_samples", "synthetic_prompts", "generated_leaf_nodes")
    return (
        Suite("prompt_topics", (*topics, *_COUNTS), _prompt_topics(failed, quota)),
        Suite("synthetic_prompts", (*prompts, *_COUNTS), _synthetic_prompts(failed, quota)),
        Suite("prompted_samples", (*samples, *_COUNTS), _prompted_samples(failed, obeyed)),
        Suite(
            "scored_prompted_samples", ("scored_prompted_samples", "prompted_samples", *_COUNTS),
            _scored_prompted_samples(failed),
        ),
    )  # fmt: skip


def _prompt_topics(failed: str, quota: str) -> tuple[Expectation, ...]:
    table = "prompt_topics"
    areas = ("general", "maths", "coding", "documents")
    return (
        rows_exist(table, is_blocking=False),
        unique(table, "topic_id", _TWICE, may_be_empty=True),
        not_blank(table, "name", _BLANK, may_be_empty=True),
        one_of("area_is_known", table, "area", areas, "no kind of prompt is made from another area", may_be_empty=True),
        measure_at_most("topics_have_a_leaf_node", "topics_without_leaf_node", "a row must be traceable to its leaf node"),
        measure_at_most("topic_counts_add_up", "unaccounted_rows", _ACCOUNTED),
        measure_at_most("few_topic_lists_failed", "failed_share", failed),
        measure_at_least("topic_lists_are_full", "quota_share", quota, is_blocking=False, may_be_empty=True),
    )


def _synthetic_prompts(failed: str, quota: str) -> tuple[Expectation, ...]:
    table = "synthetic_prompts"
    known = "what no stage knows how to answer is answered wrongly"
    return (
        rows_exist(table, is_blocking=False),
        unique(table, "synthetic_prompt_id", _TWICE, may_be_empty=True),
        not_blank(table, "text", _BLANK, may_be_empty=True),
        one_of("kind_is_known", table, "kind", PROMPT_KINDS, known, may_be_empty=True),
        between(
            "generation_depth_is_counted", table, "generation_depth", 1, None, "depth 0 is kept for people",
            may_be_empty=True,
        ),
        measure_at_most("prompts_have_a_topic", "prompts_without_topic", "a prompt from nowhere is a stale row"),
        measure_at_most("prompt_counts_add_up", "unaccounted_rows", _ACCOUNTED),
        measure_at_most("few_prompts_failed", "failed_share", failed),
        measure_at_least("prompt_quotas_are_met", "quota_share", quota, is_blocking=False, may_be_empty=True),
    )  # fmt: skip


def _prompted_samples(failed: str, obeyed: str) -> tuple[Expectation, ...]:
    table = "prompted_samples"
    return (
        rows_exist(table, is_blocking=False),
        unique(table, "synthetic_sample_id", _TWICE, may_be_empty=True),
        not_blank(table, "instruction", _BLANK, may_be_empty=True),
        not_blank(table, "response", _BLANK, may_be_empty=True),
        between(
            "generation_depth_is_counted", table, "generation_depth", 1, None, "depth 0 is kept for people",
            may_be_empty=True,
        ),
        between(
            "response_logprob_is_one", table, "response_logprob", None, 0, "a probability is at most 1",
            may_be_empty=True,
        ),
        measure_at_most("samples_have_a_prompt", "samples_without_prompt", "every row must be traceable to its prompt"),
        measure_at_most(
            "samples_have_a_leaf_node", "samples_of_unknown_leaf_nodes", "a row of other topics is a stale row"
        ),
        measure_at_most(
            "samples_keep_their_constraints", "samples_that_break_constraints",
            "an answer that breaks what it was told teaches to disobey",
        ),
        measure_at_least("constraints_are_followed", "constraint_share", obeyed, is_blocking=False, may_be_empty=True),
        measure_at_most("answer_counts_add_up", "unaccounted_rows", _ACCOUNTED),
        measure_at_most("few_answers_failed", "failed_share", failed),
    )  # fmt: skip


def _scored_prompted_samples(failed: str) -> tuple[Expectation, ...]:
    table = "scored_prompted_samples"
    scale = "HelpSteer's scale runs from 0 to 4; a regression may overshoot"
    ranges = (
        between(
            f"{name}_is_in_range", table, name, -1, 5, scale, allows_null=True, is_blocking=False, may_be_empty=True
        )
        for name in REWARD_ATTRIBUTES
    )  # fmt: skip
    number = "a cut at what is no number keeps at random"
    return (
        rows_exist(table, is_blocking=False),
        unique(table, "synthetic_sample_id", _TWICE, may_be_empty=True),
        between("reward_is_a_number", table, "reward", -1e9, 1e9, number, may_be_empty=True),
        *ranges,
        measure_at_most("scores_have_a_sample", "scores_without_sample", "a score from nowhere is a stale row"),
        measure_at_most(
            "prompted_scoring_counts_add_up", "unaccounted_rows", "every sample is scored or failed, never lost"
        ),
        measure_at_most("few_samples_failed", "failed_share", failed),
    )
