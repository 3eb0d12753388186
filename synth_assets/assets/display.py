"""Tables and pictures for the pages of the Dagster UI.

Text from a taxonomy or a model is data: it is escaped for Markdown and HTML, and cut, before it comes near a page.
Pictures are small PNGs inside the Markdown, so that they are shown without any server beside Dagster's.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from synth_assets.quality.plots import (
    BLUE,
    GREY,
    ORANGE,
    Interval,
    draw_curves,
    draw_interval_bars,
    draw_picture,
    short_name,
)
from synth_assets.quality.privacy import redact_rows
from synth_assets.recipe import PrivacySection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_CELL = 240
_IMAGE = re.compile(r"\((data:image/png;base64,[^)]*)\)")
_SPECIAL = re.compile(r"""[\\`*_{}\[\]()#+\-.!|~:@/$^=&<>"']""")
_WHITE = re.compile(r"\s+")
DPI = 72
"""Pictures of metadata are kept in Dagster's own tables, so they are small."""


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


def sample_rows(
    frame: pl.DataFrame, columns: Sequence[str], num_rows: int = 8, hide: PrivacySection | None = None
) -> dg.MarkdownMetadataValue:  # fmt: skip
    """Some rows, spread evenly over the frame, so that every run shows the same ones.

    `hide`: rows are shown without the personal data and keys that this section of the recipe wants hidden. Left out for
    seeds and documents, which are the reader's own, and for rows that are redacted already.
    """
    step = max(1, math.ceil(frame.height / num_rows))
    rows = frame.select(columns).gather_every(step)
    return table(rows if hide is None else _without_personal_data(rows, hide))


def _without_personal_data(rows: pl.DataFrame, privacy: PrivacySection) -> pl.DataFrame:
    texts = rows.select(pl.col(pl.String))
    clean = redact_rows(list(texts.iter_rows()), privacy)
    return rows.with_columns(pl.DataFrame(clean, schema=texts.schema, orient="row"))


def bars(counts: Mapping[str, float], title: str, unit: str) -> dg.MarkdownMetadataValue:
    """One horizontal bar an entry, in the order given."""

    def draw(axes: "Axes") -> None:
        names = [short_name(name) for name in counts]
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
    picture = draw_curves(lines, title, x_unit, y_unit, dpi=DPI)
    return _show(picture, title) if picture else dg.MetadataValue.md("no points")


def interval_bars(
    leaves: Sequence[str], arms: Mapping[str, Sequence[Interval]], title: str, unit: str
) -> dg.MarkdownMetadataValue:
    """Groups of bars with intervals: for each leaf one bar an arm."""
    picture = draw_interval_bars(leaves, arms, title, unit, dpi=DPI)
    return _show(picture, title) if picture else dg.MetadataValue.md("no questions")


def gallery(pictures: Mapping[str, str]) -> dict[str, dg.MarkdownMetadataValue]:
    """Pictures that are drawn already (title -> data URI), each as an entry of metadata."""
    return {
        re.sub(r"\W+", "_", title).strip("_").lower(): dg.MetadataValue.md(f"![{escape(title)}]({uri})")
        for title, uri in pictures.items()
    }


def image_uris(value: dg.MarkdownMetadataValue) -> list[str]:
    """The pictures in what a function of this module gave, for a page of our own."""
    return _IMAGE.findall(value.value)


def _show(picture: str, title: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![{title}]({picture})")


def _picture(draw: "Callable[[Axes], None]", title: str, height: float = 3.0) -> dg.MarkdownMetadataValue:
    return _show(draw_picture(draw, title, height=height, dpi=DPI), title)
