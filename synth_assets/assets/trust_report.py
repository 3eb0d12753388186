"""The report on trust: one page for people who answer for data, and do not read tables of measures.

It is made from the table `measures` and the pictures that the reports have left, so that it can be written at any time: at
the end of a run, and of one that a gate has stopped. A report of other data than is there now is shown as such and counts
neither as passed nor as failed; bounds are those that the figures were held against. How often each check misses a defect or
cries wolf comes from the study of the gates, where the project holds its result.
"""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from synth_assets.assets.both_methods import read_both
from synth_assets.frames import schema_of
from synth_assets.quality import gates_of
from synth_assets.recipe import GATES, Gate, Recipe, TrustSection, resolve_path
from synth_assets.records import TRUST_REPORTS, Measurement
from synth_assets.storage import Warehouse
from synth_assets.storage.atomic import write_beside

PICTURES = "trust"
SECTIONS = {
    "fidelity_report": (
        "Is it like the real data?",
        "Kept rows are compared with real ones; a real holdout, made into nothing, says how far two real samples differ.",
    ),
    "privacy_report": (
        "Does it give anybody away?",
        "Rows are searched for personal data, keys, and for what stands in the sources word for word.",
    ),
    "diversity_report": (
        "Is it diverse, and fair to those it speaks of?",
        "Rows are compared among themselves and with the real ones; groups are those that the recipe declares.",
    ),
    "collapse_report": (
        "Does it feed on itself?",
        "Every row knows how many models it is away from a person; a generation is compared with the one before.",
    ),
    "student_report": (
        "What has become of the student?",
        "The tuned student is asked for real texts that it has never seen, and attacked for those that it has.",
    ),
}
VERDICTS = {
    "passed": ("passed", "passed"),
    "insufficient_reference": ("too few rows", "open"),
    "not_assessed": ("not assessed", "open"),
    "not_computable": ("no figure, failed", "failed"),
}
_WORST_FIRST = ("not_computable", "failed", "passed", "insufficient_reference", "not_assessed")
LIMITS = (
    "Names, postal addresses and other personal data that no pattern can tell.",
    "Whether what a row says is true: that is what judges, reward model and benchmark are for.",
    "Groups that the recipe does not declare.",
)


def write_trust_report(recipe: Recipe, warehouse: Warehouse, file: Path, current: Collection[str]) -> Path:
    """Render the page and put it at `file`."""
    os.replace(write_beside(file, render_trust_report(recipe, warehouse, current).encode()), file)
    return file


def keep_pictures(warehouse: Warehouse, report: str, pictures: Mapping[str, str]) -> None:
    """Title -> data URI, for the page."""
    folder = warehouse.artefact_dir(PICTURES, report)
    file = folder / "pictures.json"
    os.replace(write_beside(file, json.dumps(dict(pictures)).encode()), file)


def render_trust_report(recipe: Recipe, warehouse: Warehouse, current: Collection[str]) -> str:
    """The whole page, whatever has been measured so far; `current`: the reports that were made of what is there now."""
    has_table = warehouse.has_table("measures")
    rows = warehouse.read_table("measures") if has_table else pl.DataFrame(schema=schema_of(Measurement))
    rates = _error_rates()
    sections = [_section(report, rows, rates, recipe, warehouse, report in current) for report in TRUST_REPORTS]
    of_the_present = [row for section in sections if section["is_current"] for row in section["rows"]]
    judged = [row for row in of_the_present if row["colour"] != "open"]
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("trust_report.html.j2").render(
        recipe=recipe.label,
        at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        what=_what(recipe, warehouse),
        sections=sections,
        stopping=[row for row in judged if row["is_stopping"]],
        num_judged=len(judged),
        num_open=len(of_the_present) - len(judged),
        earlier=[section["title"] for section in sections if section["rows"] and not section["is_current"]],
        has_rates=bool(rates),
        confidence=recipe.trust.confidence,
        not_checked=_not_checked(rows.filter(pl.col("report").is_in(list(current)))),
    )


def _what(recipe: Recipe, warehouse: Warehouse) -> str:
    def count(name: str) -> int:
        return warehouse.read_table(name).height if warehouse.has_table(name) else 0

    by_prompts = read_both(("prompted_samples",), recipe, warehouse).height
    further = f", and {by_prompts:,} from topics that it named or was given" if by_prompts else ""
    compared = "real rows were given to compare with" if recipe.trust.real else "the seed examples are all the real data"
    return (
        f"A teacher model wrote {count('synthetic_samples'):,} instructions with answers from {count('seed_examples'):,} "
        f"human examples of {count('taxonomy'):,} tasks{further}; {count('reward_filtered_set'):,} of them were kept; "
        f"{compared}."
    )


