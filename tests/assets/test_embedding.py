"""Embeddings are made once for the same texts, by whoever asks, and the store of them does not grow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from made_pipeline import made_recipe
from numpy.typing import NDArray

from synth_assets.assets.embedding import KIND, NUM_KEPT, embed_once
from synth_assets.assets.resources import Engines
from synth_assets.storage import Warehouse


class CountingEmbedder:
    """A text becomes its length; counts what it is asked and how often it is opened."""

    fingerprint = "counting"

    def __init__(self) -> None:
        self.num_opened = 0
        self.asked: list[list[str]] = []

    def open(self, folder: Path | None) -> "CountingEmbedder":
        self.num_opened += 1
        return self

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        return np.array([[len(text), 1] for text in texts], dtype=np.float32)


def test_two_reports_embed_the_same_rows_once(tmp_path: Path) -> None:
    counting, warehouse, recipe = CountingEmbedder(), Warehouse(tmp_path / "warehouse"), made_recipe(tmp_path)
    first, second = (embed_once(Engines(open_embedder=counting.open), warehouse, recipe) for _ in range(2))
    made = first(["a", "bb"])
    assert np.array_equal(made, second(["a", "bb"])) and made.dtype == np.float32
    assert counting.asked == [["a", "bb"]] and counting.num_opened == 1
    second(["bb", "a"])
    assert counting.asked == [["a", "bb"], ["bb", "a"]] and counting.num_opened == 2
    assert second([]).shape == (0, 1)


def test_another_embedder_is_another_set(tmp_path: Path, tiny_teacher: Path) -> None:
    counting, warehouse, recipe = CountingEmbedder(), Warehouse(tmp_path / "warehouse"), made_recipe(tmp_path)
    engines = Engines(open_embedder=counting.open)
    other = recipe.model_copy(update={"trust": recipe.trust.model_copy(update={"embedder": str(tiny_teacher)})})
    embed_once(engines, warehouse, recipe)(["a"])
    embed_once(engines, warehouse, other)(["a"])
    assert counting.asked == [["a"], ["a"]]


def test_what_was_not_asked_for_longest_is_forgotten(tmp_path: Path) -> None:
    counting, warehouse = CountingEmbedder(), Warehouse(tmp_path / "warehouse")
    embed = embed_once(Engines(open_embedder=counting.open), warehouse, made_recipe(tmp_path))
    embed(["first"])
    for number in range(NUM_KEPT + 3):
        embed([f"text {number}"])
        embed(["first"])
    folders = [each for each in (tmp_path / "warehouse/artefacts" / KIND).iterdir() if each.is_dir()]
    assert len(folders) == NUM_KEPT and counting.asked.count(["first"]) == 1
    embed(["text 0"])
    assert counting.asked.count(["text 0"]) == 2
