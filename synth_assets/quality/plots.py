"""Pictures as PNG data URIs, for pages that need no server and no network.

Drawn by matplotlib's Agg without a display, the same bytes from the same figures. Blue is real, orange synthetic, and never
by colour alone: real lines are solid, synthetic ones dashed. What is no finite number is left out. Names come from data, so
they are cut, and cannot start a formula. Every function gives "" where there is nothing to draw.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Interval = tuple[float, float, float]  # value, low, high
BLUE, ORANGE, GREY, GREEN = "#3b6fb6", "#d9822b", "#9aa3ad", "#2a9d78"
REAL, SYNTHETIC = BLUE, ORANGE
_COLORS = (BLUE, ORANGE, GREY, GREEN)
_STYLES = ("-", "--", ":", "-.")
_MAX_NAMES = 16
_MAX_NAMED_COLUMNS = 10
_MAX_POINTS = 4000
DPI = 110
"""6.4 inches are 704 pixels."""


def draw_distributions(real: Floats, synthetic: Floats, title: str, unit: str = "") -> str:
    """Two histograms as steps over common bins, each of area 1; the outermost percent of both is put into the last bins."""
    real, synthetic = real[np.isfinite(real)], synthetic[np.isfinite(synthetic)]
    if not len(real) or not len(synthetic):
        return ""
    together = np.concatenate([real, synthetic])
    low, high = np.quantile(together, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, 41)
    if high - low < 60 and (together == np.floor(together)).all():
        edges = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5  # a bin a whole number: others would be empty

    def draw(axes: Axes) -> None:
        for values, color, style, name in ((real, REAL, "-", "real"), (synthetic, SYNTHETIC, "--", "synthetic")):
            shares, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
            shares = shares / len(values)
            label = f"{name} ({len(values):,})"
            axes.stairs(shares, edges, color=color, linestyle=style, linewidth=1.6, label=label)
            axes.stairs(shares, edges, color=color, fill=True, alpha=0.15)
        axes.set_xlabel(short_name(unit))
        axes.set_ylabel("share of rows")
        axes.legend(frameon=False)

    return draw_picture(draw, title)


def draw_shares(real: Mapping[str, int], synthetic: Mapping[str, int], title: str) -> str:
    """Two bars a category, the share among the rows of each table; of the commonest categories."""
    sizes = sum(real.values()), sum(synthetic.values())
    if not all(sizes):
        return ""
    shares = {name: (real.get(name, 0) / sizes[0], synthetic.get(name, 0) / sizes[1]) for name in {**real, **synthetic}}
    order = sorted(shares, key=lambda name: (-max(shares[name]), name))
    rows = [(short_name(name), *shares[name]) for name in order[:_MAX_NAMES]]
    unit = "share of rows"
    if rest := order[_MAX_NAMES:]:
        left = [sum(shares[name][side] for name in rest) for side in (0, 1)]
        unit += f"; {len(rest)} others hold {left[0]:.0%} of real, {left[1]:.0%} of synthetic rows"

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))
        for side, (color, name, hatch) in enumerate(((REAL, "real", ""), (SYNTHETIC, "synthetic", "///"))):
            values = [row[side + 1] for row in rows]
            label = f"{name} ({sizes[side]:,})"
            axes.barh(places + 0.38 * side, values, 0.36, color=color, hatch=hatch, edgecolor="white", label=label)
        axes.set_yticks(places + 0.19, [row[0] for row in rows])
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)

    return draw_picture(draw, title, height=1.6 + 0.3 * len(rows))


def draw_correlations(real: Floats, synthetic: Floats, names: Sequence[str], title: str) -> str:
    """Three matrices beside one another: real, synthetic, and synthetic - real. Shapes (k, k).

    Of more than ten columns each has its number across.
    """
    if not len(names):
        return ""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.6 if len(names) <= _MAX_NAMED_COLUMNS else 3.0), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    if len(names) <= _MAX_NAMED_COLUMNS:
        down = across = [short_name(name, 14) for name in names]
    else:
        across = [str(number) if number % 5 == 0 else "" for number in range(1, len(names) + 1)]
        down = [f"{short_name(name, 14)} {number}" for number, name in enumerate(names, 1)]
    size = 7 if len(names) <= 20 else 5
    panels = (("real", real), ("synthetic", synthetic), ("synthetic - real", synthetic - real))
    for place, (axis, (name, matrix)) in enumerate(zip(axes, panels, strict=True)):
        image = axis.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        axis.set_title(name, fontsize=9)
        axis.set_xticks(range(len(names)), across, rotation=90 if down is across else 0, fontsize=size)
        axis.set_yticks(range(len(names)), down if place == 0 else [""] * len(names), fontsize=size)
        axis.tick_params(length=2)
    bar = figure.colorbar(image, ax=axes, shrink=0.7, aspect=40, location="bottom")
    bar.ax.tick_params(labelsize=7)
    figure.suptitle(_plain(title), fontsize=10)
    return _to_uri(figure)


def draw_embeddings(real: Floats, synthetic: Floats, title: str) -> str:
    """Both clouds on the first two principal components of the real rows, real ones beneath. Shapes (n, d).

    Of more than 4,000 rows every second, third, ... is drawn.
    """
    real, synthetic = (rows[np.isfinite(rows).all(axis=1)] for rows in (real, synthetic))
    if len(real) < 3 or not len(synthetic):
        return ""
    middle = real.mean(axis=0)
    _, spread, directions = np.linalg.svd(real - middle, full_matrices=False)
    directions = directions[:2] * np.sign(directions[:2][np.arange(2), np.abs(directions[:2]).argmax(axis=1)])[:, None]
    explained = spread[:2] ** 2 / max(float((spread**2).sum()), 1e-300)

    def draw(axes: Axes) -> None:
        for rows, color, marker, name in ((real, REAL, "o", "real"), (synthetic, SYNTHETIC, "x", "synthetic")):
            at = (rows - middle) @ directions.T
            at = at[:: math.ceil(len(at) / _MAX_POINTS)]
            size, alpha = (14, 0.35) if marker == "o" else (12, 0.6)
            label = f"{name} ({len(rows):,})"
            axes.scatter(at[:, 0], at[:, 1], s=size, c=color, marker=marker, alpha=alpha, linewidths=0.8, label=label)
        axes.set_xlabel(f"1st component of the real rows ({explained[0]:.0%} of their variance)")
        axes.set_ylabel(f"2nd component ({explained[1]:.0%})")
        axes.legend(frameon=False)

    return draw_picture(draw, title, height=4.6)


def draw_curves(
    lines: Mapping[str, Sequence[tuple[float, ...]]], title: str, x_unit: str, y_unit: str, *, dpi: int = DPI
) -> str:
    """One line an entry, of (x, y) or of (x, y, low, high) with the interval as a band; entries without points left out."""
    if not any(lines.values()):
        return ""

    def draw(axes: Axes) -> None:
        places = set()
        for number, (name, points) in enumerate(lines.items()):
            if not points:
                continue
            color, style = _COLORS[number % len(_COLORS)], _STYLES[number % len(_STYLES)]
            x, y = [point[0] for point in points], [point[1] for point in points]
            marker = "o" if len(points) < 20 else ""
            axes.plot(x, y, marker=marker, markersize=3, color=color, linestyle=style, label=_plain(name))
            if len(points[0]) == 4:
                axes.fill_between(x, [point[2] for point in points], [point[3] for point in points], color=color, alpha=0.18)
            places.update(x)
        if len(places) < 12 and all(float(place).is_integer() for place in places):
            axes.set_xticks(sorted(places))
        axes.set_xlabel(x_unit)
        axes.set_ylabel(y_unit)
        axes.legend(frameon=False)

    return draw_picture(draw, title, dpi=dpi)


def draw_interval_bars(
    groups: Sequence[str],
    arms: Mapping[str, Sequence[Interval]],
    title: str,
    unit: str,
    *,
    band: tuple[float, float] | None = None,
    dpi: int = DPI,
) -> str:
    """For each group one bar an arm, with its interval; `band`: where values should lie, shaded."""
    if not groups:
        return ""

    def draw(axes: Axes) -> None:
        height = 0.8 / max(1, len(arms))
        if band:
            axes.axvspan(*band, color=GREEN, alpha=0.15, linewidth=0, label=f"target {band[0]:g} to {band[1]:g}")
        for offset, ((name, values), color) in enumerate(zip(arms.items(), (GREY, BLUE, ORANGE), strict=False)):
            shade = BLUE if len(arms) == 1 else color
            positions = [index + offset * height for index in range(len(groups))]
            errors = [
                [max(0.0, value - low) for value, low, _ in values],
                [max(0.0, high - value) for value, _, high in values],
            ]
            middles = [value for value, _, _ in values]
            axes.barh(positions, middles, height, xerr=errors, color=shade, label=_plain(name), ecolor="black", capsize=2)
        axes.set_yticks([index + 0.4 - height / 2 for index in range(len(groups))], [short_name(group) for group in groups])
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8)

    return draw_picture(draw, title, height=1.5 + 0.45 * len(groups), dpi=dpi)


def short_name(name: str, max_letters: int = 28) -> str:
    """A name that fits beside an axis: the last part of a leaf path."""
    part = name.rsplit("/", 1)[-1]
    return _plain(part if len(part) <= max_letters else part[: max_letters - 1] + "…")


def _plain(text: str) -> str:
    """`$` would start a formula, and what cannot be printed has no picture."""
    return "".join(letter for letter in text if letter.isprintable()).replace("$", r"\$")


def draw_picture(draw: Callable[[Axes], None], title: str, *, height: float = 3.0, dpi: int = DPI) -> str:
    """One pair of axes, 6.4 inches wide, as a PNG data URI."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, min(height, 12.0)), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes)
    axes.set_title(_plain(title), fontsize=10)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return _to_uri(figure)


def _to_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
