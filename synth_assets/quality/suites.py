"""The checks of every stage: one suite an asset, as data. Names depend on nothing; bounds come from the recipe.

Blocking is what would make all that follows wrong: rows that are missing, stand twice or come from nowhere, texts
that are blank, figures that are no numbers. What is merely worse than hoped is shown and goes on.
"""

from __future__ import annotations

import math
from dataclasses import asdict

from synth_assets.quality.expectations import (
    Expectation,
    Suite,
    between,
    greater,
    matching,
    measure_at_least,
    measure_at_most,
    no_rows,
    not_blank,
    one_of,
    rows_exist,
    unique,
)
from synth_assets.quality.gates import trust_suites
from synth_assets.quality.preference_suites import preference_suites
from synth_assets.quality.prompt_suites import prompt_suites
from synth_assets.quality.reward_suites import reward_suites
from synth_assets.recipe import QualitySection, Recipe, Section
from synth_assets.records import BRANCHES, content_id

_TWICE = "the same content under one id twice would count twice"
_BLANK = "a blank text teaches nothing and hides a fault before"


def suite_id(suite: Suite, recipe: Recipe) -> str:
    """Content hash of what a suite holds against the tables, thresholds included."""
    return content_id("suite", asdict(suite), recipe.quality.model_dump(mode="json"), *_thresholds_of(suite, recipe))


def _thresholds_of(suite: Suite, recipe: Recipe) -> list[object]:
    """Those by which the suite judges, of sections beside `quality`; none of a section that the recipe does not have."""
    judges, pairs, prompts = recipe.judges, recipe.preferences, recipe.prompt_synthesis
    declared: dict[str, tuple[Section | None, ...]] = {
        "judge_calibration": (judges and judges.min_true_positive_rate, judges and judges.max_false_positive_rate),
        "prompted_samples": (prompts and prompts.min_constraint_share,),
        "preference_pairs": (
            pairs and pairs.min_pair_share,
            pairs and pairs.max_inconsistent_share,
            pairs and pairs.max_depth,
        ),
        "reward_report": (recipe.reward.report,),
    }
    return [each.model_dump(mode="json") for each in declared.get(suite.name, ()) if each]


def suites_of(recipe: Recipe) -> dict[str, Suite]:
    """The suites by the name of the asset that they judge, in pipeline order."""
    quality = recipe.quality
    suites = (
        Suite("taxonomy", ("taxonomy", "taxonomy_faults"), _taxonomy(quality)),
        Suite("seed_examples", ("seed_examples", "taxonomy"), _seed_examples()),
        Suite("document_chunks", ("document_chunks", "document_faults", "taxonomy"), _document_chunks()),
        Suite("judge_calibration", ("judge_calibration",), _judge_calibration()),
        Suite(
            "synthetic_samples",
            ("synthetic_samples", "taxonomy", "stage_counts", "rejected_samples"),
            _synthetic_samples(quality),
        ),
        *prompt_suites(recipe),
        *reward_suites(recipe),
        Suite("training_mix", ("training_mix", "reward_filtered_set"), _training_mix(quality)),
        Suite("lora_checkpoint", ("lora_checkpoint", "training_mix"), _lora_checkpoint()),
        *preference_suites(recipe),
        Suite("evaluation", ("evaluation", "benchmark_questions"), _evaluation(quality)),
        Suite("comparisons", ("comparisons",), _comparisons()),
        Suite("harness_scores", ("harness_scores",), _harness_scores()),
        Suite("real_examples", ("real_examples",), _real_examples()),
        *trust_suites(recipe),
    )
    return {suite.name: suite for suite in suites}


def _taxonomy(quality: QualitySection) -> tuple[Expectation, ...]:
    least = quality.min_seed_examples_per_leaf
    return (
        rows_exist("taxonomy"),
        unique("taxonomy", "leaf_path", "two leaf nodes in one place: one of them would vanish"),
        not_blank("taxonomy", "task_description", _BLANK, is_blocking=False),
        one_of("branch_is_known", "taxonomy", "branch", BRANCHES, "a leaf outside the branches has no way of generation"),
        between(
            "leaf_nodes_have_enough_seed_examples", "taxonomy", "num_seed_examples", least.value, None, least.reason,
            is_blocking=False,
        ),
        no_rows(
            "taxonomy_has_no_faults", "taxonomy_faults", "each fault is a leaf node that was left out", is_blocking=False
        ),
    )  # fmt: skip


