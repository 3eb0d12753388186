"""The gates' figures: zero is a pass, none is not, and the error rates of copies and of the leak test on planted data."""

import math
from random import Random

import numpy as np
import pytest

from synth_assets.quality.estimates import Estimate, hold
from synth_assets.quality.privacy import (
    CopyIndex,
    Finding,
    Leak,
    LeakTest,
    Source,
    embedding_distances,
    estimate_copied_share,
    estimate_dcr_share,
    estimate_leak_test,
    estimate_leaked_values,
    estimate_personal_data_left,
    estimate_secrets_left,
    find_copies,
    measure_leak,
    text_distances,
)
from synth_assets.records import Direction, SyntheticSample
from synth_assets.studies.made_rows import make_sample as row
from synth_assets.studies.made_rows import make_text as text

MAIL = Finding("EMAIL_ADDRESS", 0, 17, "maria@example.org")


def verdict(estimate: Estimate, threshold: float, direction: Direction = "at_most") -> str:
    return hold(estimate, "privacy", threshold, direction, "block").verdict


def test_one_row_is_one_too_many_and_none_at_all_is_no_pass() -> None:
    leaks = [Leak(f"r{n}", "s", MAIL.kind, MAIL.masked) for n in range(7)]
    (leaked,) = estimate_leaked_values(leaks, 100, 1)
    assert (leaked.value, verdict(leaked, 0)) == (7.0, "failed")
    assert "r0: EMAIL_ADDRESS m***@example.org of s" in leaked.words and "and 2 more" in leaked.words
    for estimate_left in (estimate_personal_data_left, estimate_secrets_left):
        (left,) = estimate_left({"a": [MAIL], "b": []}, 2)
        assert (left.value, verdict(left, 0)) == (1.0, "failed") and "maria" not in left.words
        (clean,), (empty,) = estimate_left({}, 2), estimate_left({}, 0)
        assert verdict(clean, 0) == "passed" and verdict(empty, 0) == "not_computable"
    assert verdict(estimate_leaked_values([], 0, 1)[0], 0) == "not_computable"
    assert verdict(estimate_leaked_values([], 9, 1)[0], 0) == "passed"


def test_copies_without_rows_or_sources() -> None:
    none = find_copies([], [])
    assert verdict(estimate_copied_share(none, 10, 0)[0], 0.01) == "not_assessed"
    assert verdict(estimate_copied_share(none, 0, 10)[0], 0.01) == "not_computable"


def test_error_rates_of_the_share_of_copies() -> None:
    """2 % of the rows, each with that chance, are copies with a few words changed: caught; without them: passed."""
    caught = caught_by_end = false_alarms = 0
    for seed in range(20):
        rng = Random(seed)
        sources = [Source(f"s{n}", text(rng, 30)) for n in range(40)]
        clean = [row(f"r{n}", text(rng, 8), text(rng, 20)) for n in range(2_000)]
        index = CopyIndex(sources)
        planted = [near_copy(each, rng, sources) if rng.random() < 0.02 else each for each in clean]
        (good,) = estimate_copied_share(find_copies(clean, index), 2_000, 40)
        (bad,) = estimate_copied_share(find_copies(planted, index), 2_000, 40)
        false_alarms += verdict(good, 0.01) != "passed"
        caught += verdict(bad, 0.01) == "failed"
        assert bad.ci_low is not None and bad.ci_low < bad.value and "copies s" in bad.words
        caught_by_end += bad.ci_low > 0.01
    assert caught == 20 and false_alarms == 0
    assert caught_by_end <= caught


def near_copy(each: SyntheticSample, rng: Random, sources: list[Source]) -> SyntheticSample:
    words = rng.choice(sources).text.split()
    words[rng.randrange(10)] = "changed"
    return row(each.synthetic_sample_id, text(rng, 5), " ".join(words))


def leaky_rows(rng: Random, seen: list[str], num_leaked: int) -> list[str]:
    rows = [text(rng, 25) for _ in range(2_000 - num_leaked)]
    for _ in range(num_leaked):
        words = rng.choice(seen).split()
        start = rng.randrange(len(words) - 15)
        rows.append(f"{text(rng, 10)} {' '.join(words[start : start + 15])}")
    return rows


def test_error_rates_of_the_leak_test() -> None:
    """2 % of the rows quote 15 words of a seen chunk, or as many of any chunk: likeness is not leaking."""
    caught = false_alarms = 0
    for seed in range(20):
        rng = Random(seed)
        chunks = [text(rng, 60) for _ in range(40)]
        seen, unseen = chunks[:24], chunks[24:]
        caught += measure_leak(leaky_rows(rng, seen, 40), seen, unseen, num_draws=500).p_value < 0.01
        false_alarms += measure_leak(leaky_rows(rng, chunks, 40), seen, unseen, num_draws=500).p_value < 0.01
    assert caught == 20 and false_alarms <= 1


def test_chunks_are_permuted_within_their_document() -> None:
    """All seen chunks are of the document that everybody quotes: nothing can be told apart, and nothing is said."""
    rng = Random(1)
    famous, other = [text(rng, 60) for _ in range(12)], [text(rng, 60) for _ in range(12)]
    rows = leaky_rows(rng, famous, 300)
    assert measure_leak(rows, famous, other).p_value < 0.01
    assert measure_leak(rows, famous, other, (["a"] * 12, ["b"] * 12)).p_value == 1.0


def test_what_the_leak_test_says() -> None:
    assert {verdict(each, 0.01, "at_least") for each in estimate_leak_test(None, 10)} == {"not_assessed"}
    few = estimate_leak_test(measure_leak(["a"], ["b"] * 20, ["c"] * 9), 10)
    assert {verdict(each, 0.01, "at_least") for each in few} == {"insufficient_reference"} and "9 chunks" in few[0].words
    p_value, effect = estimate_leak_test(LeakTest(0.004, 0.2, 0.3, 0.1, 20, 20), 10)
    assert verdict(p_value, 0.01, "at_least") == "failed" and "30.00%" in p_value.words and effect.value == 0.2
    assert verdict(estimate_leak_test(LeakTest(0.4, 0, 0, 0, 20, 20), 0)[0], 0.01, "at_least") == "not_computable"
    assert math.isnan(measure_leak(["a"], [], []).p_value)


def test_dcr_share_is_one_half_for_new_rows_and_more_for_memorised_ones() -> None:
    rng = Random(2)
    train, holdout = [text(rng, 20) for _ in range(150)], [text(rng, 20) for _ in range(130)]
    (fresh,) = estimate_dcr_share(*text_distances([text(rng, 20) for _ in range(400)], train, holdout), 130)
    assert fresh.value == pytest.approx(0.5, abs=0.05) and verdict(fresh, 0.5) == "passed"
    (near,) = estimate_dcr_share(*text_distances(train * 2, train, holdout), 130)
    assert near.value > 0.9 and verdict(near, 0.5) == "failed"
    assert estimate_dcr_share(np.ones(20), np.ones(20), 130)[0].verdict == "insufficient_reference"
    assert verdict(estimate_dcr_share(np.full(200, np.nan), np.ones(200), 130)[0], 0.5) == "not_computable"
    with pytest.raises(ValueError, match="both parts"):
        estimate_dcr_share(np.ones(3), np.ones(4), 130)


def test_distances_of_embeddings() -> None:
    rows, records = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 0.0]]), np.array([[3.0, 0.0], [0.0, 1.0]])
    assert embedding_distances(rows, records) == pytest.approx([0.0, 0.0, 1.0])
    assert len(embedding_distances(np.empty((0, 2)), records)) == 0
