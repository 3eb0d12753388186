"""A recipe that names a server: what is refused, with key and value, and never a key's own value."""

import json
from pathlib import Path

import pytest
import yaml

from synth_assets.assets.descent import teacher_depth
from synth_assets.assets.made_of import code_version
from synth_assets.errors import Fault, RecipeError
from synth_assets.plan_text import plan_text
from synth_assets.planning import plan_recipe
from synth_assets.recipe import ModelSpec, Recipe, ServerSection, read_recipe

EMBEDDED = Path(__file__).parent.parent / "data/recipes/embedded.yaml"
SERVED = {
    "engine": "server", "max_model_len": 512,
    "server": {
        "base_urls": ["http://127.0.0.1:8000/v1"], "model": "teacher-70b", "api_key_env": "TEACHER_KEY",
        "generation_depth": 0,
    },
}  # fmt: skip


def written(tmp_path: Path, teacher: dict[str, object], **others: object) -> Path:
    said = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))
    said |= {"teacher": teacher, **others}
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return file


def served(tmp_path: Path, **server: object) -> Recipe:
    return read_recipe(written(tmp_path, {**SERVED, "server": {**SERVED["server"], **server}}))  # type: ignore[dict-item]


def faults_of(file: Path) -> list[Fault]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    return list(caught.value.faults)


def test_a_teacher_behind_a_server_needs_no_folder(tmp_path: Path) -> None:
    recipe = served(tmp_path, base_urls=["http://one/v1/", "https://two/openai/v1"])
    assert recipe.teacher.server and recipe.teacher.server.base_urls == ("http://one/v1", "https://two/openai/v1")
    assert recipe.teacher.name == "teacher-70b" and not recipe.teacher.path


def test_the_readme_shows_what_a_recipe_may_hold() -> None:
    readme = (EMBEDDED.parents[2] / "README.md").read_text(encoding="utf-8")
    block = next(block for block in readme.split("```yaml\n") if block.startswith("teacher:")).split("```")[0]
    shown = ModelSpec.model_validate_json(json.dumps(yaml.safe_load(block)["teacher"]))
    assert shown.server and len(shown.server.base_urls) == 2
    defaults = ServerSection(base_urls=("http://one/v1",), model="m")
    for key in ("deadline_s", "max_attempts", "failure_share"):
        assert getattr(shown.server, key) == getattr(defaults, key)


def test_a_plan_is_made_without_folder_and_server(tmp_path: Path) -> None:
    text = plan_text(plan_recipe(served(tmp_path)))
    assert "teacher teacher-70b: of unknown size" in text


@pytest.mark.parametrize(("server", "key", "expected"), [
    ({"base_urls": ["ftp://host/v1"]}, "teacher.server.base_urls", "http:// or https://"),
    ({"base_urls": ["http://host:8000"]}, "teacher.server.base_urls", "before /chat/completions"),
    ({"base_urls": ["http://host/v1/chat/completions"]}, "teacher.server.base_urls", "before /chat/completions"),
    ({"base_urls": []}, "teacher.server.base_urls", "before /chat/completions"),
    ({"max_in_flight": 0}, "teacher.server.max_in_flight", "greater than or equal to 1"),
    ({"failure_share": 1.5}, "teacher.server.failure_share", "less than or equal to 1"),
    ({"reward_outputs": 3}, "teacher.server.reward_outputs", "1 or 5"),
])  # fmt: skip
def test_a_wrong_value_is_named(tmp_path: Path, server: dict[str, object], key: str, expected: str) -> None:
    file = written(tmp_path, {**SERVED, "server": {**SERVED["server"], **server}})  # type: ignore[dict-item]
    (fault,) = faults_of(file)
    assert fault.key == key and expected in fault.expected
    assert str(next(iter(server.values()))).strip("[]'") in fault.value


@pytest.mark.parametrize("server", [
    {"api_key_env": "sk-verysecret"}, {"api_key_env": "nvapi-VerySecret"}, {"api_key": "verysecret"},
    {"base_urls": ["https://me:verysecret@host/v1"]}, {"base_urls": ["http://fine/v1", "https://host/v1?key=verysecret"]},
])  # fmt: skip
def test_a_key_in_a_recipe_is_refused_and_not_repeated(tmp_path: Path, server: dict[str, object]) -> None:
    file = written(tmp_path, {**SERVED, "server": {**SERVED["server"], **server}})  # type: ignore[dict-item]
    with pytest.raises(RecipeError) as caught:
        read_recipe(file)
    assert "teacher.server." in str(caught.value) and "verysecret" not in str(caught.value).lower()


def test_engine_and_section_go_together(tmp_path: Path) -> None:
    (fault,) = faults_of(written(tmp_path, {"engine": "server", "max_model_len": 512}))
    assert fault.key == "teacher" and "needs a section server" in fault.expected
    (fault,) = faults_of(written(tmp_path, {**SERVED, "engine": "vllm", "path": "data/models/teacher"}))
    assert "engine: vllm has no section server" in fault.expected
    (fault,) = faults_of(written(tmp_path, {"engine": "vllm", "max_model_len": 512}))
    assert "needs path" in fault.expected


def test_who_descends_from_whom_is_said_where_no_folder_tells_it(tmp_path: Path) -> None:
    unsaid = {key: value for key, value in SERVED["server"].items() if key != "generation_depth"}  # type: ignore[attr-defined]
    (fault,) = faults_of(written(tmp_path, {**SERVED, "server": unsaid}))
    assert fault.key == "teacher" and "server.generation_depth" in fault.expected
    there = {**SERVED, "path": "data/models/teacher", "server": unsaid}
    assert teacher_depth(read_recipe(written(tmp_path, there))) == 0
    others, own = served(tmp_path), served(tmp_path, generation_depth=2)
    assert (teacher_depth(others), teacher_depth(own)) == (0, 2)
    assert code_version("synthetic_samples", others) != code_version("synthetic_samples", own)


def test_a_student_is_never_behind_a_server(tmp_path: Path) -> None:
    teacher = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))["teacher"]
    (fault,) = faults_of(written(tmp_path, teacher, student=SERVED))
    assert fault.key == "student" and "its folder must be here" in fault.expected


def test_where_the_server_is_makes_nothing_anew(tmp_path: Path) -> None:
    """Neither its address nor its limits; what it is asked for does."""
    first = served(tmp_path)
    limits = {
        "base_urls": ["http://else/v1"],
        "max_in_flight": 3,
        "api_key_env": None,
        "failure_share": 0.1,
        "deadline_s": 9.0,
    }
    moved = served(tmp_path, **limits)
    assert code_version("synthetic_samples", first) == code_version("synthetic_samples", moved)
    assert first.fingerprint() != moved.fingerprint()
    other = served(tmp_path, model="teacher-8b")
    assert code_version("synthetic_samples", first) != code_version("synthetic_samples", other)
