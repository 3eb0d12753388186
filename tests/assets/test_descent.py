"""Whom rows and models descend from: counted from the seeds to the tuned student, and the closed circle is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import TO_THE_MIX, TO_THE_STUDENT, made_recipe, materialize

from synth_assets.assets.descent import lineage_of_student, teacher_depth
from synth_assets.assets.made_of import code_version
from synth_assets.assets.tuning import load_tuned, tuned_student_folder
from synth_assets.errors import ModelError
from synth_assets.export import OpenGates, export
from synth_assets.model_folder import Lineage, model_fingerprint, read_lineage, write_lineage
from synth_assets.recipe import Gate, Recipe, resolve_path
from synth_assets.records import TrainingExample
from synth_assets.storage import Warehouse


def with_models(recipe: Recipe, teacher: Path, student: Path) -> Recipe:
    return recipe.model_copy(update={
        "teacher": recipe.teacher.model_copy(update={"path": str(teacher)}),
        "student": recipe.student.model_copy(update={"path": str(student)}),
    })  # fmt: skip


def opted_in(recipe: Recipe) -> Recipe:
    gates = {"max_depth": Gate(value=2, severity="block", reason="for the tests: two generations")}
    return recipe.model_copy(update={"trust": recipe.trust.model_copy(update={"gates": gates})})


@pytest.fixture
def descendant(tiny_student: Path, tmp_path: Path) -> Path:
    """A model whose ancestor the student is."""
    folder = Path(shutil.copytree(tiny_student, tmp_path / "descendant"))
    write_lineage(folder, Lineage(1, (model_fingerprint(tiny_student), "another"), 0.25))
    return folder


def test_a_teacher_that_descends_from_the_student_is_refused_unless_it_is_wanted(
    descendant: Path, tiny_student: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    recipe = with_models(made_recipe(tmp_path), descendant, tiny_student)
    with pytest.raises(ModelError, match="descends from the student") as caught:
        teacher_depth(recipe)
    assert "max_depth" in str(caught.value)
    assert teacher_depth(opted_in(recipe)) == 1
    assert teacher_depth(with_models(recipe, descendant, tiny_teacher)) == 1  # of another student it is a teacher as any
    assert teacher_depth(with_models(recipe, tiny_teacher, tiny_student)) == 0


def test_the_run_fails_before_the_teacher_is_asked(descendant: Path, tiny_student: Path, tmp_path: Path) -> None:
    recipe = with_models(made_recipe(tmp_path), descendant, tiny_student)
    warehouse = Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert not materialize(recipe, warehouse, instance, TO_THE_MIX).success
        assert not warehouse.has_table("synthetic_samples")
        assert materialize(opted_in(recipe), warehouse, instance, TO_THE_MIX).success
    for table in ("synthetic_samples", "reward_filtered_set"):
        rows = warehouse.read_table(table)
        assert set(rows["generation_depth"]) == {2} and set(rows["synthetic_ancestry"]) == {0.0}
    mix = warehouse.read_table("training_mix")
    assert set(mix.select("source", "generation_depth").unique().iter_rows()) == {("synthetic", 2), ("replay", 0)}


def test_another_lineage_makes_samples_outdated_and_none_changes_nothing(
    descendant: Path, tiny_student: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    recipe = with_models(made_recipe(tmp_path), descendant, tiny_student)
    before = code_version("synthetic_samples", recipe)
    write_lineage(descendant, replace(read_lineage(descendant), generation_depth=2))
    assert code_version("synthetic_samples", recipe) != before
    (descendant / "lineage.json").unlink()
    plain = code_version("synthetic_samples", recipe)
    write_lineage(descendant, Lineage(real_share=1.0))
    assert code_version("synthetic_samples", recipe) == plain


def test_a_student_is_as_deep_as_its_deepest_row_and_names_all_its_ancestors(
    descendant: Path, tiny_student: Path, tiny_teacher: Path, tmp_path: Path
) -> None:
    recipe = with_models(made_recipe(tmp_path), descendant, tiny_teacher)
    rows = [
        TrainingExample(f"t{n}", None, "skills/a", split, "stacked", "synthetic", n, f"p{n}", "r", depth)
        for n, (split, depth) in enumerate([("train", 0), ("train", 2), ("train", 1), ("train", 1), ("validation", 3)])
    ]  # fmt: skip
    lineage = lineage_of_student(recipe, rows)
    assert lineage.generation_depth == 2 and lineage.real_share == 0.25
    assert set(lineage.ancestors) == {*map(model_fingerprint, (descendant, tiny_student, tiny_teacher)), "another"}
    assert lineage_of_student(with_models(recipe, tiny_teacher, descendant), rows[:1]).generation_depth == 1


@pytest.mark.slow
def test_the_tuned_student_and_the_exported_adapter_carry_their_lineage(
    tiny_teacher: Path, tiny_student: Path, tmp_path: Path
) -> None:
    recipe, warehouse = made_recipe(tmp_path, tiny_student), Warehouse(tmp_path / "warehouse")
    recipe = with_models(recipe, tiny_teacher, tiny_student)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_STUDENT).success
    tuned = tuned_student_folder(warehouse, recipe, load_tuned(warehouse))
    lineage = read_lineage(tuned)
    trained = warehouse.read_table("training_mix").filter(pl.col("split") == "train")
    texts = trained.unique(["prompt", "response"])
    num_replayed = texts.filter(pl.col("source") == "replay").height
    assert lineage.generation_depth == 1 and lineage.real_share == num_replayed / texts.height > 0
    assert set(lineage.ancestors) == {model_fingerprint(tiny_teacher), model_fingerprint(resolve_path(recipe.student.path))}
    with pytest.raises(ModelError, match="descends from the student"):
        teacher_depth(with_models(recipe, tuned, tiny_student))
    (tuned / "lineage.json").unlink()  # as a version before this one left it
    assert read_lineage(tuned) == Lineage(1, (model_fingerprint(tiny_student),))
    write_lineage(tuned, lineage)
    export(recipe, warehouse, tmp_path / "out", OpenGates())
    assert json.loads((tmp_path / "out/adapter/lineage.json").read_text())["generation_depth"] == 1


@pytest.mark.parametrize("said", [{"generation_depth": "2"}, {"generation_depth": 1, "ancestors": "abc"}, [1]])
def test_a_lineage_that_says_nothing_is_an_error_with_its_file(said: object, tmp_path: Path) -> None:
    (tmp_path / "lineage.json").write_text(json.dumps(said))
    with pytest.raises(ModelError) as caught:
        read_lineage(tmp_path)
    assert "lineage.json" in str(caught.value)


def test_a_model_that_says_nothing_has_depth_zero(tmp_path: Path) -> None:
    assert read_lineage(tmp_path) == Lineage() and read_lineage(tmp_path / "nowhere") == Lineage()
