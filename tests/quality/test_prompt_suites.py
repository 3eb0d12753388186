"""Prompts from topics: which recipes have checks of them, and what these say where nothing was made.

That every check finds its defect stands in `test_suites`, for the suites of all stages.
"""

from random import Random

from synth_assets.constraints import read_constraint
from synth_assets.frames import to_frame
from synth_assets.quality import judge_stage, suites_of
from synth_assets.recipe import read_recipe
from synth_assets.records import TABLES, StageCounts
from synth_assets.studies.gates.whole_tables import Tables, good_tables, with_every_stage

RECIPE = with_every_stage(read_recipe(scale="smoke"))
SUITE = suites_of(RECIPE)["prompted_samples"]


def failed(tables: Tables) -> set[str]:
    frames = {table: to_frame(tables[table], TABLES[table]) for table in SUITE.tables}
    return {result.name for result in judge_stage(SUITE, frames, RECIPE) if not result.is_passed}


def test_a_recipe_without_the_section_has_no_such_checks() -> None:
    assert not [name for name in suites_of(read_recipe()) if "prompt" in name]
    assert [name for name in suites_of(RECIPE) if "prompt" in name] == [
        "prompt_topics", "synthetic_prompts", "prompted_samples", "scored_prompted_samples",
    ]  # fmt: skip


def test_a_stage_without_rows_has_failed_in_nothing_and_one_without_counts_has() -> None:
    tables = good_tables(Random(1)) | {"synthetic_prompts": [], "prompted_samples": [], "rejected_samples": []}
    tables["stage_counts"] = [StageCounts("answering", "p", 0, 0, 0, 0)]
    assert failed(tables) == {"prompted_samples_has_rows", "constraints_are_followed"}
    tables["stage_counts"] = []
    assert "few_answers_failed" in failed(tables)


def test_the_constraint_of_whole_tables_is_one_that_can_be_broken() -> None:
    (line,) = {line for prompt in good_tables(Random(1))["synthetic_prompts"] for line in prompt.constraints}
    assert not read_constraint(line).holds("one, two")
