"""What has become of the student: how well it still knows real texts, and what it gives away of its training rows.

Perplexities are of real rows that nothing was made from, tuned student against its base, and against the student of the
generation before where the recipe names it: tuning gains so much on a base that a loss of a tenth in each generation would
not show for long. Attacks tell training rows from validation rows of the same leaf nodes. Canaries stand in a shadow
student, tuned for the purpose and never released.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from synth_assets.quality.collapse import perplexity_ratio, rare_token_perplexity_ratio
from synth_assets.quality.estimates import Estimate, insufficient, not_assessed
from synth_assets.quality.privacy.canaries import Canary, measure_exposure
from synth_assets.quality.privacy.membership import RowLikelihoods, attack_student
from synth_assets.quality.reports.likelihoods import conversations_of, read_by_all, turns_of
from synth_assets.quality.reports.rows import drawn
from synth_assets.recipe import TrustSection
from synth_assets.records import Verdict
from synth_assets.roles import LikelihoodModel

PREVIOUS = "previous student"
MAX_READ = 400
MAX_ATTACKED = 500
#: Of the 10,000 numbers that a canary could hold; the rank among all is extrapolated.
NUM_CANDIDATES = 1_000
_NO_REAL = "there is no real holdout: set trust.real in the recipe"
_NO_SHADOW = "no shadow student was tuned: set trust.privacy.shadow_steps in the recipe"


_NO_PREVIOUS = "only its own base was compared: if there was a generation before, name its student (trust.previous_student)"
_OTHER_TOKENS = "its tokens are others than the student's: name a student of the same base"
_PERPLEXITIES = ("perplexity_ratio", "rare_perplexity_ratio")


@dataclass(frozen=True)
class Pair:
    """The student before and after tuning; `previous`: the tuned student of the generation before."""

    base: LikelihoodModel
    tuned: LikelihoodModel
    previous: LikelihoodModel | None = None


@dataclass(frozen=True)
class Passes:
    """Rows that were trained on, over rows to train on: of the shadow student and of the released one."""

    shadow: float
    student: float


def measure_perplexities(
    pair: Pair, reference: pl.DataFrame | None, holdout: pl.DataFrame | None, style: str, trust: TrustSection, seed: int
) -> list[Estimate]:
    """Of real rows as `reports.rows` gives them; subjects `base` and `previous student`."""
    if reference is None or holdout is None:
        return [not_assessed(name, "base", _NO_REAL) for name in _PERPLEXITIES]
    reference, holdout = (drawn(rows, MAX_READ, seed) for rows in (reference, holdout))
    _, (known,) = read_by_all([pair.base], conversations_of(reference, style))
    frequencies = Counter(token for row in known for token in row.token_ids)
    found = _against("base", pair.base, pair.tuned, holdout, frequencies, style, trust, seed)
    if pair.previous is None:
        return [*found, *(not_assessed(name, PREVIOUS, _NO_PREVIOUS) for name in _PERPLEXITIES)]
    return [*found, *_against(PREVIOUS, pair.previous, pair.tuned, holdout, frequencies, style, trust, seed)]


def _against(
    subject: str, model: LikelihoodModel, tuned: LikelihoodModel, holdout: pl.DataFrame, frequencies: Mapping[int, int],
    style: str, trust: TrustSection, seed: int,
) -> list[Estimate]:  # fmt: skip
    """Both ratios, of the tuned student to this model."""
    good, (before, after) = read_by_all([model, tuned], conversations_of(holdout, style))
    least = trust.min_reference_rows
    if len(good) < least:
        return [insufficient(name, subject, len(good), len(good), least) for name in _PERPLEXITIES]
    token_ids = [list(row.token_ids) for row in after]
    if token_ids != [list(row.token_ids) for row in before]:
        return [Estimate(name, subject, math.nan, words=_OTHER_TOKENS) for name in _PERPLEXITIES]
    leaf_paths = holdout["leaf_path"].gather(good).to_list()
    known, now = ([list(row.logprobs) for row in rows] for rows in (before, after))
    said: dict[str, Any] = {
        "subject": subject, "num_draws": trust.bootstrap_draws, "confidence": trust.confidence, "seed": seed, "least": least,
    }  # fmt: skip
    found = [
        *perplexity_ratio(known, now, leaf_paths, **said),
        *rare_token_perplexity_ratio(token_ids, known, now, leaf_paths, frequencies, **said),
    ]
    unread = holdout.height - len(good)
    words = f"{unread} rows are longer than the student can read" if unread else ""
    return [replace(each, words="; ".join(filter(None, (each.words, words)))) for each in found]


def measure_membership(pair: Pair, mix: pl.DataFrame, trust: TrustSection, seed: int) -> list[Estimate]:
    """Training rows of the samples against validation rows of the same leaf nodes; `mix`: the table training_mix."""
    new = mix.filter(pl.col("source") == "synthetic")
    trained, held_out = (new.filter(pl.col("split") == split) for split in ("train", "validation"))
    if min(trained.height, held_out.height) < trust.min_reference_rows:
        return [insufficient("membership_auc", "all", held_out.height, trained.height, trust.min_reference_rows)]
    members, others = (_likelihoods(pair, drawn(rows, MAX_ATTACKED, seed)) for rows in (trained, held_out))
    said = {"num_draws": trust.bootstrap_draws, "confidence": trust.confidence, "least": trust.min_reference_rows}
    return attack_student(members, others, seed=seed, **said)  # type: ignore[arg-type]


def measure_canaries(
    shadow: LikelihoodModel | None, canaries: Sequence[Canary], trust: TrustSection, seed: int, passes: Passes
) -> list[Estimate]:
    """What a student that was tuned on the same rows and on the canaries gives away of them.

    Below one pass a canary that stands once may never have been trained on: that is no evidence, and insufficient.
    """
    if shadow is None:
        return [not_assessed("canary_exposure", "all", _NO_SHADOW)]
    found = measure_exposure(
        shadow, canaries, seed=seed, num_candidates=NUM_CANDIDATES, num_draws=trust.bootstrap_draws,
        confidence=trust.confidence,
    )  # fmt: skip
    said = f"the shadow made {passes.shadow:.2f} passes over its rows, the student {passes.student:.2f}"
    too_few: Verdict | None = None
    if passes.shadow < 1:
        too_few, said = "insufficient_reference", f"{said}: raise trust.privacy.shadow_steps to one pass or more"
    return [
        replace(each, words="; ".join(filter(None, (each.words, said))), verdict=each.verdict or too_few) for each in found
    ]


def _likelihoods(pair: Pair, rows: pl.DataFrame) -> list[RowLikelihoods]:
    turns = [turns_of(*row) for row in rows.select("leaf_path", "prompt", "response").iter_rows()]
    good, (base, tuned) = read_by_all([pair.base, pair.tuned], turns)
    paths = rows["leaf_path"].gather(good).to_list()
    return [RowLikelihoods(path, after, before) for path, before, after in zip(paths, base, tuned, strict=True)]
