"""Which findings of the recognisers are what they are called: by the form of the value and the words beside it.

The rules come from false alarms that we looked at: years and lists of numbers as phone numbers, version numbers and slices
of lists as IP addresses, sums as social security numbers.
"""

from __future__ import annotations

import ipaddress
import re

from synth_assets.quality.privacy.findings import Finding

_PHONE_WORDS = re.compile(
    r"(?i)phone|\btel\b|\bcall|mobile|\bcell|\bfax|whatsapp|\bsms\b|\bdial|hotline|\bcontact|\breach\b|\btext (?:me|us)\b"
)
_SSN_WORDS = re.compile(r"(?i)social|\bssn|\bssid\b")
_VERSION_WORDS = re.compile(r"(?i)(?:version|release|section|chapter|figure|table|firmware|build|update|clause|v\.?)\s*$")
_YEARS = re.compile(r"\D*(?:1\d|20)\d\d(?:/\d{2,4})?\s*[-\u2012-\u2015]\s*(?:1\d|20)\d\d(?:/\d{2,4})?\D*")
_DATE = re.compile(r"\D*(?:\d{4}([-./ ])\d{1,2}\1\d{1,2}|\d{1,2}([-./ ])\d{1,2}\2\d{4})\b.*")
_DIALLED = re.compile(
    r"\s*(?:\+\s?\d|\(?\s?0\d|\(\d).*|\d{3}([ .-])\d{3}\1\d{4}(?!\d).*|\d-\d{3}-\d{3}-\d{4}|[^-]*-[^-].*", re.DOTALL
)
_GOES_BEFORE = re.compile(r"\d[.*^=-]?$|[^\W\d]$")
_GOES_ON = re.compile(r"\.\d|\w|\s?[*=^%\u00d7]")
_GROUP = re.compile(r"\d+")
_NUM_BEFORE, _NUM_AFTER = 40, 20  # characters in which a word says what a value is


def is_plausible(text: str, finding: Finding) -> bool:
    """Whether the value is written as one of its kind is."""
    before = text[max(0, finding.start - _NUM_BEFORE) : finding.start]
    after = text[finding.end : finding.end + _NUM_AFTER]
    if finding.kind == "PHONE_NUMBER":
        return _is_phone(finding.value, before, after)
    if finding.kind == "IP_ADDRESS":
        return _is_address(finding.value) and not ("." in finding.value and _VERSION_WORDS.search(before))
    if finding.kind == "US_SSN":
        return "-" in finding.value or bool(_SSN_WORDS.search(before))
    return True


def _is_phone(value: str, before: str, after: str) -> bool:
    groups = _GROUP.findall(value)
    digits = "".join(groups)
    is_part = _GOES_BEFORE.search(before) or _GOES_ON.match(after)
    if not 7 <= len(digits) <= 15 or is_part or _YEARS.fullmatch(value) or _DATE.fullmatch(value):
        return False
    if _is_book(groups, digits, before):
        return False
    if _PHONE_WORDS.search(before) or _PHONE_WORDS.search(after):
        return True
    return (max(map(len, groups)) >= 3 and len(groups) > 1 and bool(_DIALLED.fullmatch(value))) or value.startswith("+")


def _is_book(groups: list[str], digits: str, before: str) -> bool:
    """A book's number: so called, or in its four or five parts with the right check digit (ISO 2108)."""
    if re.search(r"(?i)is[bs]n(?:-1[03])?\W{0,3}$", before):
        return True
    if len(digits) == 13 and digits.startswith(("978", "979")):
        return sum(int(each) * (3 if at % 2 else 1) for at, each in enumerate(digits)) % 10 == 0
    if len(digits) == 10 and len(groups) == 4 and len(groups[-1]) == 1:
        return sum(int(each) * (10 - at) for at, each in enumerate(digits)) % 11 == 0
    return False


def _is_address(value: str) -> bool:
    """An address of one machine: no loopback, no netmask, and no `1::2`, which is a slice of a list."""
    try:
        address = ipaddress.ip_interface(value.partition("%")[0]).ip
    except ValueError:
        return False
    is_short = address.version == 6 and len([group for group in value.split(":") if group]) < 3
    return not (address.is_loopback or address.is_unspecified or (address.is_reserved and address.version == 4) or is_short)
