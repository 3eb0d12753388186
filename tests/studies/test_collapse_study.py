"""The study of collapse at a tiny scale, and the model of rows that it is made with."""

from pathlib import Path
from random import Random

import numpy as np
import pytest

from synth_assets.embedded.leaves import TAUGHT
from synth_assets.quality.collapse import perplexity
from synth_assets.recipe import Gate, Recipe, read_recipe, resolve_path
from synth_assets.studies.collapse import ARMS, KINDS, METRICS, Experiment, Lineages, run_collapse_study
from synth_assets.studies.generations import Row, RowModel, Schedule, instance_in, real_rows, token_frequencies
from synth_assets.studies.results import StudyRow
from synth_assets.studies.running import STUDIES

TINY = Experiment(60, 2, 2, 100, Schedule(num_steps=2, num_rows=2, length=160, learning_rate=4e-3))
BASE = resolve_path(read_recipe().student.path)


def gate(limit: float) -> Gate:
    return Gate(value=limit, severity="block", reason="for the tests")


def _recipe(limit: float) -> Recipe:
    recipe = read_recipe(scale="smoke")
    gates = {"perplexity_ratio": gate(limit)}
    return recipe.model_copy(update={"trust": recipe.trust.model_copy(update={"gates": gates})})


def test_the_verifiers_read_every_real_row_and_no_spoiled_one() -> None:
    rows = real_rows(TAUGHT, 100, Random(1), held_out=False)
    for row in rows:
        found = instance_in(row, TAUGHT)
        assert found and found[1].answer == row.answer and not found[1].is_held_out
    assert all(instance_in(row, TAUGHT) for row in real_rows(TAUGHT, 40, Random(1), held_out=True))
    assert not any(instance_in(Row(f"{row.prompt} so", row.answer), TAUGHT) for row in rows)


@pytest.mark.slow
def test_a_model_of_rows_learns_them_and_writes_the_same_again() -> None:
    rows = real_rows(KINDS[:2], 40, Random(2), held_out=False)
    untaught, taught = (
        RowModel(BASE, rows, Schedule(steps, 4, 160, 4e-3), 1) for steps in (1, 25)
    )  # fmt: skip
    before, after = (model.log_probabilities(rows[:10]) for model in (untaught, taught))
    assert [ids for ids, _ in before] == [ids for ids, _ in after]
    assert perplexity([values for _, values in after]) < 0.5 * perplexity([values for _, values in before])
    written = taught.write_rows(12, 5)
    assert len(written) == 12 and written == taught.write_rows(12, 5) != taught.write_rows(12, 6)
    again = RowModel(BASE, rows, Schedule(25, 4, 160, 4e-3), 1)
    assert again.write_rows(12, 5) == written
    assert set(token_frequencies(rows[:10])) == {token for ids, _ in after for token in ids}


@pytest.mark.slow
def test_a_row_is_drawn_from_the_probabilities_that_are_measured() -> None:
    """What sampling draws with the cache must be what log_probabilities says without it."""
    model = RowModel(BASE, real_rows(KINDS[:1], 30, Random(3), held_out=False), Schedule(60, 4, 160, 4e-3), 1)
    written = model.write_rows(150, 1)
    entropy = -np.mean([sum(values) for _, values in model.log_probabilities(written)])
    others = real_rows(KINDS[:1], 150, Random(4), held_out=False)
    assert entropy < -np.mean([sum(values) for _, values in model.log_probabilities(others)])


def _cells(rows: list[StudyRow]) -> dict[tuple[str, str, str], StudyRow]:
    return {(row.metric, row.arm, row.subject): row for row in rows}


@pytest.mark.slow
def test_the_study_runs_and_finds_what_an_interrupted_one_has_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path))
    said: list[str] = []
    rows = _cells(list(run_collapse_study(_recipe(1e9), [1, 2], said.append, TINY)))
    assert len(said) == 2 * len(ARMS)
    assert len(rows) == 3 * (len(ARMS) * (len(METRICS) - 1) + 1)
    for arm in ARMS:
        start = rows["perplexity_ratio", arm, "generation 0"]
        assert (start.value, start.n) == (1.0, 2)
        assert rows["holdout_perplexity", arm, "generation 2"].value > 1
        assert 0 < rows["distinct_3", arm, "generation 1"].value <= 1
    assert rows["refused", "guarded", "generation 2"].value == 0.0
    assert _cells(list(run_collapse_study(_recipe(1e9), [1, 2], said.append, TINY))) == rows and len(said) == 2 * len(ARMS)


@pytest.mark.slow
def test_the_guard_refuses_a_worse_model_and_the_one_before_stands() -> None:
    lineages = Lineages(_recipe(0.01), 1, TINY)
    first = lineages.begin()
    refused = list(lineages.descend("guarded", first, gate(0.01)))
    assert refused == [first.figures._replace(refused=1.0)] * 2
    assert all(f.refused == 0.0 for f in lineages.descend("replace", first, gate(0.01)))


def test_arms_take_what_they_say() -> None:
    lineages = Lineages(_recipe(1.15), 1, TINY)
    written = [Row(f"w{n}", "x") for n in range(60)]
    pool = [*lineages.real, *written]
    rows = {arm: lineages._rows(arm, written, pool, 1) for arm in ARMS}
    real = set(lineages.real)
    assert rows["replace"] == written and rows["accumulate"] == pool
    assert len(rows["half_real"]) == 60 and sum(row in real for row in rows["half_real"]) == 30
    assert real <= set(rows["guarded"]) and sum(row in real for row in rows["guarded"]) >= len(rows["guarded"]) / 2


def test_it_is_a_study_of_several_seeds() -> None:
    assert len(STUDIES["collapse"][1]) == 5
