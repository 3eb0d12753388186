"""The graph through Dagster in one process, with engines that need no model: rows, gates, and what is current."""

import json
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, TO_THE_MIX, made_recipe, materialize

from synth_assets.assets import held_out
from synth_assets.assets.checks import check_keys, stage_checks
from synth_assets.assets.currency import outdated_checks, plan_run
from synth_assets.assets.resources import resources
from synth_assets.assets.run_report import render_report, report_of_failed_runs
from synth_assets.definitions import ASSETS, assets_of
from synth_assets.errors import EngineError
from synth_assets.recipe import Recipe, RewardCut, Threshold, TrustSection
from synth_assets.records import RejectedSample
from synth_assets.roles import RewardModel
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary

LATER = [
    "fidelity_report", "privacy_report", "diversity_report", "collapse_report", "lora_checkpoint", "evaluation",
    "student_report", "run_report",
]  # fmt: skip
BY_LEAF = ("synthetic_samples", "scored_samples")
LEAF_KEYS = ["compositional_skills.naming", "foundational_skills.counting", "knowledge.towns"]


def with_cut(recipe: Recipe, mode: str, value: float) -> Recipe:
    cut = RewardCut.model_validate({"mode": mode, "value": value})
    return recipe.model_copy(update={"reward": recipe.reward.model_copy(update={"cut": cut})})


def test_the_graph_up_to_the_training_mix(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance)
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        assert result.success and not failed, failed
        for name in TO_THE_MIX:
            made = result.asset_materializations_for_node(name)
            assert sorted(str(each.partition) for each in made) == (LEAF_KEYS if name in BY_LEAF else ["None"])
            assert sum(each.metadata["dagster/row_count"].value for each in made) == warehouse.read_table(name).height > 0
            assert any(isinstance(value, dg.MarkdownMetadataValue) for value in made[0].metadata.values())
    table = warehouse.read_table("stage_counts")
    assert table["leaf_path"].to_list() == [key.replace(".", "/") for key in LEAF_KEYS] * 3
    counts = {str(key[0]): rows.drop("stage", "leaf_path").sum().row(0) for key, rows in _by_stage(table).items()}
    assert list(counts) == ["generation", "scoring", "filter"]
    assert counts["generation"][1] == counts["scoring"][0] == counts["filter"][0] == 3 * 8
    turned_away = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "filter")
    assert turned_away.height == counts["filter"][2]
    assert (warehouse.folder / "artefacts/data_docs/all_stages/index.html").is_file()
    text = closing_summary(recipe, warehouse, LastRun(made=["taxonomy"], seconds=3.0, peak_mib=99))
    assert "low_reward (filter)" in text and "99 MiB" in text and "Data Docs" in text


def test_two_runs_from_scratch_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    recipe = made_recipe(tmp_path)
    tables = []
    for name, seed in (("first", 1), ("second", 1), ("other", 2)):
        warehouse = Warehouse(tmp_path / name)
        with dg.DagsterInstance.ephemeral() as instance:
            assert materialize(recipe.model_copy(update={"seed": seed}), warehouse, instance).success
        tables.append({table: warehouse.table_path(table).read_bytes() for table in warehouse.table_names()})
    assert tables[0] == tables[1]
    for table in ("synthetic_samples", "reward_filtered_set", "training_mix"):
        assert tables[0][table] != tables[2][table]
    assert tables[0]["seed_examples"] == tables[2]["seed_examples"]


def test_a_gate_that_fails_stops_the_next_stage(tmp_path: Path) -> None:
    recipe, warehouse = with_cut(made_recipe(tmp_path), "absolute", 99.0), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance)
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert not result.success
    assert "reward_filtered_set_has_rows" in failed
    assert warehouse.read_table("reward_filtered_set").height == 0
    reasons = {row.rejection_reason for row in _rejected(warehouse) if row.stage == "filter"}
    assert reasons == {"low_reward"}
    assert not warehouse.has_table("training_mix")


