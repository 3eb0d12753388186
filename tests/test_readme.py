"""The README's commands, tree and asset names are the project's own."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from synth_assets.cli import cli
from synth_assets.evaluation import check_tasks
from synth_assets.recipe import (
    LOCAL_TASKS,
    AlignmentSection,
    HarnessSection,
    PreferencesSection,
    PromptSynthesisSection,
    TrustSection,
)
from synth_assets.recipe.harness import KNOWN_TASKS
from synth_assets.records import TRUST_REPORTS

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_make_command_is_a_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^)make ([a-z][\w-]*)", README, re.MULTILINE)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target.startswith("study-"), target


def test_the_table_of_commands_is_the_command_line() -> None:
    listed = re.findall(r"^\| `synth-assets ([\w-]+)(?: [A-Z]+)*` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(cli.commands)


@pytest.mark.parametrize("command", sorted(cli.commands))
def test_every_command_explains_itself(command: str) -> None:
    program = Path(sys.executable).with_name("synth-assets")
    run = subprocess.run([program, command, "--help"], capture_output=True, text=True, check=True, timeout=120)
    assert "Usage:" in run.stdout


def test_the_annotated_tree_is_the_tree() -> None:
    block = next(block for block in README.split("```text\n") if block.startswith("data/")).split("```")[0]
    folder = ""
    for line in block.splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = "" if name == "tests/" else name
        path = ROOT / name if not line.startswith(" ") else ROOT / folder / name
        assert path.exists() or "ignored by git" in line, line
    listed = {line.split()[0].rstrip("/") for line in block.splitlines() if line.startswith("  ")}
    packages = {p.name for p in (ROOT / "synth_assets").iterdir() if (p / "__init__.py").exists()}
    assert packages <= listed | {"tests"}


def test_the_arrow_line_names_assets_in_their_order() -> None:
    from synth_assets.definitions import ASSETS

    arrow = next(line.strip() for line in README.splitlines() if "->" in line)
    names = [asset.key.path[-1] for asset in ASSETS]
    positions = [names.index(name) for name in arrow.split(" -> ")]
    assert positions == sorted(positions)


def test_the_harness_of_the_readme_is_one_that_a_recipe_may_declare() -> None:
    block = next(block for block in README.split("```yaml\n") if block.startswith("evaluation:")).split("```")[0]
    declared = HarnessSection.model_validate_json(json.dumps(yaml.safe_load(block)["evaluation"]["harness"]))
    assert {task.name for task in declared.tasks} >= set(LOCAL_TASKS)
    check_tasks(declared)
    for name in KNOWN_TASKS:
        assert name in block, name
    assert PROJECT["project"]["optional-dependencies"]["harness"] and "synth_assets[harness]" in README


def test_the_section_on_trust_is_one_that_a_recipe_may_hold() -> None:
    block = next(block for block in README.split("```yaml\n") if block.startswith("trust:")).split("```")[0]
    trust = TrustSection.model_validate_json(json.dumps(yaml.safe_load(block)["trust"]))
    assert trust.real and trust.groups["gender"].targets and trust.gate("mean_shift").value == 0.2
    for report in TRUST_REPORTS:
        assert f"| `{report}` |" in README


def test_the_sections_on_preferences_are_ones_that_a_recipe_may_hold() -> None:
    block = next(block for block in README.split("```yaml\n") if block.startswith("preferences:")).split("```")[0]
    said = yaml.safe_load(block)
    assert PreferencesSection.model_validate_json(json.dumps(said["preferences"])).judges
    stages = AlignmentSection.model_validate_json(json.dumps(said["alignment"])).stages_to_run
    assert [name for name, _ in stages] == ["dpo", "rpo_1", "rpo_2", "rpo_3"]


def test_the_section_on_prompts_is_one_that_a_recipe_may_hold() -> None:
    block = next(block for block in README.split("```yaml\n") if block.startswith("prompt_synthesis:")).split("```")[0]
    said = PromptSynthesisSection.model_validate_json(json.dumps(yaml.safe_load(block)["prompt_synthesis"]))
    assert all(num for _, num in said.num_prompts), "every kind is shown"


def test_pictures_are_there() -> None:
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).is_file(), picture
