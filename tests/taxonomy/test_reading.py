"""Taxonomies are read as InstructLab documents them: good leaves in full, bad ones as faults by line."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from made_taxonomy import PUBLIC, knowledge, put, skill

from synth_assets.errors import LeafError, TaxonomyError
from synth_assets.records import BRANCHES
from synth_assets.taxonomy import read_leaf, read_taxonomy


def test_the_public_taxonomy_is_read_in_full(public_taxonomy: Path) -> None:
    taxonomy = read_taxonomy([public_taxonomy])
    assert taxonomy.faults == ()
    by_branch = [sum(leaf.branch == branch for leaf in taxonomy.leaf_nodes) for branch in BRANCHES]
    assert by_branch == [2, 11, 3]
    files = [public_taxonomy / leaf.file for leaf in taxonomy.leaf_nodes]
    key = re.compile(r"^[ -]*question:", re.MULTILINE)
    num_questions = sum(len(key.findall(file.read_text(encoding="utf-8"))) for file in files)
    assert len(taxonomy.seed_examples) == num_questions == 97
    assert sum(leaf.num_seed_examples for leaf in taxonomy.leaf_nodes) == 97
    assert all(seed.is_grounded for seed in taxonomy.seed_examples if seed.leaf_path.startswith("knowledge"))
    assert len({seed.seed_example_id for seed in taxonomy.seed_examples}) == 97


def test_old_versions_are_judged_by_what_they_declare(tmp_path: Path) -> None:
    """The reference validator finds 150 of the 154 leaves of the public release valid."""
    release = PUBLIC / "release-04102024"
    if release.is_dir():
        taxonomy = read_taxonomy([release])
        assert (len(taxonomy.leaf_nodes), len({fault.file for fault in taxonomy.faults})) == (150, 4)
    put(tmp_path, "compositional_skills/v1", skill(1, version=1, task_description=""))
    put(tmp_path, "compositional_skills/v2", skill(version=2))
    put(tmp_path, "compositional_skills/v2_short", skill(4, version=2))
    put(tmp_path, "knowledge/v1", {"created_by": "x", "task_description": "", "seed_examples": []})
    taxonomy = read_taxonomy([tmp_path])
    assert [leaf.version for leaf in taxonomy.leaf_nodes] == [1, 2]
    assert {fault.key for fault in taxonomy.faults} >= {
        "seed_examples",
        "version",
        "task_description",
        "document",
    }


def test_a_bad_leaf_is_reported_by_line_and_the_others_go_on(tmp_path: Path) -> None:
    put(tmp_path, "compositional_skills/good", skill())
    text = yaml.safe_dump(skill(), sort_keys=False).replace("answer: It is 3.", "answr: It is 3.")
    bad = put(tmp_path, "foundational_skills/a/b/c/bad", text)
    taxonomy = read_taxonomy([tmp_path])
    assert [leaf.leaf_path for leaf in taxonomy.leaf_nodes] == ["compositional_skills/good"]
    unknown, missing = taxonomy.faults
    line = text.splitlines().index("  answr: It is 3.") + 1
    assert (unknown.file, unknown.line, unknown.column) == (str(bad), line, 3)
    assert (unknown.key, unknown.message) == ("seed_examples[2].answr", "unknown key")
    assert "'answer'" in unknown.expected
    assert (missing.key, missing.line) == ("seed_examples[2].answer", line - 1)


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        (skill(0), "seed_examples", "too few"),
        ({"created_by": "x", "task_description": "y", "version": 3}, "seed_examples", "missing key"),
        (skill(version=4), "version", "no version"),
        (skill(version="3"), "version", "no version"),
        (skill(task_description=" "), "task_description", "is empty"),
        (
            skill(seed_examples=[{"question": "q", "answer": 4}] * 5),
            "seed_examples[0].answer",
            "is int, not text",
        ),
        (skill(seed_examples=[{"question": "q", "answer": "a"}] * 5), "seed_examples[1]", "repeats entry 0"),
        (skill(seed_examples=["q"] * 5), "seed_examples[0]", "not a seed example"),
        (skill(attribution="me"), "attribution", "unknown key"),
        ("- just\n- a list\n", "", "not a leaf node"),
        ("version: 3\n  created_by: [\n", "", "is not YAML"),
        ("", "", "is empty"),
    ],
)
def test_each_fault_of_a_skill_is_found(tmp_path: Path, value: object, key: str, message: str) -> None:
    file = put(tmp_path, "compositional_skills/bad", value)
    with pytest.raises(LeafError) as caught:
        read_leaf(tmp_path, file)
    fault = caught.value.faults[0]
    assert fault.key == key and message in fault.message and fault.line is not None


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"version": 2}, "version"),
        ({"domain": ""}, "domain"),
        ({"document": "a.md"}, "document"),
        ({"document": {"repo": "r", "commit": "c", "patterns": []}}, "document.patterns"),
        ({"document": {"repo": "r", "patterns": ["a"]}}, "document.commit"),
        ({"seed_examples": knowledge()["seed_examples"][:4]}, "seed_examples"),
    ],
)
def test_each_fault_of_a_knowledge_leaf_is_found(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    file = put(tmp_path, "knowledge/bad", knowledge(**changes))
    with pytest.raises(LeafError) as caught:
        read_leaf(tmp_path, file)
    assert [fault.key for fault in caught.value.faults] == [key]


def test_unknown_keys_inside_a_pair_and_mixed_seeds_are_legal(tmp_path: Path) -> None:
    value = knowledge()
    value["seed_examples"][0]["questions_and_answers"][0]["source"] = "me"
    leaf_node, seeds = read_leaf(tmp_path, put(tmp_path, "knowledge/k", value))
    assert len(seeds) == leaf_node.num_seed_examples == 15
    mixed = skill()
    mixed["seed_examples"][0]["context"] = "Given."
    _, seeds = read_leaf(tmp_path, put(tmp_path, "compositional_skills/mixed", mixed))
    assert [seed.is_grounded for seed in seeds] == [True, False, False, False, False]


def test_ids_follow_the_content_and_not_the_place(tmp_path: Path) -> None:
    one, seeds = read_leaf(tmp_path / "a", put(tmp_path / "a", "compositional_skills/x", skill()))
    two, _ = read_leaf(tmp_path / "b", put(tmp_path / "b", "compositional_skills/x", skill()))
    six, more = read_leaf(tmp_path / "c", put(tmp_path / "c", "compositional_skills/x", skill(6)))
    assert one == two and one.leaf_node_id != six.leaf_node_id
    assert [seed.seed_example_id for seed in seeds] == [seed.seed_example_id for seed in more[:5]]


def test_a_taxonomy_without_leaves_stops(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="there is no taxonomy"):
        read_taxonomy([tmp_path / "none"])
    with pytest.raises(TaxonomyError, match="holds no leaf node"):
        read_taxonomy([tmp_path])
    file = put(tmp_path, "compositional_skills/bad", skill(0))
    with pytest.raises(TaxonomyError, match="not one leaf node could be read") as caught:
        read_taxonomy([tmp_path])
    assert str(file) in str(caught.value)


def test_the_first_of_two_roots_counts(tmp_path: Path) -> None:
    put(tmp_path / "a", "compositional_skills/x", skill(task_description="first"))
    second = put(tmp_path / "b", "compositional_skills/x", skill(task_description="second"))
    taxonomy = read_taxonomy([tmp_path / "a", tmp_path / "b"])
    assert [leaf.task_description for leaf in taxonomy.leaf_nodes] == ["first"]
    assert [fault.file for fault in taxonomy.faults] == [str(second)]


def test_a_link_out_of_the_taxonomy_is_refused(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "compositional_skills/x", skill())
    put(tmp_path / "in", "compositional_skills/good", skill())
    link = tmp_path / "in/compositional_skills/evil/qna.yaml"
    link.parent.mkdir()
    link.symlink_to(outside)
    (fault,) = read_taxonomy([tmp_path / "in"]).faults
    assert fault.message == "leads out of the taxonomy"


def test_a_seed_that_stands_twice_is_a_fault_or_two_rows(tmp_path: Path) -> None:
    value = skill()
    value["seed_examples"][4] = {key: f"{text}  " for key, text in value["seed_examples"][0].items()}
    with pytest.raises(LeafError) as caught:
        read_leaf(tmp_path, put(tmp_path, "compositional_skills/twice", value))
    assert [fault.message for fault in caught.value.faults] == ["repeats entry 0"]
    del value["version"]  # version 1 allows it
    leaf_node, seeds = read_leaf(tmp_path, put(tmp_path, "compositional_skills/old", value))
    assert len({seed.seed_example_id for seed in seeds}) == leaf_node.num_seed_examples == 5
