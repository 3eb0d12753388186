"""ROUGE-L by its definition, and that the sketches propose what exceeds the limit."""

from random import Random

import pytest

from synth_assets.sketches import NoveltyIndex, rouge_l, words_of


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("police killed the gunman", "police kill the gunman", 0.75),  # Lin 2004, section 3: LCS 3 of 4 and 4
        ("police killed the gunman", "the gunman kill police", 0.5),  # likewise: LCS 2
        ("a b c", "a b c", 1.0), ("a", "b", 0.0), ("", "a", 0.0), ("a x b y c", "a b c", 0.75),
    ],
)  # fmt: skip
def test_rouge_l(one: str, other: str, value: float) -> None:
    assert rouge_l(one.split(), other.split()) == rouge_l(other.split(), one.split()) == value


def test_the_index_finds_what_a_full_comparison_finds() -> None:
    rng = Random(1)
    vocabulary = [f"w{n}" for n in range(60)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randint(6, 14))) for _ in range(300)]
    texts += [" ".join(w if rng.random() < 0.85 else rng.choice(vocabulary) for w in text.split()) for text in texts[:100]]
    index, taken, num_close = NoveltyIndex(0.7), [], 0
    for text in texts:
        expected = max((rouge_l(words_of(text), words_of(other)) for other in taken), default=0.0)
        found = index.nearest("", text)
        assert (found[0] if found else 0.0) == (expected if expected > 0.7 else 0.0)
        num_close += found is not None
        index.add("", text)
        taken.append(text)
    assert num_close > 50


def test_other_texts_have_questions_of_their_own() -> None:
    index = NoveltyIndex(0.7)
    index.add("one text", "What is the price?")
    assert index.nearest("another text", "What is the price?") is None
    assert index.nearest("one text", "what is the price") == (pytest.approx(8 / 9), "What is the price?")
