"""Lists in whatever form a model writes them, single prompts, refusals, and turns without politeness."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.generation.prompt_synthesis.reading import (
    judge_prompt,
    judge_refinement,
    judge_refusal,
    judge_topic,
    judge_turn,
    read_list,
    read_prompt,
    strip_politeness,
)
from synth_assets.generation.rejection import Verdict
from synth_assets.roles import GenerationResult


@pytest.mark.parametrize(
    "text",
    [
        "1. Physics\n2. World history\n3. C++",
        "1) Physics\n2) World history\n3) C++",
        "Here are three subjects:\n\n- Physics\n* World history\n• C++\n\nShall I go on?",
        "1. **Physics**: the study of matter\n2. **World history** – what was\n3. `C++` - a language",
        "(1) Physics.\n(2) World history.\n(3) C++.",
        "1. Physics\n   - optics\n   - waves\n2. World history\n3. C++",
        '["Physics", "World history", "C++"]',
        'Sure:\n```json\n[{"name": "Physics", "why": "x"}, {"name": "World history"}, {"name": "C++"}]\n```',
        '{"subjects": ["Physics", "World history", "C++"]}',
        "Physics\nWorld history\nC++",
        "Physics, World history, C++",
        "Physics; World history; C++.",
        "[x] see:\n1. Physics\n2. World history\n3. C++",
    ],
)
def test_lists_are_read_in_every_form(text: str) -> None:
    assert read_list(text) == ["Physics", "World history", "C++"]


@pytest.mark.parametrize(
    "text", ["", "Physics", "I would say that there is much to be learned about all of this.", "[]", "[" * 9999]
)
def test_what_is_no_list_is_none(text: str) -> None:
    assert read_list(text) == []


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('-*1.)\n[]",:')))
@settings(max_examples=200, deadline=None)
def test_nothing_is_too_strange_to_be_read(text: str) -> None:
    assert all(entry == entry.strip() and entry for entry in read_list(text))
    assert read_prompt(text) == read_prompt(text).strip()
    stripped = strip_politeness(text)
    assert len(stripped) <= len(text) + sum(map(len, (c.upper() for c in text)))


@pytest.mark.parametrize("unit", ["a ", ". ", "thanks ", "1. ", "[", "please ", "\n", "a, ", "!", "```", "'"])
def test_long_answers_are_read_in_no_time(unit: str) -> None:
    start, text = time.process_time(), unit * 20_000
    read_list(text), read_prompt(text), strip_politeness(text), judge_refusal(text)
    judge_turn(GenerationResult(text, "stop"), text, [])
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Question: "Why is it so?"', "Why is it so?"), ("- Why?", "Why?"), ("**Why is it so?**", "Why is it so?"),
        ("Here is a question about it:\n\nWhy?", "Why?"), ("Refined question: Why?", "Why?"), ("Task 1: Write.", "Write."),
        ('"Why" and "how"?', '"Why" and "how"?'), ("**Input**: a\n**Output**", "**Input**: a\n**Output**"),
        ("“Why?”", "“Why?”"[1:-1]), ("Questions: are they good?", "Questions: are they good?"), ('"', '"'), ("", ""),
    ],
)  # fmt: skip
def test_one_prompt_is_read_without_labels_and_marks(text: str, expected: str) -> None:
    assert read_prompt(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.", "I cannot provide this.", "As an AI language model, I have no views.",
        "Sorry, I cannot.", "I am very sorry. I must decline.", "Unfortunately, I am unable to do so.", "I’m unable to say.",
        "I won't write this.", "I really can't assist you.",
    ],
)  # fmt: skip
def test_refusals_are_known(text: str) -> None:
    verdict = judge_refusal(text)
    assert verdict and verdict.reason == "refusal" and text[:5] in verdict.detail


@pytest.mark.parametrize(
    "text",
    ["I can't sleep. What helps?", "I'm afraid of dogs; why?", "Why can't I do it?", "I am not sure about it. Are you?",
     "Sorry for the noise: what is a decibel?", "Assistants as an aid: how?", "As an adult, how do I learn?"],
)  # fmt: skip
def test_what_users_say_is_no_refusal(text: str) -> None:
    assert judge_refusal(text) is None


def reason_of(verdict: Verdict | None) -> str:
    return verdict.reason if verdict else ""


def test_prompts_are_judged() -> None:
    asked = "Think of one question about this subject that matters. Write the question alone."

    def judged(text: str, finish_reason: str = "stop") -> str:
        result = GenerationResult(text, finish_reason)  # type: ignore[arg-type]
        return reason_of(judge_prompt(result, read_prompt(text), asked))

    assert judged("Why does ice float?") == "" and judged("Sort:\n- a\nand\n- b") == ""
    assert judged("") == "empty" and judged("Why does", "length") == "truncated"
    assert judged("Why<|user|>?") == "unparseable" and judged("1. Why?\n2. How?") == "unparseable"
    assert judged("I cannot help with it.") == "refusal"
    assert judged("think of one QUESTION about this subject") == "repeats_prompt" and judged("Write the question") == ""


def test_refinements_are_longer() -> None:
    assert judge_refinement("Why does ice float on water?", "Why does ice float?") is None
    assert reason_of(judge_refinement("why  does ice FLOAT?", "Why does ice float?")) == "repeats_prompt"
    assert reason_of(judge_refinement("Why is this so?", "Why does ice float?")) == "not_refined"


def test_topics_are_short_names() -> None:
    assert judge_topic("The art of the fugue") is None and judge_topic("C++") is None
    assert reason_of(judge_topic("??")) == "no_topic" and reason_of(judge_topic("a b c d e f g h i")) == "no_topic"


def test_turns_are_judged() -> None:
    def judged(raw: str, text: str, finish_reason: str = "stop") -> str:
        return reason_of(judge_turn(GenerationResult(raw, finish_reason), text, ["Why?", "So."]))  # type: ignore[arg-type]

    assert judged("How?", "How?") == "" and judged("why?", "why?") == "repeats_prompt"
    assert judged("Thanks!", "") == "empty" and judged("", "") == "empty" and judged("Ho", "Ho", "length") == "truncated"
    assert judged("x", "And then?\nAssistant: So it is.") == "unparseable"
    assert judged("x", "As an AI, I have no wish.") == "refusal"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thank you! What about snow?", "What about snow?"),
        ("Thanks for the explanation. Could you please say why?", "Could you say why?"),
        ("Thank you for that, but what about hail?", "What about hail?"),
        ("Thanks, and what about hail?", "What about hail?"),
        ("That's a great answer! Please go on.", "Go on."),
        ("Great question. This was very helpful. Why?", "Why?"),
        ("Great, now do the same for hail.", "Now do the same for hail."),
        ("Hello there! I have 3.5 litres, please, what now?", "I have 3.5 litres, what now?"),
        ("Interesting, unusual facts about snow?", "Interesting, unusual facts about snow?"),
        ("Explain it, please. Thanks in advance!", "Explain it."),
        ("please explain\nit", "explain\nit"),
        ("I really appreciate your help. Is it so?", "Is it so?"),
        ("Wow, that's interesting! How come?", "How come?"),
        ("Thanks for the answer, it was very helpful.", ""),
        ("Thank you so much.", ""),
        ("I want to please my boss. It is good to be pleased.", "I want to please my boss. It is good to be pleased."),
        ("Is that a good answer?", "Is that a good answer?"),
        ("A good question to ask is why.", "A good question to ask is why."),
        ("Thank you notes: how do I write them?", "Thank you notes: how do I write them?"),
        ("Run this:\n```\nprint('please')\n# thanks!\n```\nThanks!", "Run this:\n```\nprint('please')\n# thanks!\n```"),
        ("What does it cost?", "What does it cost?"),
    ],
)
def test_politeness_is_stripped_and_nothing_else(text: str, expected: str) -> None:
    assert strip_politeness(text) == expected
    assert strip_politeness(expected) == expected
