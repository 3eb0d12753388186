"""What Great Expectations would let pass does not pass here, and its pages stand without network."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from synth_assets.quality import Expectation, Suite, run_suite, write_data_docs
from synth_assets.quality.expectations import between, measure_at_least, not_blank, one_of, rows_exist
from synth_assets.quality.measures import MEASURES_SCHEMA

FRAME = pl.DataFrame({"name": ["a", "b", None], "value": [1.0, float("nan"), 3.0], "tags": [["x"], [], None]})
BAD_REGEX = Expectation("broken", "t", "expect_column_values_to_match_regex", "e", "r", {"column": "name", "regex": "("})
UNKNOWN_KIND = Expectation("unknown", "t", "expect_the_unexpected", "e", "r", {})


def _suite(*expectations: Expectation) -> Suite:
    return Suite("a_suite", ("t",), expectations)


@pytest.mark.parametrize(
    ("expectation", "frame", "words"),
    [
        (between("c", "t", "value", 0, 5, "r"), FRAME, "1 of 3 values of value are NaN"),
        (not_blank("t", "name", "r"), FRAME, "1 of 3 values of name are null"),
        (between("c", "t", "reward", 0, 5, "r"), FRAME, "column reward is missing; there are name, value, tags"),
        (between("c", "t", "value", 0, 5, "r"), FRAME.clear(), "no rows, so nothing was checked"),
        (between("c", "t", "value", 0, 5, "r", where=(("name", "z"),)), FRAME, "no rows"),
        (between("c", "t", "value", 0, 5, "r", where=(("nope", "z"),)), FRAME, "nope"),
        (between("c", "gone", "value", 0, 5, "r"), FRAME, "table gone was not given"),
        (BAD_REGEX, FRAME.drop_nulls(), "regular expression"),
        (UNKNOWN_KIND, FRAME, "expect_the_unexpected"),
    ],
)
def test_what_cannot_be_judged_has_failed_in_words_of_its_own(
    expectation: Expectation, frame: pl.DataFrame, words: str
) -> None:
    (result,) = run_suite(_suite(expectation), {"t": frame})
    assert not result.is_passed and words in result.error and result.observed == "not judged"


def test_an_error_in_one_expectation_leaves_the_others_alone() -> None:
    good = rows_exist("t")
    broken, judged, limited = run_suite(
        _suite(BAD_REGEX, good, one_of("c", "t", "name", ("a",), "r", allows_null=True)), {"t": FRAME}
    )
    assert (broken.is_passed, judged.is_passed, judged.observed) == (False, True, "3")
    assert not limited.is_passed and limited.observed == "1 of 3 values are not as expected: b" and not limited.error


def test_a_table_of_no_rows_may_be_counted() -> None:
    (result,) = run_suite(_suite(rows_exist("t")), {"t": FRAME.clear()})
    assert (result.is_passed, result.observed, result.error) == (False, "0", "")


class _Addresses(HTMLParser):
    """What a browser would load: not the links that a person may click."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "a":
            self.found += [value for name, value in attrs if name in ("src", "href") and value and "//" in value]


def test_data_docs_show_every_verdict_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    judged = run_suite(
        _suite(rows_exist("t"), one_of("names_are_known", "t", "name", ("<b>",), "r", allows_null=True)), {"t": FRAME}
    )
    write_data_docs("first", judged, tmp_path)
    other = run_suite(_suite(between("value_is_a_number", "t", "value", 0, 5, "<i>why</i>")), {"t": FRAME})
    index = write_data_docs("second", other, tmp_path)
    assert index == tmp_path / "index.html" and {f.name for f in tmp_path.iterdir()} == {
        "index.html", "first.html", "first.json", "second.json",
    }  # fmt: skip
    text = index.read_text(encoding="utf-8")
    for words in ("t_has_rows", "names_are_known", "value_is_a_number", "are NaN", 'href="first.html"', "failed, blocking"):
        assert words in text
    assert "<i>why" not in text and "&lt;i&gt;why" in text
    page = (tmp_path / "first.html").read_text(encoding="utf-8")
    assert "unexpected value" in page and re.search(r"values must belong to this set", page)
    for html in (text, page):
        parser = _Addresses()
        parser.feed(html)
        assert parser.found == []
        assert "@import" not in html and not re.search(r"url\(\s*['\"]?https?:", html)


def test_definitions_need_neither_great_expectations_nor_a_model_library() -> None:
    code = (
        "import sys, synth_assets.quality, synth_assets.tuning, synth_assets.evaluation;"
        "print([m for m in ('great_expectations', 'torch', 'transformers', 'peft', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_measure_shows_its_value_and_of_many_the_closest_or_those_that_failed() -> None:
    def observed(*rows: tuple[str, float]) -> str:
        frame = pl.DataFrame(
            [("share", subject, value, 0.5, "") for subject, value in rows], schema=MEASURES_SCHEMA, orient="row"
        )
        suite = Suite("s", (), (measure_at_least("enough", "share", "r"),))
        return run_suite(suite, {"measures": frame})[0].observed

    assert observed(("all", 0.75)) == "0.75 (threshold 0.5)"
    assert observed(("a", 0.9), ("b", 0.625), ("c", 1.0)) == "b: 0.625 (threshold 0.5), the closest of 3"
    assert observed(("a", 0.9), ("b", 0.25)) == "1 of 2 are beyond it: b: 0.25 (threshold 0.5)"
    several = observed(("a", 0.4), ("b", 0.1), ("c", 0.9), ("d", 0.2), ("e", 0.3), ("f", 0.45))
    named = ", ".join(f"{name}: {value} (threshold 0.5)" for name, value in (("b", 0.1), ("d", 0.2), ("e", 0.3)))
    assert several == f"5 of 6 are beyond it: {named.replace('), ', '); ')}; and 2 more"
