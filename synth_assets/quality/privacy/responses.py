"""What a response of a preference pair must not hold: what gives somebody away, what leaked from a source, a source's text.

A tuned student that is sampled at a high temperature is the likeliest of all to recite what it was tuned on. A response is
looked through with its prompt, since the answer to it may be a phone number; a value has leaked if it stands in the
response and in a source. Copies are found as those of samples are, of question and response together.

Limit: rows of data sets that the recipe trains on are no sources for copies: that the student knows them is wanted. For
values that leak they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from synth_assets.quality.privacy.copies import CopyIndex
from synth_assets.quality.privacy.refusals import allowed_patterns, look_through, why_hidden
from synth_assets.quality.privacy.sources import LeakIndex, sources_of
from synth_assets.recipe import PrivacySection
from synth_assets.records import DocumentChunk, SeedExample

LEAKED_VALUE, COPIES_SOURCE = "leaked_value", "copies_source"


@dataclass(frozen=True)
class AskedResponse:
    """A response with what it answers: `prompt` are all turns, `context` and `instruction` of what the last one was made.

    The first four are those of a `SampleText`.
    """

    synthetic_sample_id: str
    context: str | None
    instruction: str
    response: str
    prompt: str


class ResponseRefusals:
    """What stands in the sources is read once."""

    def __init__(
        self, seeds: Sequence[SeedExample], chunks: Sequence[DocumentChunk], privacy: PrivacySection,
        trained_leaves: Collection[str] = (),
    ) -> None:  # fmt: skip
        self._privacy = privacy
        self._leaks = LeakIndex(sources_of(seeds, chunks), allowed_patterns(privacy))
        untrained = [seed for seed in seeds if seed.leaf_path not in trained_leaves]
        self._copies = CopyIndex(sources_of(untrained, chunks), privacy.copy_ngram)

    def find(self, rows: Sequence[AskedResponse]) -> list[dict[str, str]]:
        """Of each row the reasons why it may be in no pair, each with its detail, the gravest first; values are masked."""
        found: list[dict[str, str]] = []
        for row, personal, secret in look_through(rows, lambda row: f"{row.prompt}\n{row.response}", self._privacy):
            said = [each for each in (*personal, *secret) if each.end > len(row.prompt) + 1]
            leaks = self._leaks.leaks_in(row.synthetic_sample_id, said)
            reasons: dict[str, str] = {}
            if leaks:
                reasons[LEAKED_VALUE] = f"{leaks[0].kind} {leaks[0].masked} of {leaks[0].source_id}"
            if hidden := why_hidden(personal, secret, self._privacy):
                reasons[hidden[0]] = hidden[1]
            if copy := self._copies.find(row):
                reasons[COPIES_SOURCE] = f"{copy.kind} {copy.value:.2f} of {copy.source_id}"
            found.append(reasons)
        return found
