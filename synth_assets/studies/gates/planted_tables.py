"""For every check of a stage's suite a defect that it is there for, planted in tables that are whole (`whole_tables`).

A defect is planted by the kind of the check (a blank text, a row that stands twice, a name that nobody knows, a number
beyond its bound, an empty table) in a random row, or, where the check is on a figure of the whole stage, by `SPECIAL`. It is
the smallest that there is: one row, where one suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from synth_assets.errors import Fault
from synth_assets.quality import Expectation, Suite
from synth_assets.quality.expectations import MEASURES_TABLE
from synth_assets.studies.gates.whole_tables import Tables

Plant = Callable[[Tables, Random], None]
NAN = float("nan")


def set_one(table: str, **changes: Any) -> Plant:
    """In a random row."""

    def plant(tables: Tables, rng: Random) -> None:
        at = rng.randrange(len(tables[table]))
        tables[table][at] = replace(tables[table][at], **changes)

    return plant


def set_every(table: str, **changes: Any) -> Plant:
    def plant(tables: Tables, rng: Random) -> None:
        tables[table] = [replace(row, **changes) for row in tables[table]]

    return plant


def keep_where(table: str, is_kept: Callable[[Any], bool]) -> Plant:
    def plant(tables: Tables, rng: Random) -> None:
        tables[table] = [row for row in tables[table] if is_kept(row)]

    return plant


def lose_one(table: str, is_meant: Callable[[Any], bool] = lambda row: True) -> Plant:
    """A random one of those that are meant."""

    def plant(tables: Tables, rng: Random) -> None:
        tables[table].remove(rng.choice([row for row in tables[table] if is_meant(row)]))

    return plant


def double_one(table: str, **changes: Any) -> Plant:
    return lambda tables, rng: tables[table].append(replace(rng.choice(tables[table]), **changes))


def empty(table: str) -> Plant:
    return lambda tables, rng: tables.update({table: []})


def add(table: str, row: Any) -> Plant:
    return lambda tables, rng: tables[table].append(row)


def miscount(stage: str) -> Plant:
    """A row went in of which nobody knows what became."""
    return _recount(stage, lambda row: {"num_in": row.num_in + 1})


def fail_one(stage: str) -> Plant:
    """Of those that are counted as kept, or as rejected."""

    def changes(row: Any) -> dict[str, int]:
        lost = "num_rejected" if row.num_rejected else "num_kept"
        return {lost: getattr(row, lost) - 1, "num_failed": 1}

    return _recount(stage, changes)


def _recount(stage: str, changes: Callable[[Any], dict[str, int]]) -> Plant:
    def plant(tables: Tables, rng: Random) -> None:
        rows = tables["stage_counts"]
        rows[:] = [replace(row, **changes(row)) if row.stage == stage else row for row in rows]

    return plant


def lose_rejected(stage: str) -> Plant:
    return lose_one("rejected_samples", lambda row: row.stage == stage)


def lose_counts(stage: str) -> Plant:
    return keep_where("stage_counts", lambda row: row.stage != stage)


def _is_synthetic(row: Any) -> bool:
    return bool(row.source == "synthetic")


def _replayed_instead(tables: Tables, rng: Random) -> None:
    row = rng.choice([row for row in tables["training_mix"] if _is_synthetic(row)])
    tables["training_mix"].remove(row)
    tables["training_mix"].append(replace(row, source="replay"))


def _lose_scored(tables: Tables, rng: Random) -> None:
    kept = {row.synthetic_sample_id for row in tables["reward_filtered_set"]}
    lose_one("scored_samples", lambda row: row.synthetic_sample_id in kept)(tables, rng)


def _change_one(table: str, is_meant: Callable[[Any], bool], changes: Callable[[Any], dict[str, Any]]) -> Plant:
    """A random one of those that are meant, by what it is."""

    def plant(tables: Tables, rng: Random) -> None:
        row = rng.choice([row for row in tables[table] if is_meant(row)])
        tables[table] = [replace(each, **changes(each)) if each is row else each for each in tables[table]]

    return plant


def _both(first: Plant, second: Plant) -> Plant:
    def plant(tables: Tables, rng: Random) -> None:
        first(tables, rng)
        second(tables, rng)

    return plant


def _is_constrained(row: Any) -> bool:
    return bool(row.kind == "instruction_following")


def _is_by_reward(row: Any) -> bool:
    return bool(row.decided_by == "reward")


_SAMPLES, _KEPT, _MIX, _COUNTS = "synthetic_samples", "reward_filtered_set", "training_mix", "stage_counts"
_TOPICS, _PROMPTS, _PROMPTED, _SCORED = "prompt_topics", "synthetic_prompts", "prompted_samples", "scored_prompted_samples"
_PAIRS, _ALIGNED = "preference_pairs", "aligned_checkpoint"
_TELLING = "Write to jo.planted@mailbox.org"
_LONG = "the old mill by the river was sold to a baker who turned its upper floor into a school for young cooks"
#: Where the kind of a check does not say what its defect is: one or several.
SPECIAL: Mapping[tuple[str, str], tuple[Plant, ...]] = {
    ("judge_calibration", "judges_accept_good_cases"): (set_every("judge_calibration", is_accepted=False),),
    ("judge_calibration", "judges_refuse_bad_cases"): (set_every("judge_calibration", is_accepted=True),),
    ("reward_report", "length_does_not_drive_the_reward"): (set_every("reward_report", value=-0.8),),
    ("reward_report", "leaves_do_not_drive_the_reward"): (set_every("reward_report", value=0.8),),
    ("comparisons", "judge_is_consistent"): (set_every("comparisons", outcome="inconsistent"),),
    ("seed_examples", "every_leaf_node_has_its_seed_examples"): (lose_one("seed_examples"),),
    ("document_chunks", "chunks_have_a_span"): (set_one("document_chunks", char_end=0),),
    ("document_chunks", "knowledge_leaf_nodes_have_chunks"): (empty("document_chunks"),),
    (_SAMPLES, "response_logprob_is_one"): (
        set_one(_SAMPLES, response_logprob=0.5),
        set_one(_SAMPLES, response_logprob=NAN),
    ),
    (_SAMPLES, "samples_have_seed_examples"): (set_one(_SAMPLES, seed_example_ids=()),),
    (_SAMPLES, "samples_have_a_leaf_node"): (set_one(_SAMPLES, leaf_node_id="gone"),),
    (_SAMPLES, "leaf_quotas_are_met"): (keep_where(_SAMPLES, lambda row: row.leaf_node_id != "leaf1"),),
    (_SAMPLES, "generation_counts_add_up"): (
        miscount("generation"), lose_rejected("generation"), lose_counts("generation"), lose_one(_SAMPLES),
    ),
    (_SAMPLES, "few_candidates_failed"): (fail_one("generation"),),
    (_TOPICS, "topics_have_a_leaf_node"): (lose_one("generated_leaf_nodes"), set_one(_TOPICS, leaf_path="gone")),
    (_TOPICS, "topic_counts_add_up"): (miscount(_TOPICS), lose_rejected(_TOPICS), lose_counts(_TOPICS), lose_one(_TOPICS)),
    (_TOPICS, "few_topic_lists_failed"): (fail_one(_TOPICS),),
    (_TOPICS, "topic_lists_are_full"): (
        keep_where(_TOPICS, lambda row: row.parent is None),
        keep_where(_TOPICS, lambda row: row.parent is not None or row.origin == "manual"),
    ),
    (_PROMPTS, "prompts_have_a_topic"): (set_one(_PROMPTS, topic_id="gone"),),
    (_PROMPTS, "prompt_counts_add_up"): (
        miscount("prompt_synthesis"), lose_rejected("prompt_synthesis"), lose_counts("prompt_synthesis"),
        lose_one(_PROMPTS),
    ),
    (_PROMPTS, "few_prompts_failed"): (fail_one("prompt_synthesis"),),
    (_PROMPTS, "prompt_quotas_are_met"): (
        lose_one(_PROMPTS, lambda row: row.kind == "maths_problem"),
        lose_one(_PROMPTS, _is_constrained),
    ),
    (_PROMPTED, "response_logprob_is_one"): (
        set_one(_PROMPTED, response_logprob=0.5),
        set_one(_PROMPTED, response_logprob=NAN),
    ),
    (_PROMPTED, "samples_have_a_prompt"): (set_one(_PROMPTED, synthetic_prompt_id="gone"),),
    (_PROMPTED, "samples_have_a_leaf_node"): (set_one(_PROMPTED, leaf_node_id="gone"),),
    (_PROMPTED, "samples_keep_their_constraints"): (
        _change_one(_PROMPTED, _is_constrained, lambda row: {"response": f"{row.response}, so"}),
    ),
    (_PROMPTED, "constraints_are_followed"): (keep_where(_PROMPTED, lambda row: not _is_constrained(row)),),
    (_PROMPTED, "answer_counts_add_up"): (
        miscount("answering"), lose_rejected("answering"), lose_counts("answering"), lose_one(_PROMPTED),
        lose_one(_PROMPTS),
    ),
    (_PROMPTED, "few_answers_failed"): (fail_one("answering"),),
    (_SCORED, "reward_is_a_number"): (set_one(_SCORED, reward=NAN), set_one(_SCORED, reward=float("inf"))),
    (_SCORED, "scores_have_a_sample"): (set_one(_SCORED, synthetic_sample_id="gone"),),
    (_SCORED, "prompted_scoring_counts_add_up"): (
        miscount("prompted_scoring"), lose_counts("prompted_scoring"), lose_one(_SCORED), lose_one(_PROMPTED),
    ),
    (_SCORED, "few_samples_failed"): (fail_one("prompted_scoring"),),
    (_KEPT, "reward_is_a_number"): (set_one("scored_samples", reward=NAN),),
    (_KEPT, "kept_rows_have_a_sample"): (set_one(_KEPT, synthetic_sample_id="gone"),),
    (_KEPT, "kept_rows_have_a_score"): (_lose_scored,),
    (_KEPT, "filter_counts_add_up"): (
        lose_rejected("filter"), lose_one(_KEPT), lose_one("scored_samples"), lose_one(_SCORED),
    ),
    (_KEPT, "few_samples_failed"): (fail_one("filter"),),
    (_KEPT, "enough_is_kept"): (keep_where(_KEPT, lambda row: row.leaf_node_id == "leaf0"),),
    (_KEPT, "no_leaf_node_crowds_out"): (keep_where(_KEPT, lambda row: row.leaf_node_id == "leaf0"),),
    (_KEPT, "every_leaf_node_is_kept"): (keep_where(_KEPT, lambda row: row.leaf_node_id != "leaf1"),),
    (_MIX, "rows_to_train_on"): (set_every(_MIX, split="validation"),),
    (_MIX, "every_phase_has_rows"): (set_every(_MIX, phase="other"),),
    (_MIX, "validation_is_held_out"): (double_one(_MIX, training_example_id="v", split="validation"),),
    (_MIX, "kept_samples_are_used"): (lose_one(_MIX, _is_synthetic), _replayed_instead),
    (_MIX, "no_branch_drowns"): (keep_where(_MIX, lambda row: not row.leaf_path.startswith("knowledge")),),
    (_MIX, "replay_share_is_met"): (keep_where(_MIX, lambda row: row.source != "replay"),),
    ("lora_checkpoint", "train_loss_is_sane"): (set_one("lora_checkpoint", train_loss_last=NAN),),
    ("lora_checkpoint", "train_loss_has_fallen"): (set_one("lora_checkpoint", train_loss_last=3.5),),
    ("lora_checkpoint", "validation_loss_is_sane"): (set_one("lora_checkpoint", validation_loss=99.0),),
    ("lora_checkpoint", "all_steps_were_done"): (set_one("lora_checkpoint", num_steps=1),),
    ("lora_checkpoint", "each_phase_ends_with_one_candidate"): (
        set_one("lora_checkpoint", is_chosen=False),
        double_one("lora_checkpoint"),
    ),
    (_PAIRS, "responses_of_a_pair_differ"): (_change_one(_PAIRS, lambda row: True, lambda row: {"rejected": row.chosen}),),
    (_PAIRS, "rewards_are_a_margin_apart"): tuple(
        _change_one(_PAIRS, _is_by_reward, lambda row, margin=margin: {"margin": margin})  # type: ignore[misc]
        for margin in (0.09, None, NAN)
    ),
    (_PAIRS, "pairs_give_nobody_away"): (set_one(_PAIRS, chosen=_TELLING), set_one(_PAIRS, rejected=_TELLING)),
    (_PAIRS, "pairs_leak_no_value"): (
        _both(set_one("seed_examples", answer=_TELLING), set_one(_PAIRS, chosen=f"Yes. {_TELLING}")),
        _both(set_one("document_chunks", text=_TELLING), set_one(_PAIRS, rejected=f"No. {_TELLING}")),
    ),
    (_PAIRS, "pairs_copy_no_source"): (
        _both(set_one("seed_examples", answer=_LONG), set_one(_PAIRS, rejected=_LONG)),
        _both(set_one("document_chunks", text=_LONG), set_one(_PAIRS, chosen=_LONG)),
    ),
    (_PAIRS, "pair_depth_is_within_bounds"): (set_one(_PAIRS, generation_depth=3), set_one(_PAIRS, generation_depth=None)),
    (_PAIRS, "preference_counts_add_up"): (
        miscount("preferences"), lose_rejected("preferences"), lose_counts("preferences"), lose_one(_PAIRS),
    ),
    (_PAIRS, "few_prompts_failed"): (fail_one("preferences"),),
    (_PAIRS, "enough_prompts_have_a_pair"): (empty(_PAIRS),),
    (_PAIRS, "judge_is_consistent_on_pairs"): (
        set_every(_PAIRS, agreement=("judge",), disagreement=("judge",)),
    ),
    (_ALIGNED, "train_loss_is_sane"): (set_one(_ALIGNED, train_loss_last=NAN), set_one(_ALIGNED, train_loss_last=99.0)),
    (_ALIGNED, "train_loss_has_fallen"): (set_one(_ALIGNED, train_loss_last=0.7),),
    (_ALIGNED, "validation_loss_is_sane"): (set_one(_ALIGNED, validation_loss=99.0),),
    (_ALIGNED, "all_steps_were_done"): (set_one(_ALIGNED, num_steps=4), lose_one(_ALIGNED)),
    (_ALIGNED, "each_iteration_ends_with_one_candidate"): (
        set_one(_ALIGNED, is_chosen=False), double_one(_ALIGNED), lose_one(_ALIGNED),
    ),
    ("evaluation", "all_questions_were_answered"): (lose_one("evaluation"),),
    ("evaluation", "student_has_gained"): (
        keep_where("evaluation", lambda row: not (row.model == "tuned" and row.is_right)),
    ),
    ("evaluation", "student_has_retained"): (keep_where("evaluation", lambda row: row.suite == "taxonomy"),),
    ("harness_scores", "value_is_a_share"): (
        set_one("harness_scores", value=58.9),
        set_one("harness_scores", value=NAN),
    ),
    ("harness_scores", "every_task_has_both_figures"): (lose_one("harness_scores"), set_one("harness_scores", task="other")),
    ("harness_scores", "questions_are_read_whole"): (set_one("harness_scores", is_truncated=True),),
}  # fmt: skip


def defects_of(suite: Suite, check: Expectation) -> tuple[Plant, ...]:
    """What the check is there for. Raises LookupError for a check on a measure that nobody has thought of."""
    special = SPECIAL.get((suite.name, check.name))
    if special:
        return special
    kind, table = check.kind.removeprefix("expect_").removeprefix("column_values_to_"), check.table
    if table == MEASURES_TABLE or kind.startswith("column_pair"):
        raise LookupError(f"{suite.name}.{check.name} has no planted defect: add one to planted_tables.SPECIAL")
    if kind == "table_row_count_to_be_between":
        return (empty(table),)
    if kind == "table_row_count_to_equal":
        return (add(table, Fault("f", 1, 1, "", "", "m", "e")),)
    if kind == "be_unique":
        return (double_one(table),)
    return (set_one(table, **{check.kwargs["column"]: _wrong_value(kind, check.kwargs)}),)


def _wrong_value(kind: str, kwargs: Mapping[str, Any]) -> Any:
    if kind == "match_regex":
        return " \n"
    if kind == "be_in_set":
        return "other" if isinstance(kwargs["value_set"][0], str) else kwargs["value_set"][0] + 1
    value = kwargs["max_value"] + 1 if "max_value" in kwargs else kwargs["min_value"] - 1
    return int(value) if float(value).is_integer() else value
