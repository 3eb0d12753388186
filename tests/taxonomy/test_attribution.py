"""Whose work a leaf was made from is kept, in whatever form it was declared."""

import os
from pathlib import Path

import pytest
from made_taxonomy import PUBLIC, put, skill

from synth_assets.records import Attribution
from synth_assets.taxonomy import read_taxonomy
from synth_assets.taxonomy.attribution import MAX_BYTES, parse_attributions

TWO = """Title of work: Whitelist
Link to work: https://example.org/whitelist
License of the work: CC-BY-SA-4.0
Creator names: A. Author,
  and others


Title of work: Blacklist
Link to work: -
Revision: https://example.org/w?oldid=1
License of the work: CC-BY-SA-4.0
Creator names: B. Author
"""


def test_every_work_with_its_licence_and_creators() -> None:
    assert parse_attributions("x", TWO) == [
        Attribution("x", 0, "Whitelist", "https://example.org/whitelist", "", "CC-BY-SA-4.0", "A. Author, and others"),
        Attribution("x", 1, "Blacklist", "", "https://example.org/w?oldid=1", "CC-BY-SA-4.0", "B. Author"),
    ]


@pytest.mark.parametrize("text", ["self-authored", "https://example.org/a.pdf\n", "  Me: myself, and I  \n"])
def test_what_has_another_form_is_kept_as_it_is(text: str) -> None:
    (work,) = parse_attributions("x", text)
    assert work.title == text.strip() and work.licence == ""


def test_works_that_follow_without_a_blank_line_are_told_apart() -> None:
    works = parse_attributions("x", "Title of work: A\r\nCreator names: X\r\nTitle of work: B\r\nCreator names: Y")
    assert [(work.title, work.creators) for work in works] == [("A", "X"), ("B", "Y")]


def test_it_is_read_with_the_taxonomy_and_never_makes_a_leaf_wrong(tmp_path: Path) -> None:
    for name, content in (("a", TWO.encode()), ("b", b"\xff\xfe\x00" * MAX_BYTES), ("c", b"")):
        file = put(tmp_path, f"compositional_skills/{name}", skill())
        file.with_name("attribution.txt").write_bytes(content)
    put(tmp_path, "compositional_skills/d", skill())
    taxonomy = read_taxonomy([tmp_path])
    assert len(taxonomy.leaf_nodes) == 4 and taxonomy.faults == ()
    assert [work.leaf_path[-1] for work in taxonomy.attributions] == ["a", "a", "b"]


def test_a_link_out_of_the_taxonomy_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.env").write_text("TOKEN=abc", encoding="utf-8")
    root = tmp_path / "taxonomy"
    file = put(root, "compositional_skills/a", skill())
    file.with_name("attribution.txt").symlink_to("../../../secret.env")
    pipe = put(root, "compositional_skills/b", skill()).with_name("attribution.txt")
    os.mkfifo(pipe)
    taxonomy = read_taxonomy([root])
    assert len(taxonomy.leaf_nodes) == 2 and taxonomy.attributions == ()


def test_the_public_ones() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public taxonomies are not beside this checkout")
    works = read_taxonomy([PUBLIC / "main"]).attributions
    assert len(works) == 7 and {work.licence for work in works} == {"CC-BY-SA-4.0", "CC BY-NC-SA 4.0"}
    assert all(work.creators for work in works)
