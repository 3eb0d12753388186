"""A tuned student that beats its teacher is the next one; a worse one is refused with its figures; each is recorded once."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from made_pipeline import TO_THE_STUDENT, MadeTeacher, made_recipe, materialize, open_made_reward_model

from synth_assets.assets.checks import check_keys, stage_checks
from synth_assets.assets.descent import teacher_depth
from synth_assets.assets.journaling import JOURNAL
from synth_assets.assets.resources import Engines, resources
from synth_assets.assets.running import open_instance
from synth_assets.assets.tuning import load_tuned, tuned_student_folder
from synth_assets.assets.verdicts import require_held_student
from synth_assets.cli import cli
from synth_assets.errors import BenchmarkError, GateError, ModelError
from synth_assets.evaluation import against_teacher, is_better
from synth_assets.frames import to_frame
from synth_assets.model_folder import MERGED_FILE, read_lineage, write_lineage
from synth_assets.promotion import next_recipe_lines, promote_student, promotion_text, recorded_generations
from synth_assets.quality import Estimate, hold_all
from synth_assets.recipe import ModelSpec, Recipe, read_recipe
from synth_assets.records import BenchmarkAnswer, Generation, Measurement, ModelArm
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult
from synth_assets.storage import Warehouse

NUM = 40
Made = tuple[Recipe, Warehouse]


class Knowing(MadeTeacher):
    """Right on so many questions of the benchmark, whose answers are their numbers."""

    def __init__(self, num_right: int) -> None:
        self.num_right = num_right

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = [GenerationResult(self._text(request), "stop", "prompt", 5, 3, -0.5) for request in requests]
        for position, result in enumerate(results if on_result else ()):
            on_result(position, result)
        return results

    def _text(self, request: GenerationRequest) -> str:
        number = next(word for word in request.messages[-1].content.split() if word.isdigit())
        return number if int(number) < self.num_right else "?"


def knowing(of_teacher: int, of_student: int) -> Engines:
    """Engines by which the teacher knows so many answers, and the tuned student so many."""

    @contextmanager
    def open_text_model(spec: ModelSpec, folder: Path | None = None) -> Iterator[Knowing]:
        yield Knowing(of_student if folder else of_teacher)

    return Engines(open_text_model, open_made_reward_model)


def with_questions(recipe: Recipe, folder: Path, suite: str = "taxonomy") -> Recipe:
    leaf = "foundational_skills/counting"
    rows = [
        {"leaf_path": leaf, "suite": suite, "context": None, "question": f"Which is {n} ?", "answer": str(n)}
        for n in range(NUM)
    ]
    folder.mkdir(exist_ok=True)
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"benchmark": str(folder)})})


@pytest.fixture(scope="module")
def tuned(tiny_teacher: Path, tiny_student: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A recipe with tiny models, and its warehouse with a tuned student and Dagster's home."""
    folder = tmp_path_factory.mktemp("tuned")
    recipe = with_questions(made_recipe(folder, tiny_student), folder / "asked")
    models = {
        "teacher": recipe.teacher.model_copy(update={"path": str(tiny_teacher), "engine": "transformers"}),
        "student": recipe.student.model_copy(update={"engine": "transformers"}),
    }
    recipe, warehouse = recipe.model_copy(update=models), Warehouse(folder / "warehouse")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(warehouse.folder / "dagster"))
        with open_instance() as instance:
            tune(recipe, warehouse, instance)
    return recipe, warehouse


