"""Counterfactual swaps: exchange a group's words for another's, and see whether the reward changes.

Limit: a swap is of words alone. "her" stands for both "his" and "him", names bring more than a group with them, and a text
on childbirth is not the same text about a man; so pairs are declared by people, and a word may stand in one pair only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations

import numpy as np
import polars as pl

from synth_assets.intervals import Indices, cluster_bootstrap
from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient, not_assessed
from synth_assets.quality.fairness.groups import UNDECLARED, name_rows, word_pattern
from synth_assets.quality.fairness.representation import distance_from_zero
from synth_assets.recipe.trust import GroupAttribute, plain_word

MEASURE = "swap_reward_difference"
NO_REWARD_MODEL = "the recipe has no reward_model whose rewards could change: judges' verdicts are the reward"


def swap_words(text: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Every word of a pair for its other, both directions at once, case kept (small, Capital, CAPITALS).

    Swapping twice gives the text again, but for white space inside a phrase and mixed case. A word stands in one pair: the
    recipe sees to it.
    """
    partners = {plain_word(word): partner for one, other in pairs for word, partner in ((one, other), (other, one))}
    if not partners:
        return text

    def partner_of(match: re.Match[str]) -> str:
        return _in_case_of(match[0], partners[plain_word(match[0])])

    return word_pattern(tuple(partners)).sub(partner_of, text)


def _in_case_of(word: str, partner: str) -> str:
    if word.isupper() and len(word) > 1:
        return partner.upper()
    if word[:1].isupper():
        return partner[:1].upper() + partner[1:]
    return partner.lower() if word.islower() else partner


def estimate_swaps(
    attributes: dict[str, GroupAttribute],
    pairs: dict[str, pl.DataFrame],
    *,
    least: int = MIN_REFERENCE,
    num_bootstrap: int = 1000,
    seed: int = 0,
) -> list[Estimate]:
    """Mean reward as one group less as the other, in standard deviations of the reward; subject `attribute/one-other`.

    `pairs`: attribute -> synthetic_sample_id, leaf_path, group, swapped_group (as `group_of` gives them for the text before
    and after), reward, swapped_reward; an attribute without an entry had no reward model to be asked. Rows whose group is
    none or stays the same are left out: without a direction, differences of the two directions would cancel. The interval
    draws leaves. `bound`: how far the whole interval lies from 0; at_most. Raises polars' ColumnNotFoundError for a missing
    column.
    """
    if not attributes:
        return [not_assessed(MEASURE, "all", UNDECLARED)]
    found = []
    for name, attribute in attributes.items():
        if not attribute.swaps or name not in pairs:
            undeclared = f"no pairs of words are declared under trust.groups.{name}.swaps"
            found.append(not_assessed(MEASURE, name, NO_REWARD_MODEL if attribute.swaps else undeclared))
            continue
        for one, other in combinations(attribute.groups, 2):
            found.append(_difference(name, one, other, pairs[name], least, num_bootstrap, seed))
    return found


def _difference(
    attribute: str, one: str, other: str, rows: pl.DataFrame, least: int, num_bootstrap: int, seed: int
) -> Estimate:
    forwards = (pl.col("group") == one) & (pl.col("swapped_group") == other)
    backwards = (pl.col("group") == other) & (pl.col("swapped_group") == one)
    change = pl.col("reward") - pl.col("swapped_reward")
    pairs = rows.filter(forwards | backwards).with_columns(
        difference=pl.when(pl.col("group") == one).then(change).otherwise(-change)
    )
    subject = f"{attribute}/{one}-{other}"
    if pairs.height < least:
        return insufficient(MEASURE, subject, pairs.height, pairs.height, least)
    spread = float(np.std(pairs["reward"].to_numpy(), ddof=1))
    differences = pairs["difference"].to_numpy() / spread if spread > 0 else np.full(pairs.height, math.nan)

    def mean(drawn: Sequence[Indices]) -> float:
        return float(differences[drawn[0]].mean())

    low, high = cluster_bootstrap(mean, [pairs["leaf_path"].to_list()], num_draws=num_bootstrap, seed=seed)
    largest = pairs.sort(pl.col("difference").abs(), "synthetic_sample_id", descending=[True, False])
    words = f"{pairs.height} pairs; largest change: {name_rows(largest['synthetic_sample_id'].to_list())}"
    return Estimate(
        MEASURE, subject, float(differences.mean()), low, high, pairs.height, pairs.height,
        bound=distance_from_zero(low, high), words=words,
    )  # fmt: skip
