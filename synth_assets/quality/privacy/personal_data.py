"""Personal data in texts: presidio's recognisers behind a regular expression that decides which texts they see.

Seven recognisers that need no model: e-mail addresses, credit cards, US social security numbers, IBANs, IP addresses,
crypto wallets and phone numbers. Nothing is fetched: spaCy's blank pipeline only splits words, and the public suffixes of
e-mail domains are those that tldextract carries, and those of networks that are not the public one (`.local`).

All recognisers on every text are slow (some 200 rows/s) and most rows hold nothing that any of them could find, so each
has a pattern that every value of its kind fits; only where it fits is the recogniser asked.

Taken at their word the recognisers call years, book numbers and lists of numbers phone numbers. So a finding must stand
up to `is_plausible`, whose rules ask for the form in which such values are written, or for a word beside them that says
what they are.

Limits: **names and addresses are not found** here (`find_names` finds names, with a model); nor are values that are written
out ("anna at mail dot org"), national phone numbers of other countries than presidio's eight without `+`, or bare digits
that nothing beside them calls a phone number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from synth_assets.quality.privacy.findings import Finding, address_start, without_allowed
from synth_assets.quality.privacy.plausible import is_plausible, may_hold_phone

NAMES_NOT_CHECKED = "Names and addresses: not checked, since no model that finds them is declared (trust.privacy.ner_model)."
_LEAST_SCORE = 0.4  # of presidio; what fits only the weakest forms lies below
_PRIVATE_SUFFIXES = ("local", "localdomain", "internal", "intranet", "lan", "corp")
_DIGIT_OR_SIGN = re.compile(r"\d|@|::")
_MAY_BE: dict[str, Callable[[str], object]] = {
    "EMAIL_ADDRESS": re.compile(r"\S@\w").search,
    "PHONE_NUMBER": may_hold_phone,
    "CREDIT_CARD": re.compile(r"\b[13-6]\d{3}[- ]?\d{3,4}[- ]?\d{3,4}[- ]?\d{3,5}\b").search,
    "US_SSN": re.compile(r"\b\d{3}[- .]?\d{2}[- .]?\d{4}\b").search,
    "IBAN_CODE": re.compile(r"[A-Z]{2}\d{2}[ -]?[A-Z0-9]{4}").search,
    "IP_ADDRESS": re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d|::|(?:[0-9A-Fa-f]{1,4}:){7}").search,
    "CRYPTO": re.compile(r"(?:bc1|[13])[a-zA-HJ-NP-Z0-9]{25}").search,
}
PERSONAL_DATA_KINDS = tuple(_MAY_BE)


def find_personal_data(texts: Sequence[str], allowed: Sequence[re.Pattern[str]] = ()) -> list[list[Finding]]:
    """One list a text, in its order and without overlaps. `allowed`: patterns of whole values that may be published."""
    return [without_allowed(_found_in(text, kinds), allowed) if (kinds := _kinds_in(text)) else [] for text in texts]


def find_without_choice(texts: Sequence[str]) -> list[list[Finding]]:
    """The same with every recogniser on every text: slow, and what the choice of texts is held against."""
    return [_found_in(text, list(PERSONAL_DATA_KINDS)) for text in texts]


def _kinds_in(text: str) -> list[str]:
    return [kind for kind, may_be in _MAY_BE.items() if may_be(text)] if _DIGIT_OR_SIGN.search(text) else []


def _found_in(text: str, kinds: list[str]) -> list[Finding]:
    results = _analyzer().analyze(text, language="en", entities=kinds)
    results.sort(key=lambda each: (-each.score, each.start - each.end, each.start, each.entity_type))
    taken: list[Finding] = []
    for each in results:
        start = each.start + (address_start(text[each.start : each.end]) if each.entity_type == "EMAIL_ADDRESS" else 0)
        finding = Finding(each.entity_type, start, each.end, text[start : each.end])
        overlaps = any(finding.start < other.end and other.start < finding.end for other in taken)
        if not overlaps and is_plausible(text, finding, is_certain=each.score >= _LEAST_SCORE):
            taken.append(finding)
    return sorted(taken, key=lambda each: each.start)


@cache
def _analyzer() -> Any:
    """The analyzer; imported late, since spaCy takes seconds."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, extra_suffixes=_PRIVATE_SUFFIXES)

    class BlankEngine(SpacyNlpEngine):  # type: ignore[misc]
        def load(self) -> None:
            self.nlp = {"en": spacy.blank("en")}
            self.nlp["en"].max_length = 2**62  # the limit guards parsers, and there is none

    class OfflineEmailRecognizer(predefined_recognizers.EmailRecognizer):  # type: ignore[misc]
        def validate_result(self, pattern_text: str) -> bool:
            return bool(suffixes(pattern_text.rpartition("@")[2]).fqdn)

    names = ("CreditCard", "UsSsn", "Iban", "Ip", "Crypto", "Phone")
    recognizers = [getattr(predefined_recognizers, f"{name}Recognizer")() for name in names]
    engine = BlankEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    engine.load()
    registry = RecognizerRegistry(recognizers=[OfflineEmailRecognizer(), *recognizers], supported_languages=["en"])
    return AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
