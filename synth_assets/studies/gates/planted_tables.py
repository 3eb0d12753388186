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


def _is_synthetic(row: Any) -> bool:
    return bool(row.source == "synthetic")


def _replayed_instead(tables: Tables, rng: Random) -> None:
    row = rng.choice([row for row in tables["training_mix"] if _is_synthetic(row)])
    tables["training_mix"].remove(row)
    tables["training_mix"].append(replace(row, source="replay"))


def _lose_scored(tables: Tables, rng: Random) -> None:
    kept = {row.synthetic_sample_id for row in tables["reward_filtered_set"]}
    lose_one("scored_samples", lambda row: row.synthetic_sample_id in kept)(tables, rng)


_SAMPLES, _KEPT, _MIX, _COUNTS = "synthetic_samples", "reward_filtered_set", "training_mix", "stage_counts"
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
        lambda tables, rng: tables[_COUNTS].__setitem__(0, replace(tables[_COUNTS][0], num_in=16)),
        lose_one("rejected_samples", lambda row: row.stage == "generation"),
        keep_where(_COUNTS, lambda row: row.stage != "generation"),
        lose_one(_SAMPLES),
    ),
    (_SAMPLES, "few_candidates_failed"): (
        lambda tables, rng: tables[_COUNTS].__setitem__(0, replace(tables[_COUNTS][0], num_rejected=2, num_failed=1)),
    ),
    (_KEPT, "reward_is_a_number"): (set_one("scored_samples", reward=NAN),),
    (_KEPT, "kept_rows_have_a_sample"): (set_one(_KEPT, synthetic_sample_id="gone"),),
    (_KEPT, "kept_rows_have_a_score"): (_lose_scored,),
    (_KEPT, "filter_counts_add_up"): (
        lose_one("rejected_samples", lambda row: row.stage == "filter"),
        lose_one(_KEPT),
        lose_one("scored_samples"),
    ),
    (_KEPT, "few_samples_failed"): (
        lambda tables, rng: tables[_COUNTS].__setitem__(2, replace(tables[_COUNTS][2], num_rejected=5, num_failed=1)),
    ),
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
