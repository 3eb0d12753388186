"""What a model makes of real rows that nobody was shown: perplexity, against another model's on the same tokens.

Perplexity is exp of the mean negative log-probability of a token (natural logarithm; Jelinek et al. 1977). Both models see
the same tokens, so the ratio of two perplexities is exp of the mean difference, and the interval is that of paired rows,
drawn by whole leaves: rows of one leaf are alike.

Limit: the two models must share their tokenizer, else there are no same tokens to compare on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synth_assets.intervals import Indices, cluster_bootstrap
from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: By row: one number a token.
Rows = Sequence[Sequence[float] | Floats]
TokenRows = Sequence[Sequence[int] | Indices]

RAREST_SHARE = 0.1


def perplexity(log_probabilities: Rows, counted: Sequence[Flags] | None = None) -> float:
    """exp of the mean negative natural log-probability over the (counted) tokens of all rows; NaN without a token."""
    total, tokens = _sums(log_probabilities, counted)
    return _exp(-total.sum() / tokens.sum()) if tokens.sum() else math.nan


def perplexity_ratio(
    reference: Rows, current: Rows, leaf_paths: Sequence[str], *, subject: str = "base", num_draws: int = 1000,
    confidence: float = 0.95, seed: int = 0, least: int = MIN_REFERENCE,
) -> list[Estimate]:  # fmt: skip
    """`perplexity_ratio`: that of the current model on a real holdout over that of the reference model.

    `reference`, `current`: by row of the holdout the natural log-probability of each token; `leaf_paths`: each row's leaf.
    `subject` names the reference: `base`, or `previous student`. Above 1 the current model knows the real rows worse. The
    gate is held against the upper end of the interval. Raises ValueError where rows or their tokens do not pair.
    """
    return _ratio("perplexity_ratio", reference, current, None, leaf_paths, subject, num_draws, confidence, seed, least)


def rare_token_perplexity_ratio(
    token_ids: TokenRows, reference: Rows, current: Rows, leaf_paths: Sequence[str], frequencies: Mapping[int, int], *,
    subject: str = "base", num_draws: int = 1000, confidence: float = 0.95, seed: int = 0, least: int = MIN_REFERENCE,
) -> list[Estimate]:  # fmt: skip
    """`rare_perplexity_ratio`: as `perplexity_ratio`, over the holdout's rarest tokens alone (`rare_tokens`).

    The tails go first (Shumailov et al. 2024, "early model collapse"), and a mean over all tokens hides that: this moves
    sooner. `frequencies`: how often each token stands in the real reference, none 0. Raises as `perplexity_ratio`.
    """
    counted = rare_tokens(token_ids, frequencies)
    return _ratio(
        "rare_perplexity_ratio", reference, current, counted, leaf_paths, subject, num_draws, confidence, seed, least
    )


def rare_tokens(token_ids: TokenRows, frequencies: Mapping[int, int], share: float = RAREST_SHARE) -> list[Flags]:
    """By row: which tokens are among the rarest `share` of all tokens of all rows, by their frequency in the reference.

    Tokens of the same frequency count together or not at all, so that nothing depends on an order: of the limits that this
    leaves, the one is taken that comes nearest to `share`.
    """
    found = [np.array([frequencies.get(int(token), 0) for token in row], np.int64) for row in token_ids]
    levels, counts = np.unique(np.concatenate([*found, np.empty(0, np.int64)]), return_counts=True)
    if not levels.size:
        return [np.zeros(0, np.bool_) for _ in found]
    limit = levels[np.abs(counts.cumsum() / counts.sum() - share).argmin()]
    return [row <= limit for row in found]


def _ratio(
    measure: str, reference: Rows, current: Rows, counted: Sequence[Flags] | None, leaf_paths: Sequence[str],
    subject: str, num_draws: int, confidence: float, seed: int, least: int,
) -> list[Estimate]:  # fmt: skip
    _check_pairs(reference, current, leaf_paths)
    num_rows = len(reference)
    if num_rows < least:
        return [insufficient(measure, subject, num_rows, num_rows, least)]
    (before, tokens), (now, _) = _sums(reference, counted), _sums(current, counted)
    lost = before - now
    value = _statistic(lost, tokens)([np.arange(num_rows)])
    if not math.isfinite(value):
        words = "a log-probability is no finite number" if tokens.sum() else "there is no token to look at"
        return [Estimate(measure, subject, math.nan, num_reference=num_rows, num_synthetic=num_rows, words=words)]
    low, high = cluster_bootstrap(
        _statistic(lost, tokens), [leaf_paths], num_draws=num_draws, confidence=confidence, seed=seed
    )
    words = f"{int(tokens.sum()):,} tokens of {num_rows:,} real rows, {len(set(leaf_paths))} leaves"
    return [Estimate(measure, subject, value, low, high, num_rows, num_rows, high, words)]


def _statistic(lost: Floats, tokens: Floats) -> Callable[[Sequence[Indices]], float]:
    def ratio(drawn: Sequence[Indices]) -> float:
        (rows,) = drawn
        num_tokens = tokens[rows].sum()
        return _exp(lost[rows].sum() / num_tokens) if num_tokens else math.nan

    return ratio


def _sums(log_probabilities: Rows, counted: Sequence[Flags] | None) -> tuple[Floats, Floats]:
    """By row: the sum over its counted tokens, and how many they are."""
    rows = [np.asarray(row, np.float64) for row in log_probabilities]
    if counted is not None:
        rows = [row[flags] for row, flags in zip(rows, counted, strict=True)]
    return np.array([row.sum() for row in rows]), np.array([row.size for row in rows], np.float64)


def _check_pairs(reference: Rows, current: Rows, leaf_paths: Sequence[str]) -> None:
    if not len(reference) == len(current) == len(leaf_paths):
        raise ValueError(f"{len(reference)} and {len(current)} rows of {len(leaf_paths)} leaf paths do not pair")
    for at, (before, now) in enumerate(zip(reference, current, strict=True)):
        if len(before) != len(now):
            raise ValueError(f"row {at} has {len(before)} tokens for one model and {len(now)} for the other: one tokenizer?")


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
