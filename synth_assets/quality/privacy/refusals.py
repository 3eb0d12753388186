"""Which samples must not be kept, or not as they are, and how rows are shown without what they give away.

All texts of a row are looked through together: a bare number is a phone number where the question beside it asks for one.
What is hidden follows the recipe (`trust.privacy`): secrets always, personal data unless it is ignored, names of people and
places where a model that finds them is declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from synth_assets.quality.privacy.copies import find_copies
from synth_assets.quality.privacy.findings import Finding, redact, whole_text, without_allowed
from synth_assets.quality.privacy.names import NAME_KINDS, find_names
from synth_assets.quality.privacy.personal_data import PERSONAL_DATA_KINDS, find_personal_data
from synth_assets.quality.privacy.secrets import SECRET_KINDS, find_secrets
from synth_assets.quality.privacy.sources import sources_of
from synth_assets.recipe import PrivacySection, resolve_path
from synth_assets.records import (
    DocumentChunk,
    RefusalReason,
    Refusals,
    RejectedSample,
    SeedExample,
    SyntheticSample,
    Texts,
)

_NUM_ROWS_AT_ONCE = 20_000
#: Stands for a text that cannot be shown without what must not be: a value runs over its end.
HIDDEN = "<HIDDEN>"
#: What stands where something was redacted; a model may take it for a name.
_REDACTED = re.compile(rf"<(?:{'|'.join((*PERSONAL_DATA_KINDS, *SECRET_KINDS, *sorted(NAME_KINDS), 'HIDDEN'))})>")
RowT = TypeVar("RowT")
Parts = Sequence[str | None]


def find_refusals(
    samples: Sequence[SyntheticSample], seeds: Iterable[SeedExample], chunks: Iterable[DocumentChunk],
    privacy: PrivacySection,
) -> Refusals:  # fmt: skip
    """What the filter must turn away: secrets, personal data (unless it is redacted or ignored), copies of a source."""
    refused: dict[str, tuple[RefusalReason, str]] = {}
    rewritten: dict[str, Texts] = {}
    for row, personal, secret in look_through(samples, whole_text, privacy):
        row_id, hidden = row.synthetic_sample_id, _to_hide(personal, secret, privacy)
        if not hidden:
            continue
        context, instruction, response = clean = _without((row.context, row.instruction, row.response), hidden)
        rewritten[row_id] = Texts(context, instruction or "", response or "")
        if secret:
            refused[row_id] = ("secret", _masked(secret))
        elif privacy.personal_data == "drop" or HIDDEN in clean:
            refused[row_id] = ("personal_data", _masked(personal))
    copies = find_copies(samples, sources_of(seeds, chunks), privacy.copy_ngram)
    for row_id, source_id, kind, value in copies.iter_rows():
        refused.setdefault(row_id, ("copies_source", f"{kind} {value:.2f} of {source_id}"))
    return Refusals(refused, rewritten)


def find_hidden(rows: Sequence[Parts], privacy: PrivacySection) -> list[tuple[RefusalReason, str] | None]:
    """Of each row's texts together: which kind of what may not be shown they hold, and what it is, masked; else None."""
    return [why_hidden(*found, privacy) for found in _found_in([_joined(parts) for parts in rows], privacy)]


def why_hidden(personal: list[Finding], secret: list[Finding], privacy: PrivacySection) -> tuple[RefusalReason, str] | None:
    """The kind of what may not be shown of these findings, and what it is, masked; None where all may be."""
    found = secret or _to_hide(personal, secret, privacy)
    return ("secret" if secret else "personal_data", _masked(found)) if found else None


def hide_rejected(rows: Sequence[RejectedSample], privacy: PrivacySection) -> list[RejectedSample]:
    """The same rows without what may not be shown, in their details as well: a table of rejected rows is read, too."""
    clean = redact_rows([(row.context, row.instruction, row.response, row.detail) for row in rows], privacy)
    return [
        replace(row, context=context, instruction=instruction or "", response=response or "", detail=detail or "")
        for row, (context, instruction, response, detail) in zip(rows, clean, strict=True)
    ]


def redact_rows(rows: Sequence[Parts], privacy: PrivacySection) -> list[tuple[str | None, ...]]:
    """The texts of each row without what may not be shown; `HIDDEN` for all of a row where a value runs over two of them."""
    found = _found_in([_joined(parts) for parts in rows], privacy)
    return [
        _without(parts, _to_hide(personal, secret, privacy)) for parts, (personal, secret) in zip(rows, found, strict=True)
    ]


def look_through(
    rows: Sequence[RowT], text_of: Callable[[RowT], str], privacy: PrivacySection
) -> Iterator[tuple[RowT, list[Finding], list[Finding]]]:  # fmt: skip
    """Each row with its personal data and secrets, in portions, so that memory does not grow with the rows."""
    for start in range(0, len(rows), _NUM_ROWS_AT_ONCE):
        portion = rows[start : start + _NUM_ROWS_AT_ONCE]
        for row, (personal, secret) in zip(portion, _found_in(list(map(text_of, portion)), privacy), strict=True):
            yield row, personal, secret


def allowed_patterns(privacy: PrivacySection) -> list[re.Pattern[str]]:
    """Of whole values that may be published."""
    return [re.compile(pattern) for pattern in privacy.allowed_values]


def _found_in(texts: Sequence[str], privacy: PrivacySection) -> Iterator[tuple[list[Finding], list[Finding]]]:
    """Personal data and secrets of each text; names are personal data that nothing else lies upon, nor was redacted."""
    allowed = allowed_patterns(privacy)
    folder = resolve_path(privacy.ner_model) if privacy.ner_model else None
    names: Sequence[Sequence[Finding]] = find_names(texts, folder) if folder else [()] * len(texts)
    found = zip(find_personal_data(texts, allowed), find_secrets(texts, allowed), names, strict=True)
    for text, (personal, secret, named) in zip(texts, found, strict=True):
        redacted = [match.span() for match in _REDACTED.finditer(text)] if named else []
        alone = [
            each for each in named
            if not any(each.start < one.end and one.start < each.end for one in (*personal, *secret))
            and not any(start <= each.start and each.end <= end for start, end in redacted)
        ]  # fmt: skip
        yield [*personal, *without_allowed(alone, allowed)], secret


def _to_hide(personal: list[Finding], secret: list[Finding], privacy: PrivacySection) -> list[Finding]:
    return secret if privacy.personal_data == "ignore" else [*personal, *secret]


def _without(parts: Parts, findings: Sequence[Finding]) -> tuple[str | None, ...]:
    """`findings`: of the parts that hold something, joined by line ends."""
    texts: list[str | None] = []
    offset = num_placed = 0
    for part in parts:
        if not part:
            texts.append(part)
            continue
        own = [each for each in findings if offset <= each.start and each.end <= offset + len(part)]
        texts.append(redact(part, [replace(each, start=each.start - offset, end=each.end - offset) for each in own]))
        num_placed += len(own)
        offset += len(part) + 1
    return tuple(texts) if num_placed == len(findings) else tuple(part and HIDDEN for part in parts)


def _joined(parts: Parts) -> str:
    return "\n".join(part for part in parts if part)


def _masked(findings: Sequence[Finding]) -> str:
    return ", ".join(f"{each.kind} {each.masked}" for each in findings)
