"""Files as strangers send them: cut, re-encoded, huge, deep, of wrong types. Each is judged quickly and in little memory."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from made_taxonomy import PUBLIC

from synth_assets.recipe import resolve_path
from synth_assets.taxonomy import judge_leaf

NUM_FILES = 2000
MAX_SECONDS, MAX_MIB = 2.0, 500
ODD_VALUES = (
    b"[]", b"{}", b"null", b"~", b"true", b"-1", b"1e999", b".nan", b"0x_", b"2026-13-45", b"1:2:3:4:5:6", b"!!binary AAA=",
    b"!!python/object/apply:os.system [echo]", b"&a [*a]", b"&a {a: *a}", b"*nobody", b"<<: *a", b"? x", b"- - - -",
    b"|\n x\n  y\n z", b"'", b'"\\uD800"', b'"\\x00"', b"\xff\xfe", b"\x00", b"\xe2\x80\xa8", b"%TAG ! x",
    b"---\na: 1\n---", b"9" * 5000, b"@", b"`", b"\t- x",
)  # fmt: skip
BRANCHES = ("compositional_skills/x", "foundational_skills/y", "knowledge/z")


def sources() -> list[bytes]:
    roots = [resolve_path("data/taxonomy"), *([PUBLIC] if PUBLIC.is_dir() else [])]
    return [file.read_bytes() for root in roots for file in sorted(root.rglob("qna.yaml"))]


def mutate(content: bytes, rng: Random) -> bytes:
    """One to three changes of different kinds."""
    for _ in range(rng.randint(1, 3)):
        at, lines = rng.randrange(len(content) + 1), content.split(b"\n")
        number = rng.randrange(len(lines))
        kind = rng.randrange(9)
        if kind == 0:
            content = content[:at]
        elif kind == 1:
            content = content[:at] + rng.randbytes(rng.randint(1, 9)) + content[at:]
        elif kind == 2:
            content = content[:at] + content[at + rng.randint(1, 40) :]
        elif kind == 3:
            content = b"\n".join(
                [*lines[:number], rng.choice([b"  ", b"    ", b"\t"]) + lines[number], *lines[number + 1 :]]
            )
        elif kind == 4:
            content = b"\n".join([*lines[:number], *lines[number : number + 5] * rng.randint(2, 30), *lines[number:]])
        elif kind == 5:
            key = lines[number].partition(b":")[0]
            content = b"\n".join([*lines[:number], key + b": " + rng.choice(ODD_VALUES), *lines[number + 1 :]])
        elif kind == 6:
            content = b"\n".join([*lines[:number], rng.choice(ODD_VALUES), *lines[number:]])
        elif kind == 7:
            text = content.decode("utf-8", "replace")
            content = text.encode(rng.choice(["utf-16", "utf-8-sig", "latin-1", "cp1252"]), "replace")
        else:
            rng.shuffle(lines)
            content = b"\n".join(lines)
    return content


def blow_ups() -> Iterator[bytes]:
    """What is small, or nearly, and wants to become large."""
    bomb = b"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 12):
        bomb += b"a%d: &a%d [%s]\n" % (level, level, b", ".join([b"*a%d" % (level - 1)] * 10))
    yield bomb
    yield b"text: &t " + b"x" * 1_000_000 + b"\nseed_examples: [" + b"*t, " * 200_000 + b"]\n"
    yield b"seed_examples:\n" + b"- {question: q, answer: a}\n" * 60_000
    yield b"created_by: " + b"x" * 3_000_000
    yield b"seed_examples: " + b"[" * 100_000
    yield b"seed_examples: " + b"{a: " * 100_000
    yield b"- " * 500_000
    yield b"? " * 500_000
    yield b"\n".join(b" " * depth + b"a:" for depth in range(1500))
    yield b"&a " * 100_000 + b"x"
    yield b"!!str " * 100_000 + b"x"
    yield b"k: '" + b"''" * 900_000
    yield b'k: "' + b"\\n" * 900_000
    yield b"# " + b"c" * 1_900_000
    yield b"<<: " * 1000
    yield b"".join(b"k%d: v\n" % number for number in range(150_000))
    yield b"a: &a {k: v}\n" + b"".join(b"b%d: {<<: [%s]}\n" % (n, b", ".join([b"*a"] * 500)) for n in range(300))
    keys = b"? &a0 [x, x, x, x, x, x, x, x, x, x]\n: v\n"
    for level in range(1, 10):
        keys += b"? &a%d [%s]\n: v\n" % (level, b", ".join([b"*a%d" % (level - 1)] * 10))
    yield keys
    yield b"? " + b"k" * 300_000 + b"\n: v\n" + b"k" * 100_000 + b": v\n"
    yield b'"\\e[2J\\nx": 1\nversion: 3\n'
    yield b"\xef\xbb\xbf" * 10
    yield b"\x00" * 100_000
    yield b""


@pytest.mark.parametrize("branch", BRANCHES)
def test_no_file_makes_the_reader_crash_hang_or_grow(branch: str, tmp_path: Path) -> None:
    file = tmp_path / branch / "qna.yaml"
    file.parent.mkdir(parents=True)
    rng, originals = Random(f"fuzz {branch}"), sources()
    mutated = (mutate(rng.choice(originals), rng) for _ in range(NUM_FILES // len(BRANCHES) + 1))
    before, num_faulty = _peak_mib(), 0
    for contents in (blow_ups(), mutated):
        for content in contents:
            file.write_bytes(content)
            start = time.monotonic()
            judged = judge_leaf(tmp_path, file)
            assert time.monotonic() - start < MAX_SECONDS, content[:200]
            assert bool(judged.faults) != bool(judged.leaf_node), content[:200]
            for fault in judged.faults:
                assert fault.line and fault.column and fault.message and fault.expected, content[:200]
                assert len(str(fault)) < 2000 and str(fault).isprintable(), content[:200]
            num_faulty += bool(judged.faults)
    assert _peak_mib() - before < MAX_MIB
    assert num_faulty > NUM_FILES // len(BRANCHES) // 2


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
