"""Good tables of every stage, with random content, and for every check of a stage's suite a defect that it is there for.

The tables are small, and whole: three leaf nodes, what was made of them, and the counts of it all. A defect is planted by
the kind of the check (a blank text, a row that stands twice, a name that nobody knows, a number beyond its bound, an empty
table) in a random row, or, where the check is on a figure of the whole stage, by `SPECIAL`. It is the smallest that there
is: one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from synth_assets.errors import Fault
from synth_assets.quality import Expectation, Suite
from synth_assets.quality.expectations import MEASURES_TABLE
from synth_assets.recipe import HarnessSection, JudgesSection, Recipe, Threshold
from synth_assets.records import (
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
)

Tables = dict[str, list[Any]]
Plant = Callable[[Tables, Random], None]
LEAVES = ("compositional_skills/a", "compositional_skills/b", "knowledge/c")
NAN = float("nan")
_WORDS = ("river", "lamp", "seven", "bread", "quiet", "north", "paper", "green", "house", "early")


def with_every_stage(recipe: Recipe) -> Recipe:
    """The recipe with judges, a harness and a quota that the good tables meet."""
    harness = HarnessSection.model_validate({"tasks": ({"name": "mmlu"}, {"name": "synth_assets_taxonomy"})})
    bound = Threshold(value=0.5, reason="half of the cases, for small tables")
    judges = JudgesSection(min_true_positive_rate=bound, max_false_positive_rate=bound)
    return recipe.model_copy(
        update={
            "generation": recipe.generation.model_copy(update={"num_samples_per_leaf": 4}),
            "evaluation": recipe.evaluation.model_copy(update={"harness": harness}),
            "judges": judges,
        }
    )


def good_tables(rng: Random) -> Tables:
    """Every table that a stage's suite reads, without a defect."""
    leaves = [
        LeafNode(f"leaf{n}", path, path.split("/")[0], _text(rng), "me", 3, "", "", "", "", (), f"{path}/qna.yaml", 5)  # type: ignore[arg-type]
        for n, path in enumerate(LEAVES)
    ]
    samples = [_sample(leaf, n, rng) for leaf in leaves for n in range(4)]
    kept = [
        KeptSample(s.synthetic_sample_id, s.leaf_node_id, s.leaf_path, s.branch, None, s.instruction, s.response, 3.0)
        for s in samples
        if s.candidate_index < 2
    ]
    questions = [BenchmarkQuestion(f"q{n}", LEAVES[0], "taxonomy", None, _text(rng), "x") for n in range(10)]
    questions += [BenchmarkQuestion(f"k{n}", "known", "retained", None, _text(rng), "x") for n in range(10)]
    return {
        "taxonomy": leaves,
        "taxonomy_faults": [],
        "document_faults": [],
        "document_chunks": [
            DocumentChunk(f"chunk{n}", "leaf2", LEAVES[2], "d.md", "", n, n + 9, _text(rng)) for n in range(4)
        ],
        "synthetic_samples": samples,
        "reward_filtered_set": kept,
        "training_mix": _mix(kept, rng),
        "benchmark_questions": questions,
        "evaluation": _answers(questions),
        **_of_seeds(leaves, rng),
        **_of_filter(samples, rng),
        **_of_student(rng),
    }


def _sample(leaf: LeafNode, number: int, rng: Random) -> SyntheticSample:
    return SyntheticSample(
        f"{leaf.leaf_node_id}-{number}", leaf.leaf_node_id, leaf.leaf_path, leaf.branch, None, _text(rng), _text(rng),
        ("seed",), None, "p", "q", "teacher", number, rng.randrange(99), 9, 3, -rng.random(),
    )  # fmt: skip


def _mix(kept: list[KeptSample], rng: Random) -> list[TrainingExample]:
    mix = [
        TrainingExample(
            f"t{n}", k.synthetic_sample_id, k.leaf_path, "train", "stacked", "synthetic", n, f"{k.instruction} {n}", "x"
        )
        for n, k in enumerate(kept)
    ]
    replayed = range(3)
    return mix + [
        TrainingExample(f"r{n}", None, "known", "train", "stacked", "replay", 6 + n, f"{_text(rng)} r{n}", "x")
        for n in replayed
    ]


def _answers(questions: list[BenchmarkQuestion]) -> list[BenchmarkAnswer]:
    num_right = {("base", "taxonomy"): 1, ("tuned", "taxonomy"): 8, ("base", "retained"): 10, ("tuned", "retained"): 9}
    return [
        BenchmarkAnswer(
            q.benchmark_question_id, q.leaf_path, q.suite, arm, "x",
            int(q.benchmark_question_id[1:]) < num_right[arm, q.suite],
        )
        for arm in ("base", "tuned")
        for q in questions
    ]  # fmt: skip


def _of_seeds(leaves: list[LeafNode], rng: Random) -> Tables:
    paths = [leaf.leaf_path for leaf in leaves for _ in range(5)]
    return {
        "seed_examples": [
            SeedExample(f"{x.leaf_node_id}-{n}", x.leaf_node_id, x.leaf_path, n, None, _text(rng), _text(rng))
            for x in leaves
            for n in range(5)
        ],
        "real_examples": [
            RealExample(f"real{n}", "reference" if n % 2 else "holdout", path, None, _text(rng), _text(rng))
            for n, path in enumerate(paths)
        ],
        "judge_calibration": [
            JudgedCase(f"j{n}", "pair", LEAVES[0], "compositional_skills", "s", "none", text, "A.", "3", "so", n < 5, n < 4)
            for n, text in enumerate(_text(rng) for _ in range(10))
        ],
    }


def _of_filter(samples: list[SyntheticSample], rng: Random) -> Tables:
    marks = [3 * rng.random() for _ in samples]
    return {
        "rejected_samples": [
            RejectedSample(f"{stage}{n}", LEAVES[0], stage, "rejected", "why", "", "", "", n)
            for stage, num in (("generation", 3), ("filter", 6))
            for n in range(num)
        ],
        "scored_samples": [
            ScoredSample(s.synthetic_sample_id, s.leaf_path, 3, mark, 3, 2, 1, 3.0, "rm")
            for s, mark in zip(samples, marks, strict=True)
        ],
        "stage_counts": [
            StageCounts("generation", "a", 15, 12, 3, 0),
            StageCounts("scoring", "a", 12, 12, 0, 0),
            StageCounts("filter", "a", 12, 6, 6, 0),
        ],
    }


def _of_student(rng: Random) -> Tables:
    outcomes = ["inconsistent" if n < 4 else "base" for n in range(10)]
    return {
        "lora_checkpoint": [Checkpoint("c", "s", "stacked", 0, "p", "0" * 64, 1000, 9, 3.0, rng.random(), None, None, True)],
        "comparisons": [
            Comparison(f"o{n}", LEAVES[0], None, _text(rng), "a", "b", "A", "B", "so", "so", outcome)  # type: ignore[arg-type]
            for n, outcome in enumerate(outcomes)
        ],
        "harness_scores": [
            HarnessScore(task, arm, 5, "acc", rng.random(), None, 100, False)
            for arm in ("base", "tuned")
            for task in ("mmlu", "synth_assets_taxonomy")
        ],
    }


def _text(rng: Random) -> str:
    return " ".join(rng.choices(_WORDS, k=rng.randint(2, 8)))


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
