"""Our verdicts against those of InstructLab's own validator, file by file, its linter of style aside."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml
from instructlab.schema.taxonomy import TaxonomyParser
from made_taxonomy import PUBLIC, knowledge, put, skill

from synth_assets.recipe import resolve_path
from synth_assets.taxonomy import check_taxonomy

NO_STYLE = "rules: {}"


def is_valid_by_reference(file: Path) -> bool:
    parsed = TaxonomyParser(schema_version=0, yamllint_config=NO_STYLE, message_format="logging").parse(file)
    return bool(parsed.contents) and parsed.errors == 0


@pytest.mark.parametrize("name", ["main", "release-04102024", "data/taxonomy"])
def test_whole_taxonomies_are_judged_alike(name: str) -> None:
    root = resolve_path(name) if name.startswith("data") else PUBLIC / name
    if not root.is_dir():
        pytest.skip("the public taxonomies are not beside this checkout")
    judged = check_taxonomy([root])
    assert {leaf.file: not leaf.faults for leaf in judged} == {
        leaf.file: is_valid_by_reference(root / leaf.file) for leaf in judged
    }


def test_leaves_with_one_part_missing_or_of_another_type_are_judged_alike(tmp_path: Path) -> None:
    """Every key and every entry of a good leaf of each kind and version, taken away or made another."""
    number = 0
    for branch, whole in (
        *(("compositional_skills", skill(version=version)) for version in (1, 2, 3)),
        ("foundational_skills", _grounded()),
        ("knowledge", knowledge()),
    ):
        for changed in _changed(whole):
            number += 1
            put(tmp_path, f"{branch}/leaf_{number}", changed)
    judged = check_taxonomy([tmp_path])
    assert len(judged) == number > 300
    ours = {leaf.file: not leaf.faults for leaf in judged}
    picked = Random(4).sample(sorted(ours), 160)
    assert {file: ours[file] for file in picked} == {file: is_valid_by_reference(tmp_path / file) for file in picked}


def _grounded() -> dict[str, object]:
    value = skill()
    for seed in value["seed_examples"]:
        seed["context"] = "Given this."
    return value


def _changed(whole: dict[str, object]) -> Iterator[object]:
    yield whole
    for path in _paths(whole):
        for other in (None, [], {}, 3, "text", ["text"], ..., "unknown key"):
            copy = yaml.safe_load(yaml.safe_dump(whole))
            holder = copy
            for part in path[:-1]:
                holder = holder[part]
            if other is ...:
                del holder[path[-1]]
            elif other == "unknown key":
                if not isinstance(holder, dict):
                    continue
                holder["unknown"] = 1
            else:
                holder[path[-1]] = other
            yield copy


def _paths(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Those of all keys, and of the first entry of every list."""
    entries = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:1] if isinstance(value, list) else []
    )
    for key, part in entries:
        yield (*path, key)
        yield from _paths(part, (*path, key))
