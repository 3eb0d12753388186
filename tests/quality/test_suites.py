"""Good tables pass every check; each planted defect fails the check that is named for it, and blocks where it must."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from synth_assets.errors import Fault
from synth_assets.frames import to_frame
from synth_assets.quality import (
    Estimate,
    ExpectationResult,
    gates_of,
    hold_all,
    insufficient,
    judge_stage,
    not_assessed,
    suites_of,
)
from synth_assets.recipe import GATES, HarnessSection, JudgesSection, Threshold, read_recipe
from synth_assets.records import (
    TABLES,
    TRUST_REPORTS,
    BenchmarkAnswer,
    BenchmarkQuestion,
    Checkpoint,
    Comparison,
    DocumentChunk,
    HarnessScore,
    JudgedCase,
    KeptSample,
    LeafNode,
    RealExample,
    RejectedSample,
    ScoredSample,
    SeedExample,
    StageCounts,
    SyntheticSample,
    TrainingExample,
    TrustReport,
)

RECIPE = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml", "demo")
RECIPE = RECIPE.model_copy(update={"generation": RECIPE.generation.model_copy(update={"num_samples_per_leaf": 4})})
HARNESS = HarnessSection.model_validate({"tasks": ({"name": "mmlu"}, {"name": "synth_assets_taxonomy"})})
RECIPE = RECIPE.model_copy(update={"evaluation": RECIPE.evaluation.model_copy(update={"harness": HARNESS})})
BOUND = Threshold(value=0.5, reason="for the tests, of this length")
JUDGES = JudgesSection(min_true_positive_rate=BOUND, max_false_positive_rate=BOUND)
RECIPE = RECIPE.model_copy(update={"judges": JUDGES})
SUITES = suites_of(RECIPE)
LEAVES = ("compositional_skills/a", "compositional_skills/b", "knowledge/c")


def _good_tables() -> dict[str, list[Any]]:
    leaves = [
        LeafNode(f"leaf{n}", path, path.split("/")[0], "A task", "me", 3, "", "", "", "", (), f"{path}/qna.yaml", 5)
        for n, path in enumerate(LEAVES)
    ]
    samples = [
        SyntheticSample(
            f"{leaf.leaf_node_id}-{n}",
            leaf.leaf_node_id,
            leaf.leaf_path,
            leaf.branch,
            None,
            f"Do {n}",
            f"Done {n}",
            ("seed",),
            None,
            "p",
            "q",
            "teacher",
            n,
            n,
            9,
            3,
            -0.1 * n,
        )
        for leaf in leaves
        for n in range(4)
    ]
    kept = [
        KeptSample(s.synthetic_sample_id, s.leaf_node_id, s.leaf_path, s.branch, None, s.instruction, s.response, 3.0)
        for s in samples
        if s.candidate_index < 2
    ]
    mix = [
        TrainingExample(
            f"t{n}", k.synthetic_sample_id, k.leaf_path, "train", "stacked", "synthetic", n, f"{k.leaf_path} {n}", "x"
        )
        for n, k in enumerate(kept)
    ]
    mix += [TrainingExample(f"r{n}", None, "known", "train", "stacked", "replay", 6 + n, f"r {n}", "x") for n in range(3)]
    questions = [BenchmarkQuestion(f"q{n}", LEAVES[0], "taxonomy", None, f"{n}?", "x") for n in range(10)]
    questions += [BenchmarkQuestion(f"k{n}", "known", "retained", None, f"{n}?", "x") for n in range(10)]
    num_right = {("base", "taxonomy"): 1, ("tuned", "taxonomy"): 8, ("base", "retained"): 10, ("tuned", "retained"): 9}
    return {
        "taxonomy": leaves,
        "taxonomy_faults": [],
        "seed_examples": [
            SeedExample(f"{x.leaf_node_id}-{n}", x.leaf_node_id, x.leaf_path, n, None, "Q?", "A.")
            for x in leaves
            for n in range(5)
        ],
        "document_faults": [],
        "document_chunks": [DocumentChunk("chunk", "leaf2", LEAVES[2], "d.md", "", 0, 4, "Text")],
        "judge_calibration": [
            JudgedCase(f"j{n}", "pair", LEAVES[0], "compositional_skills", "s", "none", "Q?", "A.", "3", "so", n < 5, n < 4)
            for n in range(10)
        ],
        "synthetic_samples": samples,
        "rejected_samples": [
            RejectedSample(f"{stage}{n}", LEAVES[0], stage, "rejected", "why", "", "", "", n)
            for stage, num in (("generation", 3), ("filter", 6))
            for n in range(num)
        ],
        "scored_samples": [ScoredSample(s.synthetic_sample_id, s.leaf_path, 3, 3, 3, 2, 1, 3.0, "rm") for s in samples],
        "reward_filtered_set": kept,
        "training_mix": mix,
        "lora_checkpoint": [Checkpoint("c", "s", "stacked", 0, "p", "0" * 64, 1000, 9, 3.0, 0.5, None, None, True)],
        "benchmark_questions": questions,
        "evaluation": [
            BenchmarkAnswer(
                q.benchmark_question_id,
                q.leaf_path,
                q.suite,
                arm,
                "x",
                int(q.benchmark_question_id[1:]) < num_right[arm, q.suite],
            )
            for arm in ("base", "tuned")
            for q in questions
        ],
        "comparisons": [
            Comparison(f"o{n}", LEAVES[0], None, "Q?", "a", "b", "A", "B", "so", "so", "inconsistent" if n < 4 else "base")
            for n in range(10)
        ],
        "harness_scores": [
            HarnessScore(task, arm, 5, "acc", 0.25, None, 100, False)
            for arm in ("base", "tuned")
            for task in ("mmlu", "synth_assets_taxonomy")
        ],
        "real_examples": [RealExample("x0", "reference", LEAVES[0], None, "Q?", "A.")],
        "measures": [
            held
            for report in TRUST_REPORTS
            for held in hold_all(report, [_at_its_bound(name) for name in gates_of(report)], RECIPE.trust)
        ],
        "stage_counts": [
            StageCounts("generation", "a", 15, 12, 3, 0),
            StageCounts("scoring", "a", 12, 12, 0, 0),
            StageCounts("filter", "a", 12, 6, 6, 0),
        ],
    }


def _at_its_bound(measure: str) -> Estimate:
    gate = GATES[measure].gate
    return Estimate(measure, "all", gate.value if gate.warn is None else gate.warn)


def _judge(suite: str, tables: dict[str, list[Any]]) -> dict[str, ExpectationResult]:
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


def _set(table: str, index: int = 0, **changes: Any) -> Callable[[dict[str, list[Any]]], None]:
    def plant(tables: dict[str, list[Any]]) -> None:
        tables[table][index] = replace(tables[table][index], **changes)

    return plant


def _every(table: str, **changes: Any) -> Callable[[dict[str, list[Any]]], None]:
    def plant(tables: dict[str, list[Any]]) -> None:
        tables[table] = [replace(row, **changes) for row in tables[table]]

    return plant


def _drop(table: str, keep: Callable[[Any], bool]) -> Callable[[dict[str, list[Any]]], None]:
    def plant(tables: dict[str, list[Any]]) -> None:
        tables[table] = [row for row in tables[table] if keep(row)]

    return plant


def _double(table: str) -> Callable[[dict[str, list[Any]]], None]:
    return lambda tables: tables[table].append(tables[table][0])


NAN = float("nan")
A_FAULT = Fault("f", 1, 1, "", "", "m", "e")
DEFECTS: list[tuple[str, str, Callable[[dict[str, list[Any]]], None], bool]] = [
    ("taxonomy", "taxonomy_has_rows", _drop("taxonomy", lambda row: False), True),
    ("taxonomy", "leaf_path_is_unique", _double("taxonomy"), True),
    ("taxonomy", "branch_is_known", _set("taxonomy", branch="other"), True),
    ("taxonomy", "leaf_nodes_have_enough_seed_examples", _set("taxonomy", num_seed_examples=4), False),
    ("taxonomy", "taxonomy_has_no_faults", lambda t: t["taxonomy_faults"].append(A_FAULT), False),
    ("judge_calibration", "judges_accept_good_cases", _every("judge_calibration", is_accepted=False), False),
    ("judge_calibration", "judges_refuse_bad_cases", _every("judge_calibration", is_accepted=True), False),
    ("judge_calibration", "judged_case_id_is_unique", _double("judge_calibration"), True),
    ("comparisons", "judge_is_consistent", _every("comparisons", outcome="inconsistent"), False),
    ("comparisons", "outcome_is_known", _set("comparisons", outcome="other"), True),
    ("seed_examples", "question_is_not_blank", _set("seed_examples", question=" \n"), True),
    ("seed_examples", "seed_examples_are_human", _set("seed_examples", generation_depth=1), False),
    ("seed_examples", "every_leaf_node_has_its_seed_examples", lambda t: t["seed_examples"].pop(), True),
    ("document_chunks", "chunks_have_a_span", _set("document_chunks", char_end=0), True),
    ("document_chunks", "documents_have_no_faults", lambda t: t["document_faults"].append(A_FAULT), False),
    ("document_chunks", "knowledge_leaf_nodes_have_chunks", _drop("document_chunks", lambda row: False), False),
    ("synthetic_samples", "synthetic_sample_id_is_unique", _double("synthetic_samples"), True),
    ("synthetic_samples", "response_is_not_blank", _set("synthetic_samples", response=""), True),
    ("synthetic_samples", "response_logprob_is_one", _set("synthetic_samples", response_logprob=0.5), True),
    ("synthetic_samples", "response_logprob_is_one", _set("synthetic_samples", response_logprob=NAN), True),
    ("synthetic_samples", "generation_depth_is_counted", _set("synthetic_samples", generation_depth=0), True),
    ("synthetic_samples", "samples_have_seed_examples", _set("synthetic_samples", seed_example_ids=()), True),
    ("synthetic_samples", "samples_have_a_leaf_node", _set("synthetic_samples", leaf_node_id="gone"), True),
    ("synthetic_samples", "leaf_quotas_are_met", _drop("synthetic_samples", lambda row: row.leaf_node_id != "leaf1"), False),
    ("synthetic_samples", "generation_counts_add_up", _set("stage_counts", num_in=16), True),
    ("synthetic_samples", "generation_counts_add_up", lambda t: t["rejected_samples"].pop(0), True),
    ("synthetic_samples", "generation_counts_add_up", _drop("stage_counts", lambda row: row.stage != "generation"), True),
    ("synthetic_samples", "few_candidates_failed", _set("stage_counts", num_rejected=2, num_failed=1), True),
    ("reward_filtered_set", "reward_is_a_number", _set("scored_samples", reward=NAN), True),
    ("reward_filtered_set", "correctness_is_in_range", _set("scored_samples", correctness=9.0), False),
    ("reward_filtered_set", "kept_rows_have_a_sample", _set("reward_filtered_set", synthetic_sample_id="gone"), True),
    ("reward_filtered_set", "kept_rows_have_a_score", lambda t: t["scored_samples"].pop(0), True),
    ("reward_filtered_set", "filter_counts_add_up", lambda t: t["rejected_samples"].pop(), True),
    ("reward_filtered_set", "filter_counts_add_up", lambda t: t["reward_filtered_set"].pop(), True),
    ("reward_filtered_set", "filter_counts_add_up", lambda t: t["scored_samples"].pop(), True),
    ("reward_filtered_set", "enough_is_kept", _drop("reward_filtered_set", lambda row: row.leaf_node_id == "leaf0"), True),
    (
        "reward_filtered_set",
        "no_leaf_node_crowds_out",
        _drop("reward_filtered_set", lambda row: row.leaf_node_id == "leaf0"),
        False,
    ),
    (
        "reward_filtered_set",
        "every_leaf_node_is_kept",
        _drop("reward_filtered_set", lambda row: row.leaf_node_id != "leaf1"),
        False,
    ),
    ("training_mix", "split_is_known", _set("training_mix", split="test"), True),
    (
        "training_mix",
        "rows_to_train_on",
        lambda t: t.update(training_mix=[replace(r, split="validation") for r in t["training_mix"]]),
        True,
    ),
    (
        "training_mix",
        "validation_is_held_out",
        lambda t: t["training_mix"].append(replace(t["training_mix"][0], training_example_id="v", split="validation")),
        True,
    ),
    ("training_mix", "kept_samples_are_used", lambda t: t["training_mix"].pop(0), True),
    (
        "training_mix",
        "kept_samples_are_used",
        lambda t: t["training_mix"].append(replace(t["training_mix"].pop(0), source="replay")),
        True,
    ),
    (
        "training_mix",
        "no_branch_drowns",
        lambda t: t.update(training_mix=[r for r in t["training_mix"] if not r.leaf_path.startswith("knowledge")]),
        False,
    ),
    ("training_mix", "replay_share_is_met", _drop("training_mix", lambda row: row.source != "replay"), False),
    ("lora_checkpoint", "adapter_has_a_hash", _set("lora_checkpoint", adapter_sha256=""), True),
    ("lora_checkpoint", "train_loss_is_sane", _set("lora_checkpoint", train_loss_last=NAN), True),
    ("lora_checkpoint", "train_loss_has_fallen", _set("lora_checkpoint", train_loss_last=3.5), False),
    ("lora_checkpoint", "validation_loss_is_sane", _set("lora_checkpoint", validation_loss=99.0), False),
    ("lora_checkpoint", "all_steps_were_done", _set("lora_checkpoint", num_steps=1), True),
    ("lora_checkpoint", "each_phase_ends_with_one_candidate", _set("lora_checkpoint", is_chosen=False), True),
    ("lora_checkpoint", "each_phase_ends_with_one_candidate", _double("lora_checkpoint"), True),
    ("evaluation", "all_questions_were_answered", lambda t: t["evaluation"].pop(), True),
    (
        "evaluation",
        "student_has_gained",
        _drop("evaluation", lambda row: not (row.model == "tuned" and row.is_right)),
        False,
    ),
    ("evaluation", "student_has_retained", _drop("evaluation", lambda row: row.suite == "taxonomy"), False),
    ("harness_scores", "value_is_a_share", _set("harness_scores", value=58.9), True),
    ("harness_scores", "value_is_a_share", _set("harness_scores", value=NAN), True),
    ("harness_scores", "every_task_has_both_figures", lambda t: t["harness_scores"].pop(), True),
    ("harness_scores", "every_task_has_both_figures", _set("harness_scores", task="other"), True),
    ("harness_scores", "questions_were_asked", _set("harness_scores", num_questions=0), True),
    ("harness_scores", "questions_are_read_whole", _set("harness_scores", is_truncated=True), False),
]


@pytest.mark.parametrize(
    ("suite", "check", "plant", "is_blocking"), DEFECTS, ids=[f"{row[0]}-{row[1]}-{n}" for n, row in enumerate(DEFECTS)]
)
def test_a_planted_defect_fails_its_check(
    suite: str, check: str, plant: Callable[[dict[str, list[Any]]], None], is_blocking: bool
) -> None:
    tables = _good_tables()
    plant(tables)
    result = _judge(suite, tables)[check]
    assert not result.is_passed and result.is_blocking == is_blocking


@pytest.mark.parametrize("report", TRUST_REPORTS)
def test_a_report_that_measured_nothing_passes_no_gate(report: TrustReport) -> None:
    """Neither with no row at all, nor with rows that say that there is no figure."""
    for measured in ([], hold_all(report, [], RECIPE.trust)):
        results = _judge(report, _good_tables() | {"measures": measured})
        del results["there_are_rows_to_compare_with"]
        assert results and not any(result.is_passed for result in results.values())


@pytest.mark.parametrize("measure", [name for name, declared in GATES.items() if declared.gate.severity != "info"])
def test_a_measure_beyond_its_bound_fails_its_check_and_names_the_rows(measure: str) -> None:
    declared = GATES[measure]
    beyond = declared.gate.value + (0.01 if declared.direction == "at_most" else -0.01)
    estimates = [_at_its_bound(name) for name in gates_of(declared.report) if name != measure]
    estimates += [_at_its_bound(measure), Estimate(measure, "a part", beyond, words="row 4711 of leaf a")]
    results = _judge(declared.report, _good_tables() | {"measures": hold_all(declared.report, estimates, RECIPE.trust)})
    result = results[f"{measure}_is_within_bounds"]
    assert not result.is_passed and "a part" in result.observed and "row 4711" in result.observed
    assert result.is_blocking == (declared.gate.severity == "block")
    others = [each for name, each in results.items() if not name.startswith(measure)]
    assert all(each.is_passed for each in others)


def test_what_was_not_assessed_is_said_and_is_no_failure() -> None:
    rows = [not_assessed(name, "all", "nobody has declared it") for name in gates_of("diversity_report")]
    results = _judge("diversity_report", _good_tables() | {"measures": hold_all("diversity_report", rows, RECIPE.trust)})
    assert all(result.is_passed for result in results.values())
    assert "not assessed: nobody has declared it" in results["acceptance_ratio_is_within_bounds"].observed
    few = [insufficient(name, "all", 7, 2000) for name in gates_of("diversity_report")]
    results = _judge("diversity_report", _good_tables() | {"measures": hold_all("diversity_report", few, RECIPE.trust)})
    assert not results["there_are_rows_to_compare_with"].is_passed
    assert "7 rows" in results["vendi_ratio_is_within_bounds"].observed


@pytest.mark.parametrize("suite", [name for name in SUITES if name not in ("document_chunks", *TRUST_REPORTS)])
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
    import re

    for suite in SUITES.values():
        names = [expectation.name for expectation in suite.expectations]
        assert len(names) == len(set(names)) and all(re.fullmatch(r"[a-z_0-9]+", name) for name in names)
        assert any(expectation.is_blocking for expectation in suite.expectations)
        assert set(suite.tables) <= set(TABLES)
