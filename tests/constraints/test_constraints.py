"""Each kind accepts what is built to hold and refuses what just does not; what may be drawn together can be met together."""

import itertools
import json
import time

import pytest
from answering import PROMPT, WORDS, built, drawn, spoiled
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.constraints import (
    CONSTRAINT_KINDS,
    CONSTRAINTS,
    append_constraints,
    broken_constraints,
    draw_constraints,
    follows_loosely,
    measure_following,
    read_constraint,
    write_constraint,
)
from synth_assets.constraints.following import loose_forms
from synth_assets.constraints.form import (
    EndsWith,
    HasPostscript,
    HasTitle,
    InDoubleQuotes,
    InLanguage,
    JsonOnly,
    NoCommas,
    NumHighlighted,
    NumPlaceholders,
    RepeatsPrompt,
    StartsWith,
)
from synth_assets.constraints.length import NumBullets, NumParagraphs, NumSections, NumWords, TwoAnswers
from synth_assets.constraints.text_parts import bullets_in, occurrences, paragraphs_in, sentences_in, words_in
from synth_assets.constraints.vocabulary import (
    CapitalWords,
    ForbidsKeywords,
    IncludesKeywords,
    KeywordFrequency,
    LetterFrequency,
    LowerCase,
    UpperCase,
)
from synth_assets.errors import ConstraintError


@pytest.mark.parametrize("kind", CONSTRAINT_KINDS)
def test_what_is_built_to_hold_holds_and_the_least_change_breaks_it(kind: str) -> None:
    for seed in range(40):
        constraint = drawn(kind, seed)
        text = built([constraint])
        assert constraint.holds(text), (constraint, text)
        assert not constraint.holds(spoiled(constraint, text)), (constraint, spoiled(constraint, text))
        assert not constraint.holds(" \n ")


def test_what_does_not_contradict_can_be_met_together() -> None:
    num_together = 0
    for one, other in itertools.combinations(CONSTRAINT_KINDS, 2):
        for seed in range(12):
            pair = [drawn(one, seed), drawn(other, seed + 100)]
            assert pair[0].contradicts(pair[1]) == pair[1].contradicts(pair[0])
            if not pair[0].contradicts(pair[1]):
                num_together += 1
                assert not broken_constraints(pair, built(pair)), (pair, built(pair))
    assert num_together > 12 * 120  # of 276 pairs


@pytest.mark.parametrize("seed", range(150))
def test_what_is_drawn_together_can_be_met_together(seed: int) -> None:
    chosen = draw_constraints(PROMPT, WORDS, 4, seed)
    assert 2 <= len(chosen) <= 4 and len({each.kind for each in chosen}) == len(chosen)
    assert not broken_constraints(chosen, built(chosen)), (chosen, built(chosen))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LowerCase(), UpperCase()), (JsonOnly(), StartsWith("In short")), (JsonOnly(), NumBullets(3)),
        (TwoAnswers(), InDoubleQuotes()), (IncludesKeywords(("very",)), ForbidsKeywords(("very",))),
        (NoCommas(), RepeatsPrompt("One, two?")), (InLanguage("Greek"), StartsWith("In short")),
        (NumWords("at_most", 10), RepeatsPrompt("What is it that " * 3)), (NumBullets(2), RepeatsPrompt("- one\n- two")),
        (CapitalWords("at_most", 2), UpperCase()), (EndsWith("So it is."), HasPostscript("P.S.")),
        (LetterFrequency("z", "at_most", 1), RepeatsPrompt("A puzzle?")), (InLanguage("Greek"), HasPostscript("P.S.")),
        (NumParagraphs(2), RepeatsPrompt("One.\n\nTwo.")), (NoCommas(), EndsWith("So, it is.")),
        (ForbidsKeywords(("people",)), RepeatsPrompt(PROMPT)), (TwoAnswers(), RepeatsPrompt("A\n******\nB")),
        (NumWords("at_least", 10), NumWords("at_most", 5)),
    ],
)  # fmt: skip
def test_contradictions(one, other) -> None:
    assert one.contradicts(other) and other.contradicts(one)


def test_all_kinds_are_drawn_and_the_same_seed_draws_the_same() -> None:
    seen = [draw_constraints(PROMPT, WORDS, 3, seed) for seed in range(300)]
    assert {each.kind for chosen in seen for each in chosen} == set(CONSTRAINT_KINDS)
    assert seen[:20] == [draw_constraints(PROMPT, WORDS[::-1], 3, seed, CONSTRAINT_KINDS[::-1]) for seed in range(20)]
    assert len(set(seen)) > 250
    assert draw_constraints(PROMPT, (), 9, 1, ["includes_keywords", "keyword_frequency"]) == ()
    assert draw_constraints(PROMPT, WORDS, 0, 1) == ()
    with pytest.raises(ConstraintError, match=r"no such kind.*'rhymes'"):
        draw_constraints(PROMPT, (), 1, 1, ["rhymes"])


