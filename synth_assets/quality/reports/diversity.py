"""Is the kept set diverse, and fair to the groups that the recipe declares?

Texts of groups are looked for in what the teacher wrote, instruction and response. Acceptance is by verdicts, those of the
judges in generation and of the reward's cut: what is turned away for its form or as a duplicate says nothing of a group.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from synth_assets.frames import schema_of
from synth_assets.quality.diversity import (
    estimate_leaf_coverage,
    estimate_leaf_entropy,
    estimate_novelty,
    estimate_self_bleu,
)
from synth_assets.quality.embeddings import Clouds, estimate_vendi
from synth_assets.quality.estimates import Estimate, not_assessed
from synth_assets.quality.fairness import (
    estimate_acceptance,
    estimate_representation,
    estimate_swaps,
    group_of,
    swap_words,
)
from synth_assets.quality.features import text_of_rows
from synth_assets.quality.plots import draw_interval_bars
from synth_assets.quality.privacy.names import NAME_KINDS
from synth_assets.quality.reports.findings import Findings
from synth_assets.quality.reports.rows import MAX_EMBEDDED, Embed, drawn, halves
from synth_assets.recipe import GroupAttribute, TrustSection
from synth_assets.records import RejectedSample

MAX_SWAPPED = 400
_HIDDEN_NAME = re.compile("|".join(f"<{kind}>" for kind in sorted(NAME_KINDS)))


@dataclass(frozen=True)
class Made:
    """Tables by their names. `low_rewards`: ids of the samples that the reward's cut turned away; `refused`: rows of
    rejected_samples that a judge turned away before there was a reward."""

    leaf_paths: Sequence[str]
    seeds: pl.DataFrame
    scored: pl.DataFrame
    samples: pl.DataFrame
    kept: pl.DataFrame
    low_rewards: Sequence[str]
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=schema_of(RejectedSample)))
    counted_as: Mapping[str, str] = field(default_factory=dict)
    """Leaf paths whose rows count for another one when it is asked which leaves are there."""


def measure_diversity(
    made: Made,
    real: tuple[pl.DataFrame, pl.DataFrame | None],
    swapped: Mapping[str, pl.DataFrame],
    embed: Embed,
    trust: TrustSection,
    seed: int,
) -> Findings:
    """`real`: reference and holdout as `reports.rows` gives them; `swapped`: what `swapped_rows` gives, with rewards."""
    kept_texts = text_of_rows(made.kept)
    groups = dict(trust.groups)
    ids = made.kept["synthetic_sample_id"].to_list()
    kept_paths = [made.counted_as.get(path, path) for path in made.kept["leaf_path"]]
    estimates = [
        *estimate_leaf_coverage(kept_paths, made.leaf_paths, 1),
        *estimate_leaf_entropy(kept_paths, made.leaf_paths),
        *estimate_novelty(made.samples, made.seeds),
        *estimate_self_bleu(kept_texts, text_of_rows(real[0]), least=trust.min_reference_rows, seed=seed),
        *_vendi(made.kept, real, embed, trust, seed),
        *estimate_representation(
            groups,
            kept_texts,
            ids,
            confidence=trust.confidence,
            least=trust.min_reference_rows,
            tolerance=trust.gate("representation_log_ratio").value,
        ),
        *_acceptance(made, trust),
        *estimate_swaps(
            groups, dict(swapped), least=trust.min_reference_rows, num_bootstrap=trust.bootstrap_draws, seed=seed
        ),
    ]
    return Findings(estimates, _pictures(estimates))


def _acceptance(made: Made, trust: TrustSection) -> list[Estimate]:
    """Not assessed where names are hidden in rows that judges turned away: whom such a row spoke of cannot be told any more,
    and without it the judges' refusals of a group would drop out of the figure, while the rows with a reward stay in."""
    groups = dict(trust.groups)
    num_hidden = sum(bool(_HIDDEN_NAME.search(text)) for text in text_of_rows(made.refused))
    if groups and num_hidden:
        words = (
            f"names are hidden in {num_hidden} of {made.refused.height} rows that judges turned away: their group is unknown"
        )
        return [not_assessed("acceptance_ratio", name, words) for name in groups]
    return estimate_acceptance(
        groups, _judged(made), least=trust.min_reference_rows, confidence=trust.confidence,
        tolerance=trust.gate("acceptance_ratio").value,
    )  # fmt: skip