def tune(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """Materialize all up to the student; before that, and of another recipe, there is none to promote."""
    with pytest.raises(GateError, match="was never made"):
        require_held_student(recipe, warehouse, instance)
    assert materialize(recipe, warehouse, instance, TO_THE_STUDENT).success
    with pytest.raises(GateError, match=r"no next teacher: evaluation was never made"):
        require_held_student(recipe, warehouse, instance)
    assert materialize(recipe, warehouse, instance, ["evaluation"]).success
    with pytest.raises(GateError, match=r"no next teacher: student_report was never made"):
        require_held_student(recipe, warehouse, instance)
    assert materialize(recipe, warehouse, instance, ["student_report"]).success
    require_held_student(recipe, warehouse, instance)
    forget_real_texts(recipe, warehouse, instance)
    other = recipe.model_copy(update={"seed": 8})
    with pytest.raises(GateError, match="made of other data, or by another recipe"):
        require_held_student(other, warehouse, instance)


def forget_real_texts(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """A figure beyond its gate is planted in the student's report, judged, and taken out again."""
    before = warehouse.read_table("measures")
    worse = hold_all("student_report", [Estimate("perplexity_ratio", "planted", 1.5, num_synthetic=200)], recipe.trust)
    warehouse.write_table("measures", pl.concat([before, to_frame(worse, Measurement)]))
    checks = [check for check in stage_checks(recipe) if {*check.check_keys} == {*check_keys(recipe)["student_report"]}]

    def judge() -> None:
        given, chosen = resources(recipe, warehouse, Engines()), dg.AssetSelection.checks(*checks)
        dg.materialize(checks, selection=chosen, resources=given, instance=instance, raise_on_error=False)

    judge()
    with pytest.raises(GateError, match=r"no next teacher: the check perplexity_ratio_is_within_bounds of student_report"):
        require_held_student(recipe, warehouse, instance)
    warehouse.write_table("measures", before)
    judge()
    require_held_student(recipe, warehouse, instance)


@pytest.fixture
def made(tuned: Made, tmp_path: Path) -> Made:
    """A copy that a test may spoil, without the answers of the evaluation: each test's models know something else."""
    copied = shutil.copytree(tuned[1].folder, tmp_path / "warehouse", ignore=shutil.ignore_patterns(JOURNAL))
    return tuned[0], Warehouse(Path(copied))


def student_of(made: Made) -> Path:
    return tuned_student_folder(made[1], made[0], load_tuned(made[1]))


@pytest.mark.slow
def test_a_better_student_is_the_next_teacher_as_the_printed_lines_say(made: Made) -> None:
    recipe, warehouse = made
    generation = promote_student(recipe, warehouse, knowing(10, 30))
    assert generation.is_promoted and (generation.generation, generation.generation_depth) == (1, 1)
    assert (generation.teacher_exact, generation.student_exact, generation.gain) == (0.25, 0.75, 0.5)
    assert 0 < generation.ci_low < 0.5 < generation.ci_high and generation.num_questions == NUM
    assert generation.ancestors == read_lineage(student_of(made)).ancestors and generation.parent in generation.ancestors
    text = promotion_text(recipe, warehouse, generation)
    assert "those of trust are added to what stands there" in text
    assert "25.0% right" in text and "75.0% right" in text and "+50.0 points" in text and "evaluation.benchmark" in text
    lines = text[text.index("teacher:\n") : text.index("\n\nFrom depth")]
    following = next_recipe(recipe, yaml.safe_load(lines))
    assert teacher_depth(following) == 1, "the guard takes the lines that were printed"
    closed = following.model_copy(update={"trust": recipe.trust})
    with pytest.raises(ModelError, match="descends from the student"):
        teacher_depth(closed)
    mix = Path(following.trust.previous_mix or "")
    assert mix.read_bytes() == warehouse.table_path("training_mix").read_bytes()


def test_the_printed_teacher_is_opened_as_the_student_was(tmp_path: Path) -> None:
    """A student of a size that needs its settings: without them its engine would not start."""
    recipe = made_recipe(tmp_path)
    own = {"kv_cache_mib": 40_000, "max_num_seqs": 64, "max_num_batched_tokens": 32_768, "active_billions": 8.0}
    student = recipe.student.model_copy(update={**own, "dtype": "bfloat16", "max_model_len": 4096})
    teacher = recipe.teacher.model_copy(update={"max_model_len": 2048})
    recipe = recipe.model_copy(update={"student": student, "teacher": teacher})
    promoted = Generation(
        "g", 1, "artefacts/student", "f", "p", "teacher", 1, ("p",), "asked", 40, 0.25, 0.75, 0.5, 0.3, 0.7, True
    )
    said = yaml.safe_load(next_recipe_lines(recipe, Warehouse(tmp_path), promoted))
    expected = {**student.model_dump(mode="json"), "path": str(tmp_path / "artefacts/student"), "max_model_len": 2048}
    assert ModelSpec.model_validate_json(json.dumps(said["teacher"])).model_dump(mode="json") == expected
    assert set(said["trust"]) == {"gates", "previous_student", "previous_mix"} and set(said["trust"]["gates"]) == {
        "max_depth"
    }


def test_what_is_printed_raises_the_depth_of_pairs_where_a_recipe_has_some(tmp_path: Path) -> None:
    recipe = read_recipe("data/recipes/nemotron-4-340b.yaml", "smoke")
    figures = (40, 0.2, 0.5, 0.3, 0.1, 0.5, True)
    promoted = Generation("g", 1, "tuned", "f", "p", "teacher", 2, (), "data/benchmark", *figures)
    said = yaml.safe_load(next_recipe_lines(recipe, Warehouse(tmp_path), promoted))
    assert said["trust"]["gates"]["max_depth"]["value"] == 3 and said["preferences"]["max_depth"]["value"] == 4
    assert "preferences" not in yaml.safe_load(next_recipe_lines(read_recipe(), Warehouse(tmp_path), promoted))


def next_recipe(recipe: Recipe, changes: dict[str, dict[str, object]]) -> Recipe:
    said = recipe.model_dump(mode="json")
    said["teacher"] = changes["teacher"]
    said["trust"] |= changes["trust"]
    return Recipe.model_validate_json(json.dumps(said))


@pytest.mark.slow
@pytest.mark.parametrize(("num_right", "why"), [(10, "it is worse"), (32, "does not lie above zero"), (30, "does not lie")])
def test_one_that_is_not_shown_to_be_better_is_refused_with_its_figures(made: Made, num_right: int, why: str) -> None:
    recipe, warehouse = made
    generation = promote_student(recipe, warehouse, knowing(30, num_right))
    assert not generation.is_promoted and generation.ci_low <= 0
    text = promotion_text(recipe, warehouse, generation)
    assert "75.0% right" in text and f"{num_right / NUM:.1%} right" in text
    assert "refused" in text and why in text and "max_depth" not in text
    assert recorded_generations(warehouse) == [generation]
    assert not list(warehouse.folder.glob("artefacts/generations/**/*.parquet"))


@pytest.mark.slow
def test_nothing_is_asked_or_recorded_twice(made: Made) -> None:
    recipe, warehouse = made
    first = promote_student(recipe, warehouse, knowing(10, 30))
    before = warehouse.table_path("generations").stat().st_mtime_ns
    assert promote_student(recipe, warehouse, Engines()) == first, "the journal has the answers: no engine is needed"
    assert warehouse.table_path("generations").stat().st_mtime_ns == before
    assert recorded_generations(warehouse) == [first] and warehouse.read_table("generations").height == 1


@pytest.mark.slow
def test_the_generation_after_a_promoted_one_counts_on(made: Made, tiny_teacher: Path) -> None:
    recipe, warehouse = made
    first = promote_student(recipe, warehouse, knowing(10, 30))
    teacher = recipe.teacher.model_copy(update={"path": str(warehouse.folder / first.model_path)})
    second = promote_student(recipe.model_copy(update={"teacher": teacher}), warehouse, knowing(30, 30))
    assert second.generation == 2 and second.parent == first.fingerprint and not second.is_promoted
    assert [row.generation for row in recorded_generations(warehouse)] == [1, 2]


@pytest.mark.slow
def test_the_questions_of_the_choice_decide_where_there_are_such(made: Made, tmp_path: Path) -> None:
    recipe, warehouse = made
    shutil.copytree(recipe.evaluation.benchmark, tmp_path / "choice")
    choice = {"by": "benchmark", "num_candidates": 2, "benchmark": str(tmp_path / "choice")}
    said = recipe.model_dump(mode="json")
    said["tuning"]["checkpoint_choice"] = choice
    recipe = Recipe.model_validate_json(json.dumps(said))
    generation = promote_student(recipe, warehouse, knowing(10, 30))
    assert generation.benchmark == str(tmp_path / "choice")
    assert "flatters it a little" in promotion_text(recipe, warehouse, generation)
    with pytest.raises(BenchmarkError, match="no question to judge a next teacher by"):
        promote_student(with_questions(made[0], tmp_path / "retained", "retained"), warehouse, knowing(10, 30))


def _without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_without("tokenizer.json"), "holds no tokenizer"),
        (_without("model.safetensors"), "no *.safetensors"),
        (_without("lineage.json"), "holds no lineage.json"),
        (_without("chat_template.jinja"), "another chat template"),
        (lambda folder: (folder / "chat_template.jinja").write_text("{{ messages }}"), "another chat template"),
        (lambda folder: (folder / MERGED_FILE).write_text('{"student": "another"}'), "another base"),
    ],
)
def test_a_student_that_does_not_fit_is_an_error(made: Made, spoil: Callable[[Path], object], said: str) -> None:
    spoil(student_of(made))
    with pytest.raises(ModelError) as caught:
        promote_student(made[0], made[1], knowing(10, 30))
    assert said in str(caught.value) and "materialize lora_checkpoint again" in str(caught.value)
    assert not made[1].has_table("generations")