@pytest.mark.parametrize("kind", CONSTRAINT_KINDS)
def test_a_sentence_says_every_parameter_in_several_wordings(kind: str) -> None:
    constraint = drawn(kind, 3)
    sentences = {constraint.sentence(seed) for seed in range(40)}
    assert len(sentences) == len(CONSTRAINTS[kind].wordings) > 1
    assert constraint.sentence(5) == constraint.sentence(5)
    for sentence in sentences:
        assert "{" not in sentence and "_" not in sentence
        for value in vars(constraint).values():
            for part in value if isinstance(value, tuple) else [str(value)]:
                assert part.replace("_", " ") in sentence or kind == "repeats_prompt"


def test_sentences_are_appended_and_the_repetition_stands_first() -> None:
    chosen = [NoCommas(), RepeatsPrompt("Why?")]
    text = append_constraints("Why?", chosen, 1)
    assert text.startswith("Why?\n\n" + chosen[1].sentence(1)) and text.endswith(chosen[0].sentence(1))
    assert append_constraints("Why?", [], 1) == "Why?"


@pytest.mark.parametrize("kind", CONSTRAINT_KINDS)
def test_writing_and_reading_are_inverse(kind: str) -> None:
    for seed in range(10):
        constraint = drawn(kind, seed, 'Say "é" and\n[it].')
        text = write_constraint(constraint)
        assert "\n" not in text and json.loads(text)["kind"] == kind
        assert read_constraint(text) == constraint and write_constraint(read_constraint(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "", "no", "[]", "{}", '{"kind": "rhymes"}', '{"kind": ["num_words"]}', '{"kind": "num_words"}',
        '{"kind": "num_words", "relation": "about", "count": 3}',
        '{"kind": "num_words", "relation": "at_most", "count": "3"}',
        '{"kind": "num_bullets", "count": true}', '{"kind": "num_bullets", "count": -1}', '{"kind": "no_commas", "more": 1}',
        '{"kind": "includes_keywords", "words": []}', '{"kind": "includes_keywords", "words": "a"}',
        '{"kind": "starts_with", "phrase": ""}', "[" * 100_000,
    ],
)  # fmt: skip
def test_what_states_no_constraint_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(ConstraintError, match="write_constraint"):
        read_constraint(text)


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from('*-.,"<>[]{}\n `#'), max_size=80)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_no_text_is_too_strange_to_be_judged(text: str) -> None:
    for kind in CONSTRAINT_KINDS:
        constraint = drawn(kind, 1, text + "x")
        assert constraint.holds(text) <= follows_loosely(constraint, text)
    assert len(sentences_in(text)) >= (1 if words_in(text) and "`" not in text and "~" not in text else 0)


@pytest.mark.parametrize(
    "text", [unit * 50_000 for unit in (".", "<", "[", "*", "a", "\n", '"', " ", "#", ".)", "a.b", "* ")]
)
def test_long_texts_are_judged_in_no_time(text: str) -> None:
    start = time.process_time()
    for kind in CONSTRAINT_KINDS:
        drawn(kind, 1).holds(text + "x")
    assert time.process_time() - start < 2


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_every_wrapped_text_is_known(text: str) -> None:
    assert InDoubleQuotes().holds(f'"{text}x"') and JsonOnly().holds(json.dumps([text]))
    assert JsonOnly().holds(f"```json\n{json.dumps({'a': text}, ensure_ascii=False)}\n```")
    assert RepeatsPrompt(f"Tell {text}").holds(f"Tell {text} x") and NoCommas().holds(text + "x") == (
        not set(text) & set(",，、،")
    )


CODE = "See:\n```python\n# e.g. one. two.\n\n- not a bullet\nx = 1\n```\nDone."


@pytest.mark.parametrize(
    ("text", "num_words", "num_sentences", "num_paragraphs", "num_bullets"),
    [
        ("Don't use state-of-the-art x=1 — ever.", 5, 1, 1, 0),
        ("Dr. J. Doe, e.g., paid 3.14 dollars. Then vs. now! Really?! Yes…", 12, 4, 1, 0),
        ('He said "Stop!" and left. "No." (Yes.)', 7, 4, 1, 0),
        ("one\ntwo\n\n \t\nthree", 3, 3, 2, 0),
        ("* a\n- b\n  • c\n-d\n--- \n**e** f", 6, 5, 1, 3),
        (CODE, 11, 2, 1, 0),
        ("Ένα. Δύο. Τρία!", 3, 3, 1, 0),
        ("Բարև։ Ինչպես եք։", 3, 2, 1, 0),
        ("一つ。 二つ！", 2, 2, 1, 0),
        ("... --- !", 0, 0, 1, 0),
        ("Is it so? No. Then what?", 6, 3, 1, 0),
        ("P.S. One more.", 3, 1, 1, 0),
        ("Solve for x. Then (cf. J. S. Bach) go on, etc. and so on. 빛. 빛.", 16, 4, 1, 0),
        ("", 0, 0, 0, 0),
    ],
)
def test_words_sentences_paragraphs_and_bullets(
    text: str, num_words: int, num_sentences: int, num_paragraphs: int, num_bullets: int
) -> None:
    found = [len(part(text)) for part in (words_in, sentences_in, paragraphs_in, bullets_in)]
    assert found == [num_words, num_sentences, num_paragraphs, num_bullets]


