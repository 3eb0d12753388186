"""The recipes of the published systems, at scale smoke, on tiny random models of the very architectures: from the taxonomy
through every stage, phase and choice of a checkpoint to the report, as a demo in processes of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from synth_assets.recipe import project_root
from synth_assets.storage import Warehouse
from tests.tiny_models import tiny_llama, tiny_mistral, tiny_mixtral

PUBLIC = Path(__file__).parents[3] / "shared" / "instructlab-taxonomy" / "main"
LEAVES = (
    "knowledge/places/towns", "knowledge/people/lives", "foundational_skills/dates/days_away",
    "foundational_skills/arithmetic/story_sum", "compositional_skills/writing/polite_request",
    "compositional_skills/extraction/contact_field",
)  # fmt: skip
PHASES = ["knowledge_short", "knowledge_long", "skills"]
#: What tiny models on two cores need: other folders, shorter texts, and judges that are drawn rather than greedy, lest a
#: random one say the same of everything. Reasons and quotations are cut to one character: that a random judge can quote.
CHANGES = {
    "models/Mixtral-8x7B-Instruct-v0.1": "{teacher}",
    "dtype: bfloat16": "dtype: float32",
    "max_model_len: 8192": "max_model_len: 4096",
    "kv_cache_mib: 24576": "kv_cache_mib: 256",
    "kv_cache_mib: 16384": "kv_cache_mib: 64",
    "prompts: lab\n  max_new_tokens: 400":
        "prompts: lab\n  temperature: 1.0\n  max_reason_characters: 1\n  max_new_tokens: 80",
    "{context: 512, instruction: 256, response: 1024}": "{context: 96, instruction: 96, response: 96}",
    "response_temperature: 0.0": "response_temperature: 1.0",
    "instruction_temperature: 0.7": "instruction_temperature: 1.0",
    "context_temperature: 0.7": "context_temperature: 1.0",
    "smoke: 4, demo: 100": "smoke: 8, demo: 100",
    "student:\n  path: models/": "student:\n  path: {student}/",
    "[data/taxonomy]": "[{taxonomy}]",
    "benchmark: data/selection": "benchmark: {benchmark}/selection",
    "open_questions: data/open_questions": "open_questions: {benchmark}/open",
    "benchmark: data/benchmark": "benchmark: {benchmark}/final",
    "max_new_tokens: 256\n  confidence": "max_new_tokens: 16\n  confidence",
}  # fmt: skip


def smoke_recipe(name: str, folder: Path, taxonomy: Path, student: Callable[[Path], Path]) -> Path:
    """The recipe as it stands, with CHANGES made, and models, questions and taxonomy put in their places."""
    text = (project_root() / "data" / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")
    head, rest = text[: text.index("\nname:")], text[text.index("\nname:") :]
    places = {"teacher": tiny_mixtral(folder / "teacher"), "student": folder, "taxonomy": taxonomy, "benchmark": folder}
    for old, new in CHANGES.items():
        assert old in rest, old
        for key, place in places.items():
            new = new.replace(f"{{{key}}}", str(place))
        rest = rest.replace(old, new)
    student_folder = "Mistral-7B-v0.1" if "Mistral-7B-v0.1" in rest else "Llama-2-13b-hf"
    student(folder / student_folder)
    of_student = rest.index("\nstudent:")  # transformers, lest a vLLM be started for each of eight examinations
    rest = rest[:of_student] + rest[of_student:].replace("engine: vllm", "engine: transformers", 1)
    for part in ("selection", "final", "open"):
        (folder / part).mkdir()
        rows = [
            {"leaf_path": "a/b", "suite": suite, "context": None, "question": f"{part} {n}?", "answer": "x"}
            for n in range(4) for suite in ("taxonomy", "retained")
        ]  # fmt: skip
        (folder / part / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    file = folder / f"{name}.yaml"
    file.write_text(head + rest, encoding="utf-8")
    return file


def run(recipe: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"SYNTH_ASSETS_WAREHOUSE": str(recipe.parent / "warehouse")}
    line = [sys.executable, "-m", "synth_assets.cli", "--recipe", str(recipe), "--scale", "smoke", *command]
    return subprocess.run(line, capture_output=True, text=True, env=environment, timeout=900, check=False)


def check_run(recipe: Path) -> Warehouse:
    said = run(recipe, "demo")
    assert said.returncode == 0, said.stdout + said.stderr
    warehouse = Warehouse(recipe.parent / "warehouse")
    checkpoints = warehouse.read_table("lora_checkpoint").to_dicts()
    by_phase = {phase: [row for row in checkpoints if row["phase"] == phase] for phase in PHASES}
    assert all(rows for rows in by_phase.values()), Counter(row["phase"] for row in checkpoints)
    for rows in by_phase.values():
        scores = [row["selection_score"] for row in rows]
        (chosen,) = [row for row in rows if row["is_chosen"]]
        assert chosen == rows[scores.index(max(scores))]  # the earliest of the best
    reasons = Counter(warehouse.read_table("rejected_samples")["rejection_reason"])
    assert reasons["truncated"] and reasons["off_task"] and reasons["low_pair_score"]
    assert reasons["unfaithful"] and reasons["span_not_in_text"] and reasons["irrelevant"]
    assert not reasons["engine_error"] and not reasons["judge_error"]
    kept = warehouse.read_table("reward_filtered_set")
    assert set(kept["branch"]) == {"knowledge", "foundational_skills", "compositional_skills"}
    assert warehouse.read_table("judge_calibration").height
    assert warehouse.read_table("comparisons").height == 4
    assert {row["model"] for row in warehouse.read_table("evaluation").to_dicts()} == {"base", "tuned"}
    return warehouse


def test_labradorite_runs_on_bundled_leaves(tmp_path: Path) -> None:
    taxonomy = tmp_path / "taxonomy"
    for leaf in LEAVES:
        shutil.copytree(project_root() / "data" / "taxonomy" / leaf, taxonomy / leaf)
    check_run(smoke_recipe("labradorite-13b", tmp_path, taxonomy, tiny_llama))


@pytest.mark.skipif(not PUBLIC.is_dir(), reason="the public taxonomies are not beside the checkout")
def test_merlinite_runs_on_a_taxonomy_of_somebody_else(tmp_path: Path) -> None:
    """check, plan, and a run to the end; knowledge that lies in repositories which the recipe does not allow is left out."""
    recipe = smoke_recipe("merlinite-7b", tmp_path, PUBLIC, tiny_mistral)
    checked = run(recipe, "taxonomy", "check", str(PUBLIC))
    assert checked.returncode in (0, 1) and "Traceback" not in checked.stderr
    planned = run(recipe, "plan")
    assert planned.returncode == 0 and "knowledge_long" in planned.stdout, planned.stderr
    check_run(recipe)
