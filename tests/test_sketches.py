"""What the index proposes: next to all true pairs, the same in every process, and only what is there."""

import os
import subprocess
import sys
from random import Random

import pytest

from synth_assets.sketches import SketchIndex, sketch_of


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_pairs_clearly_above_the_threshold_are_proposed(threshold: float) -> None:
    rng, index, num_proposed = Random(1), SketchIndex(threshold), 0
    size = 200
    num_shared = round(size * 2 * (threshold + 0.2) / (1 + threshold + 0.2))  # of two sets of 200, for that similarity
    for number in range(300):
        items = [f"{number}:{rng.random()}" for _ in range(2 * size)]
        index.insert(str(number), sketch_of(set(items[:size])))
        num_proposed += index.propose(sketch_of(set(items[size - num_shared : 2 * size - num_shared]))) == [str(number)]
    assert num_proposed >= 0.99 * 300


def test_names_come_and_go() -> None:
    index = SketchIndex(0.5)
    one, other = sketch_of({"a", "b", "c"}), sketch_of({"x", "y"})
    index.insert("two", one)
    index.insert("one", one)
    assert index.propose(one) == ["one", "two"] and index.propose(other) == []
    with pytest.raises(ValueError, match="'one'"):
        index.insert("one", other)
    index.remove("one")
    assert index.propose(one) == ["two"] and "one" not in index and "two" in index
    index.insert("one", other)
    assert index.propose(other) == ["one"]
    with pytest.raises(KeyError):
        index.remove("three")


def test_a_sketch_is_the_same_in_every_process() -> None:
    code = "from synth_assets.sketches import sketch_of; print(sketch_of({'a', 'b', 'é', 'x\\ud800'}).digest())"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
