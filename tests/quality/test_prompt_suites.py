"""Good tables of prompts from topics pass every check; a planted defect fails the check that is named for it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from synth_assets.constraints import read_constraint, write_constraint
from synth_assets.constraints.form import NoCommas
from synth_assets.frames import to_frame
from synth_assets.generation.prompt_synthesis.leaves import leaf_nodes_of_topics, named_topic
from synth_assets.quality import ExpectationResult, judge_stage, suites_of
from synth_assets.recipe import read_recipe
from synth_assets.records import (
    TABLES,
    PromptedSample,
    RejectedSample,
    ScoredSample,
    StageCounts,
    SyntheticPrompt,
)
from tests.prompted_pipeline import with_prompts

WANTED = {"open_question": 4, "maths_problem": 2}
RECIPE = with_prompts(read_recipe(scale="smoke"), num_prompts=WANTED, num_macro_topics=0, num_subtopics=1)
SUITES = {name: suite for name, suite in suites_of(RECIPE).items() if name in suites_of(RECIPE) and "prompt" in name}
WARNINGS = {
    "prompt_topics_has_rows", "topic_lists_are_full", "synthetic_prompts_has_rows", "prompt_quotas_are_met",
    "prompted_samples_has_rows", "constraints_are_followed", "scored_prompted_samples_has_rows",
    *(f"{name}_is_in_range" for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")),
}  # fmt: skip
Tables = dict[str, list[Any]]


def good_tables() -> Tables:
    topics = [named_topic("general", "Baking"), named_topic("general", "Bread", "Baking", "model", "t", ("{}",), 1)]
    topics.append(named_topic("maths", "primes"))
    leaves = {leaf.leaf_path: leaf for leaf in leaf_nodes_of_topics(topics)}
    prompts = [_prompt(topics[n % 2], f"question {n}", "open_question") for n in range(4)]
    prompts += [_prompt(topics[2], f"problem {n}", "maths_problem") for n in range(2)]
    constraint = write_constraint(NoCommas())
    prompts += [
        replace(_prompt(topics[n], f"constrained {n}", "instruction_following"), constraints=(constraint,)) for n in range(2)
    ]
    samples = [_sample(prompt, leaves[prompt.leaf_path].leaf_node_id) for prompt in prompts[:-1]]
    broken = RejectedSample(
        prompts[-1].synthetic_prompt_id,
        prompts[-1].leaf_path,
        "answering",
        "rejected",
        "breaks_constraints",
        "x",
        "q",
        "a, b",
        0,
    )
    scores = [ScoredSample(s.synthetic_sample_id, s.leaf_path, 3.0, 3.0, 3.0, 1.0, 1.0, 2.0, "r") for s in samples]
    counts = [
        StageCounts("prompt_topics", "p", 3, 3, 0, 0), StageCounts("prompt_synthesis", "p", 8, 8, 0, 0),
        StageCounts("answering", "p", 8, 7, 1, 0), StageCounts("prompted_scoring", "p", 7, 7, 0, 0),
    ]  # fmt: skip
    return {
        "prompt_topics": topics, "generated_leaf_nodes": list(leaves.values()), "synthetic_prompts": prompts,
        "prompted_samples": samples, "scored_prompted_samples": scores, "rejected_samples": [broken], "stage_counts": counts,
    }  # fmt: skip


def _prompt(topic: Any, text: str, kind: Any) -> SyntheticPrompt:
    return SyntheticPrompt(
        f"id {text}", kind, topic.leaf_path, topic.topic_id, topic.name, text, (text,), None, None, "", "", (), None, "t", 0,
        (), 1,
    )  # fmt: skip


def _sample(prompt: SyntheticPrompt, leaf_node_id: str) -> PromptedSample:
    return PromptedSample(
        f"sample {prompt.text}", leaf_node_id, prompt.leaf_path, "foundational_skills", None, prompt.text, "an answer", (),
        None, "p", "p", "t", 0, 1, 2, 2, -0.5, synthetic_prompt_id=prompt.synthetic_prompt_id, kind=prompt.kind,
    )  # fmt: skip


def judge(name: str, tables: Tables) -> dict[str, ExpectationResult]:
    frames = {table: to_frame(tables[table], TABLES[table]) for table in SUITES[name].tables}
    return {result.name: result for result in judge_stage(SUITES[name], frames, RECIPE)}


def spoil(table: str, **values: object) -> Callable[[Tables], None]:
    def plant(tables: Tables) -> None:
        tables[table][0] = replace(tables[table][0], **values)

    return plant


def twice(table: str) -> Callable[[Tables], None]:
    return lambda tables: tables[table].append(tables[table][0])


def empty(table: str) -> Callable[[Tables], None]:
    return lambda tables: tables[table].clear()


def shorten(table: str, num: int) -> Callable[[Tables], None]:
    def plant(tables: Tables) -> None:
        del tables[table][-num:]

    return plant


def failing(stage: int) -> Callable[[Tables], None]:
    def plant(tables: Tables) -> None:
        found = tables["stage_counts"][stage]
        tables["stage_counts"][stage] = replace(found, num_kept=0, num_rejected=0, num_failed=found.num_in)

    return plant


def disobey(tables: Tables) -> None:
    """A kept answer with a comma where there may be none."""
    kept = tables["prompted_samples"]
    kept[-1] = replace(kept[-1], response="one, two")


def elsewhere(tables: Tables) -> None:
    """The only subtopic is none of the subject's."""
    tables["prompt_topics"][1] = replace(tables["prompt_topics"][1], area="maths")