def _seed_examples() -> tuple[Expectation, ...]:
    table = "seed_examples"
    return (
        rows_exist(table),
        unique(table, "seed_example_id", _TWICE),
        not_blank(table, "question", _BLANK),
        not_blank(table, "answer", _BLANK),
        one_of(
            "seed_examples_are_human", table, "generation_depth", (0,),
            "what a model wrote is a poor seed; how deep rows may descend is for the gates of collapse", is_blocking=False,
        ),
        measure_at_most(
            "every_leaf_node_has_its_seed_examples", "leaf_nodes_with_other_seed_count",
            "seeds that were lost between file and table would not be missed later",
        ),
    )  # fmt: skip


def _document_chunks() -> tuple[Expectation, ...]:
    table = "document_chunks"
    return (
        unique(table, "document_chunk_id", _TWICE, may_be_empty=True),
        not_blank(table, "text", _BLANK, may_be_empty=True),
        greater(
            "chunks_have_a_span", table, "char_end", "char_start", "a row must be traceable to its place in the document",
            may_be_empty=True,
        ),
        measure_at_most(
            "knowledge_leaf_nodes_have_chunks", "knowledge_leaf_nodes_without_chunks",
            "without its document a knowledge leaf is generated from nothing", is_blocking=False,
        ),
        no_rows(
            "documents_have_no_faults", "document_faults", "each fault is a leaf node whose documents were not read",
            is_blocking=False,
        ),
    )  # fmt: skip


def _real_examples() -> tuple[Expectation, ...]:
    table = "real_examples"
    return (
        rows_exist(table),
        unique(table, "real_example_id", _TWICE),
        not_blank(table, "question", _BLANK),
        not_blank(table, "answer", _BLANK),
        one_of("split_is_known", table, "split", ("reference", "holdout"), "a row of neither is compared with nothing"),
    )


def _judge_calibration() -> tuple[Expectation, ...]:
    table = "judge_calibration"
    return (
        rows_exist(table),
        unique(table, "judged_case_id", _TWICE),
        measure_at_least(
            "judges_accept_good_cases", "judge_true_positive_rate", "a judge that refuses seeds refuses what is like them",
            is_blocking=False,
        ),
        measure_at_most(
            "judges_refuse_bad_cases", "judge_false_positive_rate", "a judge that accepts spoiled seeds keeps nothing out",
            is_blocking=False,
        ),
    )  # fmt: skip


def _synthetic_samples(quality: QualitySection) -> tuple[Expectation, ...]:
    table = "synthetic_samples"
    return (
        rows_exist(table),
        unique(table, "synthetic_sample_id", _TWICE),
        not_blank(table, "instruction", _BLANK),
        not_blank(table, "response", _BLANK),
        between("generation_depth_is_counted", table, "generation_depth", 1, None, "depth 0 is kept for people"),
        between("response_logprob_is_one", table, "response_logprob", None, 0, "a probability is at most 1"),
        measure_at_most(
            "samples_have_seed_examples", "samples_without_seed_examples", "every row must be traceable to a person"
        ),
        measure_at_most(
            "samples_have_a_leaf_node", "samples_of_unknown_leaf_nodes", "a row of another taxonomy is a stale row"
        ),
        measure_at_most(
            "generation_counts_add_up", "unaccounted_rows", "every candidate is kept, rejected or failed, never lost"
        ),
        measure_at_most("few_candidates_failed", "failed_share", quality.max_failed_share.reason),
        measure_at_least("leaf_quotas_are_met", "quota_share", quality.min_quota_share.reason, is_blocking=False),
    )


