"""Personal data: what is found, what must not be, that the choice of texts loses nothing, and that nothing is fetched."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import phonenumbers
import pytest
from tiny_models import save_tagger

from synth_assets.errors import ModelError
from synth_assets.quality.privacy import (
    NAMES_NOT_CHECKED,
    Finding,
    find_names,
    find_personal_data,
    mask,
    normal_form,
    redact,
)
from synth_assets.quality.privacy.personal_data import find_without_choice
from synth_assets.studies.made_rows import make_text as text

ROOT = Path(__file__).parents[3]
SEEN = {
    "Write to anna.b@mail.example.org today.": ("EMAIL_ADDRESS", "anna.b@mail.example.org"),
    "phone/ann.marlow@harbour-mail.net": ("EMAIL_ADDRESS", "ann.marlow@harbour-mail.net"),
    "Ask Ann/ann.marlow@harbour-mail.net soon": ("EMAIL_ADDRESS", "ann.marlow@harbour-mail.net"),
    "email=ann.marlow@harbour-mail.net": ("EMAIL_ADDRESS", "ann.marlow@harbour-mail.net"),
    "x.org/?mail=ann.marlow@harbour-mail.net": ("EMAIL_ADDRESS", "ann.marlow@harbour-mail.net"),
    "To root@mail.internal, please": ("EMAIL_ADDRESS", "root@mail.internal"),
    "Print on ann@printer.local now": ("EMAIL_ADDRESS", "ann@printer.local"),
    "Call +49 30 901820 please": ("PHONE_NUMBER", "+49 30 901820"),
    "In Paris: +33 1 42 68 53 00.": ("PHONE_NUMBER", "+33 1 42 68 53 00"),
    "In Tokyo: +81 3-1234-5678.": ("PHONE_NUMBER", "+81 3-1234-5678"),
    "In Sydney: +61 2 9374 4000.": ("PHONE_NUMBER", "+61 2 9374 4000"),
    "My number: 06 12 34 56 78.": ("PHONE_NUMBER", "06 12 34 56 78"),
    "Phone:212-736-5000": ("PHONE_NUMBER", "212-736-5000"),
    "She has (212) 736-5000 at work.": ("PHONE_NUMBER", "(212) 736-5000"),
    "text me at 2127365000": ("PHONE_NUMBER", "2127365000"),
    "Pay with 4111 1111 1111 1111 now": ("CREDIT_CARD", "4111 1111 1111 1111"),
    "It is 536-22-1234.": ("US_SSN", "536-22-1234"),
    "My SSN is 536221234.": ("US_SSN", "536221234"),
    "to DE89 3704 0044 0532 0130 00 by May": ("IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
    "from 203.0.113.77 at night": ("IP_ADDRESS", "203.0.113.77"),
    "from 2001:db8:85a3::8a2e at night": ("IP_ADDRESS", "2001:db8:85a3::8a2e"),
    "wallet 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa": ("CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
}  # fmt: skip
ORDINARY = [
    "It was founded in 1641 and has 1683 people.", "Sort 37 48 44 12 90 and 7.", "Reverse the digits of 6735725342.",
    "ISBN 978-3-16-148410-0, or 0-306-40615-2", "978-3-16-148410-0", "version 1.2.3.4 of 2024-05-12 10:30:00",
    "Pia (1152/55–1197) and Lars (1931-2012)", "12/05/2024, 3.14159265358979, 6.02214076 x 10^23", "x[1::2] and x[::-1]",
    "between 88.29-99.59 and 59.04-100.00", "It costs 1,299.00 or 1.299.000,00 or 12 345 678.", "100 20 3000",
    "127.0.0.1 is home, 255.255.255.0 is a mask", "10 20 30 40 50 60 70", "Call me Ishmael, @home in 1851.", "1 + 2 = 3", "",
    "12345678901", "The number 123456789 is large.", "see section 3.1.2.4", "a[5] := b::c",
]  # fmt: skip


@pytest.mark.parametrize("said", SEEN)
def test_each_kind_is_found_where_it_stands(said: str) -> None:
    ((found,),) = find_personal_data([said])
    assert (found.kind, found.value) == SEEN[said]
    assert said[found.start : found.end] == found.value and found.value not in repr(found)
    assert redact(said, [found]) == said.replace(found.value, f"<{found.kind}>")


def test_a_number_and_an_address_with_a_slash_between_are_two() -> None:
    (found,) = find_personal_data(["+49 30 901820/ann.marlow@harbour-mail.net"])
    assert [each.value for each in found] == ["+49 30 901820", "ann.marlow@harbour-mail.net"]


def test_ordinary_numbers_are_left_alone() -> None:
    assert {said: found for said, found in zip(ORDINARY, find_personal_data(ORDINARY), strict=True) if found} == {}


def test_our_own_texts_are_clean() -> None:
    texts = [part for file in (ROOT / "data/documents").iterdir() for part in file.read_text("utf-8").split("\n\n")]
    for line in (ROOT / "data/benchmark/questions.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        texts.append("\n".join(filter(None, (row["context"], row["question"], row["answer"]))))
    flagged = [said for said, found in zip(texts, find_personal_data(texts), strict=True) if found]
    assert len(texts) > 700 and flagged == []


def test_made_rows_full_of_numbers_are_left_alone() -> None:
    """250 of each of a dozen ways in which numbers stand in ordinary rows: at most 1 in 200 is taken for a person's."""
    r = Random(5).randint
    makers = (
        lambda: f"It was founded in {r(1000, 2024)} and has {r(1, 9999)} people.",
        lambda: f"From {r(1800, 1950)} to {r(1951, 2024)}, or {r(1800, 1950)}-{r(1951, 2024)}.",
        lambda: f"It costs {r(1, 9)},{r(100, 999)}.{r(10, 99)} dollars, {r(1, 99)}.{r(10, 99)} in cash.",
        lambda: f"On {r(2000, 2024)}-{r(1, 12):02d}-{r(1, 28):02d} at {r(0, 23):02d}:{r(0, 59):02d}:{r(0, 59):02d}.",
        lambda: f"On {r(1, 28):02d}/{r(1, 12):02d}/{r(1990, 2024)} or {r(1, 28)}.{r(1, 12)}.{r(1990, 2024)}.",
        lambda: f"Version {r(0, 9)}.{r(0, 20)}.{r(0, 99)} replaces {r(0, 9)}.{r(0, 20)}.{r(0, 99)}-rc{r(1, 9)}.",
        lambda: "Sort " + ", ".join(str(r(1, 9999)) for _ in range(8)),
        lambda: "Sort " + " ".join(str(r(1, 9999)) for _ in range(8)),
        lambda: f"{r(10**6, 10**10)} + {r(10**6, 10**10)} = {r(10**6, 10**10)}",
        lambda: f"{r(100, 99999)}-{r(100, 99999)}={r(0, 999)}",
        lambda: f"At {r(-90, 90)}.{r(10000, 99999)}, {r(-180, 180)}.{r(10000, 99999)}.",
        lambda: f"Order {r(10**8, 10**9)} of part {r(100, 999)}-{r(1000, 9999)}, pages {r(100, 400)}-{r(401, 999)}.",
    )  # fmt: skip
    rows = [make() for make in makers for _ in range(250)]
    flagged = [said for said, found in zip(rows, find_personal_data(rows), strict=True) if found]
    assert len(flagged) <= len(rows) / 200, flagged[:5]


