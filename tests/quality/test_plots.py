"""Pictures: PNGs of the size that pages need, the same bytes from the same figures, and nothing from nothing."""

import base64
import math
import struct

import numpy as np
import pytest

from synth_assets.quality import plots

RNG = np.random.default_rng(1)
REAL, MADE = RNG.normal(size=(300, 6)), RNG.normal(size=(200, 6)) + 0.5


def draw_all() -> dict[str, str]:
    return {
        "distributions": plots.draw_distributions(REAL[:, 0], np.append(MADE[:, 0], [math.nan, math.inf]), "a $x$", "m"),
        "constant": plots.draw_distributions(np.ones(5), np.ones(3), "constant"),
        "shares": plots.draw_shares({"a": 3, "b": 1}, {"a": 1, "c": 1}, "c"),
        "many shares": plots.draw_shares({f"n{number}": 1 for number in range(50)}, {"n1": 4}, "c"),
        "correlations": plots.draw_correlations(np.corrcoef(REAL.T), np.corrcoef(MADE.T), list("abcdef"), "t"),
        "many correlations": plots.draw_correlations(
            np.eye(30), np.full((30, 30), np.nan), [f"c{n}" for n in range(30)], "t"
        ),
        "embeddings": plots.draw_embeddings(REAL, MADE, "t"),
        "curves": plots.draw_curves({"x": [(0, 1, 0.9, 1.1), (1, 2, 1.8, 2.2)], "none": []}, "t", "generation", "ratio"),
        "bars": plots.draw_interval_bars(
            ["a", "b/c"], {"share": [(1, 0.9, 1.1), (0.5, 0.4, 0.7)]}, "t", "x", band=(0.8, 1.25)
        ),
    }


def test_every_picture_is_a_png_of_704_pixels_and_the_same_again() -> None:
    pictures = draw_all()
    for name, uri in pictures.items():
        head, _, content = uri.partition(",")
        content_bytes = base64.b64decode(content)
        assert head == "data:image/png;base64" and content_bytes.startswith(b"\x89PNG"), name
        width, height = struct.unpack(">II", content_bytes[16:24])
        assert width == 704 and 250 <= height <= 1320 and len(content_bytes) < 150_000, name
    assert draw_all() == pictures and len(set(pictures.values())) == len(pictures)


def test_principal_components_are_those_of_the_real_rows() -> None:
    moved = plots.draw_embeddings(REAL, MADE + 3, "t")
    assert moved != plots.draw_embeddings(REAL, MADE, "t") != plots.draw_embeddings(MADE, REAL, "t")


@pytest.mark.parametrize("nothing", [
    lambda: plots.draw_distributions(np.array([math.nan]), REAL[:, 0], "t"),
    lambda: plots.draw_shares({}, {"a": 1}, "t"),
    lambda: plots.draw_correlations(np.empty((0, 0)), np.empty((0, 0)), [], "t"),
    lambda: plots.draw_embeddings(REAL[:2], MADE, "t"),
    lambda: plots.draw_curves({"x": []}, "t", "x", "y"),
    lambda: plots.draw_interval_bars([], {}, "t", "x"),
])  # fmt: skip
def test_nothing_to_draw_gives_no_picture(nothing: object) -> None:
    assert nothing() == ""  # type: ignore[operator]


def test_names_from_data_are_cut_and_start_no_formula() -> None:
    assert plots.short_name("branch/leaf") == "leaf" and len(plots.short_name("x" * 90)) == 28
    assert plots.short_name("a$b\nc") == r"a\$bc"
