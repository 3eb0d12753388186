"""What the rows were made from, and which values of it came out again.

A *leak* is a value, personal or secret, that stands in a synthetic row and in a source. Any other value was made up or
known by the teacher: it is redacted or dropped as well, but it tells nothing about the people in the sources.

Limit: a value is found in a source if the recognisers find it there, or as an e-mail address or a run of seven digits or
more; phone numbers are the same if their last eight digits are, so two countries may share one. Names are no leaks: many
people share one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from synth_assets.quality.privacy.findings import Finding, normal_form
from synth_assets.quality.privacy.personal_data import find_personal_data
from synth_assets.quality.privacy.secrets import find_secrets
from synth_assets.records import DocumentChunk, SeedExample

_ADDRESS = re.compile(r"[^\s<>()\[\]{},;:\"']+@[\w.-]+\w")
_DIGITS = re.compile(r"\d(?:[-\u2010-\u2015\u00a0 ()./]{0,3}\d){6,14}")


@dataclass(frozen=True)
class Source:
    """A text that the teacher was shown. `context`: the text that a seed example's question is about."""

    source_id: str
    text: str
    context: str | None = None


@dataclass(frozen=True)
class Leak:
    """A value of row `row_id` that also stands in `source_id`; `masked` shows its ends alone."""

    row_id: str
    source_id: str
    kind: str
    masked: str


def sources_of(seed_examples: Iterable[SeedExample], chunks: Iterable[DocumentChunk]) -> list[Source]:
    """Each seed's question with its answer, each context once, each document chunk."""
    sources, contexts = [], set()
    for seed in seed_examples:
        sources.append(Source(seed.seed_example_id, f"{seed.question}\n{seed.answer}", seed.context))
        if seed.context is not None and seed.context not in contexts:
            contexts.add(seed.context)
            sources.append(Source(f"{seed.seed_example_id}:context", seed.context))
    return [*sources, *(Source(chunk.document_chunk_id, chunk.text) for chunk in chunks)]


class LeakIndex:
    """The values that stand in the sources."""

    def __init__(self, sources: Sequence[Source], allowed: Sequence[re.Pattern[str]] = ()) -> None:
        texts = [source.text for source in sources]
        self._source_of: dict[str, str] = {}
        findings = zip(find_personal_data(texts, allowed), find_secrets(texts, allowed), strict=True)
        for source, (personal, secret) in zip(sources, findings, strict=True):
            for key in (*_loose_keys(source.text), *map(_key, personal), *map(_key, secret)):
                self._source_of.setdefault(key, source.source_id)

    def leaks_in(self, row_id: str, findings: Iterable[Finding]) -> list[Leak]:
        """Those of a row's findings that a source holds, each value once, with the first source that does."""
        found = {(each.kind, _key(each)): each for each in findings}
        return [
            Leak(row_id, self._source_of[key], kind, each.masked)
            for (kind, key), each in found.items()
            if key in self._source_of
        ]


def _key(finding: Finding) -> str:
    return _kind_key(finding.kind, finding.value)


def _kind_key(kind: str, value: str) -> str:
    return f"{kind}:{normal_form(kind, value)}"


def _loose_keys(text: str) -> Iterable[str]:
    """Addresses and numbers whether or not a recogniser would be sure of them: in a source they are what they are."""
    for match in _ADDRESS.findall(text):
        yield _kind_key("EMAIL_ADDRESS", match)
    for match in _DIGITS.findall(text):
        for kind in ("PHONE_NUMBER", "CREDIT_CARD", "US_SSN"):
            yield _kind_key(kind, match)
