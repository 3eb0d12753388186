"""The study of phases at a tiny scale: the same rows for both arms, as many steps, and its rows of figures."""

from collections import Counter
from pathlib import Path

import pytest

from synth_assets.recipe import Recipe, read_recipe
from synth_assets.records import BenchmarkQuestion, KeptSample
from synth_assets.studies.phases import ARMS, compare_strategies, with_strategy
from synth_assets.studies.running import STUDIES
from synth_assets.studies.students import replay_of
from synth_assets.tuning import mix_phases

LEAVES = ("knowledge/places/towns", "foundational_skills/arithmetic/sum", "compositional_skills/lists/sort")
KEPT = [
    KeptSample(f"{leaf}-{n}", leaf, leaf, leaf.split("/")[0], None, f"Do {leaf} {n}", f"Done {n}", 1.0)  # type: ignore[arg-type]
    for leaf in LEAVES
    for n in range(10)
]


def _tiny(student: Path) -> Recipe:
    recipe = read_recipe(scale="smoke")
    spec = recipe.student.model_copy(update={"path": str(student), "engine": "transformers"})
    phases = tuple(phase.model_copy(update={"max_steps": 2}) for phase in recipe.tuning.phases)
    tuning = recipe.tuning.model_copy(update={"phases": phases, "batch_size": 4})
    evaluation = recipe.evaluation.model_copy(update={"max_new_tokens": 4})
    return recipe.model_copy(update={"student": spec, "tuning": tuning, "evaluation": evaluation})


def test_both_arms_have_the_same_new_rows_and_as_many_steps() -> None:
    recipe = read_recipe(scale="smoke")
    phased, stacked = (with_strategy(recipe, arm) for arm in ARMS)
    mixes = [mix_phases(KEPT, replay_of(said), said.tuning, 5, "brief") for said in (phased, stacked)]
    new = [Counter((row.synthetic_sample_id, row.split) for row in mix if row.source == "synthetic") for mix in mixes]
    assert new[0] == new[1] and len(new[0]) == len(KEPT)
    steps = [sum(phase.max_steps or 0 for phase in said.tuning.phases_to_run) for said in (phased, stacked)]
    assert steps[0] == steps[1] > 0
    assert len(phased.tuning.phases_to_run) == 2 and len(stacked.tuning.phases_to_run) == 1


@pytest.mark.slow
def test_the_study_runs_and_says_what_it_is_asked(
    tiny_student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path))
    questions = [
        BenchmarkQuestion(f"q{n}", LEAVES[0], suite, None, f"{n} of {suite}?", "x")
        for suite in ("taxonomy", "retained")
        for n in range(2)
    ]
    said: list[str] = []
    rows = list(compare_strategies(_tiny(tiny_student), {1: KEPT, 2: KEPT[::-1]}, questions, said.append))
    assert len(said) == 4 and said[0].startswith("seed 1, phased: ")
    found = {(row.metric, row.arm, row.n) for row in rows if row.subject == "all"}
    assert found == {
        ("student_exact", "phased", 2), ("student_exact", "stacked", 2), ("student_retained", "phased", 2),
        ("student_retained", "stacked", 2), ("student_exact_gain", "phased - stacked", 2),
    }  # fmt: skip


def test_it_is_a_study_of_three_seeds() -> None:
    assert len(STUDIES["phases"][1]) == 3