def test_what_is_current_is_not_made_again(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")

    def stale(of: Recipe = recipe) -> list[str]:
        return plan_run(assets_of(of), check_keys(of), of, warehouse, instance).assets

    with dg.DagsterInstance.ephemeral() as instance:
        assert stale() == [*TO_THE_MIX, *LATER]
        assert materialize(recipe, warehouse, instance).success
        assert stale() == LATER
        assert stale(with_cut(recipe, "leaf_quantile", 0.25)) == ["reward_filtered_set", "training_mix", *LATER]
        assert stale(recipe.model_copy(update={"seed": 8})) == [*TO_THE_MIX[3:], *LATER]

        (tmp_path / "replay.jsonl").write_text('{"prompt": "a", "response": "b", "leaf_path": "c"}\n', encoding="utf-8")
        assert stale() == ["training_mix", *LATER]
        warehouse.table_path("scored_samples").unlink()
        assert stale() == [*TO_THE_MIX[4:], *LATER]
        leaf = tmp_path / "taxonomy/foundational_skills/counting/qna.yaml"
        leaf.write_text(leaf.read_text(encoding="utf-8").replace("done 1", "done one"), encoding="utf-8")
        assert stale() == [*TO_THE_MIX, *LATER]


def test_another_threshold_makes_nothing_again_but_is_judged_again(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    stricter = Threshold(value=0.9, reason="nearly everything must be kept")
    quality = recipe.quality.model_copy(update={"min_kept_share": stricter})
    changed = recipe.model_copy(update={"quality": quality})
    keys = {name: found for name, found in check_keys(recipe).items() if name in TO_THE_MIX}
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
        assert outdated_checks(keys, recipe, instance) == []
        assert outdated_checks(keys, changed, instance) == list(keys)
        assert plan_run(assets_of(recipe)[:7], keys, changed, warehouse, instance).assets == []
        checks = [c for c in stage_checks(changed) if {key.asset_key.path[-1] for key in c.check_keys} <= set(keys)]
        given = resources(changed, warehouse, MADE_ENGINES)
        selection = dg.AssetSelection.checks(*checks)
        dg.materialize(checks, selection=selection, resources=given, instance=instance, raise_on_error=False)
        assert outdated_checks(keys, changed, instance) == []
        assert plan_run(assets_of(recipe)[:7], keys, changed, warehouse, instance).assets == [
            "reward_filtered_set",
            "training_mix",
        ]


def test_what_changes_under_way_makes_the_asset_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    benchmark = tmp_path / "benchmark/questions.jsonl"
    read = held_out.read_benchmark

    def read_then_change(path: Path) -> object:
        questions = read(path)
        benchmark.write_text(benchmark.read_text(encoding="utf-8").replace("taxonomy 0", "taxonomy 9"), encoding="utf-8")
        return questions

    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(held_out, "read_benchmark", read_then_change)
        assert materialize(recipe, warehouse, instance).success
        monkeypatch.undo()
        stale = plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets
        assert stale == ["reward_filtered_set", "training_mix", *LATER]


def test_the_summary_of_a_failed_run_leaves_out_what_is_from_before(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance).success
    left = ["scored_samples", "reward_filtered_set", "training_mix", *LATER]
    last = LastRun(recipe="made at scale smoke", is_success=False, errors=["scored_samples: no"], left=left)
    text = closing_summary(recipe, warehouse, last)
    assert "made at scale smoke: FAILED" in text and f"not made: {', '.join(left)}" in text
    assert "generation" in text and "filter  " not in text and "low_reward" not in text


def test_an_asset_whose_checks_have_not_run_is_not_current(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        given = resources(recipe, warehouse, MADE_ENGINES)
        assert dg.materialize([ASSETS[0]], resources=given, instance=instance).success
        assert plan_run(ASSETS[:1], check_keys(recipe), recipe, warehouse, instance).assets == ["taxonomy"]
        assert materialize(recipe, warehouse, instance, ["taxonomy"]).success
        assert plan_run(ASSETS[:1], check_keys(recipe), recipe, warehouse, instance).assets == []


def test_a_run_that_failed_has_a_report_with_its_reason(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    broken = replace(MADE_ENGINES, open_reward_model=_no_reward_model)
    with dg.instance_for_test() as instance:
        result = materialize(recipe, warehouse, instance, engines=broken)
        assert not result.success
        sensor = report_of_failed_runs(recipe, warehouse)
        failed = result.get_run_failure_event()
        context = dg.build_run_status_sensor_context(
            "report_of_failed_runs", failed, instance, instance.get_run_by_id(result.run_id)
        ).for_run_failure()
        sensor(context)
        run = instance.get_run_by_id(result.run_id)
    assert run is not None
    page = Path(run.tags["synth_assets/report"]).read_text(encoding="utf-8")
    assert "This run failed" in page and "scored_samples: " in page and "the reward model is out to lunch" in page
    assert "compositional_skills/naming" in page and "duplicate_instruction" not in page


def _no_reward_model(spec: object) -> AbstractContextManager[RewardModel]:
    raise EngineError("the reward model is out to lunch")


@pytest.mark.slow
def test_the_whole_graph_with_a_tiny_student(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, *LATER])
        assert result.success
        assert plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets == []
        (checkpoint,) = result.asset_materializations_for_node("lora_checkpoint")
        assert Path(str(checkpoint.metadata["adapter"].value), "adapter_model.safetensors").is_file()
        assert Path(str(checkpoint.metadata["tuned_student"].value), "model.safetensors").is_file()
        assert "data:image/png" in str(checkpoint.metadata["loss_curve"].value)
        (made,) = result.asset_materializations_for_node("run_report")
        page = Path(str(made.metadata["file"].value)).read_text(encoding="utf-8")
        for part in ("data:image/png", "knowledge/towns", "low_reward", "synthetic_samples_checks", "calls made"):
            assert part in page, part
        assert "http" not in page.replace("http://www.w3.org", "")
        kept = warehouse.read_table("reward_filtered_set").with_columns(instruction=pl.lit("<script>alert(1)</script>"))
        warehouse.write_table("reward_filtered_set", kept)
        assert "<script>alert" not in render_report(recipe, warehouse, instance, result.run_id)
        later = with_the_student_before(recipe, tmp_path, Path(str(checkpoint.metadata["tuned_student"].value)))
        assert materialize(later, warehouse, instance, ["real_examples", "student_report"]).success
    measured = warehouse.read_table("measures").filter(pl.col("measure") == "perplexity_ratio")
    subjects = dict(measured.select("subject", "value").iter_rows())
    assert set(subjects) == {"base", "previous student"} and subjects["base"] != 1
    assert subjects["previous student"] == 1, "it is the same student"
    assert warehouse.read_table("evaluation").height == 2 * 8
    text = closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    assert "taxonomy  base" in text and "tuned against base" in text and "adapter" in text


def with_the_student_before(recipe: Recipe, folder: Path, student: Path) -> Recipe:
    """The same recipe with real rows, and this student as that of the generation before."""
    for name in ("reference", "holdout"):
        rows = [{"leaf_path": "skills/a", "question": f"Say {name} {n}.", "answer": f"{name} {n}"} for n in range(20)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    real = {name: str(folder / f"{name}.jsonl") for name in ("reference", "holdout")}
    trust = {"real": real, "min_reference_rows": 10, "bootstrap_draws": 10, "previous_student": str(student)}
    return recipe.model_copy(update={"trust": TrustSection.model_validate(trust)})


def _by_stage(table: pl.DataFrame) -> dict[tuple[object, ...], pl.DataFrame]:
    return table.partition_by("stage", as_dict=True)


def _rejected(warehouse: Warehouse) -> list[RejectedSample]:
    return [RejectedSample(*row) for row in warehouse.read_table("rejected_samples").iter_rows()]
