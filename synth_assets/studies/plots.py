"""Study results -> plots beside them, drawn by the command that renders the documents: data/studies/collapse.png."""

import json
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
COLORS = {"replace": "#d1495b", "accumulate": "#edae49", "half_real": "#66a182", "guarded": "#2e4057"}
PANELS = {
    "holdout_perplexity": "perplexity on real rows",
    "rare_token_perplexity": "perplexity on their rarest tokens",
    "distinct_3": "share of distinct trigrams written",
}


class Curve(NamedTuple):
    """Over the generations: the figure and the ends of its interval."""

    generations: list[int]
    values: list[float]
    lows: list[float]
    highs: list[float]


def draw_plots(studies: Path) -> list[Path]:
    """Write a plot for each study that has one and has been run; returns the files."""
    source = studies / "collapse.json"
    return [_draw_collapse(json.loads(source.read_text())["rows"], studies / "collapse.png")] if source.is_file() else []


def curve_of(rows: list[Row], metric: str, arm: str) -> Curve:
    """Without an interval (a single seed) its ends are the figure itself."""
    chosen = [row for row in rows if (row["metric"], row["arm"]) == (metric, arm)]
    chosen.sort(key=lambda row: _generation(row["subject"]))
    ends = [[row["value"] if row[end] is None else row[end] for row in chosen] for end in ("ci_low", "ci_high")]
    return Curve([_generation(row["subject"]) for row in chosen], [row["value"] for row in chosen], *ends)


def _generation(subject: str) -> int:
    return int(subject.removeprefix("generation "))


def _draw_collapse(rows: list[Row], target: Path) -> Path:
    """A panel a metric: a line an arm, its interval as a band, on a logarithmic axis where it is a perplexity."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(11, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (metric, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        for arm, color in COLORS.items():
            curve = curve_of(rows, metric, arm)
            axes.plot(curve.generations, curve.values, marker="o", markersize=4, color=color, label=arm)
            axes.fill_between(curve.generations, curve.lows, curve.highs, color=color, alpha=0.18, linewidth=0)
        if metric.endswith("perplexity"):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(ScalarFormatter())
            axes.yaxis.set_minor_formatter(NullFormatter())
            low, high = axes.get_ylim()
            axes.set_yticks(
                [tick for tick in (1, 2, 3, 5, 10, 20, 30, 50, 100, 300, 1_000, 3_000, 10_000) if low <= tick <= high]
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("generation")
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False, fontsize=9)
    figure.savefig(target, metadata={"Software": None})
    return target
