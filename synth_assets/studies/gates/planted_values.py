"""Made-up personal data and keys, to be planted and found again. Nobody's: all are drawn, and keys are put together here.

Keys have the forms of their providers only when the study runs, so that no scanner takes this file for one.
"""

from __future__ import annotations

from random import Random
from string import ascii_letters, ascii_uppercase, digits

_DOMAINS = ("mail.example.org", "posteo.de", "webmail.co.uk", "inbox.com")
_NAMES = ("anna", "karl", "mei", "omar", "ines", "theo", "nora", "igor")


def random_email(rng: Random) -> str:
    return f"{rng.choice(_NAMES)}.{rng.choice(_NAMES)}{rng.randrange(100)}@{rng.choice(_DOMAINS)}"


def random_phone(rng: Random) -> str:
    """A German or a US number, in international form."""
    if rng.random() < 0.5:
        return f"+49 30 {rng.randrange(2, 9)}{_some(rng, digits, 3)} {_some(rng, digits, 4)}"
    return f"+1 212 {rng.randrange(2, 9)}{_some(rng, digits, 2)} {_some(rng, digits, 4)}"


def random_iban(rng: Random) -> str:
    """German, with its check digits (ISO 13616: the whole modulo 97 is 1; letters count from 10)."""
    account = _some(rng, digits, 18)
    return f"DE{98 - int(account + '131400') % 97:02d}{account}"


def random_identifier(rng: Random) -> str:
    return rng.choice((random_email, random_phone, random_iban))(rng)


def random_secret(rng: Random) -> str:
    """A key of a random provider."""
    alphanumeric = ascii_letters + digits
    begin = "-" * 5 + "BEGIN RSA PRIVATE" + " KEY" + "-" * 5
    return rng.choice((
        "AK" + "IA" + _some(rng, ascii_uppercase + "234567", 16),
        "gh" + "p_" + _some(rng, alphanumeric, 36),
        "AI" + "za" + _some(rng, alphanumeric, 35),
        "xo" + "xb-" + _some(rng, digits, 12) + "-" + _some(rng, alphanumeric, 24),
        "sk" + "_live_" + _some(rng, alphanumeric, 24),
        begin + "\n" + _some(rng, alphanumeric, 64),
    ))  # fmt: skip


def _some(rng: Random, alphabet: str, num: int) -> str:
    return "".join(rng.choices(alphabet, k=num))
