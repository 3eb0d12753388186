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
_YEARS = r"(?:1\d|20)\d\d(?:/\d{2,4})?\s*[-\u2012-\u2015]\s*(?:1\d|20)\d\d(?:/\d{2,4})?(?!\d)"
_DATE = r"\d{4}([-./])\d{1,2}\1\d{1,2}(?!\d)|(?<!\d)\d{1,2}([-./])\d{1,2}\2\d{4}(?!\d)"
_RANGE = r"\d+\.\d+\s*[-\u2012-\u2015]\s*\d+\.\d+(?!\d)"
_NO_PHONE = re.compile(rf"(?<!\d)(?:{_DATE}|{_YEARS}|{_RANGE})")
_DIALLED = re.compile(
    r"\s*(?:\+\s?\d|\(?\s?0\d|\(\d).*|\d{3}([ .-])\d{3}\1\d{4}(?!\d).*|\d-\d{3}-\d{3}-\d{4}|[^-]*-[^-].*", re.DOTALL
)
_FRENCH = re.compile(r"0[1-9](?:([ .-])\d\d)(?:\1\d\d){3}")
_GOES_BEFORE = re.compile(r"\d[.*^=-]?$|[^\W\d]$")
_GOES_ON = re.compile(r"\.\d|\w|\s?[*=^%\u00d7]")
_GAP = r"[-\u2010-\u2015\u2212\u30fc\uff0d\u00a0\u00ad\u200b\u2060\u3000 ()\[\]./~]{0,4}"
_DIGITS = re.compile(rf"\+?[ (]{{0,2}}\d(?:{_GAP}\d){{6,}}")
_MAY_BE_DIALLED = re.compile(r"\+\s?\(?\d|\(\s?\d|(?<!\d)0\d|\d{3}([ .-])\d{3}\1\d{4}|-")
_GROUP = re.compile(r"\d+")
_NUM_BEFORE, _NUM_AFTER = 40, 20  # characters in which a word says what a value is


def is_plausible(text: str, finding: Finding, is_certain: bool = True) -> bool:
    """Whether the value is written as one of its kind is. `is_certain`: its form alone says so."""
    before = text[max(0, finding.start - _NUM_BEFORE) : finding.start]
    after = text[finding.end : finding.end + _NUM_AFTER]
    if finding.kind == "US_SSN":
        return bool(_SSN_WORDS.search(before)) or (is_certain and "-" in finding.value)
    if not is_certain:
        return False
    if finding.kind == "PHONE_NUMBER":
        return _is_phone(finding.value, before, after)
    if finding.kind == "CREDIT_CARD":
        return not _is_in_a_list(before, after)
    if finding.kind == "IP_ADDRESS":
        is_part = re.search(r"\d\.$", before) or re.match(r"\.\d", after)
        is_version = "." in finding.value and _VERSION_WORDS.search(before)
        return not (is_part or is_version) and _is_address(finding.value)
    return True


def may_hold_phone(text: str) -> bool:
    """Whether digits stand in the text in a way that could satisfy the rules for phone numbers below."""
    runs = [match.group() for match in _DIGITS.finditer(text)]
    runs = [run if "+" in run else _NO_PHONE.sub(" ", run) for run in runs]
    runs = [run for run in runs if _DIGITS.search(run)]
    return any(_MAY_BE_DIALLED.search(run) for run in runs) or bool(runs and _PHONE_WORDS.search(text))


def _is_phone(value: str, before: str, after: str) -> bool:
    groups = _GROUP.findall(value)
    digits = "".join(groups)
    is_part = _GOES_BEFORE.search(before) or _GOES_ON.match(after)
    if not 7 <= len(digits) <= 15 or is_part or _NO_PHONE.match(value.lstrip("( ")):
        return False
    if _is_book(groups, digits, before):
        return False
    if _PHONE_WORDS.search(before) or _PHONE_WORDS.search(after) or value.startswith("+"):
        return True
    if _FRENCH.fullmatch(value):
        return not _is_in_a_list(before, after)
    return max(map(len, groups)) >= 3 and len(groups) > 1 and bool(_DIALLED.fullmatch(value))


def _is_in_a_list(before: str, after: str) -> bool:
    """Whether further digits stand next to these: four of many numbers are no card."""
    return bool(re.search(r"\d[ -]$", before) or re.match(r"[ -]\d", after))


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
