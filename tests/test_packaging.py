"""The files around the package: constraints, settings of Dagster, import contracts."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!]+", line) for line in lines)
    return {line.split("==")[0].lower(): line.split("==")[1] for line in lines}


def test_constraints_hold_every_requirement_and_none_of_the_unwanted() -> None:
    pinned = _pinned()
    extras = PROJECT["project"]["optional-dependencies"]
    for requirement in [*PROJECT["project"]["dependencies"], *extras["cpu"], *extras["test"]]:
        name = re.split(r"[<>=\s]", requirement)[0].lower()
        assert name in pinned, name
    assert pinned["torch"] == "2.13.0"
    assert not {"torchvision", "torchaudio", "torchcodec", "triton", "opencv-python-headless"} & set(pinned)


def test_no_file_of_ours_names_an_index() -> None:
    for name in ("pyproject.toml", "constraints.txt", "Makefile", ".ci/run"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "--index-url" not in text and "--find-links" not in text and "pypi" not in text.lower()


def test_dagster_settings_load_and_name_the_code_location(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
    code = "import dagster; i = dagster.DagsterInstance.get(); print(i.telemetry_enabled, i.run_retries_enabled)"
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert run.stdout.split() == ["False", "True"]
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))
    location = workspace["load_from"][0]["python_module"]
    assert location == {"module_name": "synth_assets.definitions", "location_name": "synth_assets"}
    assert PROJECT["tool"]["dg"]["project"]["code_location_name"] == location["location_name"]


def test_the_import_contracts_are_kept() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
