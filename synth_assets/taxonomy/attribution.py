"""attribution.txt beside a leaf node: whose work the leaf was made from, and under which licence.

InstructLab's form is a block of labelled lines for each work (Title of work, Link to work, Revision, License of the work,
Creator names), blocks apart by a blank line. Many files hold something else, such as one address or "self-authored": that is
kept as the title, for nothing that somebody declared may be lost. It never makes a leaf wrong.
"""

from __future__ import annotations

from pathlib import Path

from synth_assets.records import Attribution

ATTRIBUTION_FILE = "attribution.txt"
MAX_BYTES = 100_000
_FIELDS = {
    "title of work": "title",
    "link to work": "link",
    "revision": "revision",
    "license of the work": "licence",
    "licence of the work": "licence",
    "creator names": "creators",
}


def read_attributions(leaf_path: str, root: Path, leaf_file: Path) -> list[Attribution]:
    """The works that stand beside this leaf's file; none if nothing stands there, or it leads out of the taxonomy.

    Cut after MAX_BYTES.
    """
    file = (leaf_file.parent / ATTRIBUTION_FILE).resolve()
    if not file.is_file() or not file.is_relative_to(root.resolve()):
        return []
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return parse_attributions(leaf_path, text)


def parse_attributions(leaf_path: str, text: str) -> list[Attribution]:
    works: list[dict[str, str]] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        works += _works_of(block)
    return [Attribution(leaf_path, position, **_complete(work)) for position, work in enumerate(works)]


def _works_of(block: str) -> list[dict[str, str]]:
    """A label that stands again begins another work; lines without a label go on with what stands before."""
    works: list[dict[str, str]] = []
    field = ""
    for line in filter(None, map(str.strip, block.splitlines())):
        label, colon, value = line.partition(":")
        known = _FIELDS.get(label.strip().lower()) if colon else None
        if known:
            if not works or known in works[-1]:
                works.append({})
            field = known
            works[-1][field] = "" if value.strip() == "-" else value.strip()
        elif field:
            works[-1][field] = f"{works[-1][field]} {line}".strip()
        else:
            works, field = [{"title": line}], "title"
    return works


def _complete(work: dict[str, str]) -> dict[str, str]:
    return {field: work.get(field, "") for field in dict.fromkeys(_FIELDS.values())}
