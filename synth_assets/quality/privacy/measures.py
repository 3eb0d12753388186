"""The privacy of the rows as figures for the gates.

Counts of leaks, personal data and secrets must be 0: one row is one person. The share of copies is held against its
threshold as it is, not by an end of its interval: the rows that are published are all the rows there are, not a sample
of some. Where each of 2,000 rows is copied with a chance of 2 %, the value exceeds 1 % in 99.97 % of draws, the lower end
of its interval in 97.2 %; where .3 % share that much by their template, the value does in 1 of 700,000.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import polars as pl

from synth_assets.intervals import wilson_interval
from synth_assets.quality.estimates import Estimate, insufficient, not_assessed
from synth_assets.quality.privacy.findings import Finding
from synth_assets.quality.privacy.leak_test import MIN_CHUNKS, Floats, LeakTest, dcr_wins
from synth_assets.quality.privacy.sources import Leak

_NUM_NAMED = 5  # rows that a detail names
_ALL = "all"


def estimate_leaked_values(leaks: Sequence[Leak], num_rows: int, num_sources: int) -> list[Estimate]:
    """`leaked_values`: rows with a value that also stands in a source. At most 0."""
    named = {leak.row_id: f"{leak.row_id}: {leak.kind} {leak.masked} of {leak.source_id}" for leak in reversed(leaks)}
    remedy = "take the values out of the sources and generate anew, or allow them (trust.privacy.allowed_values)"
    return [_count("leaked_values", sorted(named.values()), num_rows, num_sources, remedy)]


def estimate_personal_data_left(
    findings: Mapping[str, Sequence[Finding]], num_rows: int, subject: str = _ALL
) -> list[Estimate]:  # fmt: skip
    """`personal_data_left`: rows (id -> what was found) that still hold personal data. At most 0."""
    remedy = "filter again with trust.privacy.personal_data: drop or redact; mend the files of other rows"
    return [_count("personal_data_left", _named(findings), num_rows, 0, remedy, subject)]


def estimate_secrets_left(
    findings: Mapping[str, Sequence[Finding]], num_rows: int, subject: str = _ALL
) -> list[Estimate]:  # fmt: skip
    """`secrets_left`: rows (id -> what was found) that still hold a key or token. At most 0."""
    remedy = "drop these rows, and have the keys revoked if they are real"
    return [_count("secrets_left", _named(findings), num_rows, 0, remedy, subject)]


def estimate_copied_share(copies: pl.DataFrame, num_rows: int, num_sources: int) -> list[Estimate]:
    """`copied_share`: share of the rows that copy a source, with its Wilson interval. At most .01 by default.

    `copies`: what `find_copies` says of all the rows that were made, before any was dropped. Without sources nothing is
    assessed.
    """
    if not num_sources:
        return [not_assessed("copied_share", _ALL, "there is no source that a row could copy")]
    if not num_rows:
        return [Estimate("copied_share", _ALL, math.nan, num_reference=num_sources, words="there is no row")]
    kinds = zip(copies["row_id"], copies["source_id"], copies["kind"], copies["value"], strict=True)
    named = [f"{row} copies {source} ({kind} {value:.2f})" for row, source, kind, value in kinds]
    low, high = wilson_interval(len(named), num_rows)
    words = _listed(
        named,
        "generate these leaves anew, with more or other seeds",
    )
    return [Estimate("copied_share", _ALL, len(named) / num_rows, low, high, num_sources, num_rows, words=words)]


def estimate_leak_test(test: LeakTest | None, num_rows: int) -> list[Estimate]:
    """`leak_test`: the p-value, at least .01 by default; `leak_effect`: the difference of overlaps, for show.

    `test` None: no chunk was held back.
    """
    names = ("leak_test", "leak_effect")
    if test is None:
        why = "no chunk was held back from the teacher: set trust.privacy.split_share in the recipe"
        return [not_assessed(name, _ALL, why) for name in names]
    if not num_rows:
        return [Estimate(name, _ALL, math.nan, num_reference=test.num_unseen, words="there is no row") for name in names]
    num_chunks = min(test.num_seen, test.num_unseen)
    if num_chunks < MIN_CHUNKS:
        few = insufficient("", _ALL, test.num_unseen, test.num_seen, MIN_CHUNKS)
        words = f"{num_chunks} chunks seen or held back are too few: at least {MIN_CHUNKS} are needed"
        return [replace(few, measure=name, num_synthetic=num_rows, words=words) for name in names]
    words = (
        f"{test.seen_overlap:.2%} of the word runs of {test.num_seen} seen chunks stand in the rows, "
        f"{test.unseen_overlap:.2%} of those of {test.num_unseen} unseen ones; if the teacher repeats what it was shown, "
        "drop copies or show it less"
    )
    values = zip(names, (test.p_value, test.effect), strict=True)
    return [
        Estimate(name, _ALL, value, num_reference=test.num_unseen, num_synthetic=num_rows, words=words)
        for name, value in values
    ]


def estimate_dcr_share(to_train: Floats, to_holdout: Floats, num_records: int, least: int = 100) -> list[Estimate]:
    """`dcr_share`: share of the rows that lie closer to the training part than to the holdout; only ever a warning.

    Distances as `text_distances` or `embedding_distances` give them; `num_records`: size of either part. Its lower end
    is held against the threshold: .5 is where nothing is memorised.
    """
    wins, num_rows = dcr_wins(to_train, to_holdout)
    if min(num_records, num_rows) < least:
        return [insufficient("dcr_share", _ALL, num_records, num_rows, least)]
    if math.isnan(wins):
        words = "a distance is no number: look at the embedder"
        return [Estimate("dcr_share", _ALL, math.nan, num_reference=num_records, num_synthetic=num_rows, words=words)]
    low, high = wilson_interval(round(wins), num_rows)
    words = (
        "a share above one half says that rows lie near to what the teacher saw; a share of one half does not say private"
    )
    return [Estimate("dcr_share", _ALL, wins / num_rows, low, high, num_records, num_rows, low, words)]


def _count(
    measure: str, named: Sequence[str], num_rows: int, num_reference: int, remedy: str, subject: str = _ALL
) -> Estimate:  # fmt: skip
    value = float(len(named)) if num_rows else math.nan
    words = _listed(named, remedy) if num_rows else "there is no row"
    return Estimate(measure, subject, value, num_reference=num_reference, num_synthetic=num_rows, words=words)


def _named(findings: Mapping[str, Sequence[Finding]]) -> list[str]:
    return [f"{row_id}: {_kinds(found)}" for row_id, found in findings.items() if found]


def _kinds(findings: Iterable[Finding]) -> str:
    return ", ".join(f"{each.kind} {each.masked}" for each in findings)


def _listed(named: Sequence[str], remedy: str) -> str:
    more = f" and {len(named) - _NUM_NAMED} more" if len(named) > _NUM_NAMED else ""
    return f"{'; '.join(named[:_NUM_NAMED])}{more}: {remedy}" if named else ""
