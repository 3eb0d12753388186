"""The filter: each rule, their order, ties, and that the order of the rows changes nothing."""

from dataclasses import replace
from random import Random

import pytest
from made_samples import question, score

from synth_assets.errors import CountsError
from synth_assets.recipe import FilterSection, RewardCut
from synth_assets.records import BenchmarkQuestion, RealExample, Refusals, SyntheticSample, Texts
from synth_assets.reward import FilterOutcome, filter_samples
from synth_assets.reward.duplicates import jaccard, shingles_of
from synth_assets.reward.filtering import NO_REFUSALS
from synth_assets.studies.made_rows import make_sample as sample

ALL = RewardCut(mode="absolute", value=-100.0)


def run(
    rows: list[tuple[SyntheticSample, float]], cut: RewardCut = ALL, threshold: float = 0.9,
    benchmark: tuple[BenchmarkQuestion, ...] = (), refusals: Refusals = NO_REFUSALS,
) -> FilterOutcome:  # fmt: skip
    samples = [row for row, _ in rows]
    scores = [score(row, reward) for row, reward in rows]
    return filter_samples(samples, scores, cut, FilterSection(near_duplicate_threshold=threshold), benchmark, refusals)


def reasons(outcome: FilterOutcome) -> dict[str, str]:
    return {row.synthetic_sample_id: row.rejection_reason for row in outcome.rejected}


def kept(outcome: FilterOutcome) -> list[str]:
    return [row.synthetic_sample_id for row in outcome.kept]


def distinct(name: str, leaf: str = "foundational_skills/x") -> SyntheticSample:
    words = " ".join(str(Random(name).random()) for _ in range(3))
    return sample(name, f"Question {name} {words}", f"Answer {name}", leaf=leaf)


def test_absolute_cut_keeps_what_reaches_it() -> None:
    outcome = run([(distinct("a"), 1.0), (distinct("b"), 0.99), (distinct("c"), 2.0)], RewardCut(mode="absolute", value=1))
    assert kept(outcome) == ["a", "c"] and reasons(outcome) == {"b": "low_reward"}
    assert outcome.rejected[0].detail == "reward 0.9900 is below 1.0000"
    assert outcome.kept[0].reward == 1.0


def test_quantile_is_of_each_leaf_and_ties_go_by_id() -> None:
    cut = RewardCut(mode="leaf_quantile", value=0.5)
    high = [(distinct(name, "foundational_skills/high"), 9.0) for name in "dbcae"]
    low = [(distinct(name, "foundational_skills/low"), reward) for name, reward in zip("vwxy", (1, 4, 2, 3), strict=True)]
    outcome = run(high + low, cut)
    assert set(kept(outcome)) == {"a", "b", "c", "w", "y"}  # floor(0.5 x 5) = 2 of five equal ones go: the last ids
    assert outcome == run(high + low, cut)
    assert set(kept(run(low[::-1] + high[::-1], cut))) == set(kept(outcome))


def test_topics_of_one_row_each_are_ranked_within_their_area() -> None:
    """Else the cut would take nothing: half of one row is none."""
    rows = [
        (replace(distinct(name, f"foundational_skills/generated/general/topic_{name}"), seed_example_ids=()), reward)
        for name, reward in zip("abcd", (1.0, 4.0, 2.0, 3.0), strict=True)
    ]
    cut = RewardCut(mode="leaf_quantile", value=0.5)
    outcome = run(rows, cut)
    assert set(kept(outcome)) == {"b", "d"} and outcome.rejected[0].detail.endswith("among the lowest 50% of its area")
    from_seeds = [(replace(row, seed_example_ids=("s",)), reward) for row, reward in rows]
    assert set(kept(run(from_seeds, cut))) == set("abcd"), "a leaf with seeds is a leaf, wherever it stands"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_no_number_has_failed(bad: float) -> None:
    outcome = run([(distinct("a"), 1.0), (distinct("b"), bad), (distinct("c"), 0.0)])
    (row,) = outcome.rejected
    assert (row.synthetic_sample_id, row.outcome, row.rejection_reason) == ("b", "failed", "reward_not_finite")
    assert (outcome.counts.num_in, outcome.counts.num_kept, outcome.counts.num_failed) == (3, 2, 1)


