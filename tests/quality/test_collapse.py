"""Measures of collapse: values worked out by hand, planted losses are caught, clean data pass, and nothing is no pass."""

import math
from random import Random

import numpy as np
import polars as pl
import pytest

from synth_assets.frames import to_frame
from synth_assets.quality.collapse import (
    depth_measures,
    diversity_against,
    dropped_real_rows,
    holdout_digest,
    holdout_measures,
    perplexity,
    perplexity_ratio,
    rare_token_perplexity_ratio,
    rare_tokens,
    real_share,
    real_share_measures,
)
from synth_assets.quality.estimates import Estimate, hold
from synth_assets.recipe import GATES
from synth_assets.records import Split, TrainingExample


def mix_of(*depths: int | None, split: Split = "train") -> pl.DataFrame:
    rows = [
        TrainingExample(f"t{n}", None, "skills/a", split, "stacked", "synthetic", n, f"Do {n}", "Done", depth)
        for n, depth in enumerate(depths)
    ]
    return to_frame(rows, TrainingExample)


def verdict(estimate: Estimate, gate: str, direction: str = "at_least") -> str:
    declared = GATES[gate]
    assert declared.direction == direction
    return hold(estimate, declared.report, declared.gate.value, declared.direction, declared.gate.severity).verdict


def test_the_deepest_rows_are_counted_and_named() -> None:
    (one,), (two,) = depth_measures(mix_of(0, 1, 1)), depth_measures(mix_of(0, 1, 2, 2))
    assert (one.value, two.value) == (1, 2) and two.words == "2 rows of depth 2: t2, t3"
    assert verdict(one, "max_depth", "at_most") == "passed" and verdict(two, "max_depth", "at_most") == "failed"
    (real,) = depth_measures(mix_of(0, 0))
    assert (real.value, real.num_synthetic) == (0, 0)


@pytest.mark.parametrize("mix", [mix_of(), mix_of(0, 1).with_columns(generation_depth=pl.lit(None, pl.Int64))])
def test_without_rows_or_depths_nothing_passes(mix: pl.DataFrame) -> None:
    for estimate in [*depth_measures(mix), *real_share_measures(mix)]:
        assert math.isnan(estimate.value) and estimate.words
        assert verdict(estimate, "max_depth", "at_most") == "not_computable"


def test_the_share_of_real_rows_is_held_by_the_gate_of_its_depth() -> None:
    shallow = {each.measure: each for each in real_share_measures(mix_of(0, *[1] * 19))}
    assert shallow["real_share_below_depth_2"].value == 0.05
    assert verdict(shallow["real_share_below_depth_2"], "real_share_below_depth_2") == "failed"
    assert shallow["real_share_from_depth_2"].verdict == "not_assessed"
    deep = {each.measure: each for each in real_share_measures(mix_of(0, 0, 1, 2, 2))}
    assert deep["real_share_from_depth_2"].value == 0.4 and deep["real_share_below_depth_2"].verdict == "not_assessed"
    assert verdict(deep["real_share_from_depth_2"], "real_share_from_depth_2") == "failed"
    held_out = pl.concat([mix_of(0, 1), mix_of(1, 1, 1, split="validation")])
    assert real_share_measures(held_out)[0].value == 0.5  # only what trains counts


def test_a_row_that_stands_several_times_is_one_row() -> None:
    """Repeating the one real row nine times makes it no more."""
    once, often = mix_of(0, *[1] * 9), pl.concat([mix_of(0, *[1] * 9), *[mix_of(0)] * 9])
    assert often.filter(pl.col("generation_depth") == 0).height == 10
    for mix in (once, often, pl.concat([often, mix_of(0, 1).with_columns(phase=pl.lit("skills"))])):
        share = real_share_measures(mix)[0]
        assert (share.value, share.words) == (0.1, "1 of 10 distinct training rows are real") and real_share(mix) == 0.1
    assert real_share(pl.concat([once, mix_of(2)])) == 0.0  # a model wrote the same text
    assert real_share(mix_of()) is None and real_share(pl.concat([once, mix_of(None)])) is None


def test_real_rows_that_are_gone_are_counted() -> None:
    before = mix_of(0, 0, 0, 1)
    (kept,) = dropped_real_rows(before, before.reverse())
    assert kept.value == 0 and verdict(kept, "dropped_real_rows", "at_most") == "passed"
    (gone,) = dropped_real_rows(before, before.filter(pl.col("training_example_id") != "t1"))
    assert gone.value == 1 and "t1" in gone.words and verdict(gone, "dropped_real_rows", "at_most") == "failed"
    assert dropped_real_rows(mix_of(1), before)[0].verdict == "not_assessed"


def test_a_holdout_is_known_by_its_rows_in_any_order() -> None:
    rows = pl.DataFrame({"leaf_path": ["a", "b"], "question": ["x?", "y?"], "answer": ["1", "2"]})
    digest = holdout_digest(rows)
    assert len(digest) == 64 and digest == holdout_digest(rows.reverse().with_columns(context=pl.lit(None, pl.String), z=1))
    changed = rows.with_columns(answer=pl.Series(["1", "3"]))
    assert holdout_measures(digest, rows)[0].value == 0
    assert verdict(holdout_measures(digest, changed)[0], "holdout_changed", "at_most") == "failed"
    assert holdout_measures(None, rows)[0].verdict == "not_assessed"
    assert math.isnan(holdout_measures(digest, rows.clear())[0].value)


