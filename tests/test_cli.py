"""The command line: messages instead of tracebacks, and an exit code that says whether it went well."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from synth_assets.cli import cli
from synth_assets.recipe import project_root

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "data/recipes/embedded.yaml"
HIDING = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "lm_eval" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""


@pytest.fixture(autouse=True)
def own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command declares in the environment does not outlive the test."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in ("SYNTH_ASSETS_RECIPE", "SYNTH_ASSETS_SCALE", "DAGSTER_HOME"):
        os.environ.pop(name, None)
    os.environ["SYNTH_ASSETS_WAREHOUSE"] = str(tmp_path / "warehouse")


def wrong_recipe(folder: Path, before: str, after: str) -> Path:
    recipe = folder / "recipe.yaml"
    text = RECIPE.read_text(encoding="utf-8")
    assert before in text
    recipe.write_text(text.replace(before, after), encoding="utf-8")
    return recipe


@pytest.mark.parametrize("command", ["demo", "dev", "summary"])
def test_a_wrong_recipe_ends_every_command_with_its_fault(command: str, tmp_path: Path) -> None:
    recipe = wrong_recipe(tmp_path, "num_seeds_in_prompt", "num_sedes_in_prompt")
    (tmp_path / "warehouse").mkdir()
    (tmp_path / "warehouse/last_run.json").write_text('{"checks": []}', encoding="utf-8")
    result = CliRunner().invoke(cli, ["--recipe", str(recipe), command])
    assert result.exit_code == 1
    assert "RecipeError" in result.stderr
    assert "num_sedes_in_prompt" in result.stderr and "num_seeds_in_prompt" in result.stderr
    assert "recipe.yaml:" in result.stderr and "Traceback" not in result.output


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--recipe", str(tmp_path / "none.yaml"), "demo"])
    assert result.exit_code == 1
    assert "RecipeError" in result.stderr and "none.yaml" in result.stderr


def test_a_scale_that_does_not_exist() -> None:
    assert CliRunner().invoke(cli, ["--scale", "huge", "demo"]).exit_code == 2
    os.environ["SYNTH_ASSETS_SCALE"] = "huge"
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1 and "SYNTH_ASSETS_SCALE" in result.stderr


def test_a_model_that_is_missing_is_told_before_anything_runs(tmp_path: Path) -> None:
    recipe = wrong_recipe(tmp_path, "data/models/teacher", str(tmp_path / "no_teacher"))
    result = CliRunner().invoke(cli, ["--recipe", str(recipe), "demo"])
    assert result.exit_code == 1
    assert "ModelError" in result.stderr and "no_teacher" in result.stderr and "->" in result.stderr


def with_harness(folder: Path, task: str) -> Path:
    return wrong_recipe(folder, "  confidence: 0.95", f"  confidence: 0.95\n  harness: {{tasks: [{task}]}}")


def test_a_task_that_the_harness_does_not_know_is_told_before_anything_runs(tmp_path: Path) -> None:
    recipe = with_harness(tmp_path, "{name: winograde, num_fewshot: 5, metric: acc}")
    result = CliRunner().invoke(cli, ["--recipe", str(recipe), "demo"])
    assert result.exit_code == 1 and not (tmp_path / "warehouse/tables").exists()
    assert "HarnessError" in result.stderr and "winograde" in result.stderr and "use winogrande" in result.stderr


def test_the_extra_that_is_missing_is_named(tmp_path: Path) -> None:
    """In processes from whose import path the harness is hidden."""
    (tmp_path / "sitecustomize.py").write_text(HIDING, encoding="utf-8")
    recipe = with_harness(tmp_path, "{name: synth_assets_taxonomy}")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    for command in ("demo", "doctor"):
        called = [sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), command]
        run = subprocess.run(called, capture_output=True, text=True, timeout=120, env=environment, check=False)
        said = run.stdout + run.stderr
        assert run.returncode == 1 and "pip install 'synth_assets[harness]'" in said and "Traceback" not in said
    assert "PROBLEM  lm-evaluation-harness: " in run.stdout
    assert not (tmp_path / "warehouse/tables").exists()


def test_doctor_tells_of_the_harness_where_the_recipe_needs_it(tmp_path: Path) -> None:
    assert "lm-evaluation-harness" not in CliRunner().invoke(cli, ["doctor"]).stdout
    recipe = with_harness(tmp_path, "{name: hellaswag}")
    said = CliRunner().invoke(cli, ["--recipe", str(recipe), "doctor"]).stdout
    assert "ok       lm-evaluation-harness: lm-eval 0." in said and "hellaswag" in said


def test_a_disk_that_is_full_for_dagster_itself_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synth_assets.demo.open_instance", full)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1 and "Traceback" not in result.stderr
    assert "WarehouseSpaceError: no room left" in result.stderr and "free some space" in result.stderr


def test_a_summary_before_the_first_run() -> None:
    result = CliRunner().invoke(cli, ["summary"])
    assert result.exit_code == 1 and "no run yet" in result.stderr


def test_doctor_names_what_is_missing_and_what_to_do(tmp_path: Path) -> None:
    recipe = wrong_recipe(tmp_path, "data/models/teacher", str(tmp_path / "no_teacher"))
    result = CliRunner().invoke(cli, ["--recipe", str(recipe), "doctor"])
    assert result.exit_code == 1
    line = next(line for line in result.stdout.splitlines() if "teacher:" in line)
    assert line.startswith("PROBLEM")
    for word in ("Python", "dagster", "torch", "vLLM", "device", "memory", "disk", "warehouse"):
        assert any(f"  {word}: " in line for line in result.stdout.splitlines()), word


def test_doctor_reads_the_taxonomy(tmp_path: Path) -> None:
    good = tmp_path / "taxonomy/compositional_skills/good/qna.yaml"
    bad = tmp_path / "taxonomy/compositional_skills/bad/qna.yaml"
    source = project_root() / "data/taxonomy/compositional_skills/writing/polite_request/qna.yaml"
    for file in (good, bad):
        file.parent.mkdir(parents=True)
        shutil.copyfile(source, file)
    bad.write_text(bad.read_text(encoding="utf-8").replace("seed_examples:", "seed_exampels:"), encoding="utf-8")
    recipe = wrong_recipe(tmp_path, "data/taxonomy", str(tmp_path / "taxonomy"))
    result = CliRunner().invoke(cli, ["--recipe", str(recipe), "doctor"])
    lines = result.stdout.splitlines()
    assert any(line.startswith("ok       leaf nodes: 1, with 5 seed examples") for line in lines), result.stdout
    assert any(line.startswith("PROBLEM  leaf node: ") and "bad/qna.yaml" in line for line in lines), result.stdout
    assert result.exit_code == 1


def test_doctor_says_when_the_warehouse_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    os.environ["SYNTH_ASSETS_WAREHOUSE"] = str(tmp_path / "file" / "warehouse")
    result = CliRunner().invoke(cli, ["doctor"])
    line = next(line for line in result.stdout.splitlines() if "  warehouse: " in line)
    assert result.exit_code == 1 and line.startswith("PROBLEM")


def test_a_study_that_does_not_exist() -> None:
    assert CliRunner().invoke(cli, ["study", "nothing"]).exit_code != 0


def test_the_console_script_starts_quickly_and_is_light() -> None:
    code = "import sys, synth_assets.cli; print(sorted({n.partition('.')[0] for n in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "vllm", "transformers", "great_expectations"} & set(eval(said.stdout))