def test_benchmark_questions_are_kept_out() -> None:
    benchmark = (
        question("q1", "How many apples?"),
        question("q2", "Which costs most?", context="Tea: 3. Milk: 4."),
        question("q3", "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"),
    )
    run_of_13 = "Say: two, three four five six SEVEN eight nine ten eleven twelve thirteen fourteen!"
    rows = [
        sample("same", "how many  APPLES?", "7"),
        sample("other_context", "Which costs most?", "Tea", context="Tea: 9. Milk: 4."),
        sample("same_context", "Which costs most?", "Milk", context="Tea: 3. Milk: 4."),
        sample("run", "Repeat.", run_of_13),
        sample("short_run", "Repeat it.", run_of_13.replace("fourteen", "")),
    ]
    outcome = run([(row, 1.0) for row in rows], benchmark=benchmark)
    assert kept(outcome) == ["other_context", "short_run"]
    assert set(reasons(outcome).values()) == {"benchmark_overlap"}
    details = {row.synthetic_sample_id: row.detail for row in outcome.rejected}
    assert details["same"] == "asks benchmark question q1"
    assert details["run"] == "13 words in a row of benchmark question q3", "without the words, which may name somebody"


def test_of_exact_duplicates_the_better_rewarded_stays() -> None:
    rows = [
        (sample("worse", "Sort 3, 1, 2", "1, 2, 3", leaf="compositional_skills/y"), 1.0),
        (sample("better", "sort 3,  1, 2", "1, 2, 3"), 2.0),
        (sample("z_tie", "Sort 3, 1, 2", "1, 2, 3"), 2.0),
        (sample("other", "Sort 3, 1, 2", "3, 2, 1"), 0.0),
    ]
    outcome = run(rows, threshold=1.0)
    assert kept(outcome) == ["better", "other"]
    assert reasons(outcome) == {"worse": "exact_duplicate", "z_tie": "exact_duplicate"}
    assert outcome.rejected[0].detail == "the same texts as better"


def test_rows_that_differ_in_nothing_but_a_redacted_value_are_one_row() -> None:
    near = [f"{' '.join(WORDS)} ask {name}@mail.org" for name in ("anna.maria.lopez", "ben")]
    rows = [
        (sample("a", "Whom do I ask?", "Write to anna@mail.org."), 1.0),
        (sample("b", "Whom do I ask?", "Write to ben@mail.org."), 2.0),
        (sample("c", near[0], "Well."), 2.0),
        (sample("d", near[1], "Well, well."), 1.0),
    ]
    hidden = {name: Texts(None, "Whom do I ask?", "Write to <EMAIL_ADDRESS>.") for name in "ab"}
    hidden |= {
        row.synthetic_sample_id: Texts(None, f"{' '.join(WORDS)} ask <EMAIL_ADDRESS>", row.response) for row, _ in rows[2:]
    }
    assert len(run(rows, threshold=0.94).kept) == 4, "the values tell them apart"
    outcome = run(rows, threshold=0.94, refusals=Refusals(rewritten=hidden))
    assert reasons(outcome) == {"a": "exact_duplicate", "d": "near_duplicate"}
    assert {row.response for row in outcome.kept} == {"Write to <EMAIL_ADDRESS>.", "Well."}
    assert not any("@" in f"{row.instruction} {row.response}" for row in (*outcome.kept, *outcome.rejected))


WORDS = [f"w{number}" for number in range(60)]


def long_sample(name: str, num_changed: int) -> SyntheticSample:
    words = list(WORDS)
    for number in range(num_changed):
        words[number * 6] = f"{name}{number}"
    return sample(name, " ".join(words), "Yes.")


def test_near_duplicates_by_exact_similarity() -> None:
    base, near, far = long_sample("base", 0), long_sample("near", 1), long_sample("far", 6)
    similarity = jaccard(shingles_of(base), shingles_of(near))
    rows = [(near, 1.0), (base, 2.0), (far, 0.5)]
    outcome = run(rows, threshold=similarity)
    assert reasons(outcome) == {"near": "near_duplicate"}
    assert outcome.rejected[0].detail == f"Jaccard similarity {similarity:.3f} to base"
    assert kept(run(rows, threshold=similarity + 1e-9)) == ["near", "base", "far"]