def test_numbers_of_every_country_are_found() -> None:
    """As phonenumbers, the library, writes its example of each country's mobile numbers for callers from abroad."""
    examples = [phonenumbers.example_number_for_type(region, 1) for region in sorted(phonenumbers.SUPPORTED_REGIONS)]
    numbers = [phonenumbers.format_number(each, form) for each in examples if each for form in (0, 1)]
    found = find_personal_data([f"You find me at {number} today." for number in numbers])
    assert len(numbers) > 400
    assert [number for number, (each,) in zip(numbers, found, strict=True) if each.value != number] == []


def test_the_choice_of_texts_loses_nothing_and_is_much_quicker() -> None:
    rng = Random(1)
    planted = [*SEEN, *ORDINARY[:4]]
    rows = [f"{text(rng, 30)} {rng.randint(1, 9999)} {text(rng, 10)}" for _ in range(20 * len(planted))]
    rows[::20] = [f"{text(rng, 20)} {said} {text(rng, 20)}" for said in planted]
    find_personal_data(["a@example.org"])
    start = time.process_time()
    chosen = find_personal_data(rows)
    middle = time.process_time()
    assert chosen == find_without_choice(rows)
    assert sum(map(bool, chosen)) == len(SEEN)
    assert (time.process_time() - middle) > 3 * (middle - start)
    assert find_personal_data(ORDINARY) == find_without_choice(ORDINARY)


