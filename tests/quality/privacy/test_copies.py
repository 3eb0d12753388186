"""Copies: each of the measures at its limit, quotations by design, short rows, and an index over many calls."""

from random import Random

import pytest

from synth_assets.quality.privacy import CopyIndex, Source, find_copies
from synth_assets.studies.made_rows import make_sample as row
from synth_assets.studies.made_rows import make_text as text

WORDS = text(Random(1), 120).split()
SOURCE = Source("doc", " ".join(WORDS))


def copies(instruction: str, response: str, context: str | None = None, source: Source = SOURCE) -> list[tuple[str, float]]:
    frame = find_copies([row("r", instruction, response, context)], [source])
    return list(zip(frame["kind"], frame["value"], strict=True))


def test_half_of_the_ngrams() -> None:
    """A row of 7 + 27 words has 27 8-grams; 21 copied words hold 14 of them, 20 hold 13."""
    rng = Random(2)
    assert copies(text(rng, 13), " ".join(WORDS[40:61])) == [("ngram_share", pytest.approx(14 / 27))]
    assert copies(text(rng, 14), " ".join(WORDS[40:60])) == []
    pieces = " ".join(" ".join(WORDS[at : at + 12]).upper() + "!" for at in (0, 30, 60, 90))
    assert copies("Say:", pieces) == []  # 20 of 42: the runs are broken between the pieces


def test_a_long_run_in_a_longer_row() -> None:
    rng = Random(3)
    fresh = text(rng, 150)
    assert copies(fresh, " ".join(WORDS[20:70])) == [("common_run", 50.0)]
    assert copies(fresh, " ".join(WORDS[20:69])) == []


def test_similarity_where_no_ngram_is_left() -> None:
    """Every seventh word is another: no run of eight is shared, and few 3-grams are: no copy. Words in another place are."""
    changed = " ".join("other" if at % 7 == 0 else word for at, word in enumerate(WORDS))
    assert copies(changed[: len(changed) // 2], changed[len(changed) // 2 :]) == []
    blocks = [WORDS[at : at + 12] for at in range(0, 120, 12)]
    moved = " ".join(" ".join(block) for block in blocks[::-1])
    assert [kind for kind, _ in copies("", moved)] == ["similarity"]


def test_a_context_is_a_quotation_and_its_repetition_is_not() -> None:
    assert copies("Who?", "Anna.", context=SOURCE.text) == []
    assert [kind for kind, _ in copies("Who?", SOURCE.text, context=SOURCE.text)] == ["ngram_share"]


def test_short_rows_are_compared_as_a_whole_with_their_context() -> None:
    seed = Source("seed", "Who wrote it?\nAnna.", context="A letter by Anna.")
    assert copies("Who  wrote IT?", "Anna", "A letter by Anna.", seed) == [("equal", 1.0)]
    assert copies("Who wrote it?", "Anna.", "A poem by Anna.", seed) == []
    assert copies("Who sang it?", "Anna.", "A letter by Anna.", seed) == []
    assert copies("", "", None, Source("empty", "")) == []


def test_an_index_serves_many_calls_and_names_the_closest_source() -> None:
    rng = Random(5)
    sources = [Source(f"s{n}", text(rng, 40)) for n in range(50)]
    index = CopyIndex(sources)
    rows = [row(f"r{n}", text(rng, 3), sources[n].text) for n in range(0, 50, 5)]
    frames = [find_copies(rows[at : at + 3], index) for at in range(0, 10, 3)]
    assert [name for frame in frames for name in frame["source_id"]] == [f"s{n}" for n in range(0, 50, 5)]
    assert find_copies([], index).columns == ["row_id", "source_id", "kind", "value"]