def test_a_rejected_sample_rejects_nothing() -> None:
    """a ~ b ~ c, but a is far from c: c is compared with a, which stays, not with b, which does not."""
    a, b, c = long_sample("m", 0), long_sample("m", 2), long_sample("m", 4)
    rows = [(sample(name, row.instruction, "Yes."), r) for name, row, r in (("a", a, 3.0), ("b", b, 2.0), ("c", c, 1.0))]
    near = jaccard(shingles_of(rows[0][0]), shingles_of(rows[1][0]))
    assert jaccard(shingles_of(rows[0][0]), shingles_of(rows[2][0])) < near - 0.05
    assert kept(run(rows, threshold=near - 0.01)) == ["a", "c"]


def test_texts_of_one_template_are_not_duplicates() -> None:
    names, items = ("Anna", "Ben", "Cora", "Dan"), ("lamp", "chair", "table", "vase", "clock")
    rows = [
        (sample(f"{n}{i}", f"Ask {n} politely to clean the old {i}.", f"Dear {n}, could you please clean the old {i}?"), 1.0)
        for n in names
        for i in items
    ]
    assert len(run(rows).kept) == 20


def test_first_reason_counts_and_the_sum_holds() -> None:
    rows = [
        (sample("low", "How many?", "1"), -1.0),  # also asks a benchmark question
        (sample("leak", "How many?", "1"), 1.0),
        (distinct("a"), 1.0),
    ]
    outcome = run(rows, RewardCut(mode="absolute", value=0.0), benchmark=(question("q", "How many?"),))
    assert reasons(outcome) == {"low": "low_reward", "leak": "benchmark_overlap"}
    assert (outcome.counts.num_in, outcome.counts.num_kept, outcome.counts.num_rejected) == (3, 1, 2)


def test_order_of_rows_changes_nothing() -> None:
    rng = Random(5)
    rows = [(sample(f"s{n}", " ".join(rng.choices(WORDS[:6], k=7)), "Yes."), rng.choice((1.0, 2.0))) for n in range(300)]
    cut = RewardCut(mode="leaf_quantile", value=0.2)
    first = run(rows, cut, threshold=0.5)
    assert {"low_reward", "near_duplicate"} <= set(reasons(first).values())
    rng.shuffle(rows)
    again = run(rows, cut, threshold=0.5)
    assert set(kept(again)) == set(kept(first)) and reasons(again) == reasons(first)


def test_samples_without_score_are_not_counted_and_foreign_scores_are_a_defect() -> None:
    a, b = distinct("a"), distinct("b")
    settings = FilterSection(near_duplicate_threshold=0.9)
    outcome = filter_samples([a, b], [score(b, 1.0)], ALL, settings, [])
    assert (outcome.counts.num_in, kept(outcome)) == (1, ["b"])
    with pytest.raises(CountsError, match="one to one"):
        filter_samples([a], [score(b, 1.0)], ALL, settings, [])
    with pytest.raises(CountsError, match="one to one"):
        filter_samples([a], [score(a, 1.0), score(a, 2.0)], ALL, settings, [])


def test_a_sample_that_is_a_row_of_the_real_holdout_is_not_kept() -> None:
    held = [
        RealExample("r1", "holdout", "skills/a", None, "What is  LEFT?", "Two pears."),
        RealExample("r2", "holdout", "skills/a", "A list.", "What is it?", "One."),
    ]
    same = sample("same", "what is left?", "Two  pears.", leaf="foundational_skills/x")
    answer = sample("answer", "What is left?", "Three pears.", leaf="foundational_skills/x")
    context = sample("context", "What is it?", "One.", leaf="foundational_skills/x")  # of another text
    rows = [same, answer, context]
    outcome = filter_samples(
        rows, [score(row, 1.0) for row in rows], ALL, FilterSection(near_duplicate_threshold=1.0), [], holdout=held
    )
    assert kept(outcome) == ["answer", "context"] and reasons(outcome) == {"same": "benchmark_overlap"}
    assert outcome.rejected[0].detail == "is row r1 of the real holdout"