def test_allowed_values_may_stay() -> None:
    allowed = [re.compile(r".*@help\.example\.org")]
    (found,) = find_personal_data(["ask a@help.example.org or b@example.org"], allowed)
    assert [each.value for each in found] == ["b@example.org"]


def test_redacting_what_overlaps_and_masking() -> None:
    findings = [Finding("A", 2, 6, "cdef"), Finding("B", 4, 8, "efgh"), Finding("C", 9, 10, "j")]
    assert redact("abcdefghijk", findings) == "ab<A>i<C>k"
    assert mask("EMAIL_ADDRESS", "maria@example.org") == "m***@example.org"
    assert mask("PHONE_NUMBER", "+49 30 901820") == "+***0" and mask("PHONE_NUMBER", "1234") == "***"


def test_two_ways_to_write_a_value_are_one() -> None:
    assert normal_form("PHONE_NUMBER", "+49 30 901820") == normal_form("PHONE_NUMBER", "(030) 90-18-20")
    assert normal_form("EMAIL_ADDRESS", "A@B.org") == normal_form("EMAIL_ADDRESS", "a@b.ORG")
    assert normal_form("IBAN_CODE", "DE89 3704") == normal_form("IBAN_CODE", "de893704")


def test_nothing_is_fetched_and_a_long_text_is_read(tmp_path: Path) -> None:
    """In a process of its own, in which every attempt to connect or to look up a name ends it."""
    code = """
import os, socket
def refuse(*_): os._exit(7)
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.gethostbyname = refuse
from synth_assets.quality.privacy import find_personal_data
print(len(find_personal_data(["word " * 200_001 + "write to anna@mail.example.co.uk"])[0]))
"""
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert (run.returncode, run.stdout) == (0, "1\n"), run.stderr


def test_names_need_a_model_and_its_offsets_point_into_the_text(tmp_path: Path) -> None:
    assert "not checked" in NAMES_NOT_CHECKED and find_personal_data(["Anna Schmidt of Berlin"]) == [[]]
    with pytest.raises(ModelError, match="does not exist"):
        find_names(["Anna"], tmp_path / "none")
    save_tagger(tmp_path / "tagger", ("O", "B-PER", "I-PER", "B-LOC"))
    texts = ["Anna met Ben in Rome", "", "anna " * 100]
    found = find_names(texts, tmp_path / "tagger", least_score=0.0)
    assert found == find_names(texts, tmp_path / "tagger", least_score=0.0) and any(found) and found[1] == []
    for said, findings in zip(texts, found, strict=True):
        assert all(said[each.start : each.end] == each.value and each.kind in ("PERSON", "LOCATION") for each in findings)
    save_tagger(tmp_path / "other", ("O", "B-ORG"))
    with pytest.raises(ModelError, match="no label of people"):
        find_names(["Anna"], tmp_path / "other")