def test_perplexity_is_the_geometric_mean_of_inverse_probabilities() -> None:
    rows = [[math.log(0.5), math.log(0.25)], [math.log(0.125)]]
    assert perplexity(rows) == pytest.approx(4.0)  # (2 x 4 x 8) ** (1 / 3)
    assert perplexity(rows, [np.array([True, False]), np.array([True])]) == pytest.approx(4.0)
    assert math.isnan(perplexity([])) and perplexity([[-1e9]]) == math.inf


def _log_probabilities(rng: np.random.Generator, lengths: list[int]) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [-rng.exponential(1.2, length) for length in lengths]


def _holdout(seed: int, worse: float, num_rows: int = 200) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:  # type: ignore[type-arg]
    """Rows of 10 leaves; the second model gives every token exp(worse) times less, on average, differing by leaf and row."""
    rng = np.random.default_rng(seed)
    leaves = [f"leaf{n % 10}" for n in range(num_rows)]
    reference = _log_probabilities(rng, [int(n) for n in rng.integers(5, 30, num_rows)])
    of_leaf = dict(zip(sorted(set(leaves)), rng.normal(0, 0.02, 10), strict=True))
    current = [
        row - worse - of_leaf[leaf] + rng.normal(0, 0.1, row.size) for row, leaf in zip(reference, leaves, strict=True)
    ]
    return reference, current, leaves


def test_a_planted_loss_of_a_quarter_is_caught_and_the_same_knowledge_passes() -> None:
    caught, passed = 0, 0
    for seed in range(20):
        (worse,) = perplexity_ratio(*_holdout(seed, math.log(1.25)), num_draws=200)
        (same,) = perplexity_ratio(*_holdout(seed, 0.0), num_draws=200)
        assert worse.ci_low is not None and worse.ci_high is not None and worse.ci_low < worse.value < worse.ci_high
        caught += verdict(worse, "perplexity_ratio", "at_most") == "failed"
        passed += verdict(same, "perplexity_ratio", "at_most") == "passed"
    assert (caught, passed) == (20, 20)


def test_the_interval_of_the_ratio_holds_the_truth() -> None:
    held = 0
    for seed in range(60):
        (found,) = perplexity_ratio(*_holdout(seed, math.log(1.1)), num_draws=200, seed=seed)
        assert found.ci_low is not None and found.ci_high is not None
        held += found.ci_low <= 1.1 <= found.ci_high
    assert held >= 50  # 57 of 60 in the long run; ten leaves make percentile intervals a little short


def test_rare_tokens_are_about_a_tenth_and_equals_go_together() -> None:
    ids = [[1, 1, 1, 1, 1], [1, 1, 2, 3, 1]]
    flags = rare_tokens(ids, {1: 900, 2: 5, 3: 5})
    assert [row.tolist() for row in flags] == [[False] * 5, [False, False, True, True, False]]
    assert rare_tokens([[7, 1]], {1: 9}, share=0.5)[0].tolist() == [True, False]  # never seen in the reference: the rarest
    assert rare_tokens([[]], {})[0].size == 0


def test_forgotten_tails_show_in_the_rare_tokens_long_before_they_show_in_all() -> None:
    rng = Random(0)
    ids = [[rng.choice([1, 2, 3]) if rng.random() > 0.05 else 9 for _ in range(20)] for _ in range(200)]
    reference = [[-1.0] * 20 for _ in ids]
    current = [[-2.0 if token == 9 else -1.0 for token in row] for row in ids]
    leaves = [f"leaf{n % 12}" for n in range(200)]
    frequencies = {1: 1000, 2: 1000, 3: 1000, 9: 3}
    (everything,) = perplexity_ratio(reference, current, leaves, num_draws=100)
    (rare,) = rare_token_perplexity_ratio(ids, reference, current, leaves, frequencies, num_draws=100)
    assert verdict(everything, "perplexity_ratio", "at_most") == "passed"
    assert verdict(rare, "rare_perplexity_ratio", "at_most") == "failed"
    assert rare.measure == "rare_perplexity_ratio" and 1.25 < rare.value <= math.e + 1e-9


def test_what_cannot_be_compared_is_said() -> None:
    reference, current, leaves = _holdout(1, 0.0)
    assert perplexity_ratio(reference[:99], current[:99], leaves[:99])[0].verdict == "insufficient_reference"
    spoiled = [np.full(row.size, -np.inf) for row in current]
    (unknown,) = perplexity_ratio(reference, spoiled, leaves, num_draws=10)
    assert verdict(unknown, "perplexity_ratio", "at_most") == "not_computable"
    (nan,) = perplexity_ratio(reference, [row * np.nan for row in current], leaves, num_draws=10)
    assert verdict(nan, "perplexity_ratio", "at_most") == "not_computable"
    with pytest.raises(ValueError, match="do not pair"):
        perplexity_ratio(reference, current[1:], leaves)
    with pytest.raises(ValueError, match="one tokenizer"):
        perplexity_ratio(reference, [row[1:] for row in current], leaves)