def test_words_are_found_whole_and_however_they_are_encoded() -> None:
    assert occurrences("cat", "Cat, cats; the CAT's cat_ scatter") == 2
    assert occurrences("café", "CAFE\u0301 and café") == 2 and occurrences("straße", "STRASSE") == 1
    assert occurrences("C++", "C++ and C, c++!") == 2 and occurrences("new york", "New\nYork") == 1
    assert KeywordFrequency("a", "at_most", 1).holds("A bath") and LetterFrequency("É", "at_least", 2).holds("éE\u0301")


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (JsonOnly(), ' [1, "a"] ', "3"), (JsonOnly(), '```\n{"a": 1}\n```', 'Here: {"a": 1}'),
        (JsonOnly(), "{}", "{'a': 1}"), (JsonOnly(), "[null]", "[NaN]"), (JsonOnly(), "[[]]", "[" * 100_000),
        (InDoubleQuotes(), "“So.”", '"'), (InDoubleQuotes(), '"a" b "c"', "'a b'"),
        (HasTitle(), "<<A title>>\nText", "<< >> <a>"), (HasTitle(), "x <<Ω>>", "<<a\nb>>"),
        (NumHighlighted(2), "*a* and **b c**", "* a\n* b\n2 * 3 * 4"), (NumHighlighted(1), "* an *item*", "******\n**"),
        (NumPlaceholders(1), "[name]", "[text](address) [ ] []"), (NumPlaceholders(2), "[a] [b c]", "[[a] x]"),
        (HasPostscript("P.S."), "Text.\n**P. S.** More", "Text P.S. more"), (HasPostscript("P.P.S."), "p.p.s. x", "P.S. x"),
        (HasPostscript("P.S."), "a\n\nP.S. b", "a\nP.S."),
        (StartsWith("In short"), '**"In short, yes', "In shorts"),
        (StartsWith("Übrigens"), "U\u0308BRIGENS so", "So übrigens"),
        (EndsWith("So be it."), "Yes. **So be it.**\n", "So be it. Yes"),
        (RepeatsPrompt("What is  it?"), "what is\nit? A bee.", "What is it?"),
        (NumSections("Part", 2), "**Part 1**\na\n# PART 2: b", "Part 1\nPart 1"),
        (NumSections("Part", 2), "Part 1\nin Part 2 we\nPart 2", "Part 2\nPart 1"),
        (TwoAnswers(), "a\n ****** \nb", "a\n******\nA\n******\nb"), (TwoAnswers(), "a b\n******\na c", "a b\n******\na  b"),
        (NoCommas(), "a; b", "a、b"), (LowerCase(), "été 1", "1 2"), (UpperCase(), "ÉTÉ?", "ÉTé"), (LowerCase(), "ß", "ǅ"),
        (CapitalWords("at_least", 2), "A NASA U.S. man", "A I NASA"), (CapitalWords("at_most", 0), "I am", "I AM"),
        (InLanguage("Greek"), "Το φως είναι 12 (C)", "Το φως light"), (InLanguage("Korean"), "안녕하세요.", "123"),
        (InLanguage("Hebrew"), "שלום עולם", "Shalom"), (InLanguage("Armenian"), "Բարև", "Бар"),
        (InLanguage("Georgian"), "გამარჯობა", "გ a"), (NumWords("at_most", 2), "one — two", "one two three"),
        (NumParagraphs(1), CODE, "one\n\ntwo"), (NumBullets(1), f"- a\n{CODE}", CODE),
    ],
)  # fmt: skip
def test_edges(constraint, good: str, bad: str) -> None:
    assert constraint.holds(good) and not constraint.holds(bad)


def test_loose_forms_are_the_eight_of_ifeval() -> None:
    assert set(loose_forms("*a*\nb\n*c*")) == {
        "*a*\nb\n*c*", "a\nb\nc", "b\n*c*", "b\nc", "*a*\nb", "a\nb", "b",
    }  # fmt: skip
    assert loose_forms("one") == ["one", ""]
    assert follows_loosely(StartsWith("In short"), "Sure, here it is:\nIn short: no.")
    assert follows_loosely(LowerCase(), "Here:\nso *it* is\nBye!") and not LowerCase().holds("Here:\nso it is\nBye!")
    assert follows_loosely(EndsWith("so."), "It is *so*.") and not follows_loosely(NoCommas(), "a, b")
    assert not follows_loosely(NoCommas(), "a, b\n")


def test_accuracy_by_prompt_and_by_constraint() -> None:
    both = (NoCommas(), LowerCase())
    found = measure_following([(both, "so it is"), (both, "Here:\nso it is"), (both[:1], "a, b"), (both, "A b")])
    assert (found.num_prompts, found.num_constraints) == (4, 7)
    assert (found.prompt_strict, found.prompt_loose) == (1 / 4, 2 / 4)
    assert (found.constraint_strict, found.constraint_loose) == (4 / 7, 5 / 7)
    for nothing in ([], [((), "a")]):
        with pytest.raises(ConstraintError, match="without constraints"):
            measure_following(nothing)
