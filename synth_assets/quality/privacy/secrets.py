"""Keys and tokens, by the forms that their providers publish.

Only forms with a fixed beginning are looked for: what merely looks random is in prose nearly always something else
(detect-secrets flagged 99 % of ordinary rows in a trial of ours). So a password in plain words is not found.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence

from synth_assets.quality.privacy.findings import Finding, without_allowed

_END = r"(?![A-Za-z0-9_-])"
_START = r"(?<![A-Za-z0-9_-])"
_PATTERNS: dict[str, re.Pattern[str]] = {
    "AWS_ACCESS_KEY": re.compile(rf"{_START}(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{{16}}{_END}"),
    "AWS_SECRET_KEY": re.compile(
        r"(?i:secret_?(?:access_?)?key)['\"]?\s*[:=]\s*['\"]?(?P<value>[A-Za-z0-9/+]{40})(?![\w/+=])"
    ),
    "GITHUB_TOKEN": re.compile(
        rf"{_START}(?:gh[pousr]_[A-Za-z0-9]{{36}}|github_pat_[A-Za-z0-9]{{22}}_[A-Za-z0-9]{{59}}){_END}"
    ),
    "GOOGLE_API_KEY": re.compile(rf"{_START}(?:AIza[A-Za-z0-9_-]{{35}}|GOCSPX-[A-Za-z0-9_-]{{28}}){_END}"),
    "SLACK_TOKEN": re.compile(rf"{_START}xox[abeoprs]-[0-9]{{6,}}-[A-Za-z0-9-]{{10,}}{_END}"),
    "SLACK_WEBHOOK": re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{24}(?![A-Za-z0-9])"),
    "STRIPE_KEY": re.compile(rf"{_START}[sr]k_(?:live|test)_[A-Za-z0-9]{{24,}}{_END}"),
    "PRIVATE_KEY": re.compile(
        r"-----BEGIN (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----"
        r"(?:[^-]*-----END (?:[A-Z0-9]+ ){0,2}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s]*)"
    ),
    "JSON_WEB_TOKEN": re.compile(rf"{_START}eyJ[A-Za-z0-9_-]{{8,}}\.eyJ[A-Za-z0-9_-]{{2,}}\.[A-Za-z0-9_-]{{16,}}{_END}"),
}  # fmt: skip
_ANY = re.compile(
    r"A[KSBC][IC]A|(?i:secret_?(?:access_?)?key)|gh[pousr]_|github_pat_|AIza|GOCSPX-|xox|slack\.com"
    r"|k_(?:live|test)_|PRIVATE KEY|eyJ"
)
SECRET_KINDS = tuple(_PATTERNS)


def find_secrets(texts: Sequence[str], allowed: Sequence[re.Pattern[str]] = ()) -> list[list[Finding]]:
    """One list a text, in the order of the text. `allowed`: patterns of whole values that may be published."""
    return [without_allowed(_secrets_of(text), allowed) if _ANY.search(text) else [] for text in texts]


def _secrets_of(text: str) -> list[Finding]:
    found = []
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            start, end = match.span("value" if "value" in pattern.groupindex else 0)
            if kind != "JSON_WEB_TOKEN" or _names_its_algorithm(text[start:end]):
                found.append(Finding(kind, start, end, text[start:end]))
    return sorted(found, key=lambda each: (each.start, each.end))


def _names_its_algorithm(token: str) -> bool:
    """A token's first part is a JSON object with `alg` (RFC 7515, 4.1.1)."""
    head = token.partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(said, dict) and "alg" in said
