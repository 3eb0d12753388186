"""Does the data give anybody away? What must not be kept, and the figures about it.

`find_refusals` serves the filter: which samples are dropped, or redacted, and why. `measure_privacy` looks at what the
teacher wrote before the filter (leaks and copies are its own, whether or not they were dropped afterwards), and at what was
kept.

The leak test compares document chunks that the teacher was shown with texts that it was not: those that the recipe held
back (`trust.privacy.split_share`), else the contexts of the real holdout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, not_assessed
from synth_assets.quality.privacy import (
    NAMES_NOT_CHECKED,
    CopyIndex,
    Finding,
    LeakIndex,
    SampleText,
    estimate_copied_share,
    estimate_dcr_share,
    estimate_leak_test,
    estimate_leaked_values,
    estimate_personal_data_left,
    estimate_secrets_left,
    find_copies,
    find_personal_data,
    find_secrets,
    measure_leak,
    redact,
    sources_of,
    text_distances,
    whole_text,
    written_text,
)
from synth_assets.quality.reports.findings import Findings
from synth_assets.recipe import PrivacySection
from synth_assets.records import DocumentChunk, KeptSample, RealExample, SeedExample, SyntheticSample

_NUM_ROWS_AT_ONCE = 20_000
#: Stands for a text that cannot be shown without what must not be.
HIDDEN = "<HIDDEN>"


@dataclass(frozen=True)
class RowFindings:
    """By sample id. `reasons`: why the sample is refused, as (reason, detail); `texts`: context, instruction and response
    without what may not be published, also of refused samples."""

    reasons: dict[str, tuple[str, str]] = field(default_factory=dict)
    texts: dict[str, tuple[str | None, str, str]] = field(default_factory=dict)


def is_held_back(document_chunk_id: str, split_share: float) -> bool:
    """Whether a chunk is not shown to the teacher: by its id, so that it is the same in every run."""
    return int(document_chunk_id[:8], 16) < split_share * 16**8


def shown_chunks(chunks: Iterable[DocumentChunk], split_share: float) -> list[DocumentChunk]:
    """Those that the teacher is shown: all but what is held back."""
    return [chunk for chunk in chunks if not is_held_back(chunk.document_chunk_id, split_share)]


def find_refusals(
    samples: Sequence[SyntheticSample], seeds: Iterable[SeedExample], chunks: Iterable[DocumentChunk],
    privacy: PrivacySection,
) -> RowFindings:  # fmt: skip
    """What the filter must turn away: secrets, personal data (unless it is redacted or ignored), copies of a source."""
    found = RowFindings()
    for row, personal, secret in _looked_through(samples, privacy):
        if not personal and not secret:
            continue
        row_id, clean = row.synthetic_sample_id, _redacted(row, [*personal, *secret])
        found.texts[row_id] = clean or ("", HIDDEN, HIDDEN)
        if secret:
            found.reasons[row_id] = ("secret", _masked(secret))
        elif privacy.personal_data == "drop" or (clean is None and privacy.personal_data == "redact"):
            found.reasons[row_id] = ("personal_data", _masked(personal))
        elif privacy.personal_data == "ignore":
            del found.texts[row_id]
    copies = find_copies(samples, sources_of(seeds, chunks), privacy.copy_ngram)
    for row_id, source_id, kind, value in copies.iter_rows():
        found.reasons.setdefault(row_id, ("copies_source", f"{kind} {value:.2f} of {source_id}"))
    return found


def measure_privacy(
    samples: Sequence[SyntheticSample],
    kept: Sequence[KeptSample],
    seeds: Sequence[SeedExample],
    chunks: Sequence[DocumentChunk],
    holdout: Sequence[RealExample],
    privacy: PrivacySection,
    seed: int,
    least: int = MIN_REFERENCE,
) -> Findings:
    """All measures with a gate in the privacy report. `least`: rows below which distances are not compared."""
    shown = shown_chunks(chunks, privacy.split_share)
    sources = sources_of(seeds, shown)
    leak_index = LeakIndex(sources, _allowed(privacy))
    leaks = [
        leak
        for row, personal, secret in _looked_through(samples, privacy)
        for leak in leak_index.leaks_in(row.synthetic_sample_id, [*personal, *secret])
    ]
    personal_left: dict[str, list[Finding]] = {}
    secret_left: dict[str, list[Finding]] = {}
    for row, personal, secret in _looked_through(kept, privacy):
        personal_left[row.synthetic_sample_id], secret_left[row.synthetic_sample_id] = personal, secret
    copies = find_copies(samples, CopyIndex(sources, privacy.copy_ngram))
    estimates = [
        *estimate_leaked_values(leaks, len(samples), len(sources)),
        *estimate_personal_data_left(personal_left, len(kept)),
        *estimate_secrets_left(secret_left, len(kept)),
        *estimate_copied_share(copies, len(samples), len(sources)),
        *_leak_test(samples, shown, chunks, holdout, privacy, seed),
        *_distances(samples, seeds, holdout, seed, least),
        not_assessed("names", "all", NAMES_NOT_CHECKED),
    ]
    return Findings(estimates, {})


def _looked_through(
    rows: Sequence[SampleText], privacy: PrivacySection
) -> Iterable[tuple[SampleText, list[Finding], list[Finding]]]:
    """Each row with its personal data and secrets, in portions, so that memory does not grow with the rows."""
    allowed = _allowed(privacy)
    for start in range(0, len(rows), _NUM_ROWS_AT_ONCE):
        portion = rows[start : start + _NUM_ROWS_AT_ONCE]
        texts = [whole_text(row) for row in portion]
        yield from zip(portion, find_personal_data(texts, allowed), find_secrets(texts, allowed), strict=True)


def _allowed(privacy: PrivacySection) -> list[re.Pattern[str]]:
    return [re.compile(pattern) for pattern in privacy.allowed_values]


def _masked(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{each.kind} {each.masked}" for each in findings)


def _redacted(row: SampleText, findings: Sequence[Finding]) -> tuple[str | None, str, str] | None:
    """Context, instruction and response without what was found in the whole; None where a value runs over two of them."""
    texts: list[str | None] = []
    offset = num_placed = 0
    for text in (row.context or None, row.instruction, row.response):
        if not text:
            texts.append(text)
            continue
        own = [each for each in findings if offset <= each.start and each.end <= offset + len(text)]
        texts.append(redact(text, [replace(each, start=each.start - offset, end=each.end - offset) for each in own]))
        num_placed += len(own)
        offset += len(text) + 1
    context, instruction, response = texts
    return (context, instruction or "", response or "") if num_placed == len(findings) else None


def _leak_test(
    samples: Sequence[SyntheticSample],
    shown: Sequence[DocumentChunk],
    chunks: Sequence[DocumentChunk],
    holdout: Sequence[RealExample],
    privacy: PrivacySection,
    seed: int,
) -> list[Estimate]:
    """Chunks are compared within their leaf node."""
    ids = {chunk.document_chunk_id for chunk in shown}
    unseen = [(chunk.text, chunk.leaf_path) for chunk in chunks if chunk.document_chunk_id not in ids]
    if not unseen:
        leaves = {chunk.leaf_path for chunk in shown}
        contexts = {row.context: row.leaf_path for row in holdout if row.context and row.leaf_path in leaves}
        unseen = [(context, path) for context, path in contexts.items() if context]
    both = {chunk.leaf_path for chunk in shown} & {path for _, path in unseen}  # chunks are compared within their leaf
    shown, unseen = [chunk for chunk in shown if chunk.leaf_path in both], [each for each in unseen if each[1] in both]
    if not both:
        return estimate_leak_test(None, len(samples))
    test = measure_leak(
        [written_text(row) for row in samples],
        [chunk.text for chunk in shown],
        [text for text, _ in unseen],
        ([chunk.leaf_path for chunk in shown], [path for _, path in unseen]),
        num_words=privacy.copy_ngram,
        seed=seed,
    )
    return estimate_leak_test(test, len(samples))


def _distances(
    samples: Sequence[SyntheticSample], seeds: Sequence[SeedExample], holdout: Sequence[RealExample], seed: int, least: int
) -> list[Estimate]:
    """Seeds against the holdout: of each leaf node as many of the one as of the other, in the order in which they stand."""
    if not holdout:
        return [not_assessed("dcr_share", "all", "there is no real holdout: set trust.real in the recipe")]
    by_leaf = _by_leaf(seeds), _by_leaf(holdout)
    seen: list[str] = []
    unseen: list[str] = []
    for path in sorted(by_leaf[0].keys() & by_leaf[1].keys()):
        pairs = list(zip(by_leaf[0][path], by_leaf[1][path], strict=False))
        seen += [each for each, _ in pairs]
        unseen += [each for _, each in pairs]
    if not seen:
        return [not_assessed("dcr_share", "all", "no leaf node has both seed examples and rows in the holdout")]
    to_seeds, to_holdout = text_distances([written_text(row) for row in samples], seen, unseen, seed=seed)
    return estimate_dcr_share(to_seeds, to_holdout, len(seen), least)


def _by_leaf(rows: Sequence[SeedExample] | Sequence[RealExample]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row.leaf_path, []).append(f"{row.question}\n{row.answer}")
    return texts
