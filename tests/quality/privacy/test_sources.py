"""Leaks: a value of a row that stands in a source, however it is written in either."""

import re

from synth_assets.quality.privacy import (
    Leak,
    LeakIndex,
    Source,
    find_personal_data,
    find_secrets,
    sources_of,
)
from synth_assets.records import DocumentChunk, SeedExample

SOURCES = [
    Source("seed", "Who is it?\nMaria.Lopez@Example.org, on +49 (30) 90 18 20"),
    Source("chunk", "card 4111-1111-1111-1111, and the desk 212-736-5000"),
]


def find_leaks(rows: dict[str, str], sources: list[Source], allowed: list[re.Pattern[str]] | None = None) -> list[Leak]:
    index, texts = LeakIndex(sources), list(rows.values())
    findings = zip(rows, find_personal_data(texts, allowed or ()), find_secrets(texts), strict=True)
    return [leak for name, personal, secret in findings for leak in index.leaks_in(name, [*personal, *secret])]


def test_values_are_compared_in_their_normal_form() -> None:
    rows = {
        "mail": "Write to maria.lopez@example.org.",
        "phone": "Please call 030 901820 today.",
        "card": "Pay with 4111 1111 1111 1111.",
        "both": "+1 212 736 5000 or maria.lopez@example.org, maria.lopez@example.org",
        "made_up": "Write to john@example.com or call +49 30 901821.",
        "clean": "There is nothing here from 1994.",
    }
    found = [(leak.row_id, leak.kind, leak.source_id) for leak in find_leaks(rows, SOURCES)]
    assert found == [
        ("mail", "EMAIL_ADDRESS", "seed"),
        ("phone", "PHONE_NUMBER", "seed"),
        ("card", "CREDIT_CARD", "chunk"),
        ("both", "PHONE_NUMBER", "chunk"),
        ("both", "EMAIL_ADDRESS", "seed"),
    ]


def test_an_address_leaks_whatever_stands_before_it_in_row_or_source() -> None:
    said = ["phone/{}", "Ann/{}", "+49 30 901820/{}", "email={}", "x.org/?mail={}", "{}"]
    texts = [each.format("ann.marlow@harbour-mail.net") for each in said]
    for text in texts:
        leaks = find_leaks(dict(enumerate(texts)), [Source("s", text)])  # type: ignore[arg-type]
        assert {leak.row_id for leak in leaks if leak.kind == "EMAIL_ADDRESS"} == set(range(len(texts))), text


def test_a_leak_is_shown_masked() -> None:
    (leak,) = find_leaks({"r": "Write to maria.lopez@example.org."}, SOURCES)
    assert leak.masked == "m***@example.org" and "maria" not in repr(leak)


def test_secrets_leak_too_and_allowed_values_do_not() -> None:
    secret = "gh" + "p_" + "a1B2c3" * 6
    assert [leak.kind for leak in find_leaks({"r": f"token {secret}"}, [Source("s", secret)])] == ["GITHUB_TOKEN"]
    assert find_leaks({"r": "maria.lopez@example.org"}, SOURCES, [re.compile(r".*@example\.org")]) == []
    assert find_leaks({}, SOURCES) == [] and find_leaks({"r": "maria.lopez@example.org"}, []) == []


def test_sources_are_seeds_with_their_contexts_once_and_chunks() -> None:
    seeds = [SeedExample(f"e{n}", "l", "p", n, "A text." if n < 2 else None, "Q?", "A.") for n in range(3)]
    chunk = DocumentChunk("c", "l", "p", "f.md", "", 0, 5, "Piece")
    assert [(each.source_id, each.text, each.context) for each in sources_of(seeds, [chunk])] == [
        ("e0", "Q?\nA.", "A text."), ("e0:context", "A text.", None), ("e1", "Q?\nA.", "A text."), ("e2", "Q?\nA.", None),
        ("c", "Piece", None),
    ]  # fmt: skip
