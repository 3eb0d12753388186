"""What is read out of a judge's answer, and what is made of one that cannot be read."""

import json

import pytest

from synth_assets.judging import JUDGES, judges_of, rank_of, read_judgement, verdict_line, write_judgement
from synth_assets.roles import GenerationResult


def said(text: str, finish_reason: str = "stop") -> GenerationResult:
    return GenerationResult(text, finish_reason)  # type: ignore[arg-type]


def test_a_verdict_is_read_with_its_reasons() -> None:
    good = read_judgement("pair", said(write_judgement("pair", "39 is right", "3")))
    assert good.is_accepted and (good.verdict, good.reasons, good.reason) == ("3", "39 is right", "")
    bad = read_judgement("pair", said(write_judgement("pair", "it is 39", "1")))
    assert not bad.is_accepted and (bad.reason, bad.detail) == ("low_pair_score", "verdict 1: it is 39")
    assert read_judgement("pair", said('{"reasons": "x", "verdict": 2}')).is_accepted  # a number will do


def test_words_and_fences_around_the_object_do_no_harm() -> None:
    text = 'Here is my verdict:\n```json\n{"reasons": "a {b} \\"c\\"", "verdict": "yes"}\n```\nI hope this helps.'
    assert read_judgement("instruction", said(text)).is_accepted
    braces = 'The set {1, 2} and \\frac{1}{2}: {"reasons": "r", "verdict": "3"}'
    assert read_judgement("pair", said(braces)).verdict == "3"


@pytest.mark.parametrize(
    "text", ["", "yes", "{", "[1]", '{"verdict": "maybe"}', '{"reasons": "yes"}', '{"verdict": ["yes"]}', "{" * 5000]
)
def test_an_answer_without_a_verdict_is_a_refusal_with_its_raw_words(text: str) -> None:
    judgement = read_judgement("instruction", said(text))
    assert (judgement.reason, judgement.verdict) == ("no_verdict", "")
    assert repr(text[:300]) in judgement.detail


def test_a_quotation_must_stand_in_the_text() -> None:
    text = "The tower is\n34 metres high. It is red."
    quoted = said(write_judgement("faithfulness", "so it is", "yes", "the tower is 34 metres high."))
    assert read_judgement("faithfulness", quoted, text).is_accepted
    made_up = said(write_judgement("faithfulness", "so it is", "yes", "It is 43 metres high."))
    assert read_judgement("faithfulness", made_up, text).reason == "span_not_in_text"
    empty = said(write_judgement("faithfulness", "so it is", "yes", ""))
    assert read_judgement("faithfulness", empty, text).reason == "span_not_in_text"
    refused = said(write_judgement("faithfulness", "it is 34", "no", "no matter"))
    assert read_judgement("faithfulness", refused, text).reason == "unfaithful"


def test_the_schema_asks_for_the_reasons_first() -> None:
    for judge in JUDGES.values():
        schema = json.loads(judge.schema(100))
        first, *_, last = schema["properties"]
        assert (first, last) == ("reasons", "verdict")
        assert schema["properties"]["verdict"] == {"enum": list(judge.verdicts)}
        assert schema["properties"]["reasons"]["maxLength"] == 100


def test_every_judge_that_decides_is_asked_of_some_leaf() -> None:
    asked = {name for is_knowledge in (True, False) for names in judges_of(is_knowledge) for name in names}
    assert asked == {name for name, judge in JUDGES.items() if judge.accepts}


def test_verdicts_have_ranks() -> None:
    line = verdict_line(read_judgement("pair", said('{"verdict": "2"}')))
    assert (line, rank_of(line), rank_of("pair: 3"), rank_of("question: no")) == ("pair: 2", 0.5, 1.0, 0.0)
