"""What a recipe would take: counts that follow from it, and estimates that say what they assume."""

import json

import pytest

from synth_assets.plan_text import plan_json, plan_text
from synth_assets.planning import parameters_of, plan_recipe, token_counter
from synth_assets.recipe import Recipe, read_recipe

PUBLISHED = ("data/recipes/merlinite-7b.yaml", "data/recipes/labradorite-13b.yaml")


def changed(recipe: Recipe, section: str, **values: object) -> Recipe:
    return recipe.model_copy(update={section: getattr(recipe, section).model_copy(update=values)})


def test_calls_and_steps_are_those_of_the_recipe() -> None:
    recipe = read_recipe(scale="demo")
    plan = plan_recipe(recipe)
    quota, num_leaves = recipe.generation.num_samples_per_leaf, sum(plan.leaf_nodes.values())
    calls = {row.purpose: row for row in plan.calls}
    assert num_leaves == 17 and sum(plan.samples.values()) == 17 * quota
    assert calls["instruction"].num_calls_least == calls["response"].num_calls_least == 17 * quota
    assert calls["context"].num_calls_least == 2 * quota  # the two grounded leaves
    assert calls["response"].num_calls_most == 17 * quota * recipe.generation.budget_factor
    assert [(phase.phase, phase.num_steps) for phase in plan.phases] == [("stacked", 1000)]
    assert not plan.warnings


def test_estimates_grow_with_what_they_are_of() -> None:
    recipe = read_recipe(scale="demo")
    small, large = plan_recipe(recipe), plan_recipe(changed(recipe, "generation", num_samples_per_leaf=320))
    for one, two in zip(small.calls, large.calls, strict=True):
        assert two.new_tokens == pytest.approx(2 * one.new_tokens, abs=2)
        assert one.gpu_hours_least and two.gpu_hours_least == pytest.approx(2 * one.gpu_hours_least)
    assert large.phases[0].num_rows == pytest.approx(2 * small.phases[0].num_rows, abs=2)


def test_what_pairs_and_alignment_add_is_told() -> None:
    said = read_recipe("data/recipes/embedded_lab.yaml", "demo").model_dump(mode="json")
    said["preferences"] = {
        "num_samples": 4, "temperature": 0.8, "max_new_tokens": 64, "margin": 0.5, "judges": True, "max_prompts": 1000,
        "responders": ["student", "teacher"],
    }  # fmt: skip
    stage = {"name": "dpo", "loss": "dpo", "beta": 0.3, "learning_rate": 1e-4, "max_steps": 2, "iterations": 3}
    text = plan_text(plan_recipe(Recipe.model_validate_json(json.dumps(said | {"alignment": {"stages": [stage]}}))))
    assert "4,000 responses of the student, 4,000 responses of the teacher, 8,000 rewards, 2,000 judgements" in text
    assert "on 1,000 prompts" in text and "so does alignment: 3 iterations" in text
    assert "preference pairs" not in plan_text(plan_recipe(read_recipe(scale="demo")))


@pytest.mark.parametrize("file", PUBLISHED)
def test_published_recipes_are_planned_with_the_published_numbers(file: str) -> None:
    recipe = read_recipe(file)
    plan = plan_recipe(recipe)
    assert [phase.phase for phase in plan.phases] == ["knowledge_short", "knowledge_long", "skills"]
    assert {phase.rows_a_step for phase in plan.phases} == {3840}
    is_llama = "labradorite" in file
    assert [phase.num_epochs for phase in recipe.tuning.phases] == ([5, 7, 7] if is_llama else [4, 4, 7])
    assert {phase.learning_rate for phase in plan.phases} == {2e-5 if is_llama else 1e-6}
    assert recipe.tuning.warmup_steps == (385 if is_llama else 800) and recipe.tuning.lr_schedule == "constant"
    assert recipe.tuning.max_tokens == (2048 if is_llama else 4096)
    purposes = {row.purpose for row in plan.calls}
    assert {f"judge of {name}" for name in ("instruction", "pair", "question", "faithfulness", "relevance")} < purposes
    assert all(row.role == "teacher" and row.gpu_hours_least for row in plan.calls)  # it judges its own work
    text = plan_text(plan)
    assert "12.9G active parameters (as the recipe says; not on this machine" in text
    assert "ends within its warm-up" in text  # the bundled taxonomy is far smaller than the published one
    harness = recipe.evaluation.harness
    assert harness and [task.name for task in harness.tasks] == ["mmlu", "arc_challenge", "hellaswag", "winogrande", "gsm8k"]
    assert plan_json(plan)["phases"][0]["rows_a_step"] == 3840


def test_sizes_are_counted_where_the_model_is_and_unknown_where_nobody_says() -> None:
    teacher = read_recipe().teacher
    assert parameters_of(teacher) == 2_473_728
    absent = teacher.model_copy(update={"path": "models/nowhere"})
    assert parameters_of(absent) is None and token_counter(absent)("three small words") == 4.0
    assert parameters_of(absent.model_copy(update={"active_billions": 12.9})) == 12.9e9
    plan = plan_recipe(read_recipe().model_copy(update={"teacher": absent}))
    assert "of unknown size: no GPU-hours" in plan_text(plan)
    assert {row.gpu_hours_least for row in plan.calls if row.role == "teacher"} == {None}
