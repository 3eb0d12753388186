"""Coverage and entropy of leaves, novelty against seeds, BLEU as sacrebleu computes it, distinct n-grams."""

import math
from random import Random

import polars as pl
import pytest

from synth_assets.quality.diversity import (
    estimate_leaf_coverage,
    estimate_leaf_entropy,
    estimate_novelty,
    estimate_self_bleu,
    self_bleu,
    sentence_bleu,
)
from synth_assets.quality.estimates import hold


def test_leaf_coverage_names_what_is_missing() -> None:
    rows = ["a"] * 5 + ["b"] * 4 + ["stranger"] * 9
    (found,) = estimate_leaf_coverage(rows, ["a", "b", "c", "d"], 5)
    assert found.value == 0.25 and found.words == "fewer than 5 rows: b (4), c (0), d (0)"
    (whole,) = estimate_leaf_coverage(rows, ["a", "b"], 4)
    assert whole.value == 1 and whole.words == "" and whole.num_synthetic == 18
    (many,) = estimate_leaf_coverage([], [f"leaf{n}" for n in range(8)], 1)
    assert many.value == 0 and many.words.endswith("leaf4 (0) and 3 more")
    assert estimate_leaf_coverage(rows, [], 5)[0].verdict == "not_assessed"


def test_entropy_of_leaves() -> None:
    assert estimate_leaf_entropy(["a", "b"] * 3, ["a", "b"])[0].value == pytest.approx(1)
    assert estimate_leaf_entropy(["a"] * 3, ["a", "b"])[0].value == 0
    expected = (3 / 4 * math.log(4 / 3) + 1 / 4 * math.log(4)) / math.log(3)
    assert estimate_leaf_entropy(["a", "a", "a", "b", "other"], ["a", "b", "c"])[0].value == pytest.approx(expected)
    empty = hold(estimate_leaf_entropy([], ["a", "b"])[0], "diversity_report", 0.5, "at_least", "warn")
    assert empty.verdict == "not_computable"
    assert estimate_leaf_entropy(["a"], ["a"])[0].verdict == "not_assessed"


def test_novelty_is_against_seeds_of_the_same_leaf_and_context() -> None:
    seeds = pl.DataFrame(
        [("x", None, "Sort the numbers 3, 1 and 2."), ("y", "Tea: 3.", "What is the price?")],
        schema={"leaf_path": pl.String, "context": pl.String, "question": pl.String}, orient="row",
    )  # fmt: skip
    rows = [
        ("copy", "x", None, "sort the numbers 3, 1 and 4."),
        ("new", "x", None, "Put these words into the order of the alphabet."),
        ("elsewhere", "y", None, "Sort the numbers 3, 1 and 2."),
        ("asked", "y", "Tea: 3.", "What is the price?"),
        ("other", "y", "Milk: 2.", "What is the price?"),
        ("unseeded", "z", None, "What is the price?"),
    ]
    samples = pl.DataFrame(rows, schema=["synthetic_sample_id", "leaf_path", "context", "instruction"], orient="row")
    (found,) = estimate_novelty(samples, seeds)
    assert found.value == pytest.approx(4 / 6) and found.words == "2 close to a seed: copy (0.89), asked (1.00)"
    assert (found.num_reference, found.num_synthetic) == (2, 6)
    assert math.isnan(estimate_novelty(samples.clear(), seeds)[0].value)


@pytest.mark.parametrize(
    ("text", "references", "value"),
    [
        ("the cat sat on the mat", ["the cat is on the mat", "there is a cat on the mat"], 0.3799178428257963),
        ("the the the the", ["the cat is here now"], 0.1244023474812678),
        ("a b c d e f", ["a b c x e f", "q a b c d"], 0.6042750794713535),
        ("one two", ["one two three four five"], 0.2231301601484299),
        ("x", ["x y"], 0.3678794411714425),
        ("a c e g", ["a b c d e f g"], 0.10670784087376413),
        ("no match here", ["something else entirely"], 0.0),
    ],
)
def test_bleu_is_sacrebleus(text: str, references: list[str], value: float) -> None:
    """sacrebleu 2.6.0, BLEU(tokenize="none", effective_order=True).sentence_score."""
    assert sentence_bleu(text.split(), [each.split() for each in references]) == pytest.approx(value, abs=1e-9)


def test_self_bleu_is_each_row_against_all_others() -> None:
    rows = [
        text.split()
        for text in (
            "sort these numbers now please", "sort these words now", "write a short note to ben",
            "write a short note to anna please", "how many apples are there",
        )
    ]  # fmt: skip
    assert self_bleu(rows) == pytest.approx(0.38654172026825073, abs=1e-9)  # the mean by sacrebleu 2.6.0
    rng = Random(2)
    drawn = [rng.choices("a b c d e f g".split(), k=rng.randint(1, 9)) for _ in range(60)]
    slow = [sentence_bleu(words, drawn[:place] + drawn[place + 1 :]) for place, words in enumerate(drawn)]
    assert self_bleu([*drawn, []]) == pytest.approx(sum(slow) / 60)
    assert math.isnan(self_bleu(rows[:1])) and self_bleu([["a"], ["a"]]) == pytest.approx(1)


def texts(rng: Random, num: int, num_words: int) -> list[str]:
    words = [f"w{n}" for n in range(num_words)]
    return [" ".join(rng.choices(words, k=12)) for _ in range(num)]


def test_a_narrow_set_repeats_itself_and_a_like_one_does_not() -> None:
    rng = Random(6)
    real, like, narrow = texts(rng, 300, 400), texts(rng, 500, 400), texts(rng, 500, 60)
    clean, worse = estimate_self_bleu(like, real), estimate_self_bleu(narrow, real)
    assert [each.measure for each in clean] == ["self_bleu", "self_bleu_excess"]
    assert abs(clean[1].value) < 0.02 and worse[1].value > 0.05


def test_without_enough_real_rows_there_is_no_ratio() -> None:
    rows = texts(Random(7), 300, 40)
    shown, ratio = estimate_self_bleu(rows, rows[:99])
    assert shown.value > 0 and shown.verdict is None and ratio.verdict == "insufficient_reference"


def test_how_many_real_rows_are_enough_is_said_by_the_recipe() -> None:
    rows = texts(Random(7), 300, 40)
    assert estimate_self_bleu(rows, rows[:60], least=60)[1].verdict is None
    few = estimate_self_bleu(rows, rows[:150], least=200)[1]
    assert few.verdict == "insufficient_reference" and "at least 200" in few.words
