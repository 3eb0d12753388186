"""Features of text rows by hand-computed values, their speed, and that embeddings are measured from the reference alone."""

import math
import time
import zlib
from random import Random

import numpy as np
import polars as pl
import pytest

from synth_assets.quality.features import (
    TEXT_FEATURES,
    count_syllables,
    embedding_features,
    fit_components,
    fit_leaf_centroids,
    mtld,
    text_features,
    text_of_rows,
)


def rows(*pairs: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema={"instruction": pl.String, "response": pl.String}, orient="row")


def features_of(instruction: str, response: str | None) -> dict[str, float]:
    return text_features(rows((instruction, response))).row(0, named=True)


@pytest.mark.parametrize(
    ("word", "num"),
    [
        ("cat", 1), ("the", 1), ("make", 1), ("table", 2), ("little", 2), ("banana", 3), ("asked", 1), ("wanted", 2),
        ("boxes", 2), ("horses", 2), ("readability", 5), ("rhythm", 1), ("1984", 1), ("tsk", 1), ("Café", 2),
    ],
)  # fmt: skip
def test_syllables(word: str, num: int) -> None:
    assert count_syllables(word) == num


def test_mtld_by_hand() -> None:
    """a b a b c d: .667 < .72 after three words ends a run of 3; then b c d leaves no part of one: 6 / 1 forwards.

    Backwards d c b a | b a: ratios 1 1 1 1 .8 .667, a run of 6: 6 / 1.
    """
    assert mtld("a b a b c d".split()) == pytest.approx(6)
    # a b c a: ratio .75 stays: a part of a run (1 - .75) / .28, either way
    assert mtld("a b c a".split()) == pytest.approx(4 / (0.25 / 0.28))
    assert mtld(["a"] * 10) == pytest.approx(2)  # a run ends at each second word
    assert mtld("a b c".split()) == pytest.approx(3 / (0.25 / 0.28))  # as if a fourth word came again
    assert math.isnan(mtld([]))


def test_lexical_diversity_grows_with_the_vocabulary_not_with_the_length() -> None:
    rng = Random(3)
    small, large = (rng.choices([f"w{n}" for n in range(size)], k=800) for size in (20, 200))
    assert mtld(large) > 2 * mtld(small)
    assert mtld(small[:400]) == pytest.approx(mtld(small), rel=0.15)


def test_reading_ease_by_hand() -> None:
    """Words 6 and 5 in two sentences; syllables 1 1 1 1 1 1 and 1 1 2 1 3."""
    found = features_of("The cat sat on the mat.", "Did the table eat banana?")
    assert found["reading_ease"] == pytest.approx(206.835 - 1.015 * 11 / 2 - 84.6 * 14 / 11)
    assert found["sentences"] == 2
    assert found["mean_word_length"] == pytest.approx((3 + 3 + 3 + 2 + 3 + 3 + 3 + 3 + 5 + 3 + 6) / 11)
    assert found["log_instruction_tokens"] == pytest.approx(math.log(8))
    assert found["log_response_tokens"] == pytest.approx(math.log(7))


def test_shares_and_compression() -> None:
    found = features_of("Add 12, 3!", "15")
    assert found["digit_share"] == pytest.approx(5 / 10) and found["punctuation_share"] == pytest.approx(2 / 10)
    text = b"Add 12, 3!\n15"
    assert found["zlib_ratio"] == pytest.approx(len(zlib.compress(text, 6)) / len(text))
    assert features_of("word " * 200, "word")["zlib_ratio"] < 0.1
    assert features_of("a", "日本語 text")["punctuation_share"] == 0


def test_code_is_told_from_prose() -> None:
    fenced = features_of("Show it.", "```\nx = 1\n```")
    assert fenced["code_share"] == pytest.approx(9 / 16)
    assert features_of("Say", "use `abcd` now")["code_share"] == pytest.approx(6 / 15)
    assert features_of("Write f.", "def f(x):\n    return (x + 1)")["code_share"] > 0.6
    assert features_of("From where?", "From here; and let us import tea. It is public.")["code_share"] == 0


def test_lines_are_sentences_and_quotes_close_them() -> None:
    assert features_of("List two.", "- one\n- two")["sentences"] == 3
    assert features_of('He said "Go."', "At 3.14 it is 5 p.m. now (yes!).")["sentences"] == 3


def test_what_has_no_words_has_no_figures() -> None:
    found = text_features(rows(("", None), ("?!", "..."), ("Say yes.", "Yes.")))
    assert found.columns == list(TEXT_FEATURES) and set(found.dtypes) == {pl.Float64}
    assert found["reading_ease"].null_count() == found["log_mtld"].null_count() == 2
    assert not any(found[name].is_nan().any() for name in TEXT_FEATURES)
    assert text_features(rows()).shape == (0, len(TEXT_FEATURES))
    assert text_of_rows(rows(("Say yes.", None), ("Ask", "What?"))) == ["Say yes.", "Ask\nWhat?"]


def test_five_thousand_rows_a_second() -> None:
    rng = Random(1)
    vocabulary = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(3000)]
    texts = [" ".join(rng.choices(vocabulary, k=45)) + "." for _ in range(4000)]
    frame = rows(*zip(texts[:2000], texts[2000:], strict=True))
    started = time.process_time()
    text_features(frame)
    assert len(frame) / (time.process_time() - started) > 2500  # half of what is promised: machines are shared


def test_components_have_fixed_signs() -> None:
    rng = np.random.default_rng(0)
    reference = (rng.normal(size=(300, 12)) * np.linspace(3, 0.1, 12)).astype(np.float32)
    components = fit_components(reference)
    moved = components.transform(reference)
    assert moved.shape == (300, 8)
    assert np.allclose(moved.mean(axis=0), 0, atol=1e-5) and np.allclose(np.cov(moved.T), np.diag(moved.var(axis=0, ddof=1)))
    assert np.all(np.diff(components.explained) < 0) and components.explained.sum() < 1
    again = fit_components(reference[::-1])
    assert np.allclose(components.axes, again.axes, atol=1e-6)
    shifted = components.transform(reference + components.axes[0].astype(np.float32))
    assert np.allclose(shifted - moved, np.eye(8)[0], atol=1e-5)
    assert fit_components(reference[:4]).axes.shape == (3, 12)
    with pytest.raises(ValueError, match="two rows or more"):
        fit_components(reference[:1])


def test_a_row_is_compared_with_the_other_real_rows_of_its_leaf() -> None:
    reference = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    leaves = ["x", "x", "y"]
    centroids, components = fit_leaf_centroids(reference, leaves), fit_components(reference)
    own = embedding_features(reference, leaves, components, centroids, are_reference=True)
    assert own["leaf_cosine"].to_list() == [0.0, 0.0, None]
    other = embedding_features(reference, ["x", "y", "z"], components, centroids)
    assert other["leaf_cosine"].to_list() == [pytest.approx(math.sqrt(0.5)), 0.0, None]
    assert other.columns == ["leaf_cosine", "component_1", "component_2"]
