"""Joint measures by their formulas, what each sees of a collapse, and how often they err on planted and on clean data."""

import math
from random import Random

import numpy as np
import pytest

from synth_assets.inference import open_embedder
from synth_assets.quality.embeddings import (
    Clouds,
    estimate_coverage,
    estimate_discrepancy,
    estimate_vendi,
    manifold_overlap,
    mmd_squared,
    vendi_score,
)
from synth_assets.quality.embeddings.discrepancy import permutation_test
from synth_assets.quality.estimates import Estimate, hold

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
NUM_TOPICS, WIDTH = 12, 32


def cloud(rng: np.random.Generator, num: int, centres: Floats, topics: int = NUM_TOPICS) -> tuple[Floats, list[int]]:
    leaves = rng.integers(topics, size=num)
    rows = centres[leaves] + rng.normal(scale=0.6 / math.sqrt(WIDTH), size=(num, WIDTH))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), leaves.tolist()


def centres_of(rng: np.random.Generator) -> Floats:
    rows = rng.normal(size=(NUM_TOPICS, WIDTH))
    unit: Floats = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def by_measure(estimates: list[Estimate]) -> dict[str, Estimate]:
    return {each.measure: each for each in estimates}


def test_mmd_by_its_definition() -> None:
    """Equation 3 of the paper, term by term."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 2)), rng.normal(size=(7, 2)) + 1
    kernel = np.exp(-((np.vstack([x, y])[:, None] - np.vstack([x, y])[None]) ** 2).sum(-1))
    first = sum(kernel[i, j] for i in range(5) for j in range(5) if i != j) / (5 * 4)
    second = sum(kernel[i, j] for i in range(5, 12) for j in range(5, 12) if i != j) / (7 * 6)
    cross = sum(kernel[i, j] for i in range(5) for j in range(5, 12)) / (5 * 7)
    assert mmd_squared(kernel, 5) == pytest.approx(first + second - 2 * cross)
    assert permutation_test(kernel, 5, rng)[0] == pytest.approx(first + second - 2 * cross)


def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(1)
    p_values = []
    for _ in range(100):
        rows = rng.normal(size=(60, 3))
        kernel = np.exp(-((rows[:, None] - rows[None]) ** 2).sum(-1) / 6)
        p_values.append(permutation_test(kernel, 30, rng)[1])
    assert 0.02 <= np.mean(np.array(p_values) <= 0.1) <= 0.2
    assert 0.4 <= np.mean(p_values) <= 0.6


def test_recall_and_coverage_by_hand() -> None:
    """On a line, k = 1: real 0 1 2 9 have balls of radius 1 1 1 7; other .5 .6 1.5 of radius .1 .1 .9."""
    overlap = manifold_overlap(np.array([[0.0], [1], [2], [9]]), np.array([[0.5], [0.6], [1.5]]), k=1)
    assert overlap.recall.tolist() == [0, 1, 1, 0]  # 1 and 2 lie within .9 of 1.5
    assert overlap.coverage.tolist() == [1, 1, 1, 0]  # 9 reaches to 2, and nothing lies beyond
    assert overlap.precision.tolist() == [1, 1, 1]
    assert overlap.density.tolist() == [2, 2, 2]  # each in the balls of two of 0, 1, 2
    with pytest.raises(ValueError, match="nearest neighbour"):
        manifold_overlap(np.zeros((5, 2)), np.zeros((9, 2)))


def test_vendi_counts_what_differs() -> None:
    assert vendi_score(np.eye(7)) == pytest.approx(7)
    assert vendi_score(np.ones((30, 4))) == pytest.approx(1)
    assert vendi_score(np.repeat(np.eye(3), 40, axis=0)) == pytest.approx(3)
    assert vendi_score(np.array([[1.0, 0], [1, 0], [0, 1]])) == pytest.approx(
        math.exp(-(2 / 3 * math.log(2 / 3) + math.log(1 / 3) / 3))
    )
    assert math.isnan(vendi_score(np.zeros((3, 2)))) and math.isnan(vendi_score(np.zeros((0, 2))))


def test_too_few_rows_are_no_pass_and_wrong_numbers_are_an_error() -> None:
    rng = np.random.default_rng(2)
    centres = centres_of(rng)
    clouds = Clouds(cloud(rng, 500, centres)[0], cloud(rng, 99, centres)[0], cloud(rng, 500, centres)[0])
    found = estimate_coverage(clouds) + estimate_discrepancy(clouds) + estimate_vendi(clouds)
    assert {each.verdict for each in found} == {"insufficient_reference"} and len(found) == 6
    with pytest.raises(ValueError, match="not finite"):
        Clouds(np.full((3, 2), np.nan), np.zeros((3, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="shape"):
        Clouds(np.zeros((3, 2)), np.zeros((3, 2)), np.zeros((3, 3)))


def test_rows_that_are_all_the_same_have_no_figure() -> None:
    same = Clouds(*(np.tile([1.0, 0.0], (120, 1)) for _ in range(3)))
    for estimate in (*estimate_discrepancy(same), by_measure(estimate_coverage(same, num_bootstrap=10))["recall"]):
        assert hold(estimate, "fidelity_report", 0.5, "at_most", "block").verdict == "not_computable"


def rates(kind: str, num_seeds: int = 20, num: int = 250) -> dict[str, float]:
    """Share of seeds in which each gate fails at its default threshold."""
    failed: dict[str, int] = {}
    for seed in range(num_seeds):
        rng = np.random.default_rng(seed)
        centres = centres_of(rng)
        reference, _ = cloud(rng, num, centres)
        holdout, _ = cloud(rng, num, centres)
        made, _ = cloud(rng, 50 if kind == "repeated" else num, centres, 6 if kind == "topics" else NUM_TOPICS)
        clouds = Clouds(reference, holdout, np.tile(made, (10, 1)) if kind == "repeated" else made)
        found = by_measure(
            estimate_coverage(clouds, seed=seed, num_bootstrap=20) + estimate_vendi(clouds) + estimate_discrepancy(clouds)
        )
        for measure, least in {"recall": 0.8, "coverage": 0.8, "vendi_ratio": 0.85, "precision": 0.8}.items():
            is_failed = hold(found[measure], "fidelity_report", least, "at_least", "block").verdict != "passed"
            failed[measure] = failed.get(measure, 0) + is_failed
        is_failed = hold(found["mmd_excess"], "fidelity_report", 0.005, "at_most", "warn").verdict != "passed"
        failed["mmd_excess"] = failed.get("mmd_excess", 0) + is_failed
    return {measure: num / num_seeds for measure, num in failed.items()}


def test_clean_rows_pass() -> None:
    assert max(rates("clean").values()) <= 0.05


def test_half_of_the_topics_dropped_is_seen() -> None:
    found = rates("topics")
    assert min(found[name] for name in ("recall", "coverage", "vendi_ratio", "mmd_excess")) >= 0.95
    assert found["precision"] == 0


def test_fifty_texts_repeated_are_seen_but_not_by_precision() -> None:
    found = rates("repeated", num_seeds=6, num=500)
    assert min(found[name] for name in ("recall", "coverage")) >= 0.95
    assert found["precision"] == 0


def test_intervals_hold_the_value_and_the_same_seed_gives_the_same_figures() -> None:
    rng = np.random.default_rng(5)
    centres = centres_of(rng)
    reference, leaves = cloud(rng, 300, centres)
    clouds = Clouds(reference, cloud(rng, 260, centres)[0], cloud(rng, 900, centres)[0])
    found = estimate_coverage(clouds, clusters=leaves, num_bootstrap=200)
    for each in found[:2]:
        assert each.ci_low is not None and each.ci_high is not None and each.ci_low <= each.value <= each.ci_high
    assert found == estimate_coverage(clouds, clusters=leaves, num_bootstrap=200)
    assert estimate_discrepancy(clouds) == estimate_discrepancy(clouds)


TOPICS = {
    "cooking": ("Stir the {} into the {} and let it simmer.", "soup onion garlic carrot butter flour cream rice bean"),
    "travel": ("Take the train from {} to {} and change once.", "Lisbon Vienna Oslo Prague Rome Athens Dublin Madrid Bern"),
    "law": ("The {} was signed before the {} could object.", "contract lease will deed treaty statute patent bond waiver"),
    "music": ("She played the {} while he tuned the {}.", "violin cello flute piano trumpet harp drum guitar organ"),
    "weather": ("Expect {} in the morning and {} at night.", "rain snow fog hail thunder wind frost sunshine sleet"),
    "maths": ("Multiply {} by {} and write down the result.", "12 35 48 51 67 72 86 90 103"),
}


def real_texts(rng: Random, num: int, topics: list[str]) -> list[str]:
    texts = []
    for _ in range(num):
        template, words = TOPICS[rng.choice(topics)]
        texts.append(template.format(*rng.sample(words.split(), 2)))
    return texts


def test_real_texts_through_a_real_embedder() -> None:
    """Texts ten times over: recall, coverage and Vendi see it, precision does not; half of the topics dropped is seen."""
    rng, topics = Random(4), list(TOPICS)
    texts = [real_texts(rng, 100, topics) for _ in range(3)] + [real_texts(rng, 100, topics[:3])]
    vocabulary = sorted({text for part in texts for text in part})
    vectors = dict(zip(vocabulary, open_embedder().embed(vocabulary), strict=True))
    reference, holdout, clean, half = (np.array([vectors[text] for text in part], dtype=np.float64) for part in texts)

    def figures(made: Floats) -> dict[str, float]:
        clouds = Clouds(reference, holdout, made)
        found = estimate_coverage(clouds, num_bootstrap=20) + estimate_vendi(clouds) + estimate_discrepancy(clouds)
        return {each.measure: each.value for each in found}

    good, repeated, dropped = figures(clean), figures(np.tile(clean[:10], (10, 1))), figures(half)
    assert min(good["recall"], good["coverage"], good["vendi_ratio"]) > 0.9 and good["mmd_excess"] < 0.005
    assert repeated["recall"] < 0.3 and repeated["coverage"] < 0.8 and repeated["vendi_ratio"] < 0.85
    assert repeated["precision"] > 0.9
    assert max(dropped["recall"], dropped["coverage"], dropped["vendi_ratio"]) < 0.7
    assert dropped["mmd_excess"] > 0.01 and dropped["precision"] > 0.9
