"""The recipe of Nemotron-4-340B at scale smoke, on tiny random models of its architectures, through every stage: behind real
vLLM servers that want a key, as a demo in processes of its own, and behind the in-process engine."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from synth_assets.inference.serving import serving
from synth_assets.recipe import project_root, read_recipe
from synth_assets.storage import Warehouse
from tests.tiny_models import tiny_mixtral, tiny_nemotron, tiny_nemotron_reward

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]
LEAVES = (
    "knowledge/places/towns",
    "foundational_skills/arithmetic/story_sum",
    "compositional_skills/writing/polite_request",
)
KEY = "nvapi-planted-0123456789-NEVER-TO-BE-SEEN"
#: What tiny models on two cores need: other folders, shorter texts, and no cut, which means nothing to random rewards.
CHANGES = {
    "models/Nemotron-4-340B-Base\n  engine: vllm": "{student}\n  engine: transformers",  # else a vLLM for each examination
    "dtype: bfloat16": "dtype: float32",
    "[data/taxonomy]": "[{taxonomy}]",
    "max_model_len: 8192": "max_model_len: 4096",
    "{context: 512, instruction: 256, response: 1024}": "{context: 48, instruction: 48, response: 48}",
    "{topics: 1024, prompt: 512, turn: 1024}": "{topics: 48, prompt: 48, turn: 48}",
    "max_new_tokens: 1024\n  margin": "max_new_tokens: 32\n  margin",
    "response_temperature: 0.0": "response_temperature: 1.0",
    "dialogue_temperature: 0.0": "dialogue_temperature: 1.0",
    "cut: {mode: absolute, value: 3.0}": "cut: {mode: absolute, value: -1000.0}",
    "benchmark: data/benchmark": "benchmark: {benchmark}",
    "max_new_tokens: 512\n  confidence": "max_new_tokens: 16\n  confidence",
}  # fmt: skip
SERVERS = ("teacher", "reward_model")


def smoke_recipe(folder: Path, models: Mapping[str, str]) -> Path:
    """The recipe as it stands, with CHANGES made and `models` in place of the sections of teacher and reward model."""
    text = (project_root() / "data" / "recipes" / "nemotron-4-340b.yaml").read_text(encoding="utf-8")
    head, rest = text[: text.index("\nname:")], text[text.index("\nname:") :]
    taxonomy, benchmark = folder / "taxonomy", folder / "benchmark"
    for leaf in LEAVES:
        shutil.copytree(project_root() / "data" / "taxonomy" / leaf, taxonomy / leaf)
    benchmark.mkdir()
    rows = [
        {"leaf_path": "a/b", "suite": suite, "context": None, "question": f"question {n}?", "answer": "x"}
        for n in range(4) for suite in ("taxonomy", "retained")
    ]  # fmt: skip
    (benchmark / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    places = {"student": tiny_nemotron(folder / "student"), "taxonomy": taxonomy, "benchmark": benchmark}
    for old, new in CHANGES.items():
        assert old in rest, old
        for key, place in places.items():
            new = new.replace(f"{{{key}}}", str(place))
        rest = rest.replace(old, new)
    for role in SERVERS:
        before, _, after = rest.partition(f"\n{role}:\n")
        rest = before + "\n" + models[role] + "\n" + after[after.index("\n\n") :]
    file = folder / "nemotron.yaml"
    file.write_text(head + rest, encoding="utf-8")
    return file


def run(recipe: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SYNTH_ASSETS_WAREHOUSE": str(recipe.parent / "warehouse"), **variables}
    environment.pop("DAGSTER_HOME", None)
    line = [sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), "--scale", "smoke", *command]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=1200, check=False)


def check_tables(warehouse: Warehouse) -> None:
    """Every stage has made something of what the one before it let through, and every row is accounted for."""
    topics, prompts = warehouse.read_table("prompt_topics"), warehouse.read_table("synthetic_prompts")
    assert {"general", "maths", "coding"} <= set(topics["area"])
    assert len(set(prompts["kind"])) >= 4, Counter(prompts["kind"])
    kept = warehouse.read_table("reward_filtered_set")
    is_prompted = kept["leaf_path"].str.starts_with("foundational_skills/generated/")
    assert is_prompted.any() and not is_prompted.all()
    checkpoints = warehouse.read_table("lora_checkpoint")
    assert checkpoints["phase"].unique(maintain_order=True).to_list() == ["code_sft", "general_sft"]
    pairs = warehouse.read_table("preference_pairs")
    assert pairs.height and set(pairs["decided_by"]) <= {"ground_truth", "reward"}
    aligned = warehouse.read_table("aligned_checkpoint")
    assert [name for name in aligned["phase"] if name.startswith("rpo")] and aligned.height == 3, aligned["phase"].to_list()
    assert {row["model"] for row in warehouse.read_table("evaluation").to_dicts()} >= {"base", "tuned"}
    counts = warehouse.read_table("stage_counts")
    assert counts.filter(pl.col("num_in") != pl.col("num_kept") + pl.col("num_rejected") + pl.col("num_failed")).is_empty()
    reasons = Counter(warehouse.read_table("rejected_samples")["rejection_reason"])
    assert not reasons["engine_error"] and not reasons["reward_model_error"] and not reasons["response_error"], reasons


def test_it_runs_behind_servers_and_tells_their_key_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", KEY)  # the servers answer nobody else
    asked = {
        "teacher": ("text", tiny_mixtral(tmp_path / "mixtral"), ""),
        "reward_model": ("reward", tiny_nemotron_reward(tmp_path / "reward"), "\n    reward_api: classify"),
    }
    spec = read_recipe(scale="smoke").teacher
    tiny = {"dtype": "float32", "max_model_len": 4096, "max_num_seqs": 64, "kv_cache_mib": 256}
    specs = {role: spec.model_copy(update={"path": str(folder), **tiny}) for role, (_, folder, _) in asked.items()}
    with serving(specs["teacher"], "text") as teacher, serving(specs["reward_model"], "reward") as reward:
        models = {
            role: f"{role}:\n  engine: server\n  max_model_len: 4096\n  server:\n    base_urls: [{server.base_url}]\n"
            f"    model: {server.name}\n    generation_depth: 0\n    api_key_env: PLANTED_KEY{asked[role][2]}\n"
            for role, server in (("teacher", teacher), ("reward_model", reward))
        }
        recipe = smoke_recipe(tmp_path, models)
        refused = run(recipe, "demo", PLANTED_KEY=f"{KEY}-wrong")
        assert refused.returncode == 1 and "PLANTED_KEY" in refused.stdout + refused.stderr, refused.stdout + refused.stderr
        said = run(recipe, "demo", PLANTED_KEY=KEY)
        assert said.returncode == 0, said.stdout + said.stderr
        out = str(tmp_path / "warehouse" / "out")
        exported = run(recipe, "export", out, "--despite-failed-checks", PLANTED_KEY=KEY)
        assert exported.returncode == 0, exported.stdout + exported.stderr
    warehouse = Warehouse(tmp_path / "warehouse")
    check_tables(warehouse)
    for printed in (refused, said, exported):
        assert KEY not in printed.stdout + printed.stderr
    files = [file for file in warehouse.folder.rglob("*") if file.is_file()]
    assert {"journal", "dagster", "artefacts", "tables", "out"} <= {
        file.relative_to(warehouse.folder).parts[0] for file in files
    }
    assert not [file for file in files if KEY.encode() in file.read_bytes()]
    for name in warehouse.table_names():  # Parquet is compressed
        assert KEY not in warehouse.read_table(name).write_ndjson(), name


def test_it_runs_behind_the_in_process_engine(tmp_path: Path) -> None:
    common = "  engine: vllm\n  dtype: float32\n  max_model_len: 4096\n  kv_cache_mib: 256\n"
    models = {
        "teacher": f"teacher:\n  path: {tiny_mixtral(tmp_path / 'mixtral')}\n{common}",
        "reward_model": f"reward_model:\n  path: {tiny_nemotron_reward(tmp_path / 'reward')}\n{common}",
    }
    recipe = smoke_recipe(tmp_path, models)
    said = run(recipe, "demo")
    assert said.returncode == 0, said.stdout + said.stderr
    check_tables(Warehouse(tmp_path / "warehouse"))
    again = run(recipe, "demo")
    assert again.returncode == 0 and "everything was current" in again.stdout, again.stdout + again.stderr
