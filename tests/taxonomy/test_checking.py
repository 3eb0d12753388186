"""What people are told about a taxonomy's files, without a run."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from made_taxonomy import PUBLIC, knowledge, put, skill

from synth_assets.cli import cli
from synth_assets.errors import TaxonomyError
from synth_assets.taxonomy import check_json, check_taxonomy, diff_taxonomies, read_taxonomy, tree_text


def check(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["taxonomy", *arguments])
    return result.exit_code, result.stdout + result.stderr


def made(folder: Path) -> Path:
    put(folder, "compositional_skills/writing/a good one", skill())
    put(folder, "knowledge/places/towns", knowledge())
    put(folder, "foundational_skills/bad", yaml.safe_dump(skill(), sort_keys=False).replace("answer: It is 3.", "answr: 3"))
    return folder


def test_every_file_is_judged_and_every_fault_has_its_place(tmp_path: Path) -> None:
    good, bad, towns = check_taxonomy([made(tmp_path)])
    assert [leaf.file for leaf in (good, bad, towns)] == [
        "compositional_skills/writing/a good one/qna.yaml", "foundational_skills/bad/qna.yaml",
        "knowledge/places/towns/qna.yaml",
    ]  # fmt: skip
    assert not good.faults and not towns.faults and len(bad.faults) == 2
    code, said = check("check", str(tmp_path))
    lines = said.splitlines()
    assert code == 1 and lines[-1] == "3 leaf nodes: 2 valid, 1 with 2 faults"
    assert lines[0].startswith(f"{tmp_path}/foundational_skills/bad/qna.yaml:") and "perhaps 'answer'" in lines[0]


def test_json_is_one_object_a_file(tmp_path: Path) -> None:
    code, said = check("check", "--json", str(made(tmp_path)))
    rows: list[dict[str, Any]] = json.loads(said)
    assert code == 1 and [row["valid"] for row in rows] == [True, False, True]
    assert [row["branch"] for row in rows] == ["compositional_skills", "foundational_skills", "knowledge"]
    assert all(set(row) == {"path", "branch", "version", "valid", "faults"} for row in rows)
    assert set(rows[1]["faults"][0]) == {"line", "column", "key", "value", "message", "expected"}
    assert rows[2]["version"] == 3


@pytest.mark.parametrize("inside", ["", "knowledge", "knowledge/places", "knowledge/places/towns/qna.yaml"])
def test_a_root_a_folder_and_a_file_can_be_named(tmp_path: Path, inside: str) -> None:
    judged = check_taxonomy([made(tmp_path / "taxonomy") / inside])
    assert "knowledge/places/towns/qna.yaml" in [leaf.file for leaf in judged]
    assert len(judged) == (3 if inside == "" else 1)


def test_a_leaf_is_judged_alike_however_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A skill about knowledge, in a folder of that name; its broken neighbour is not overlooked."""
    put(tmp_path, "compositional_skills/general/knowledge", skill())
    put(tmp_path, "compositional_skills/general/other", "created_by: [")
    monkeypatch.chdir(tmp_path)
    for path in (
        "compositional_skills/general/knowledge/qna.yaml",
        str(tmp_path / "compositional_skills/general/knowledge"),
    ):
        (judged,) = check_taxonomy([Path(path)])
        assert (judged.file, judged.faults) == ("compositional_skills/general/knowledge/qna.yaml", ())
    assert len(check_taxonomy([Path("compositional_skills/general")])) == 2
    assert len(check_taxonomy([Path(".")])) == 2
    monkeypatch.chdir(tmp_path / "compositional_skills")
    (judged,) = check_taxonomy([Path("general/other")])
    assert judged.file == "compositional_skills/general/other/qna.yaml"


def test_what_is_no_leaf_of_a_taxonomy_is_told(tmp_path: Path) -> None:
    put(tmp_path, "somewhere/else", skill())
    (judged,) = check_taxonomy([tmp_path])
    assert "no branch" in judged.faults[0].message
    with pytest.raises(TaxonomyError, match="no such file"):
        check_taxonomy([tmp_path / "nothing"])
    assert check("check", str(tmp_path / "nothing"))[0] == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaxonomyError, match="no qna"):
        check_taxonomy([tmp_path / "empty"])


def test_a_good_taxonomy_ends_with_code_0(tmp_path: Path) -> None:
    put(tmp_path, "compositional_skills/good", skill())
    assert check("check", str(tmp_path)) == (0, "1 leaf nodes: 1 valid, 0 with 0 faults\n")


def test_the_tree_tells_kind_and_seeds(tmp_path: Path) -> None:
    text = tree_text(check_taxonomy([made(tmp_path)]))
    assert text.splitlines() == [
        "compositional_skills", "  writing", "    a good one  (freeform, 5 seed examples)",
        "foundational_skills", "  bad  (2 faults)",
        "knowledge", "  places", "    towns  (knowledge, 15 seed examples)",
    ]  # fmt: skip


def test_a_diff_names_leaves_and_what_they_would_cost(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for root in (old, new):
        put(root, "compositional_skills/same", skill())
        description = "One." if root == old else "Another."
        put(root, "compositional_skills/changed", skill(task_description=description))
    put(old, "compositional_skills/gone", skill())
    grounded = skill()
    for seed in grounded["seed_examples"]:
        seed["context"] = "Given this."
    put(new, "compositional_skills/added", grounded)
    commented = new / "compositional_skills/same/qna.yaml"
    commented.write_text("# a comment\n" + commented.read_text(encoding="utf-8"), encoding="utf-8")
    found = diff_taxonomies(read_taxonomy([old]), read_taxonomy([new]))
    assert (found.added, found.changed, found.removed) == (
        ["compositional_skills/added"], ["compositional_skills/changed"], ["compositional_skills/gone"],
    )  # fmt: skip
    code, said = check("diff", str(old), str(new))
    assert code == 0 and said.splitlines()[:3] == [
        "+ compositional_skills/added", "~ compositional_skills/changed", "- compositional_skills/gone",
    ]  # fmt: skip
    assert "1 added, 1 changed, 1 removed: at least 800 calls of the teacher and 320 of the reward model" in said


def test_the_public_taxonomies_are_judged_as_their_versions_say() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public taxonomies are not beside this checkout")
    for name, num_valid, num_files in (("main", 16, 16), ("release-04102024", 150, 154)):
        rows = check_json(check_taxonomy([PUBLIC / name]))
        assert (sum(row["valid"] for row in rows), len(rows)) == (num_valid, num_files)
        assert all(fault["line"] and fault["column"] for row in rows for fault in row["faults"])