def _section(
    report: str, rows: pl.DataFrame, rates: Mapping[str, str], recipe: Recipe, warehouse: Warehouse, is_current: bool
) -> dict[str, Any]:  # fmt: skip
    own = rows.filter(pl.col("report") == report)
    title, words = SECTIONS[report]
    file = warehouse.artefact_dir(PICTURES, report) / "pictures.json"
    pictures = json.loads(file.read_text()) if own.height and file.is_file() else {}
    gated = [measure for measure in gates_of(report) if measure in set(own["measure"])]  # type: ignore[arg-type]
    return {
        "title": title,
        "words": words,
        "is_current": is_current,
        "rows": [_judged(measure, own.filter(pl.col("measure") == measure), rates, recipe) for measure in gated],
        "figures": [_shown(row) for row in own.iter_rows(named=True)],
        "pictures": list(pictures.items()),
    }


def _judged(measure: str, rows: pl.DataFrame, rates: Mapping[str, str], recipe: Recipe) -> dict[str, Any]:
    """A measure's worst subject stands for it; a pass says of how many others nothing could be told."""
    declared, gate = GATES[measure], recipe.trust.gate(measure)
    sign = 1 if rows["direction"][0] == "at_most" else -1
    order = pl.col("verdict").replace_strict({name: number for number, name in enumerate(_WORST_FIRST)})
    worst = rows.sort(order, -sign * pl.col("bound"), -sign * pl.col("value"), maintain_order=True, nulls_last=True).row(
        0, named=True
    )
    failed = ("failed, stops the run" if worst["severity"] == "block" else "failed, shown", "failed")
    verdict, colour = VERDICTS.get(worst["verdict"], failed)
    num_open = rows.filter(pl.col("verdict") == "insufficient_reference").height
    if colour == "passed" and num_open:
        verdict = f"passed; of {num_open} of {rows.height} too few rows"
    size = abs(worst["value"]) if sign == 1 and worst["value"] is not None else worst["value"]
    is_beyond = size is not None and sign * size > sign * gate.value
    return {
        "measure": measure,
        "asks": declared.asks,
        "worst": worst["subject"] if worst["subject"] != "all" else "",
        "num_subjects": rows.height,
        "verdict": verdict,
        "colour": colour,
        "is_stopping": colour == "failed" and worst["severity"] == "block",
        "figure": _figure(worst),
        "bound": _bound(worst) if colour != "open" else "",
        "sizes": _sizes(worst),
        "detail": worst["detail"] if colour != "passed" or is_beyond else "",
        "reason": gate.reason if worst["threshold"] in (None, gate.value) else "",
        "rates": rates.get(measure, "") if _is_as_studied(worst, declared.gate, recipe) else "",
    }


def _is_as_studied(row: Mapping[str, Any], gate: Gate, recipe: Recipe) -> bool:
    """Rates are of the default threshold, and of the default confidence: of others nobody has measured any."""
    is_default = (
        recipe.trust.confidence == TrustSection().confidence and recipe.trust.gate(row["measure"]).value == gate.value
    )
    return is_default and row["threshold"] in (None, gate.value)


def _bound(row: Mapping[str, Any]) -> str:
    """What the figure was held against, with the number that was held, where that is not the figure itself."""
    if row["threshold"] is None:
        return ""
    held, limit = row["bound"], f"{row['direction'].replace('_', ' ')} {row['threshold']:.3g}"
    return limit if held is None or held == row["value"] else f"{held:.3g}, {limit}"


def _sizes(row: Mapping[str, Any]) -> str:
    sizes = (row["num_reference"], row["num_synthetic"])
    return " / ".join(f"{size:,}" if size else "-" for size in sizes) if any(sizes) else ""


def _figure(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return ""
    interval = f" ({row['ci_low']:.3g} to {row['ci_high']:.3g})" if row["ci_low"] is not None else ""
    return f"{row['value']:.3g}{interval}"


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: f"{value:.4g}" if isinstance(value, float) else str(value or "") for key, value in row.items()}


def _not_checked(rows: pl.DataFrame) -> Sequence[str]:
    """What the measures say of themselves, by reason, and what is never looked at."""
    open_rows = rows.filter(
        pl.col("verdict").is_in(["not_assessed", "insufficient_reference"])
        & ~pl.col("measure").str.ends_with("_before_filter")
    )
    by_reason = open_rows.group_by("detail", maintain_order=True).agg(pl.col("measure").unique(maintain_order=True))
    return [*(f"{', '.join(measures)}: {detail}" for detail, measures in by_reason.iter_rows()), *LIMITS]


def _error_rates() -> dict[str, str]:
    """Measure -> "caught / false alarms" from the committed study of the gates; nothing where there is none."""
    file = resolve_path("data/studies/gates.json")
    if not file.is_file():
        return {}
    rates: dict[str, dict[str, float]] = {}
    for row in json.loads(file.read_text(encoding="utf-8"))["rows"]:
        rates.setdefault(row["subject"], {})[row["metric"]] = row["value"]
    both = ("detection_rate", "false_alarm_rate")
    return {
        measure: " / ".join(f"{found[name]:.0%}" for name in both)
        for measure, found in rates.items()
        if all(name in found for name in both)
    }
