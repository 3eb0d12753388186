"""The checks of preference pairs and of the student that is aligned on them, and the figures that they read.

Looked at anew, from the stored tables: that rows add up, that a pair is one, that it gives nobody away, recites no source
and is not too many models deep: the reports on trust see samples and mix, and students are aligned on what came after.
What blocks would train the student on what nobody preferred, or must not be told.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from typing import cast

import polars as pl

from synth_assets.frames import from_frame
from synth_assets.quality.counted import ALL, Measure, Tables, count_measures, ratio
from synth_assets.quality.expectations import (
    Expectation,
    Suite,
    between,
    greater,
    matching,
    measure_at_least,
    measure_at_most,
    not_blank,
    one_of,
    rows_exist,
    unique,
)
from synth_assets.quality.privacy import COPIES_SOURCE, LEAKED_VALUE, AskedResponse, ResponseRefusals
from synth_assets.recipe import AlignmentStage, PreferencesSection, Recipe
from synth_assets.records import DocumentChunk, SeedExample

PAIRS, ALIGNED = "preference_pairs", "aligned_checkpoint"
STAGE = "preferences"
_INCONSISTENT = "judge_inconsistent"
_DIVERGED = 2 * math.log(1e6)


def preference_suites(recipe: Recipe) -> list[Suite]:
    """Of a recipe that declares pairs; the second one where it aligns on them."""
    section = recipe.preferences
    if section is None:
        return []
    asked = ("reward_filtered_set", *(("synthetic_prompts",) if recipe.prompt_synthesis else ()))
    tables = (PAIRS, "stage_counts", "rejected_samples", "seed_examples", "document_chunks", *asked)
    pairs = Suite(PAIRS, tables, _of_pairs(section, recipe))
    return [pairs, *([Suite(ALIGNED, (ALIGNED, PAIRS), _of_aligned())] if recipe.alignment else [])]


def _of_pairs(section: PreferencesSection, recipe: Recipe) -> tuple[Expectation, ...]:
    judged = measure_at_most(
        "judge_is_consistent_on_pairs", "inconsistent_share", section.max_inconsistent_share.reason, is_blocking=False
    )
    return (
        rows_exist(PAIRS),
        unique(PAIRS, "preference_pair_id", "the same pair twice would count twice"),
        not_blank(PAIRS, "chosen", "a blank text is no response to be preferred"),
        not_blank(PAIRS, "rejected", "a blank text teaches nothing to be avoided"),
        one_of(
            "decided_by_is_known", PAIRS, "decided_by", ("ground_truth", "judge", "reward"), "who else should have decided?"
        ),
        measure_at_most("responses_of_a_pair_differ", "pairs_of_equal_responses", "equal texts cannot be told apart"),
        measure_at_most(
            "rewards_are_a_margin_apart", "pairs_below_the_margin", "below it the reward model's word is noise"
        ),
        measure_at_most("pairs_give_nobody_away", "pairs_with_what_is_hidden", "alignment would teach to tell it"),
        measure_at_most("pairs_leak_no_value", "pairs_with_leaked_values", "a value of a source would be told on"),
        measure_at_most("pairs_copy_no_source", "pairs_that_copy_a_source", "alignment would teach to recite it"),
        measure_at_most("pair_depth_is_within_bounds", "pair_depth", section.max_depth.reason),
        measure_at_most("preference_counts_add_up", "unaccounted_rows", "every prompt is kept, rejected or failed"),
        measure_at_most("few_prompts_failed", "failed_share", recipe.quality.max_failed_share.reason),
        measure_at_least("enough_prompts_have_a_pair", "pair_share", section.min_pair_share.reason, is_blocking=False),
        *([judged] if section.judges else []),
    )  # fmt: skip


def _of_aligned() -> tuple[Expectation, ...]:
    return (
        rows_exist(ALIGNED),
        matching("adapter_has_a_hash", ALIGNED, "adapter_sha256", "^[0-9a-f]{64}$", "an adapter is known by its content"),
        between(
            "train_loss_is_sane", ALIGNED, "train_loss_last", 0, _DIVERGED,
            "a loss of pairs starts at 0.7 or below, and the usual one beside it has a small weight",
        ),
        greater(
            "train_loss_has_fallen", ALIGNED, "train_loss_first", "train_loss_last", "else no preference was learned",
            is_blocking=False,
        ),
        between(
            "validation_loss_is_sane", ALIGNED, "validation_loss", 0, _DIVERGED,
            "as for the training's loss; null if no prompt was held out", allows_null=True, is_blocking=False,
        ),
        measure_at_most(
            "each_iteration_ends_with_one_candidate", "choices_off_one", "the next starts from it, or is examined"
        ),
        measure_at_least("all_steps_were_done", "steps_done", "an adapter of half a training is another adapter"),
    )  # fmt: skip


def measure_pairs(tables: Tables, recipe: Recipe) -> list[Measure]:
    section = recipe.preferences
    assert section is not None
    pairs, ended = tables[PAIRS], tables["rejected_samples"].filter(pl.col("stage") == STAGE)
    num_kept = pairs["prompt_id"].n_unique()
    apart = (pl.col("margin") >= section.margin) & pl.col("margin").is_not_nan()  # for polars NaN is above all numbers
    close = pairs.filter((pl.col("decided_by") == "reward") & ~apart.fill_null(False))
    measures = [
        Measure("pairs_of_equal_responses", ALL, pairs.filter(pl.col("chosen") == pl.col("rejected")).height, 0),
        Measure("pairs_below_the_margin", ALL, close.height, 0),
        *_privacy_measures(tables, recipe),
        Measure("pair_depth", ALL, _deepest(pairs), section.max_depth.value),
        Measure("pair_share", ALL, ratio(num_kept, num_kept + ended.height), section.min_pair_share.value),
        *count_measures(tables, recipe, STAGE, num_kept),
    ]
    if section.judges:
        measures.append(
            Measure("inconsistent_share", ALL, inconsistent_share(pairs, ended), section.max_inconsistent_share.value)
        )
    return measures


def inconsistent_share(pairs: pl.DataFrame, ended: pl.DataFrame) -> float:
    """Of the prompts that the judge was asked about, those where it prefers another in each order, also where the reward
    model has decided in its place: a pair says so by naming the judge in both lists."""
    is_split = pl.col("agreement").list.contains("judge") & pl.col("disagreement").list.contains("judge")
    reasons: Mapping[str, int] = dict(ended.group_by("rejection_reason").len().iter_rows())
    num_judged = pairs.filter(pl.col("decided_by") != "ground_truth")["prompt_id"].n_unique()
    num_judged += sum(reasons.get(reason, 0) for reason in (_INCONSISTENT, "no_verdict", "all_equal"))
    num_split = pairs.filter(is_split)["prompt_id"].n_unique() + reasons.get(_INCONSISTENT, 0)
    return ratio(num_split, num_judged)


def _deepest(pairs: pl.DataFrame) -> float:
    """NaN, and so above every bound, where the depth of a pair is not known."""
    depths = pairs["generation_depth"]
    return math.nan if depths.null_count() else float(cast(int, depths.max() or 0))


_REASONS_OF = {
    "pairs_with_what_is_hidden": {"personal_data", "secret"},
    "pairs_with_leaked_values": {LEAKED_VALUE},
    "pairs_that_copy_a_source": {COPIES_SOURCE},
}


def _privacy_measures(tables: Tables, recipe: Recipe) -> list[Measure]:
    """Pairs of which a response may be in none; the sources are read again."""
    seeds, chunks = from_frame(tables["seed_examples"], SeedExample), from_frame(tables["document_chunks"], DocumentChunk)
    trained = {spec.leaf_path for spec in recipe.taxonomy.data_sets if spec.train_on}
    rows = _responses(tables)
    reasons: dict[str, set[str]] = defaultdict(set)
    for row, found in zip(rows, ResponseRefusals(seeds, chunks, recipe.trust.privacy, trained).find(rows), strict=True):
        reasons[row.synthetic_sample_id].update(found)
    return [
        Measure(name, ALL, sum(bool(found & of_measure) for found in reasons.values()), 0)
        for name, of_measure in _REASONS_OF.items()
    ]


def _responses(tables: Tables) -> list[AskedResponse]:
    """Both of each pair, under the pair's id, with what was asked: a context is a quotation by design."""
    asked: dict[str, tuple[str | None, str]] = {}
    for table, columns in _ASKED_IN.items():
        if table in tables:
            asked |= {row_id: (context, text) for row_id, context, text in tables[table].select(columns).iter_rows()}
    rows = []
    shown = ("preference_pair_id", "prompt_id", "prompt", "chosen", "rejected")
    for pair_id, prompt_id, prompt, *responses in tables[PAIRS].select(shown).iter_rows():
        turns = [turn["content"] for turn in json.loads(prompt)]
        context, instruction = asked.get(prompt_id, (None, turns[-1]))
        rows += [AskedResponse(pair_id, context, instruction, each, "\n".join(turns)) for each in responses]
    return rows


