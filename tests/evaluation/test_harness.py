"""The real lm-evaluation-harness in its process: its figures, what it refuses, and that it ends with us."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kept_data import NUM_QUESTIONS, keep_arc

from synth_assets.errors import HarnessError
from synth_assets.evaluation import caveats, check_tasks, compare, read_benchmark, run_harness, write_tasks
from synth_assets.machine import family
from synth_assets.recipe import HarnessSection, read_recipe, resolve_path
from synth_assets.records import BenchmarkQuestion, HarnessScore

RECIPE = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml", "smoke")
STUDENT = resolve_path(RECIPE.student.path)


def _declared(*names: str, limit: int | None = None) -> HarnessSection:
    unknown = {"num_fewshot": 0, "metric": "acc"}
    tasks = [{"name": name} | (unknown if "arc" not in name and "synth" not in name else {}) for name in names]
    return HarnessSection.model_validate_json(json.dumps({"tasks": tasks, "limit": limit}))


def _run(folder: Path, declared: HarnessSection, said: list[str] | None = None) -> list[HarnessScore]:
    write_tasks(folder, read_benchmark(resolve_path(RECIPE.evaluation.benchmark))[:4], RECIPE.evaluation, "brief")
    return run_harness(declared, RECIPE.student, {"base": STUDENT}, folder, (said if said is not None else []).append)


def test_a_name_that_the_harness_does_not_know_is_refused_with_the_nearest() -> None:
    check_tasks(_declared("arc_challenge", "winogrande", "synth_assets_taxonomy"))
    with pytest.raises(HarnessError, match="no such task") as caught:
        check_tasks(_declared("synth_assets_taxonomy", "hellaswg"))
    assert caught.value.value == "hellaswg" and "hellaswag" in str(caught.value.remedy)


def test_a_metric_or_a_suite_that_is_not_there_is_refused_before_any_model_is_loaded(tmp_path: Path) -> None:
    told: list[str] = []
    task = {"name": "synth_assets_taxonomy", "metric": "acc_norm"}
    with pytest.raises(HarnessError, match="no metric acc_norm") as caught:
        _run(tmp_path / "tasks", HarnessSection.model_validate({"tasks": (task,)}), told)
    assert "exact_match" in str(caught.value.remedy)
    with pytest.raises(HarnessError, match="no question for the task synth_assets_retained"):
        _run(tmp_path / "tasks", _declared("synth_assets_retained"), told)
    assert not told


def test_texts_reach_the_harness_as_they_are(tmp_path: Path) -> None:
    """Neither a template nor a list nor a point in time, whatever they look like."""
    texts = ("2024-01-01", "2024-01-02")
    questions = [BenchmarkQuestion(text, "a", "taxonomy", "{{ prompt }}", text, text) for text in texts]
    questions.append(BenchmarkQuestion("list", "a", "retained", None, "[1, 2]", "[1, 2]"))
    write_tasks(tmp_path / "tasks", questions, RECIPE.evaluation, "brief")
    code = (
        "import sys; from lm_eval.tasks import TaskManager\n"
        "tasks = TaskManager(include_path=sys.argv[1], include_defaults=False).load(sys.argv[2:])['tasks']\n"
        "print([[t.doc_to_text(d), t.doc_to_target(d)] for t in tasks.values() for d in t.eval_docs])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "tasks"), "synth_assets_taxonomy", "synth_assets_retained"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    expected = [[f"{{{{ prompt }}}}\n{text}", f" {text}"] for text in texts] + [["[1, 2]", " [1, 2]"]]
    assert run.stdout.strip() == str(expected)


@pytest.mark.slow
def test_a_task_whose_data_are_not_here_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "empty"))
    told: list[str] = []
    start = time.monotonic()
    with pytest.raises(HarnessError, match="data of the task arc_challenge are not on this machine") as caught:
        _run(tmp_path / "tasks", _declared("synth_assets_taxonomy", "arc_challenge"), told)
    assert time.monotonic() - start < 120 and not told
    assert "lm-eval run --model dummy --tasks arc_challenge" in str(caught.value.remedy)
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
def test_a_public_task_with_its_data_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_arc(tmp_path / "home")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    declared = HarnessSection.model_validate({
        "tasks": ({"name": "arc_challenge", "published": {"MERLINITE-7B": 0.6399}}, {"name": "synth_assets_taxonomy"}),
        "limit": 4,
    })  # fmt: skip
    public, own = _run(tmp_path / "tasks", declared)
    assert (public.task, public.metric, public.num_fewshot, public.num_questions) == ("arc_challenge", "acc_norm", 25, 4)
    assert NUM_QUESTIONS > 4 and 0 <= public.value <= 1 and public.is_truncated and not own.is_truncated
    row = compare([public, own], declared)[0]
    assert row["MERLINITE-7B"] == "63.99" and row["tuned"] == "-" and "±" in row["base"]
    assert ["first 4 questions" in caveats([public, own], declared)[0], "arc_challenge" in caveats([public], declared)[1]]


@pytest.mark.slow
def test_the_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import test_harness\n"
        "test_harness._run(Path(sys.argv[2]), test_harness._declared('arc_challenge'))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "tasks")])
    children: set[int] = set()
    while not children and parent.poll() is None:
        time.sleep(0.05)
        children = family(parent.pid) - {parent.pid}
    time.sleep(1)  # it has read its order, and loads
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while (left := [child for child in children if _runs(child)]) and time.monotonic() < end:
        time.sleep(0.1)
    assert children and not left


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
