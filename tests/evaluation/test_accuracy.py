"""Intervals against published values; tables and differences against answers counted by hand."""

import pytest

from synth_assets.errors import BenchmarkError
from synth_assets.evaluation import accuracy_table, paired_difference
from synth_assets.intervals import wilson_interval
from synth_assets.records import BenchmarkAnswer, ModelArm, Suite


def _answers(
    model: ModelArm, rights: list[bool], suite: Suite = "taxonomy", leaf: str = "skills/a"
) -> list[BenchmarkAnswer]:
    return [
        BenchmarkAnswer(f"{suite}/{leaf}/{number}", leaf, suite, model, "", is_right)
        for number, is_right in enumerate(rights)
    ]


@pytest.mark.parametrize(
    ("num_right", "num", "low", "high"),
    # R. G. Newcombe 1998, Stat. Med. 17:857, table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_are_the_published_ones(num_right: int, num: int, low: float, high: float) -> None:
    assert wilson_interval(num_right, num) == pytest.approx((low, high), abs=5e-5)


def test_a_wilson_interval_reaches_its_end_and_narrows_with_less_confidence() -> None:
    assert wilson_interval(20, 20)[1] == 1.0 and wilson_interval(20, 20)[0] < 0.9
    wide, narrow = wilson_interval(5, 10, 0.99), wilson_interval(5, 10, 0.5)
    assert wide[0] < narrow[0] < 0.5 < narrow[1] < wide[1]


@pytest.mark.parametrize(("num_right", "num", "confidence"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_what_is_no_proportion_is_refused(num_right: int, num: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no proportion"):
        wilson_interval(num_right, num, confidence)


def test_the_table_has_a_row_for_each_model_suite_and_leaf_and_one_for_all() -> None:
    answers = [
        *_answers("base", [True, False]), *_answers("base", [False] * 2, leaf="skills/b"),
        *_answers("tuned", [True, True]), *_answers("tuned", [False, True], leaf="skills/b"),
        *_answers("base", [True], suite="retained", leaf="known"),
    ]  # fmt: skip
    table = accuracy_table(answers, 0.95)
    rows = {row[:3]: row[3:] for row in table.iter_rows()}
    assert table.row(0)[:3] == ("base", "taxonomy", "all")
    assert rows["base", "taxonomy", "all"][:3] == (4, 1, 0.25)
    assert rows["tuned", "taxonomy", "all"][:3] == (4, 3, 0.75)
    assert rows["tuned", "taxonomy", "skills/b"][:3] == (2, 1, 0.5)
    assert rows["base", "retained", "all"] == (1, 1, 1.0, *wilson_interval(1, 1))
    assert len(rows) == 8 == table.height


def test_no_answers_are_an_empty_table() -> None:
    assert accuracy_table([], 0.95).height == 0


def test_the_paired_difference_has_the_published_interval() -> None:
    # R. G. Newcombe 1998, Stat. Med. 17:2635, table II: 36 both, 12 and 2 one only, 0 neither; method 10
    tuned = _answers("tuned", [True] * 36 + [True] * 12 + [False] * 2)
    base = _answers("base", [True] * 36 + [False] * 12 + [True] * 2)
    found = paired_difference([*tuned, *base], "taxonomy", 0.95)
    assert found.difference == pytest.approx(0.2) and (found.base, found.tuned) == (0.76, 0.96)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert found.p_value == pytest.approx(0.012939, abs=1e-6)  # 2 of 14 tosses of a coin, both sides


def test_equal_models_differ_by_nothing_and_a_clear_gain_is_clear() -> None:
    same = [*_answers("base", [True, False] * 20), *_answers("tuned", [True, False] * 20)]
    equal = paired_difference(same, "taxonomy", 0.95)
    assert equal.difference == 0 and equal.ci_low <= 0 <= equal.ci_high and equal.p_value == 1
    clear = [*_answers("base", [False] * 40), *_answers("tuned", [True] * 40)]
    gain = paired_difference(clear, "taxonomy", 0.95)
    assert gain.ci_low > 0.8 and gain.ci_high == 1 and gain.p_value < 1e-9


def test_models_with_different_questions_are_not_compared() -> None:
    with pytest.raises(BenchmarkError, match="same questions"):
        paired_difference([*_answers("base", [True]), *_answers("tuned", [True, True])], "taxonomy", 0.95)