_ASKED_IN = {
    "seed_examples": ("seed_example_id", "context", "question"),
    "reward_filtered_set": ("synthetic_sample_id", "context", "instruction"),
    "synthetic_prompts": ("synthetic_prompt_id", "context", "text"),
}


def measure_aligned(tables: Tables, recipe: Recipe) -> list[Measure]:
    assert recipe.alignment is not None
    measures = []
    for name, stage in recipe.alignment.stages_to_run:
        candidates = tables[ALIGNED].filter(pl.col("phase") == name)
        steps, examples, choices = (candidates[each].to_list() for each in ("num_steps", "num_examples", "is_chosen"))
        expected = _expected_steps(stage, max(examples, default=0), recipe)
        measures += [
            Measure("steps_done", name, max(steps, default=0), expected),
            Measure("choices_off_one", name, abs(sum(choices) - 1), 0),
        ]
    return measures


def _expected_steps(stage: AlignmentStage, num_pairs: int, recipe: Recipe) -> int:
    if stage.max_steps:
        return stage.max_steps
    size = stage.batch_size or recipe.tuning.batch_size
    in_step = size * (stage.gradient_accumulation or recipe.tuning.gradient_accumulation)
    return max(1, math.ceil(num_pairs / in_step)) * (stage.num_epochs or 1)