def _judged(made: Made) -> pl.DataFrame:
    """Every row that got a verdict, as `estimate_acceptance` wants them."""
    columns = ("synthetic_sample_id", "leaf_path", "instruction", "response")
    scored = made.samples.join(made.scored, on="synthetic_sample_id", how="semi").select(columns)
    is_kept = ~pl.col("synthetic_sample_id").is_in(list(made.low_rewards))
    refused = made.refused.select(*columns, is_kept=pl.lit(False))
    rows = pl.concat([scored.with_columns(is_kept=is_kept), refused])
    return rows.with_columns(text=pl.Series(text_of_rows(rows), dtype=pl.String))


def swapped_rows(samples: pl.DataFrame, attribute: GroupAttribute, seed: int) -> pl.DataFrame:
    """Samples that speak of one group, and what they say of another: columns of `samples`, with `group`, `swapped_group`
    and `swapped_context`, `swapped_instruction`, `swapped_response`. At most `MAX_SWAPPED` rows, drawn with the seed."""
    texts = ("context", "instruction", "response")
    rows = samples.with_columns(
        *(
            pl.Series(f"swapped_{name}", [text and swap_words(text, attribute.swaps) for text in samples[name]], pl.String)
            for name in texts
        )
    )
    changed = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"swapped_{name}")) for name in texts)
    rows = rows.filter(changed)
    rows = drawn(rows, MAX_SWAPPED, seed)
    after = rows.select(instruction="swapped_instruction", response="swapped_response")
    return rows.with_columns(
        group=pl.Series(group_of(text_of_rows(rows), attribute), dtype=pl.String),
        swapped_group=pl.Series(group_of(text_of_rows(after), attribute), dtype=pl.String),
    )


def _vendi(
    kept: pl.DataFrame, real: tuple[pl.DataFrame, pl.DataFrame | None], embed: Embed, trust: TrustSection, seed: int
) -> list[Estimate]:  # fmt: skip
    reference, holdout = real
    if holdout is None:
        reference, holdout = halves(reference, seed)
    least = min(each.height for each in (reference, holdout, kept))
    size = MAX_EMBEDDED if least >= trust.min_reference_rows else 0
    rows = (drawn(each, size, seed) for each in (reference, holdout, kept))
    real_cloud, held_cloud, cloud = (embed(text_of_rows(each)).astype(np.float64) for each in rows)
    return estimate_vendi(Clouds(real_cloud, held_cloud, cloud, least=trust.min_reference_rows), seed=seed)


def _pictures(estimates: Sequence[Estimate]) -> dict[str, str]:
    """Bars of the declared groups: their share beside the declared one, and how much of each the reward keeps."""
    drawn_measures = (
        ("representation_log_ratio", math.exp, "Share of each group over its declared share", (0.8, 1.25)),
        ("acceptance_ratio", float, "Acceptance of each group over that of the group accepted most", (0.8, 1.0)),
    )
    pictures = {}
    for measure, scale, title, band in drawn_measures:
        found = [each for each in estimates if each.measure == measure and math.isfinite(each.value)]
        bars = [tuple(scale(x) for x in (each.value, each.ci_low or 0.0, each.ci_high or 0.0)) for each in found]
        groups = [each.subject for each in found]
        pictures[title] = draw_interval_bars(groups, {"kept rows": bars}, title, "ratio", band=band)  # type: ignore[dict-item]
    return {title: picture for title, picture in pictures.items() if picture}