def _training_mix(quality: QualitySection) -> tuple[Expectation, ...]:
    table = "training_mix"
    sources = ("synthetic", "seed", "replay", "earlier_phase")
    return (
        rows_exist(table),
        unique(table, "training_example_id", _TWICE),
        not_blank(table, "prompt", _BLANK),
        not_blank(table, "response", _BLANK),
        one_of("split_is_known", table, "split", ("train", "validation"), "a row of no split would be left out"),
        one_of("source_is_known", table, "source", sources, "real and synthetic rows must be told apart"),
        measure_at_least("rows_to_train_on", "train_rows", "without training rows there is no training"),
        measure_at_least(
            "every_phase_has_rows", "rows_of_phase", "a phase without rows is left out, and what it was to teach with it",
            is_blocking=False,
        ),
        measure_at_most(
            "validation_is_held_out", "validation_rows_also_in_train", "a loss on what was trained on tells nothing"
        ),
        measure_at_most(
            "kept_samples_are_used", "kept_samples_not_in_mix", "what was kept and is not used was lost on the way"
        ),
        measure_at_most(
            "replay_share_is_met", "replay_share_off_target", "too little replay forgets, too much crowds out",
            is_blocking=False,
        ),
        measure_at_least("no_branch_drowns", "branch_share", quality.min_branch_share.reason, is_blocking=False),
    )  # fmt: skip


def _lora_checkpoint() -> tuple[Expectation, ...]:
    table = "lora_checkpoint"
    diverged = 2 * math.log(1e6)
    digest = "^[0-9a-f]{64}$"
    return (
        rows_exist(table),
        matching("adapter_has_a_hash", table, "adapter_sha256", digest, "an adapter is known by its content"),
        between(
            "train_loss_is_sane", table, "train_loss_last", 0, diverged,
            "twice the loss of guessing among a million tokens: the training has diverged",
        ),
        greater(
            "train_loss_has_fallen", table, "train_loss_first", "train_loss_last", "else nothing was learned",
            is_blocking=False,
        ),
        between(
            "validation_loss_is_sane", table, "validation_loss", 0, diverged,
            "as for the training's loss; null if none was held out", allows_null=True, is_blocking=False,
        ),
        measure_at_most("each_phase_ends_with_one_candidate", "choices_off_one", "the next starts from it, or is examined"),
        measure_at_least("all_steps_were_done", "steps_done", "an adapter of half a training is another adapter"),
    )  # fmt: skip


def _evaluation(quality: QualitySection) -> tuple[Expectation, ...]:
    table = "evaluation"
    return (
        rows_exist(table),
        one_of("model_is_known", table, "model", ("base", "tuned"), "an answer of another model is none of these two"),
        measure_at_most(
            "all_questions_were_answered", "unanswered_questions", "accuracies on different questions cannot be compared"
        ),
        measure_at_least("student_has_gained", "accuracy_gain", quality.min_accuracy_gain.reason, is_blocking=False),
        measure_at_least("student_has_retained", "retained_share", quality.min_retained_share.reason, is_blocking=False),
    )


def _comparisons() -> tuple[Expectation, ...]:
    table = "comparisons"
    outcomes = ("base", "tuned", "tie", "inconsistent", "no_verdict")
    return (
        rows_exist(table),
        unique(table, "open_question_id", _TWICE),
        one_of("outcome_is_known", table, "outcome", outcomes, "an outcome of another name is counted nowhere"),
        measure_at_most(
            "judge_is_consistent", "inconsistent_share", "a judge that goes by the order says little of the answers",
            is_blocking=False,
        ),
    )  # fmt: skip


def _harness_scores() -> tuple[Expectation, ...]:
    table = "harness_scores"
    return (
        rows_exist(table),
        one_of("model_is_known", table, "model", ("base", "tuned"), "a figure of another model is none of these two"),
        between("value_is_a_share", table, "value", 0, 1, "a figure outside is of another unit, or no figure"),
        between("questions_were_asked", table, "num_questions", 1, None, "a figure on no question says nothing"),
        measure_at_most(
            "every_task_has_both_figures", "figures_off_count", "a figure without its counterpart compares with nothing"
        ),
        one_of(
            "questions_are_read_whole", table, "is_truncated", (False,),
            "a question without its beginning, or without the examples before it, is another question", is_blocking=False,
        ),
    )  # fmt: skip
