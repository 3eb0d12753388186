"""The measures of a recipe with several phases: each phase is judged by itself."""

import polars as pl
import pytest

from synth_assets.frames import to_frame
from synth_assets.quality import measure_stage
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.records import Branch, Checkpoint, KeptSample, Source, TrainingExample

KNOWLEDGE, SKILL = "knowledge/towns", "compositional_skills/sort"


def _recipe(**changes: object) -> Recipe:
    recipe = read_recipe(scale="smoke")
    knowledge, skills = recipe.tuning.phases
    phases = (knowledge, skills.model_copy(update={"replay_share": 0.3}))
    said = {"strategy": "phased", "replay_share": 0.1, "phases": phases}
    tuning = recipe.tuning.model_copy(update=said | changes)
    return recipe.model_copy(update={"tuning": tuning})


def _rows(phase: str, source: Source, leaf: str, sample: str | None, count: int) -> list[TrainingExample]:
    about = (leaf, "train", phase, source)
    return [
        TrainingExample(f"{phase}-{source}-{sample}-{n}", sample and f"{sample}{n}", *about, n, f"{sample} {n}", "x")
        for n in range(count)
    ]


def _kept(sample: str, leaf: str, branch: Branch, count: int) -> list[KeptSample]:
    return [KeptSample(f"{sample}{n}", leaf, leaf, branch, None, "Do", "Done", 1.0) for n in range(count)]


MIX = [
    *_rows("knowledge", "synthetic", KNOWLEDGE, "k", 90), *_rows("knowledge", "replay", "known", None, 10),
    *_rows("skills", "synthetic", SKILL, "s", 60), *_rows("skills", "replay", "known", None, 10),
    *_rows("skills", "earlier_phase", KNOWLEDGE, "k", 30),
]  # fmt: skip
KEPT = [*_kept("k", KNOWLEDGE, "knowledge", 90), *_kept("s", SKILL, "compositional_skills", 60)]


def _failed(suite: str, tables: dict[str, pl.DataFrame], recipe: Recipe) -> set[tuple[str, str]]:
    measures = measure_stage(suite, tables, recipe)
    at_least = pl.col("measure").is_in(["train_rows", "rows_of_phase", "branch_share", "steps_done"])
    fails = pl.when(at_least).then(pl.col("value") < pl.col("threshold")).otherwise(pl.col("value") > pl.col("threshold"))
    return set(measures.filter(fails).select("measure", "subject").iter_rows())


def _of_mix(mix: list[TrainingExample], kept: list[KeptSample], recipe: Recipe) -> set[tuple[str, str]]:
    tables = {"training_mix": to_frame(mix, TrainingExample), "reward_filtered_set": to_frame(kept, KeptSample)}
    return _failed("training_mix", tables, recipe)


def test_both_kinds_of_replay_are_measured_in_each_phase() -> None:
    assert _of_mix(MIX, KEPT, _recipe()) == set()
    forgetful = [row for row in MIX if not (row.phase == "skills" and row.source == "earlier_phase")]
    off = ("replay_share_off_target", "skills, of earlier phases")
    assert off in _of_mix(forgetful, KEPT, _recipe())
    assert ("replay_share_off_target", "knowledge") in _of_mix(
        [row for row in MIX if row.leaf_path != "known"], KEPT, _recipe()
    )


def test_a_kept_sample_that_is_only_replayed_was_lost() -> None:
    lost = [row for row in MIX if row.training_example_id != "knowledge-synthetic-k-0"]
    assert ("kept_samples_not_in_mix", "all") in _of_mix(lost, KEPT, _recipe())


def test_a_branch_that_drowns_is_named() -> None:
    few = [row for row in MIX if row.source != "synthetic" or row.leaf_path == KNOWLEDGE or row.position < 4]
    assert ("branch_share", "compositional_skills") in _of_mix(few, KEPT, _recipe())
    assert ("branch_share", "compositional_skills") not in _of_mix(MIX[:100], KEPT[:90], _recipe()), "none was kept"


def _candidate(phase: str, position: int, num_steps: int, is_chosen: bool = True) -> Checkpoint:
    return Checkpoint(
        f"{phase}{num_steps}", "s", phase, position, "p", "0" * 64, num_steps, 33, 3.0, 1.0, None, None, is_chosen
    )  # fmt: skip


@pytest.mark.parametrize(
    ("candidates", "failed"),
    [
        ([_candidate("knowledge", 0, 1, False), _candidate("knowledge", 0, 2), _candidate("skills", 1, 8)], set()),
        ([_candidate("knowledge", 0, 2), _candidate("skills", 1, 7)], {("steps_done", "skills")}),
        ([_candidate("knowledge", 0, 2)], {("steps_done", "skills"), ("choices_off_one", "skills")}),
        (
            [_candidate("knowledge", 0, 1), _candidate("knowledge", 0, 2), _candidate("skills", 1, 8)],
            {("choices_off_one", "knowledge")},
        ),
    ],
)
def test_each_phase_does_its_steps_and_ends_with_one_candidate(
    candidates: list[Checkpoint], failed: set[tuple[str, str]]
) -> None:
    tables = {"lora_checkpoint": to_frame(candidates, Checkpoint), "training_mix": to_frame(MIX, TrainingExample)}
    assert _failed("lora_checkpoint", tables, _recipe()) == failed


def test_a_phase_without_rows_is_shown_and_needs_no_candidate() -> None:
    only = [row for row in MIX if row.phase == "knowledge"]
    assert _of_mix(only, KEPT[:90], _recipe()) == {("rows_of_phase", "skills")}
    candidates = to_frame([_candidate("knowledge", 0, 2)], Checkpoint)
    tables = {"lora_checkpoint": candidates, "training_mix": to_frame(only, TrainingExample)}
    assert _failed("lora_checkpoint", tables, _recipe()) == set()


def test_epochs_are_so_many_steps_as_rows_ask_for() -> None:
    recipe = _recipe()
    phases = tuple(phase.model_copy(update={"max_steps": None, "num_epochs": 2}) for phase in recipe.tuning.phases)
    candidates = to_frame([_candidate("knowledge", 0, 6), _candidate("skills", 1, 5)], Checkpoint)
    tables = {"lora_checkpoint": candidates, "training_mix": to_frame(MIX, TrainingExample)}
    failed = _failed("lora_checkpoint", tables, _recipe(phases=phases))
    assert failed == {("steps_done", "skills")}  # 33 rows are three steps of 16
