"""Nothing is trained on that a student is asked or that is held back as real; and no run compares a mix with itself."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from made_pipeline import TO_THE_MIX, made_recipe, materialize

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import plan_run
from synth_assets.assets.held_out import held_out_rows, without_held_out
from synth_assets.assets.running import failures
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.cli import cli
from synth_assets.definitions import assets_of
from synth_assets.errors import RecipeError
from synth_assets.planning import plan_recipe
from synth_assets.prompts import render_prompt
from synth_assets.recipe import Recipe, read_recipe, resolve_path
from synth_assets.records import SeedExample
from synth_assets.storage import Warehouse
from synth_assets.tuning import ReplayExample, read_replay_buffer

LEAF = "foundational_skills/counting"


def with_trust(recipe: Recipe, **said: Any) -> Recipe:
    return Recipe.model_validate_json(json.dumps({**recipe.model_dump(mode="json"), "trust": said}))


def with_real_data(folder: Path, *held: tuple[str, str]) -> Recipe:
    """The made recipe, with a row as its reference and these as its holdout."""
    recipe, files = made_recipe(folder), {}
    for name, rows in (("reference", (("What is one?", "1"),)), ("holdout", held)):
        lines = [json.dumps({"leaf_path": LEAF, "question": question, "answer": answer}) for question, answer in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        files[name] = str(folder / f"{name}.jsonl")
    return with_trust(recipe, real=files)


def test_seeds_and_replayed_rows_of_the_holdout_are_left_out(tmp_path: Path) -> None:
    recipe = with_real_data(tmp_path, ("Say 3.", "3"), ("Count to nine.", "done 9"))
    style = recipe.generation.prompts
    whole = render_prompt(style, "question", context=None, instruction="Count to nine.")
    replay = [
        ReplayExample("Say 3.", " 3", "old"),
        ReplayExample(whole, "DONE 9", "old"),
        ReplayExample("Say 3.", "4", "old"),
    ]
    seeds = [SeedExample(f"s{n}", "l", LEAF, n, None, f"say {n}.", str(n)) for n in range(5)]
    given = without_held_out(seeds, replay, recipe)
    assert [seed.seed_example_id for seed in given.seeds] == ["s0", "s1", "s2", "s4"] and given.replay == replay[2:]
    assert len(given.left_out) == 3 and "of the real holdout" in given.left_out["s3"]
    assert [row.question for row in held_out_rows(recipe)] == ["Say 3.", "Count to nine."]
    assert without_held_out(seeds, replay, made_recipe(tmp_path)).left_out == {}


def test_a_holdout_of_seeds_stops_the_run_with_its_line(tmp_path: Path) -> None:
    recipe, warehouse = (
        with_real_data(tmp_path, ("Count to nine.", "9"), ("Count to 4.", "done 4")),
        Warehouse(tmp_path / "w"),
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX[:3], "real_examples"])
        (told,) = failures(instance, result.run_id)
    assert told.startswith("real_examples: ") and "holdout.jsonl:2: the row is seed example" in told


def test_replayed_rows_of_the_holdout_are_not_in_the_mix(tmp_path: Path) -> None:
    recipe, warehouse = with_real_data(tmp_path, *((f"Say {n}.", str(n)) for n in range(1, 20))), Warehouse(tmp_path / "w")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, "real_examples"])
        assert result.success
        (made,) = result.asset_materializations_for_node("training_mix")
        leaf = tmp_path / "taxonomy" / LEAF / "qna.yaml"
        leaf.write_text("# reviewed\n" + leaf.read_text(encoding="utf-8"), encoding="utf-8")
        stale = plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets
        assert stale[:4] == [*TO_THE_MIX[:3], "fidelity_report"], "a comment moves no row, so real_examples are current"
    mix = warehouse.read_table("training_mix")
    assert set(mix.filter(mix["source"] == "replay")["prompt"]) == {"Say 0."}
    assert "of the real holdout" in str(made.metadata["not_trained_on"].value)


def test_the_bundled_holdout_takes_nothing_from_the_bundled_replay_buffer() -> None:
    recipe = read_recipe()
    assert recipe.tuning.replay_buffer
    replay = read_replay_buffer(resolve_path(recipe.tuning.replay_buffer))
    assert without_held_out([], replay, recipe).replay == replay and len(held_out_rows(recipe)) == 680


def test_the_warehouses_own_mix_is_no_generation_before(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(made_recipe(tmp_path), warehouse, instance).success
        (tmp_path / "link.parquet").symlink_to(warehouse.table_path("training_mix"))
        recipe = with_trust(made_recipe(tmp_path), previous_mix=str(tmp_path / "link.parquet"))
        before = warehouse.table_path("training_mix").read_bytes()
        result = materialize(recipe, warehouse, instance, ["training_mix"])
        assert not result.success and "which the run overwrites" in failures(instance, result.run_id)[0]
    assert warehouse.table_path("training_mix").read_bytes() == before
    with pytest.raises(RecipeError, match="copy that file elsewhere"):
        check_trust_files(recipe, warehouse)
    other = tmp_path / "earlier.parquet"
    other.write_bytes(before)
    check_trust_files(with_trust(recipe, previous_mix=str(other)), warehouse)


@pytest.mark.parametrize(
    "said", [{"previous_mix": "no.parquet"}, {"real": {"reference": "no.jsonl", "holdout": "no.jsonl"}}]
)
def test_a_missing_file_is_told_before_anything_is_made(
    tmp_path: Path, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    recipe = with_trust(made_recipe(tmp_path), **said)
    with pytest.raises(RecipeError, match="does not exist") as caught:
        check_trust_files(recipe, Warehouse(tmp_path))
    assert "no." in str(caught.value) and "trust." in str(caught.value)
    assert any("no." in line and "does not exist" in line for line in plan_recipe(recipe).warnings)
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(recipe.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
    monkeypatch.setenv("SYNTH_ASSETS_RECIPE", str(file))
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path / "warehouse"))
    for command in ("doctor", "demo"):
        result = CliRunner().invoke(cli, [command])
        assert result.exit_code == 1 and "does not exist (found 'no." in result.output, result.output


def test_a_run_from_the_page_fails_before_the_teacher_is_asked(tmp_path: Path) -> None:
    recipe = with_trust(made_recipe(tmp_path), previous_mix=str(tmp_path / "gone.parquet"))
    warehouse = Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, TO_THE_MIX[:4])
        assert "gone.parquet" in failures(instance, result.run_id)[0] and not warehouse.has_table("synthetic_samples")
