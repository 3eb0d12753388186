"""The study of alignment at a tiny scale: three arms, the same pairs for two of them, and its rows of figures."""

from pathlib import Path
from random import Random

import pytest

from synth_assets.embedded.leaves import BY_PATH
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.records import BenchmarkQuestion, KeptSample, ScoredSample, SyntheticSample
from synth_assets.reward import PreferencePrompt
from synth_assets.studies.preferences import (
    ARMS,
    STAGES,
    Halves,
    _verifier,
    at_small_scale,
    compare_alignments,
    halves_of,
)
from synth_assets.studies.running import STUDIES
from synth_assets.studies.world import ScoredGeneration

LEAF = "compositional_skills/lists/sort_numbers"
WORDS = ("apple", "book", "card", "door")


def _tiny(student: Path, reward_model: Path) -> Recipe:
    recipe = at_small_scale(read_recipe(scale="smoke"), num_samples=1.0)
    assert recipe.reward_model
    models = {
        "student": recipe.student.model_copy(update={"path": str(student), "engine": "transformers"}),
        "reward_model": recipe.reward_model.model_copy(update={"path": str(reward_model), "engine": "transformers"}),
    }
    phases = tuple(
        phase.model_copy(update={"max_steps": steps}) for phase, steps in zip(recipe.tuning.phases, (1, 59), strict=True)
    )
    tuning = {"phases": phases, "batch_size": 8, "learning_rate": 1e-2, "replay_share": 0.0, "validation_share": 0.0}
    evaluation = recipe.evaluation.model_copy(update={"max_new_tokens": 4})
    return recipe.model_copy(update={**models, "tuning": recipe.tuning.model_copy(update=tuning), "evaluation": evaluation})


def test_it_is_half_of_the_recipe_and_of_three_seeds() -> None:
    recipe = read_recipe(scale="demo")
    small = at_small_scale(recipe, num_samples=1.0)
    steps = [sum(phase.max_steps or 0 for phase in each.tuning.phases_to_run) for each in (recipe, small)]
    assert small.generation == recipe.generation
    assert steps[0] == 2 * steps[1] and len(STUDIES["preferences"][1]) >= 3
    assert {stage.max_steps for stage in STAGES.values()} == {STAGES["dpo"].max_steps}
    assert {stage.learning_rate for stage in STAGES.values()} == {STAGES["dpo"].learning_rate}


def test_pairs_are_of_instructions_that_the_student_was_not_tuned_on() -> None:
    """Those of skills; what the filter refuses for its reward is asked, and not tuned on."""
    recipe, rng = read_recipe(scale="demo"), Random(3)
    places = ["compositional_skills/lists/sort_numbers", "knowledge/places/towns"]
    drawn = [(path, BY_PATH[path].draw(rng)) for path in places for _ in range(40)]
    samples = tuple(
        SyntheticSample(f"s{n}", "l", path, path.split("/")[0], each.context or None, each.question, each.answer, ("e",),
                        None, "i", "r", "t", n, 7, 9, 9, -0.1)
        for n, (path, each) in enumerate(drawn)
    )  # fmt: skip
    scored = tuple(
        ScoredSample(f"s{n}", path, 3, 3 * (n % 4 > 1), 3, 0, 0, 9.0 * (n % 4 > 1), "r") for n, (path, _) in enumerate(drawn)
    )
    halves = halves_of(recipe, ScoredGeneration(1, samples, (), scored), [])
    ids = [{row.synthetic_sample_id for row in half} for half in halves]
    assert not ids[0] & ids[1] and {row.branch for row in halves.tuned_on} == {"compositional_skills", "knowledge"}
    assert {row.branch for row in halves.asked} == {"compositional_skills"}
    assert all(row.reward == 9 for row in halves.tuned_on) and {row.reward for row in halves.asked} == {0, 9}


def test_ground_truth_is_the_worlds_verifier() -> None:
    instance = BY_PATH[LEAF].draw(Random(1))
    rows = {
        "valid": KeptSample("valid", "l", LEAF, "compositional_skills", None, instance.question, "x", 1.0),
        "not": KeptSample("not", "l", LEAF, "compositional_skills", None, "Do as you like.", "x", 1.0),
    }
    verify = _verifier(rows)
    asked = PreferencePrompt("valid", LEAF, ())
    assert verify(asked, f"{instance.answer} ") is True and verify(asked, "no") is False
    assert verify(PreferencePrompt("not", LEAF, ()), "no") is None


@pytest.mark.slow
def test_the_study_runs_and_says_what_it_is_asked(
    tiny_student: Path, tiny_reward_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path))
    rows = [
        KeptSample(f"{n}", "l", LEAF, "compositional_skills", None, f"Say {WORDS[n % 4]}", f"{WORDS[n // 4 % 4]}", 1.0)
        for n in range(16)
    ]
    halves = Halves(
        [*rows, KeptSample("k", "l", "knowledge/places/towns", "knowledge", "A text.", "What?", "That.", 1.0)], rows
    )
    questions = [
        BenchmarkQuestion(f"q{n}", LEAF, suite, None, f"Say {WORDS[n]}", WORDS[n])
        for suite in ("taxonomy", "retained")
        for n in range(2)
    ]
    said: list[str] = []
    stages = {name: stage.model_copy(update={"max_steps": 2}) for name, stage in STAGES.items()}
    recipe = _tiny(tiny_student, tiny_reward_model)
    found = list(compare_alignments(recipe, {1: halves, 2: halves}, questions, said.append, stages))
    assert len(said) == 8 and "of 16 prompts have a pair" in said[0] and not said[0].startswith("seed 1: 0 ")
    figures = {(row.metric, row.arm) for row in found if row.subject == "all"}
    assert figures == {
        *((metric, arm) for metric in ("student_exact", "student_retained", "mean_reward") for arm in ARMS),
        *(("student_exact_gain", arms) for arms in ("dpo - sft", "rpo - sft", "rpo - dpo")),
        ("pairs_by_truth", "pairs"),
    }  # fmt: skip
    assert next(row.value for row in found if row.metric == "pairs_by_truth") == 0, "no instruction is one of its leaf"
