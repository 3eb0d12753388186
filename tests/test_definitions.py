"""What Dagster finds: light to import, complete, and clear about a recipe that is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from synth_assets import definitions
from synth_assets.assets.checks import check_keys
from synth_assets.assets.ingredients import INGREDIENTS, made_before
from synth_assets.assets.jobs import JOB_NAME
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.storage import Warehouse
from tests.prompted_pipeline import with_prompts

RECIPES = ("embedded", "embedded_lab", "merlinite-7b", "labradorite-13b", "nemotron-4-340b")
WITH_PROMPTS = "embedded with prompts from topics"
ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
HEAVY = {
    "torch", "vllm", "transformers", "great_expectations", "peft", "trl", "pandas", "scipy", "sklearn",
    "matplotlib", "rensa", "presidio_analyzer", "spacy", "datasets", "pyarrow", "jinja2.nativetypes",
}  # fmt: skip
PROBE = """
import json, sys, time
start = time.process_time()
import synth_assets.definitions
print(json.dumps({"seconds": time.process_time() - start, "modules": sorted(sys.modules)}))
"""


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, "DAGSTER_DISABLE_TELEMETRY": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT, env=merged)


def test_importing_is_quick_and_loads_no_model_library() -> None:
    """Seconds are of the processor, so that a busy machine does not count."""
    said = json.loads(run(sys.executable, "-c", PROBE).stdout)
    assert {name.partition(".")[0] for name in said["modules"]} & HEAVY == set()
    assert said["seconds"] < 3


def test_the_pipeline_as_dagster_sees_it() -> None:
    specs = {
        spec.key.to_user_string(): (spec.group_name, sorted(dep.asset_key.to_user_string() for dep in spec.deps))
        for spec in definitions.defs.resolve_all_asset_specs()
    }
    filtered = ["real_examples", "reward_filtered_set", "seed_examples", "synthetic_samples"]
    reports = ["collapse_report", "diversity_report", "fidelity_report", "privacy_report"]
    assert specs == {
        "taxonomy": ("stage_1_taxonomy", []),
        "seed_examples": ("stage_1_taxonomy", ["taxonomy"]),
        "document_chunks": ("stage_1_taxonomy", ["seed_examples", "taxonomy"]),
        "real_examples": ("stage_1_taxonomy", ["document_chunks", "seed_examples"]),
        "synthetic_samples": ("stage_2_generation", ["document_chunks", "seed_examples", "taxonomy"]),
        "scored_samples": ("stage_3_reward", ["synthetic_samples"]),
        "reward_filtered_set": (
            "stage_3_reward", ["document_chunks", "scored_samples", "seed_examples", "synthetic_samples", "taxonomy"],
        ),
        "training_mix": ("stage_4_tuning", ["reward_filtered_set", "seed_examples"]),
        "fidelity_report": ("trust", filtered),
        "privacy_report": ("trust", sorted([*filtered, "document_chunks", "training_mix"])),
        "diversity_report": ("trust", sorted([*filtered, "scored_samples", "taxonomy"])),
        "collapse_report": ("trust", ["real_examples", "training_mix"]),
        "lora_checkpoint": ("stage_4_tuning", [*reports, "training_mix"]),
        "evaluation": ("stage_5_evaluation", ["lora_checkpoint"]),
        "student_report": ("trust", ["evaluation", "lora_checkpoint", "real_examples", "training_mix"]),
        "run_report": ("stage_5_evaluation", ["evaluation", "student_report"]),
    }  # fmt: skip


def recipe_of(name: str) -> Recipe:
    return with_prompts(read_recipe()) if name == WITH_PROMPTS else read_recipe(f"data/recipes/{name}.yaml")


@pytest.mark.parametrize("name", [*RECIPES, WITH_PROMPTS])
def test_what_an_asset_is_made_of_is_what_dagster_shows(tmp_path: Path, name: str) -> None:
    recipe = recipe_of(name)
    for spec in definitions.build_definitions(recipe, Warehouse(tmp_path)).resolve_all_asset_specs():
        upstream = {dep.asset_key.to_user_string() for dep in spec.deps}
        assert set(made_before(spec.key.to_user_string(), recipe)) == upstream


def aligning() -> Recipe:
    """The recipe of LAB, with pairs and a stage of alignment."""
    said = read_recipe("data/recipes/embedded_lab.yaml").model_dump(mode="json")
    said["preferences"] = {"num_samples": 2, "temperature": 0.8, "max_new_tokens": 64, "margin": 0.5, "judges": True}
    stage = {"name": "dpo", "loss": "dpo", "beta": 0.3, "learning_rate": 1e-4, "max_steps": 2}
    return Recipe.model_validate_json(json.dumps(said | {"alignment": {"stages": [stage]}}))


def test_the_recipes_between_them_have_every_asset() -> None:
    recipes = [*(recipe_of(name) for name in (*RECIPES, WITH_PROMPTS)), aligning()]
    declared = {asset.key for recipe in recipes for asset in definitions.assets_of(recipe)}
    assert declared == {asset.key for asset in definitions.ASSETS}


def test_an_aligned_student_stands_where_the_tuned_one_stood(tmp_path: Path) -> None:
    built = definitions.build_definitions(aligning(), Warehouse(tmp_path))
    deps = {
        spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps}
        for spec in built.resolve_all_asset_specs()
    }
    assert deps["preference_pairs"] == {
        "seed_examples", "document_chunks", "reward_filtered_set", "training_mix", "lora_checkpoint",
    }  # fmt: skip
    assert deps["aligned_checkpoint"] >= {"lora_checkpoint", "preference_pairs", "privacy_report"}
    for name in ("evaluation", "student_report", "comparisons"):
        assert "aligned_checkpoint" in deps[name]
        assert deps[name] == set(made_before(name, aligning()))
    assert {key.asset_key.to_user_string() for key in built.resolve_asset_graph().asset_check_keys} >= {
        "preference_pairs", "aligned_checkpoint",
    }  # fmt: skip
    assert all(
        spec.description and spec.metadata for spec in built.resolve_all_asset_specs() if "report" not in str(spec.key)
    )


@pytest.mark.parametrize("name", [*RECIPES, WITH_PROMPTS])
def test_every_asset_explains_itself(tmp_path: Path, name: str) -> None:
    recipe = recipe_of(name)
    for spec in definitions.build_definitions(recipe, Warehouse(tmp_path)).resolve_all_asset_specs():
        assert spec.description and len(spec.description) > 60, spec.key
        assert spec.kinds and spec.code_version, spec.key
        if INGREDIENTS[spec.key.to_user_string()].has_table:
            assert spec.metadata["dagster/column_schema"].columns


def test_every_stage_is_gated() -> None:
    keys = check_keys(read_recipe())
    graph = definitions.defs.resolve_asset_graph()
    assert {key for asset in keys.values() for key in asset} == set(graph.asset_check_keys)
    specs = [spec for checks in definitions.defs.asset_checks or () for spec in checks.check_specs]  # type: ignore[union-attr]
    groups = {spec.key: spec.group_name for spec in definitions.defs.resolve_all_asset_specs()}
    assert {groups[spec.asset_key] for spec in specs} == set(groups.values())
    blocking = {groups[spec.asset_key] for spec in specs if spec.blocking}
    assert {"stage_1_taxonomy", "stage_2_generation", "stage_3_reward"} <= blocking
    assert all(spec.description for spec in specs)


def test_the_job_and_its_schedule() -> None:
    job = definitions.defs.resolve_job_def(JOB_NAME)
    assert set(job.asset_layer.executable_asset_keys) == {asset.key for asset in definitions.assets_of(read_recipe())}
    schedule = definitions.defs.get_repository_def().get_schedule_def("nightly")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")


def test_dagster_accepts_the_workspace(tmp_path: Path) -> None:
    said = run(str(BIN / "dagster"), "definitions", "validate", "-w", "workspace.yaml", DAGSTER_HOME=str(tmp_path))
    assert said.returncode == 0, said.stderr
    assert "All code locations passed validation" in said.stdout + said.stderr


def test_dagster_lists_the_assets(tmp_path: Path) -> None:
    said = run(str(BIN / "dagster"), "asset", "list", "-m", "synth_assets.definitions", DAGSTER_HOME=str(tmp_path))
    assert said.returncode == 0, said.stderr
    assert {asset.key.to_user_string() for asset in definitions.assets_of(read_recipe())} == set(said.stdout.split())


def test_a_wrong_recipe_is_one_clear_error(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    text = (ROOT / "data/recipes/embedded.yaml").read_text(encoding="utf-8")
    recipe.write_text(text.replace("seed: 7", "sede: 7"), encoding="utf-8")
    said = run(sys.executable, "-c", "import synth_assets.definitions", SYNTH_ASSETS_RECIPE=str(recipe))
    assert said.returncode == 1
    assert "RecipeError: " in said.stderr and "sede" in said.stderr
    assert "ValidationError" not in said.stderr and "pydantic" not in said.stderr
