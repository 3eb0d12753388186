"""Good tables pass every check; each planted defect fails the check that is named for it, and blocks where it must."""

import json
import re
from pathlib import Path
from random import Random

import polars as pl
import pytest

from synth_assets.frames import to_frame
from synth_assets.quality import ExpectationResult, judge_stage, suite_id, suites_of
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.records import REWARD_ATTRIBUTES, TABLES, TRUST_REPORTS
from synth_assets.studies.gates.planted_tables import Plant, defects_of
from synth_assets.studies.gates.whole_tables import Tables, good_tables, with_every_stage

RECIPE = with_every_stage(read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml", "demo"))
SUITES = {name: suite for name, suite in suites_of(RECIPE).items() if name not in TRUST_REPORTS}
DEFECTS = [
    (suite.name, check.name, plant)
    for suite in SUITES.values()
    for check in suite.expectations
    for plant in defects_of(suite, check)
]
#: Shown, and goes on; every other check blocks.
WARNINGS = {
    "taxonomy": {"task_description_is_not_blank", "leaf_nodes_have_enough_seed_examples", "taxonomy_has_no_faults"},
    "seed_examples": {"seed_examples_are_human"},
    "document_chunks": {"knowledge_leaf_nodes_have_chunks", "documents_have_no_faults"},
    "judge_calibration": {"judges_accept_good_cases", "judges_refuse_bad_cases"},
    "synthetic_samples": {"leaf_quotas_are_met"},
    "prompt_topics": {"prompt_topics_has_rows", "topic_lists_are_full"},
    "synthetic_prompts": {"synthetic_prompts_has_rows", "prompt_quotas_are_met"},
    "prompted_samples": {"prompted_samples_has_rows", "constraints_are_followed"},
    "scored_prompted_samples": {
        "scored_prompted_samples_has_rows", *(f"{name}_is_in_range" for name in REWARD_ATTRIBUTES),
    },
    "reward_filtered_set": {
        *(f"{name}_is_in_range" for name in REWARD_ATTRIBUTES), "no_leaf_node_crowds_out", "every_leaf_node_is_kept",
    },
    "reward_report": {"length_does_not_drive_the_reward", "leaves_do_not_drive_the_reward"},
    "training_mix": {"every_phase_has_rows", "replay_share_is_met", "no_branch_drowns"},
    "lora_checkpoint": {"train_loss_has_fallen", "validation_loss_is_sane"},
    "preference_pairs": {"enough_prompts_have_a_pair", "judge_is_consistent_on_pairs"},
    "aligned_checkpoint": {"train_loss_has_fallen", "validation_loss_is_sane"},
    "evaluation": {"student_has_gained", "student_has_retained"},
    "comparisons": {"judge_is_consistent"},
    "harness_scores": {"questions_are_read_whole"},
}  # fmt: skip
#: Their tables may have no rows: there are no documents, or a teacher named no topics.
MAY_BE_EMPTY = {"document_chunks", "prompt_topics", "synthetic_prompts", "prompted_samples", "scored_prompted_samples"}


def _good_tables() -> Tables:
    return good_tables(Random(1))


def _judge(suite: str, tables: Tables) -> dict[str, ExpectationResult]:
    frames = {name: to_frame(tables[name], TABLES[name]) for name in SUITES[suite].tables}
    results = judge_stage(SUITES[suite], frames, RECIPE)
    assert [result.name for result in results] == [e.name for e in SUITES[suite].expectations]
    return {result.name: result for result in results}


def _failed(results: dict[str, ExpectationResult]) -> set[str]:
    return {name for name, result in results.items() if not result.is_passed}


@pytest.mark.parametrize("suite", SUITES)
def test_good_tables_pass(suite: str) -> None:
    results = _judge(suite, _good_tables())
    assert not _failed(results), {name: results[name] for name in _failed(results)}
    assert all(result.observed and result.expected and result.reason and not result.error for result in results.values())


@pytest.mark.parametrize(
    ("suite", "check", "plant"), DEFECTS, ids=[f"{row[0]}-{row[1]}-{n}" for n, row in enumerate(DEFECTS)]
)
def test_a_planted_defect_fails_its_check(suite: str, check: str, plant: Plant) -> None:
    tables = _good_tables()
    plant(tables, Random(2))
    result = _judge(suite, tables)[check]
    assert not result.is_passed and result.is_blocking == (check not in WARNINGS.get(suite, ()))


@pytest.mark.parametrize("suite", [name for name in SUITES if name not in MAY_BE_EMPTY])
def test_an_empty_table_passes_nothing_that_reads_it(suite: str) -> None:
    tables = _good_tables()
    tables[suite] = []
    results = _judge(suite, tables)
    reading = [e for e in SUITES[suite].expectations if e.table == suite]
    assert reading and all(not results[e.name].is_passed for e in reading)
    assert all("no rows" in results[e.name].error for e in reading if not e.kind.startswith("expect_table_"))


def test_no_documents_are_no_fault_where_no_leaf_node_needs_them() -> None:
    tables = _good_tables() | {"document_chunks": []}
    tables["taxonomy"] = tables["taxonomy"][:2]
    results = _judge("document_chunks", tables)
    assert not _failed(results) and results["text_is_not_blank"].observed == "no rows, which is allowed"


def test_a_suite_that_forgot_nothing_answers_for_unmeasured_retention() -> None:
    tables = _good_tables()
    tables["evaluation"] = [row for row in tables["evaluation"] if row.suite == "taxonomy"]
    result = _judge("evaluation", tables)["student_has_retained"]
    assert not result.is_passed and "NaN" in result.error and "retained" in result.error


def test_measures_that_cannot_be_computed_fail_with_their_reason() -> None:
    frames = {name: to_frame(_good_tables()[name], TABLES[name]) for name in SUITES["evaluation"].tables}
    frames["evaluation"] = frames["evaluation"].drop("is_right")
    results = {result.name: result for result in judge_stage(SUITES["evaluation"], frames, RECIPE)}
    assert "is_right" in results["student_has_gained"].error and not results["student_has_gained"].is_passed
    assert results["model_is_known"].is_passed
    assert isinstance(frames["evaluation"], pl.DataFrame)


def test_names_are_fit_for_dagster_and_unique() -> None:
    for suite in suites_of(RECIPE).values():
        names = [expectation.name for expectation in suite.expectations]
        assert len(names) == len(set(names)) and all(re.fullmatch(r"[a-z_0-9]+", name) for name in names)
        assert any(expectation.is_blocking for expectation in suite.expectations)
        assert set(suite.tables) <= set(TABLES)


def test_a_suite_is_another_one_with_another_threshold_of_whatever_section() -> None:
    """Else a verdict by the old threshold would count as one by the new."""
    said = read_recipe("data/recipes/nemotron-4-340b.yaml", "demo").model_dump(mode="json")
    said["judges"] = read_recipe("data/recipes/embedded_lab.yaml").model_dump(mode="json")["judges"]
    said["reward"]["report"] = {}
    first = Recipe.model_validate_json(json.dumps(said))
    value = {"value": 0.123, "reason": "another one, for the test"}
    for asset, section, key in (
        ("judge_calibration", "judges", "max_false_positive_rate"),
        ("prompted_samples", "prompt_synthesis", "min_constraint_share"),
        ("preference_pairs", "preferences", "min_pair_share"),
        ("reward_filtered_set", "quality", "min_kept_share"),
    ):
        other = Recipe.model_validate_json(json.dumps({**said, section: {**said[section], key: value}}))
        changed = {
            name
            for name, suite in suites_of(other).items()
            if suite_id(suite, other) != suite_id(suites_of(first)[name], first)
        }
        assert asset in changed and (section == "quality" or changed == {asset})
    report = {**said, "reward": {**said["reward"], "report": {"max_length_correlation": value}}}
    other = Recipe.model_validate_json(json.dumps(report))
    assert suite_id(suites_of(other)["reward_report"], other) != suite_id(suites_of(first)["reward_report"], first)
