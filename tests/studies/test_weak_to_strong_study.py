"""The study of students that teach the next ones, at a tiny scale: who is promoted, who teaches then, and its figures."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from synth_assets.embedded.leaves import BY_PATH
from synth_assets.evaluation import read_benchmark
from synth_assets.recipe import Recipe, RewardCut, read_recipe, resolve_path
from synth_assets.records import BenchmarkQuestion, KeptSample, ScoredSample, SeedExample, SyntheticSample
from synth_assets.studies import weak_to_strong
from synth_assets.studies.preferences import at_small_scale
from synth_assets.studies.running import STUDIES
from synth_assets.studies.weak_to_strong import (
    SELECTION,
    WEAK_ROWS,
    Exams,
    Found,
    Given,
    given_of,
    iterate,
    respond,
    shuffled,
)
from synth_assets.studies.world import ScoredGeneration

LEAF = "compositional_skills/lists/sort_numbers"
WORDS = ("apple", "book", "card", "door")
ARMS = {"generation_0", "generation_1", "generation_2", "shuffled"}


def _tiny(student: Path, reward_model: Path, cut: float, num_steps: int = 3) -> Recipe:
    recipe = at_small_scale(read_recipe(scale="smoke"), num_samples=0.5)
    assert recipe.reward_model
    models = {
        "student": recipe.student.model_copy(update={"path": str(student), "engine": "transformers"}),
        "reward_model": recipe.reward_model.model_copy(update={"path": str(reward_model), "engine": "transformers"}),
        "reward": recipe.reward.model_copy(update={"cut": RewardCut(mode="absolute", value=cut)}),
    }
    phases = tuple(
        phase.model_copy(update={"max_steps": steps})
        for phase, steps in zip(recipe.tuning.phases, (1, num_steps - 1), strict=True)
    )
    tuning = {"phases": phases, "batch_size": 8, "learning_rate": 1e-2, "replay_share": 0.0, "validation_share": 0.0}
    evaluation = recipe.evaluation.model_copy(update={"max_new_tokens": 4})
    return recipe.model_copy(update={**models, "tuning": recipe.tuning.model_copy(update=tuning), "evaluation": evaluation})


def _rows(answers: Sequence[str] = WORDS, times: int = 1) -> list[KeptSample]:
    return [
        KeptSample(f"{word}{n}", "l", LEAF, "compositional_skills", None, f"Say {word}", answer, 1.0)
        for n in range(times)
        for word, answer in zip(WORDS, answers, strict=True)
    ]


def _people() -> list[SeedExample]:
    """They never say the right word, and are not asked to."""
    return [SeedExample(f"s{n}", "l", LEAF, n, None, f"Sing {word}", "no") for n, word in enumerate(WORDS)]


def _exams() -> Exams:
    def asked(suite: str) -> list[BenchmarkQuestion]:
        return [BenchmarkQuestion(f"{suite}{n}", LEAF, suite, None, f"Say {word}", word) for n, word in enumerate(WORDS)]  # type: ignore[arg-type]

    return Exams(asked("taxonomy"), [*asked("taxonomy"), *asked("retained")])


@pytest.fixture(autouse=True)
def own_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path))


def test_it_has_three_seeds_and_decides_by_questions_that_are_not_reported() -> None:
    assert len(STUDIES["weak-to-strong"][1]) == 3
    deciding = {each.benchmark_question_id for each in read_benchmark(resolve_path(SELECTION))}
    reported = read_benchmark(resolve_path(read_recipe().evaluation.benchmark))
    assert deciding and not deciding & {each.benchmark_question_id for each in reported}


def test_shuffled_rows_are_the_same_texts_in_other_places() -> None:
    rows, people = shuffled(_rows(), _people(), 1)
    assert sorted(row.response for row in rows) == sorted(WORDS) and [row.response for row in rows] != list(WORDS)
    assert [row.instruction for row in rows] == [row.instruction for row in _rows()] and len(people) == 4


def test_generation_0_has_few_kept_rows_of_a_leaf_which_it_is_not_asked_again() -> None:
    recipe = read_recipe(scale="smoke")
    samples = tuple(
        SyntheticSample(
            f"{n:016x}", "l", LEAF, "compositional_skills", None, f"Sort {letter * 9} {letter * 5}.", letter * 7, ("s",),
            None, "p", "p", "t", n, n, 1, 1, -0.1,
        )
        for n, letter in enumerate("abcdefghijklmnop")
    )  # fmt: skip
    scored = tuple(
        ScoredSample(each.synthetic_sample_id, LEAF, 1.0, 1.0, 1.0, 1.0, 1.0, recipe.reward.cut.value - (number < 2), "r")
        for number, each in enumerate(samples)
    )
    given = given_of(recipe, ScoredGeneration(1, samples, (), scored), [])
    weak = [row.synthetic_sample_id for row in given.weak]
    asked = [row.synthetic_sample_id for row in given.instructions]
    assert len(weak) == WEAK_ROWS and not set(weak) & set(asked) and len(asked) == len(samples) - WEAK_ROWS
    assert asked[:2] == [each.synthetic_sample_id for each in samples[:2]], "instructions are asked whatever the cut"


def test_answers_are_counted_by_the_worlds_verifier() -> None:
    instance = BY_PATH[LEAF].draw(Random(1))
    right = KeptSample("a", "l", LEAF, "compositional_skills", None, instance.question, instance.answer, 1.0)
    found = Found()
    found.count("generation_1", [right, *_rows()], [right, _rows()[0]])
    assert found.answered["generation_1"] == [5, 2, 1]


@pytest.mark.slow
def test_the_reward_model_lets_pass_the_best_response_at_the_cut(tiny_student: Path, tiny_reward_model: Path) -> None:
    taught = _tiny(tiny_student, tiny_reward_model, 0.0, num_steps=120)
    adapter = weak_to_strong._teach(taught, _rows(times=4), _people(), _exams(), 1).adapter
    passed = {cut: respond(_tiny(tiny_student, tiny_reward_model, cut), _rows(), adapter, "ab") for cut in (-1e9, 0.0, 1e9)}
    assert [row.instruction for row in passed[-1e9]] == [row.instruction for row in _rows()] and passed[1e9] == []
    assert passed[0.0] == [row for row in passed[-1e9] if row.reward >= 0]


@pytest.mark.slow
def test_a_better_student_teaches_the_next_and_a_worse_one_does_not(
    tiny_student: Path, tiny_reward_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reward model would let pass is given: right responses first, then wrong ones."""
    asked: list[Path] = []

    def given(recipe: Recipe, instructions: Sequence[KeptSample], adapter: Path, seed: str) -> list[KeptSample]:
        asked.append(adapter)
        return _rows(times=4) if len(asked) == 1 else _rows(WORDS[1:] + WORDS[:1])

    monkeypatch.setattr(weak_to_strong, "respond", given)
    said: list[str] = []
    recipe = _tiny(tiny_student, tiny_reward_model, 0.0, num_steps=120)
    found = list(iterate(recipe, {1: Given([], _rows(times=4))}, _people(), _exams(), said.append))
    figures = {(row.metric, row.arm): row.value for row in found if row.subject == "all"}
    assert len(said) == 4 and asked[0] != asked[1], "generation 1 teaches generation 2"
    assert figures["student_exact", "generation_1"] == figures["teacher_exact", "generation_2"] > 0.5
    assert figures["promoted_share", "generation_1"] == 1 and figures["promoted_share", "generation_2"] == 0
    assert figures["promoted_share", "shuffled"] == 0 and figures["student_exact", "shuffled"] < 0.5
    assert figures["student_exact_gain", "generation_1 - generation_0"] > 0


@pytest.mark.slow
def test_the_study_says_what_it_is_asked(tiny_student: Path, tiny_reward_model: Path) -> None:
    said: list[str] = []
    recipe = _tiny(tiny_student, tiny_reward_model, -1e9)
    given = {1: Given([], _rows()), 2: Given(_rows()[:1], _rows()[::-1])}
    found = list(iterate(recipe, given, _people(), _exams(), said.append))
    assert len(said) == 8 and all("refused" in line for line in said if "generation_0" not in line)
    figures = {(row.metric, row.arm) for row in found if row.subject == "all" and row.metric != "answered_right"}
    assert figures == {
        *((metric, arm) for metric in ("student_exact", "student_retained") for arm in ARMS),
        *((metric, arm) for metric in ("teacher_exact", "promoted_share") for arm in ARMS - {"generation_0"}),
        *(("answered_share", f"generation_{n}") for n in (1, 2)),
        *(("student_exact_gain", f"generation_{n} - generation_{n - 1}") for n in (1, 2)),
    }  # fmt: skip
    assert next(row.n for row in found if row.metric == "promoted_share") == 2
