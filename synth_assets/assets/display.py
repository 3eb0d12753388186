"""Tables and pictures for the pages of the Dagster UI.

Text from a taxonomy or a model is data: it is escaped for Markdown and HTML, and cut, before it comes near a page.
Pictures are small PNGs inside the Markdown, so that they are shown without any server beside Dagster's.
"""

import base64
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CELL = 240
_IMAGE = re.compile(r"\((data:image/png;base64,[^)]*)\)")
_SPECIAL = re.compile(r"""[\\`*_{}\[\]()#+\-.!|~:@/$^=&<>"']""")
_WHITE = re.compile(r"\s+")
BLUE, ORANGE, GREY = "#3b6fb6", "#d9822b", "#9aa3ad"


def escape(value: object, max_letters: int = MAX_CELL) -> str:
    """One line of text that Markdown and HTML show as it is, whatever it holds, cut to this length."""
    if value is None:
        return ""
    if isinstance(value, float):
        value = f"{value:.4g}"
    text = _WHITE.sub(" ", str(value)).strip()
    text = "".join(letter for letter in text if letter.isprintable())
    if len(text) > max_letters:
        text = text[: max_letters - 1] + "…"
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", text)


def table(frame: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The whole frame as a Markdown table; give it few rows."""
    lines = ["| " + " | ".join(escape(name) for name in frame.columns) + " |", "|---" * frame.width + "|"]
    lines += ["| " + " | ".join(escape(value) for value in row) + " |" for row in frame.iter_rows()]
    return dg.MetadataValue.md("\n".join(lines) if frame.height else "no rows")


def sample_rows(frame: pl.DataFrame, columns: Sequence[str], num_rows: int = 8) -> dg.MarkdownMetadataValue:
    """Some rows, spread evenly over the frame, so that every run shows the same ones."""
    step = max(1, math.ceil(frame.height / num_rows))
    return table(frame.select(columns).gather_every(step))


def bars(counts: Mapping[str, float], title: str, unit: str) -> dg.MarkdownMetadataValue:
    """One horizontal bar an entry, in the order given."""

    def draw(axes: "Axes") -> None:
        names = [_short(name) for name in counts]
        drawn = axes.barh(range(len(names)), list(counts.values()), color=BLUE)
        axes.set_yticks(range(len(names)), names)
        axes.bar_label(drawn, fmt="%g", padding=2, fontsize=8)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set_xlabel(unit)

    return _picture(draw, title, height=0.9 + 0.28 * len(counts)) if counts else dg.MetadataValue.md("no rows")


def histogram(
    values: Mapping[str, Sequence[float]], title: str, unit: str, cut: float | None = None
) -> dg.MarkdownMetadataValue:
    """One distribution an entry over common bins; `cut` draws a line, what is no finite number is left out."""
    finite = {name: [value for value in entry if math.isfinite(value)] for name, entry in values.items()}

    def draw(axes: "Axes") -> None:
        colors = [BLUE, ORANGE, GREY][: len(finite)]
        axes.hist(list(finite.values()), bins=30, label=list(finite), color=colors, stacked=True)
        if cut is not None:
            axes.axvline(cut, color="black", linewidth=1)
        axes.set_xlabel(unit)
        axes.set_ylabel("samples")
        axes.legend()

    return _picture(draw, title) if any(finite.values()) else dg.MetadataValue.md("no rows")


def curves(
    lines: Mapping[str, Sequence[tuple[float, float]]], title: str, x_unit: str, y_unit: str
) -> dg.MarkdownMetadataValue:
    """One line of (x, y) an entry; entries without points are left out."""

    def draw(axes: "Axes") -> None:
        for (name, points), color in zip(lines.items(), (BLUE, ORANGE, GREY), strict=False):
            if points:
                marker = "o" if len(points) < 20 else ""
                axes.plot(*zip(*points, strict=True), marker=marker, markersize=3, color=color, label=name)
        axes.set_xlabel(x_unit)
        axes.set_ylabel(y_unit)
        axes.legend()

    return _picture(draw, title) if any(lines.values()) else dg.MetadataValue.md("no points")


Interval = tuple[float, float, float]  # value, low, high


def interval_bars(
    leaves: Sequence[str], arms: Mapping[str, Sequence[Interval]], title: str, unit: str
) -> dg.MarkdownMetadataValue:
    """Groups of bars with intervals: for each leaf one bar an arm."""

    def draw(axes: "Axes") -> None:
        height = 0.8 / max(1, len(arms))
        for offset, ((name, values), color) in enumerate(zip(arms.items(), (GREY, BLUE, ORANGE), strict=False)):
            positions = [index + offset * height for index in range(len(leaves))]
            errors = [
                [max(0.0, value - low) for value, low, _ in values],
                [max(0.0, high - value) for value, _, high in values],
            ]
            middles = [value for value, _, _ in values]
            axes.barh(positions, middles, height, xerr=errors, color=color, label=name, ecolor="black")
        axes.set_yticks([index + 0.4 - height / 2 for index in range(len(leaves))], map(_short, leaves))
        axes.invert_yaxis()
        axes.set_xlabel(unit)
        axes.legend()

    if not leaves:
        return dg.MetadataValue.md("no questions")
    return _picture(draw, title, height=1.2 + 0.45 * len(leaves))


def image_uris(value: dg.MarkdownMetadataValue) -> list[str]:
    """The pictures in what a function of this module gave, for a page of our own."""
    return _IMAGE.findall(value.value)


def _short(name: str) -> str:
    """A name that fits beside an axis: the last part of a leaf path. `$` would start a formula."""
    return name.rsplit("/", 1)[-1][:28].replace("$", r"\$")


def _picture(draw: Any, title: str, height: float = 3.0) -> dg.MarkdownMetadataValue:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, min(height, 12.0)), dpi=72, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    draw(axes)
    axes.set_title(title, fontsize=10)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{content})")