DEFECTS: dict[str, dict[str, Callable[[Tables], None]]] = {
    "prompt_topics": {
        "prompt_topics_has_rows": empty("prompt_topics"), "topic_id_is_unique": twice("prompt_topics"),
        "name_is_not_blank": spoil("prompt_topics", name=" "), "area_is_known": spoil("prompt_topics", area="rhymes"),
        "topics_have_a_leaf_node": empty("generated_leaf_nodes"), "topic_counts_add_up": twice("prompt_topics"),
        "few_topic_lists_failed": failing(0), "topic_lists_are_full": elsewhere,
    },
    "synthetic_prompts": {
        "synthetic_prompts_has_rows": empty("synthetic_prompts"),
        "synthetic_prompt_id_is_unique": twice("synthetic_prompts"),
        "text_is_not_blank": spoil("synthetic_prompts", text=""), "kind_is_known": spoil("synthetic_prompts", kind="rhyme"),
        "generation_depth_is_counted": spoil("synthetic_prompts", generation_depth=0),
        "prompts_have_a_topic": spoil("synthetic_prompts", topic_id="?"),
        "prompt_counts_add_up": twice("synthetic_prompts"), "few_prompts_failed": failing(1),
        "prompt_quotas_are_met": shorten("synthetic_prompts", 4),
    },
    "prompted_samples": {
        "prompted_samples_has_rows": empty("prompted_samples"), "synthetic_sample_id_is_unique": twice("prompted_samples"),
        "instruction_is_not_blank": spoil("prompted_samples", instruction=" "),
        "response_is_not_blank": spoil("prompted_samples", response=" "),
        "generation_depth_is_counted": spoil("prompted_samples", generation_depth=0),
        "response_logprob_is_one": spoil("prompted_samples", response_logprob=0.5),
        "samples_have_a_prompt": spoil("prompted_samples", synthetic_prompt_id="?"),
        "samples_have_a_leaf_node": spoil("prompted_samples", leaf_node_id="?"),
        "samples_keep_their_constraints": disobey, "constraints_are_followed": shorten("prompted_samples", 1),
        "answer_counts_add_up": twice("prompted_samples"), "few_answers_failed": failing(2),
    },
    "scored_prompted_samples": {
        "scored_prompted_samples_has_rows": empty("scored_prompted_samples"),
        "synthetic_sample_id_is_unique": twice("scored_prompted_samples"),
        "reward_is_a_number": spoil("scored_prompted_samples", reward=float("inf")),
        **{
            f"{name}_is_in_range": spoil("scored_prompted_samples", **{name: 9.0})
            for name in ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
        },
        "scores_have_a_sample": spoil("scored_prompted_samples", synthetic_sample_id="?"),
        "prompted_scoring_counts_add_up": twice("scored_prompted_samples"), "few_samples_failed": failing(3),
    },
}  # fmt: skip


def test_every_check_has_a_defect() -> None:
    assert {name: {each.name for each in suite.expectations} for name, suite in SUITES.items()} == {
        name: set(defects) for name, defects in DEFECTS.items()
    }
    assert not [name for name in suites_of(read_recipe()) if "prompt" in name]


@pytest.mark.parametrize("suite", DEFECTS)
def test_good_tables_pass(suite: str) -> None:
    results = judge(suite, good_tables())
    assert not {name: result.observed for name, result in results.items() if not result.is_passed}


@pytest.mark.parametrize(("suite", "check"), [(suite, check) for suite, checks in DEFECTS.items() for check in checks])
def test_a_planted_defect_fails_its_check(suite: str, check: str) -> None:
    tables = good_tables()
    DEFECTS[suite][check](tables)
    result = judge(suite, tables)[check]
    assert not result.is_passed and result.is_blocking == (check not in WARNINGS)


def test_a_stage_without_rows_has_failed_in_nothing_and_one_without_counts_has() -> None:
    tables = good_tables() | {"synthetic_prompts": [], "prompted_samples": [], "rejected_samples": []}
    tables["stage_counts"] = [StageCounts("answering", "p", 0, 0, 0, 0)]
    assert {name for name, result in judge("prompted_samples", tables).items() if not result.is_passed} == {
        "prompted_samples_has_rows", "constraints_are_followed",
    }  # fmt: skip
    tables["stage_counts"] = []
    assert not judge("prompted_samples", tables)["few_answers_failed"].is_passed


def test_the_planted_constraint_is_one() -> None:
    assert not read_constraint(write_constraint(NoCommas())).holds("one, two")
