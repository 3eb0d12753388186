"""Pages of the UI: text from strangers is shown, never obeyed."""

import base64
import html

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth_assets.assets.display import MAX_CELL, bars, curves, escape, histogram, interval_bars, sample_rows, table


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("![x](http://evil/x.png)", "!["),
        ("[click](javascript:alert(1))", "]("),
        ("a | b", " | "),
        ("line one\n# heading", "\n"),
        ("http://evil.example", "://"),
        ("`code` **bold** _it_", "`"),
        ("$x$", "$"),
    ],
)
def test_text_of_a_model_cannot_become_markup(text: str, forbidden: str) -> None:
    assert forbidden not in escape(text)


@given(st.text())
def test_escaped_text_is_one_short_line_without_markup(text: str) -> None:
    escaped = escape(text)
    assert not set("<>|`*_[]!\n\r\"'") & set(escaped)
    shown = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    if len(shown) <= MAX_CELL:
        assert html.unescape(escaped) == shown


def test_an_apostrophe_is_shown_as_one() -> None:
    assert escape("o'clock & <b>") == "o&#39;clock &#38; &#60;b&#62;"


def test_missing_values_and_numbers() -> None:
    assert escape(None) == ""
    assert escape(0.123456) == "0&#46;1235"
    assert len(escape("x" * 10_000)) == MAX_CELL


def test_a_table_has_a_line_a_row() -> None:
    frame = pl.DataFrame({"leaf": ["a", "b"], "text": ["x|y", None]})
    text = table(frame).value
    assert text is not None
    assert text.splitlines()[1] == "|---|---|"
    assert len(text.splitlines()) == 4
    assert table(frame.clear()).value == "no rows"


def test_sample_rows_are_spread_and_always_the_same() -> None:
    frame = pl.DataFrame({"n": range(100)})
    first = sample_rows(frame, ["n"], 4).value
    assert first == sample_rows(frame, ["n"], 4).value == "| n |\n|---|\n| 0 |\n| 25 |\n| 50 |\n| 75 |"


def test_pictures_are_small_pngs() -> None:
    pictures = [
        bars({"a/b$c": 3, "d": 1}, "title", "rows"),
        histogram({"kept": [1.0, 2.0], "rejected": [0.5]}, "title", "reward", cut=1.0),
        curves({"training": [(1, 2.0), (2, 1.0)], "validation": []}, "title", "step", "loss"),
        interval_bars(["a", "b"], {"base": [(0.1, 0.0, 0.2)] * 2, "tuned": [(0.5, 0.4, 0.6)] * 2}, "title", "share"),
    ]
    for picture in pictures:
        assert picture.value is not None
        head, _, content = picture.value.partition("base64,")
        assert head == "![title](data:image/png;"
        assert base64.b64decode(content.rstrip(")")).startswith(b"\x89PNG")
        assert len(content) < 60_000


def test_nothing_to_draw_is_said() -> None:
    assert bars({}, "t", "rows").value == "no rows"
    assert histogram({"kept": []}, "t", "reward").value == "no rows"
    assert curves({"training": []}, "t", "x", "y").value == "no points"
    assert interval_bars([], {}, "t", "share").value == "no questions"