WORDS = [f"word{n}" for n in range(400)]


def _texts(
    seed: int, num_rows: int, vocabulary: int, leaves: tuple[str, ...] = ("skills/a", "skills/b", "facts/c")
) -> pl.DataFrame:
    rng = Random(seed)
    texts = [" ".join(rng.choices(WORDS[:vocabulary], k=12)) for _ in range(2 * num_rows)]
    paths = [leaves[n % len(leaves)] for n in range(num_rows)]
    return pl.DataFrame({"leaf_path": paths, "instruction": texts[:num_rows], "response": texts[num_rows:]})


def test_lost_variety_is_caught_and_the_same_variety_passes() -> None:
    for seed in range(6):
        before, same = _texts(seed, 300, 400), _texts(100 + seed, 300, 400)
        fewer = {each.measure: each for each in diversity_against(before, _texts(200 + seed, 300, 200), num_draws=30)}
        for each in diversity_against(before, same, num_draws=30):
            gate = {"distinct_3_ratio": "distinct_3_ratio", "leaves_kept": "leaves_kept"}.get(
                each.measure, "vocabulary_ratio"
            )
            assert each.subject != "all" or verdict(each, gate) == "passed", each
        assert verdict(fewer["vocabulary_ratio"], "vocabulary_ratio") == "failed"
        repeated = before.with_columns(pl.col("instruction", "response").gather(pl.int_range(300) % 60))
        found = {(each.measure, each.subject): each for each in diversity_against(before, repeated, num_draws=30)}
        assert verdict(found["distinct_3_ratio", "all"], "distinct_3_ratio") == "failed"


def test_more_rows_or_another_mixture_of_leaves_are_no_loss() -> None:
    before, more = _texts(1, 300, 400), _texts(2, 1500, 400)
    tilted = pl.concat([more.filter(pl.col("leaf_path") == "skills/a"), _texts(3, 120, 400)])
    for current in (more, tilted):
        for each in diversity_against(before, current, num_draws=30):
            if each.subject == "all":
                assert each.value == pytest.approx(1, abs=0.03), each


def test_subjects_intervals_and_missing_leaves() -> None:
    before = _texts(1, 450, 400)
    found = {(each.measure, each.subject): each for each in diversity_against(before, _texts(2, 450, 400), num_draws=30)}
    assert {subject for _, subject in found} == {"all", "facts", "skills"}
    ratio = found["type_token_ratio", "all"]
    assert ratio.ci_low is not None and ratio.ci_low < ratio.value and ratio.bound == ratio.ci_low
    gone = {(e.measure, e.subject): e for e in diversity_against(before, before.filter(pl.col("leaf_path") != "facts/c"))}
    assert gone["leaves_kept", "all"].value == pytest.approx(2 / 3) and "facts/c" in gone["leaves_kept", "all"].words
    assert gone["distinct_3_ratio", "facts"].verdict == "insufficient_reference"
    few = diversity_against(before, before.head(99))
    assert {each.verdict for each in few if each.measure != "leaves_kept"} == {"insufficient_reference"}
    assert math.isnan(diversity_against(before.clear(), before)[0].value)


def test_texts_without_three_words_have_no_trigrams_and_that_is_no_pass() -> None:
    rows = _texts(1, 200, 400, ("skills/a",)).with_columns(instruction=pl.lit("hello"), response=pl.lit("you"))
    found = {each.measure: each for each in diversity_against(rows, rows, num_draws=5)}
    assert verdict(found["distinct_3_ratio"], "distinct_3_ratio") == "not_computable"
    assert found["vocabulary_ratio"].value == 1


def test_the_same_seed_gives_the_same_figures() -> None:
    before, now = _texts(1, 200, 300), _texts(2, 200, 300)
    assert (
        diversity_against(before, now, seed=3)
        == diversity_against(before, now, seed=3)
        != diversity_against(before, now, seed=4)
    )


def test_leaves_of_one_row_are_halved_together() -> None:
    many = tuple(f"skills/{n}" for n in range(200))
    before, same, fewer = (_texts(seed, 200, words, many) for seed, words in ((1, 400), (2, 400), (3, 40)))
    clean = {each.measure: each for each in diversity_against(before, same, num_draws=30)}
    assert clean["vocabulary_ratio"].value == pytest.approx(1, abs=0.05)
    assert "at 100 rows of each set" in clean["vocabulary_ratio"].words
    poor = {each.measure: each for each in diversity_against(before, fewer, num_draws=30)}
    assert verdict(poor["vocabulary_ratio"], "vocabulary_ratio") == "failed"
    elsewhere = same.with_columns(leaf_path=pl.col("leaf_path") + "x")
    apart = {each.measure: each for each in diversity_against(before, elsewhere, num_draws=30)}
    assert apart["vocabulary_ratio"].verdict == "insufficient_reference"