@pytest.mark.slow
def test_a_deeper_student_says_so(made: Made) -> None:
    folder = student_of(made)
    write_lineage(folder, replace(read_lineage(folder), generation_depth=3))
    generation = promote_student(made[0], made[1], knowing(10, 30))
    assert generation.generation_depth == 3 and "max_depth: {value: 4," in promotion_text(*made, generation)


def test_better_is_an_interval_above_zero() -> None:
    def answers(arm: ModelArm, num_right: int) -> list[BenchmarkAnswer]:
        return [BenchmarkAnswer(f"q{n}", "a", "taxonomy", arm, "", n < num_right) for n in range(NUM)]

    found = [against_teacher(answers("teacher", 20), answers("tuned", num), 0.95) for num in (18, 20, 22, 30)]
    assert [is_better(each) for each in found] == [False, False, False, True]
    assert [each.difference for each in found] == pytest.approx([-0.05, 0.0, 0.05, 0.25])
    with pytest.raises(BenchmarkError, match="teacher model and tuned student must answer the same"):
        against_teacher(answers("teacher", 20)[1:], answers("tuned", 20), 0.95)


@pytest.mark.slow
def test_the_command_refuses_a_student_that_is_no_better_with_exit_code_1(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, warehouse = made
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    own_environment(monkeypatch, warehouse.folder)
    result = CliRunner().invoke(cli, ["--recipe", str(file), "promote"])
    assert result.exit_code == 1, result.output
    assert "teacher    0.0% right" in result.stdout and "student    0.0% right" in result.stdout
    assert "refused" in result.stdout and "Error" not in result.stderr
    (row,) = recorded_generations(warehouse)
    assert not row.is_promoted and row.num_questions == NUM


def own_environment(monkeypatch: pytest.MonkeyPatch, warehouse: Path) -> None:
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("SYNTH_ASSETS_RECIPE", "SYNTH_ASSETS_SCALE"):
        os.environ.pop(name, None)
    os.environ |= {"SYNTH_ASSETS_WAREHOUSE": str(warehouse), "DAGSTER_HOME": str(warehouse / "dagster")}


def test_the_command_without_a_student_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_environment(monkeypatch, tmp_path / "warehouse")
    result = CliRunner().invoke(cli, ["promote"])
    assert result.exit_code == 1 and "GateError" in result.stderr and "was never made" in result.stderr
