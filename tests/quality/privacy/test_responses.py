"""Responses of pairs: what they give away, what leaked from a source, and what they recite."""

import pytest

from synth_assets.quality.privacy import AskedResponse, ResponseRefusals
from synth_assets.recipe import PrivacySection
from synth_assets.records import DocumentChunk, SeedExample

RECITED = "the mayor of the town opens the bridge each spring before all boats may pass it"
MAIL = "jo.planted@mailbox.org"
SEEDS = [
    SeedExample("seed", "leaf", "skills/towns", 0, None, "What does the mayor do?", RECITED),
    SeedExample("mail", "leaf", "skills/towns", 1, None, "Whom do I write to?", MAIL),
]
CHUNKS = [DocumentChunk("chunk", "leaf", "knowledge/towns", "towns.md", "", 0, 1, f"A river is long. {RECITED.upper()}")]


def asked(response: str, question: str = "What is it like there?", context: str | None = None) -> AskedResponse:
    return AskedResponse("row", context, question, response, f"{context}\n{question}" if context else question)


def reasons(row: AskedResponse, personal_data: str = "drop", trained: tuple[str, ...] = ()) -> list[str]:
    privacy = PrivacySection.model_validate({"personal_data": personal_data})
    (found,) = ResponseRefusals(SEEDS, CHUNKS, privacy, trained).find([row])
    assert all(found.values()) and MAIL not in str(found)
    return list(found)


@pytest.mark.parametrize("personal_data", ["drop", "redact", "ignore"])
def test_a_value_of_a_source_leaks_whatever_is_done_about_personal_data(personal_data: str) -> None:
    hidden = [] if personal_data == "ignore" else ["personal_data"]
    assert reasons(asked(f"Write to {MAIL}."), personal_data) == ["leaked_value", *hidden]
    assert reasons(asked("Write to an.other@mailbox.org."), personal_data) == hidden, "nobody in the sources"
    assert reasons(asked("It is fine."), personal_data) == []


def test_what_the_prompt_says_itself_has_not_leaked_from_a_source() -> None:
    assert reasons(asked("It is an address.", f"What is {MAIL}?"), "ignore") == []
    assert reasons(asked(f"It is {MAIL}.", f"What is {MAIL}?"), "ignore") == ["leaked_value"]


def test_a_recited_source_is_found_by_what_was_written_and_a_context_is_no_recital() -> None:
    assert reasons(asked(f"Well, {RECITED}.")) == ["copies_source"]
    assert reasons(asked("It is a town with a bridge.", "What is it?", RECITED)) == []
    assert reasons(asked("The mayor.", "Who opens it?")) == []


def test_a_row_that_is_trained_on_is_no_source_of_copies_and_a_document_beside_it_is() -> None:
    own = asked("the seventh son of the old miller carries nine sacks of flour", "Who carries it?")
    seed = SeedExample("own", "leaf", "skills/own", 0, None, own.instruction, own.response)
    privacy = PrivacySection.model_validate({"personal_data": "drop"})
    assert list(ResponseRefusals([seed], [], privacy).find([own])[0]) == ["copies_source"]
    assert ResponseRefusals([seed], [], privacy, ["skills/own"]).find([own]) == [{}]
    assert reasons(asked(f"Well, {RECITED}."), trained=("skills/towns",)) == ["copies_source"]
