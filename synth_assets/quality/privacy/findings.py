"""What was found in a text, how it is shown without being told, and how two ways to write it are seen to be one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

_NUM_PHONE_DIGITS = 8
_BEFORE_ADDRESS = re.compile(r"[/=?&:]")
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Finding:
    """`value` stands at `start:end` of the text, counted in characters. `kind` is presidio's name or a provider's."""

    kind: str
    start: int
    end: int
    value: str = field(repr=False)

    @property
    def masked(self) -> str:
        """Enough to find it again, too little to learn it: m***@example.org, 2***0."""
        return mask(self.kind, self.value)


class SampleText(Protocol):
    """A row as it would be published; synthetic and kept samples are such rows."""

    @property
    def synthetic_sample_id(self) -> str: ...
    @property
    def context(self) -> str | None: ...
    @property
    def instruction(self) -> str: ...
    @property
    def response(self) -> str: ...


def whole_text(row: SampleText) -> str:
    """All that a reader of the row sees."""
    return "\n".join(text for text in (row.context, row.instruction, row.response) if text)


def written_text(row: SampleText) -> str:
    """What the teacher wrote. A context is a quotation by design."""
    return f"{row.instruction}\n{row.response}"


def mask(kind: str, value: str) -> str:
    """The value with all but its ends hidden; of an e-mail address the domain is shown."""
    name, at, domain = value.rpartition("@")
    if kind == "EMAIL_ADDRESS" and at:
        return f"{name[:1]}***@{domain}"
    return f"{value[:1]}***{value[-1:]}" if len(value) > 4 else "***"


def address_start(value: str) -> int:
    """Where the e-mail address begins in what a pattern took for one: after the last of `/=?&:` before the "@".

    RFC 5322 allows all but the colon in an address; in texts they stand before it: `mail=ann@x.org`, `Ann/ann@x.org`.
    """
    local = value.rpartition("@")[0]
    start = max((match.end() for match in _BEFORE_ADDRESS.finditer(local)), default=0)
    return start if start < len(local) else 0


def normal_form(kind: str, value: str) -> str:
    """By which two writings of a value are the same.

    Of an e-mail address what precedes it is left out (`address_start`).
    Of a phone number its last eight digits: with country code or without, with separators or without, it is one number.
    Secrets are compared as they stand, other values without regard to case and separators.
    """
    if kind == "PHONE_NUMBER":
        return "".join(str(int(each)) for each in value if each.isdecimal())[-_NUM_PHONE_DIGITS:]
    if kind == "EMAIL_ADDRESS":
        return value[address_start(value) :].casefold()
    if kind == "IP_ADDRESS":
        return value.casefold()
    if kind in ("CREDIT_CARD", "US_SSN", "IBAN_CODE"):
        return _NOT_ALPHANUMERIC.sub("", value).casefold()
    return value


def redact(text: str, findings: Sequence[Finding]) -> str:
    """The text with each finding replaced by its kind: "write to <EMAIL_ADDRESS>". Findings that overlap become one."""
    pieces, done = [], 0
    for finding in sorted(findings, key=lambda each: (each.start, -each.end)):
        if finding.start >= done:
            pieces += [text[done : finding.start], f"<{finding.kind}>"]
        done = max(done, finding.end)
    return "".join([*pieces, text[done:]])


def without_allowed(findings: Sequence[Finding], allowed: Sequence[re.Pattern[str]]) -> list[Finding]:
    """The findings whose whole value matches none of the patterns."""
    return [each for each in findings if not any(pattern.fullmatch(each.value) for pattern in allowed)]
