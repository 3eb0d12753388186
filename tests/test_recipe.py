"""The embedded recipe holds, and a wrong one is refused with every fault at its line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from synth_assets.errors import Fault, RecipeError
from synth_assets.recipe import SCALES, project_root, read_recipe, resolve_path, warehouse_path

EMBEDDED = Path(__file__).parent.parent / "data/recipes/embedded.yaml"


def _changed(tmp_path: Path, old: str, new: str) -> Path:
    text = EMBEDDED.read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    file = tmp_path / "recipe.yaml"
    file.write_text(text.replace(old, new), encoding="utf-8")
    return file


def _faults(file: Path) -> list[Fault]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert str(file) in str(caught.value)
    return list(caught.value.faults)


def _line_of(file: Path, text: str) -> int:
    lines = file.read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)


def test_the_embedded_recipe_can_be_read_at_every_scale() -> None:
    sizes = [read_recipe(EMBEDDED, scale).generation.num_samples_per_leaf for scale in SCALES]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3
    assert read_recipe(EMBEDDED).scale == "demo"


def test_a_recipe_is_frozen_and_its_fingerprint_sees_a_change(tmp_path: Path) -> None:
    recipe = read_recipe(EMBEDDED)
    with pytest.raises(ValueError, match="frozen"):
        recipe.seed = 8  # type: ignore[misc]
    other = read_recipe(_changed(tmp_path, "seed: 7", "seed: 8"))
    assert recipe.fingerprint() == read_recipe(EMBEDDED).fingerprint() != other.fingerprint()


def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_key(tmp_path: Path) -> None:
    file = _changed(tmp_path, "  learning_rate: 4.0e-3", "  learning_rat: 4.0e-3")
    unknown, missing = sorted(_faults(file), key=lambda fault: fault.message, reverse=True)
    assert (unknown.key, unknown.message) == ("tuning.learning_rat", "unknown key")
    assert unknown.line == _line_of(file, "learning_rat:") and unknown.column == 3
    assert "'learning_rate'" in unknown.expected
    assert (missing.key, missing.message) == ("tuning.learning_rate", "missing key")
    assert missing.line == _line_of(file, "tuning:")


def test_an_unknown_key_with_a_value_for_each_scale_is_one_fault(tmp_path: Path) -> None:
    file = _changed(tmp_path, "  num_samples_per_leaf:", "  num_samples_per_leafs:")
    faults = _faults(file)
    assert [(fault.key, fault.message) for fault in sorted(faults, key=lambda fault: fault.message, reverse=True)] == [
        ("generation.num_samples_per_leafs", "unknown key"), ("generation.num_samples_per_leaf", "missing key"),
    ]  # fmt: skip


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    text = EMBEDDED.read_text(encoding="utf-8")
    file = tmp_path / "recipe.yaml"
    text = text.replace("seed: 7", "seed: seven").replace("timezone: UTC", "timezone: Mars/Olympus")
    file.write_text(text.replace("budget_factor: 4 ", "budget_factor: 0 ").replace("    coherence: 0.2\n", ""))
    faults = _faults(file)
    assert [fault.key for fault in faults] == [
        "seed",
        "generation.budget_factor",
        "reward.weights",
        "schedule.timezone",
    ]
    assert faults[0].value == "'seven'"
    assert "greater than or equal to 1" in faults[1].expected
    assert "coherence" in faults[2].expected
    assert "Europe/Berlin" in faults[3].expected


def test_a_scale_that_is_not_chosen_is_checked_too(tmp_path: Path) -> None:
    file = _changed(tmp_path, "{smoke: 8, demo: 160, full: 400}", "{smoke: 8, demo: 160, full: many}")
    (fault,) = _faults(file)
    assert fault.key == "generation.num_samples_per_leaf.full" and fault.value == "'many'"


def test_a_missing_or_unknown_scale_is_a_fault(tmp_path: Path) -> None:
    file = _changed(tmp_path, "{smoke: 8, demo: 160, full: 400}", "{smoke: 8, demo: 160, ful: 400}")
    messages = {fault.message for fault in _faults(file)}
    assert {"unknown scale", "no value for scale full"} <= messages
    faults = _faults(_changed(tmp_path, "scale: demo", "scale: huge"))
    assert [fault.key for fault in faults] == ["scale"] and "demo" in faults[0].expected


def test_a_number_that_yaml_reads_as_text_is_explained(tmp_path: Path) -> None:
    (fault,) = _faults(_changed(tmp_path, "learning_rate: 4.0e-3", "learning_rate: 4e-3"))
    assert "write 1.0e-3" in fault.expected


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("name: [unclosed\n", "is not YAML", 2),
        ("a: 1\nb: 2\na: 3\n", "stands twice (first in line 1)", 3),
        ("", "is empty", 1),
        ("a: !!python/object/apply:os.system ['true']\n", "is not YAML", 1),
        ("\tname: x\n", "is not YAML", 1),
    ],
)
def test_a_file_that_is_not_yaml_is_one_fault_with_its_line(tmp_path: Path, text: str, message: str, line: int) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    (fault,) = _faults(file)
    assert message in fault.message and fault.line == line


def test_no_file_no_text_and_no_mapping_are_refused(tmp_path: Path) -> None:
    assert "No such file" in _faults(tmp_path / "none.yaml")[0].message
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in _faults(binary)[0].message
    listing = tmp_path / "list.yaml"
    listing.write_text("- 1\n- 2\n")
    assert "not a recipe" in _faults(listing)[0].message


def test_a_recursive_alias_ends_in_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "loop.yaml"
    file.write_text("taxonomy: &a\n  paths: [*a]\n")
    assert "contains itself" in _faults(file)[0].message


def test_aliases_that_blow_up_are_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "laughs.yaml"
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    file.write_text("l0: &l0 [ha]\n" + levels)
    assert "too many keys" in _faults(file)[0].message


def test_quantile_cut_must_be_a_share(tmp_path: Path) -> None:
    (fault,) = _faults(_changed(tmp_path, "mode: absolute, value: 4.0", "mode: leaf_quantile, value: 1.5"))
    assert fault.key == "reward.cut.value"
    absolute = _changed(tmp_path, "mode: absolute, value: 4.0", "mode: absolute, value: 1.5")
    assert read_recipe(absolute).reward.cut.value == 1.5


def test_environment_chooses_recipe_home_and_warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project_root() == EMBEDDED.parent.parent.parent
    monkeypatch.setenv("SYNTH_ASSETS_HOME", str(tmp_path))
    assert warehouse_path() == tmp_path / "data/warehouse"
    assert resolve_path("/abs") == Path("/abs")
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", "elsewhere")
    assert warehouse_path() == tmp_path / "elsewhere"
    monkeypatch.setenv("SYNTH_ASSETS_RECIPE", "mine.yaml")
    value: dict[str, Any] = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**value, "name": "mine"}))
    assert read_recipe().name == "mine"


@pytest.mark.parametrize(
    ("cron", "is_right"),
    [("0 2 * * *", True), ("*/15 0-6,22 1 */2 1-5", True), ("0 25 * * *", False), ("0 2 * *", False),
     ("5-1 2 * * *", False), ("*/0 2 * * *", False), ("0 2 32 * *", False), ("now", False)],
)  # fmt: skip
def test_a_schedule_that_no_clock_reaches_is_refused(tmp_path: Path, cron: str, is_right: bool) -> None:
    file = _changed(tmp_path, 'cron: "0 2 * * *"', f'cron: "{cron}"')
    if is_right:
        assert read_recipe(file).schedule.cron == cron
    else:
        (fault,) = _faults(file)
        assert fault.key == "schedule.cron" and "weekday" in fault.expected


@pytest.mark.parametrize(
    "line", ["chunk_overlap_tokens: 500", "repositories: ['file:data/manuals']", "repositories: [git@x:y]"]
)
def test_document_settings_that_cannot_work_are_refused(tmp_path: Path, line: str) -> None:
    file = _changed(tmp_path, "  documents:", f"  {line}\n  documents:")
    (fault,) = _faults(file)
    assert fault.key.startswith("taxonomy") and fault.line


def test_replay_needs_its_buffer(tmp_path: Path) -> None:
    (fault,) = _faults(_changed(tmp_path, "  replay_buffer: data/models/student_base/replay_buffer.jsonl\n", ""))
    assert fault.key == "tuning.replay_buffer" and "replay_share" in fault.expected


def _with_harness(tmp_path: Path, *lines: str) -> Path:
    said = "".join(f"\n    {line}" for line in lines)
    return _changed(tmp_path, "  confidence: 0.95", f"  confidence: 0.95\n  harness:{said}")


def test_shots_and_metric_of_known_tasks_go_without_saying(tmp_path: Path) -> None:
    assert read_recipe(EMBEDDED).evaluation.harness is None
    file = _with_harness(
        tmp_path, "tasks:", "- {name: mmlu, published: {MERLINITE-7B: 0.6488}}", "- {name: arc_challenge, num_fewshot: 0}",
        "- {name: synth_assets_retained}", "- {name: boolq, num_fewshot: 2, metric: acc}",
        "limit: {smoke: 4, demo: 99, full: null}",
    )  # fmt: skip
    declared = read_recipe(file).evaluation.harness
    assert declared is not None and (declared.limit, declared.batch_size) == (99, 16)
    assert [(task.name, task.num_fewshot, task.metric) for task in declared.tasks] == [
        ("mmlu", 5, "acc"), ("arc_challenge", 0, "acc_norm"), ("synth_assets_retained", 0, "exact_match"),
        ("boolq", 2, "acc"),
    ]  # fmt: skip
    assert declared.tasks[0].published == {"MERLINITE-7B": 0.6488}


@pytest.mark.parametrize(
    ("task", "key", "expected"),
    [
        ("{name: mmlu, published: {MERLINITE-7B: 64.88}}", "tasks[0].published", "0.5889 for 58.89 %"),
        ("{name: boolq, num_fewshot: 0}", "tasks[0].metric", "with a value"),
        ("{name: synth_assets_taxonomy, num_fewshot: 3}", "tasks[0].num_fewshot", "without examples"),
    ],
)
def test_a_task_that_cannot_be_asked_or_compared_is_refused(tmp_path: Path, task: str, key: str, expected: str) -> None:
    (fault,) = _faults(_with_harness(tmp_path, "tasks:", f"- {task}"))
    assert fault.key == f"evaluation.harness.{key}" and expected in fault.expected


@pytest.mark.parametrize("tasks", ["[]", "[{name: mmlu}, {name: mmlu, num_fewshot: 0}]"])
def test_each_task_stands_once(tmp_path: Path, tasks: str) -> None:
    (fault,) = _faults(_with_harness(tmp_path, f"tasks: {tasks}"))
    assert fault.key == "evaluation.harness.tasks" and "each once" in fault.expected
