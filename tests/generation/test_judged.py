"""Generation with judges: what they refuse is counted and said, and the quota counts what they accept."""

from collections import Counter

import pytest

from synth_assets.errors import EngineError
from synth_assets.generation import calibrate_judges, calibration_cases, generate_samples
from synth_assets.judging import Panel, write_judgement
from synth_assets.recipe import JudgesSection
from synth_assets.records import SeedExample
from synth_assets.roles import GenerationRequest, GenerationResult
from tests.generation.scripted import Answer, ScriptedTeacher, chunks, leaf, seeds, settings, varied

SKILL, GROUNDED, KNOWLEDGE = "compositional_skills/a/free", "compositional_skills/b/cards", "knowledge/c/facts"
WHY = "for the tests, of this length"


def judge_of(request: GenerationRequest) -> str:
    line = request.messages[0].content.split("\n")[0]
    marks = {"Is it like these": "instruction", "from 1 to 3": "pair", "text answer it": "question",
             "text say so": "faithfulness", "from 0 to 2": "relevance"}  # fmt: skip
    return next(name for mark, name in marks.items() if mark in line)


def kind_answer(request: GenerationRequest) -> str:
    name = judge_of(request)
    verdict = {"pair": "3", "relevance": "2"}.get(name, "yes")
    span = request.messages[0].content.split("\n")[1].removeprefix("Text: ") if name == "faithfulness" else None
    return write_judgement(name, "good", verdict, span)  # type: ignore[arg-type]


def panel(script=kind_answer, **values: object) -> Panel:
    bounds = {"value": 0.5, "reason": WHY}
    section = JudgesSection(min_true_positive_rate=bounds, max_false_positive_rate=bounds, **values)  # type: ignore[arg-type]
    return Panel(ScriptedTeacher(script), section)


def generate(judges: Panel | None, quota: int = 4, budget_factor: float = 3.0, **values: object):
    leaves = [leaf(SKILL), leaf(GROUNDED), leaf(KNOWLEDGE)]
    examples = [*seeds(SKILL), *seeds(GROUNDED, is_grounded=True), *seeds(KNOWLEDGE, is_grounded=True)]
    given = (leaves, examples, chunks(KNOWLEDGE), ScriptedTeacher(varied), settings(quota, budget_factor, **values), 7)
    return generate_samples(*given, panel=judges)


def test_what_every_judge_accepts_carries_its_verdicts_and_its_quotation() -> None:
    outcome = generate(judges := panel())
    assert outcome.counts.num_kept == 12 and not outcome.rejected
    verdicts = {sample.leaf_path: sample.verdicts for sample in outcome.samples}
    assert verdicts[SKILL] == verdicts[GROUNDED] == ("instruction: yes", "pair: 3")
    assert verdicts[KNOWLEDGE] == ("question: yes", "faithfulness: yes", "relevance: 2")
    assert {sample.supporting_span for sample in outcome.samples if sample.leaf_path == KNOWLEDGE} == {
        "Fact 0.", "Fact 1.", "Fact 2."
    }  # fmt: skip
    assert {sample.supporting_span for sample in outcome.samples if sample.leaf_path == SKILL} == {None}
    assert len(judges.model.batches) == 2  # type: ignore[attr-defined]  # all leaves at once, instructions and responses


def test_judges_change_nothing_in_what_they_accept() -> None:
    plain, judged = generate(None), generate(panel())
    assert [s.synthetic_sample_id for s in plain.samples] == [s.synthetic_sample_id for s in judged.samples]


def test_a_refusal_is_a_row_with_the_judges_words_and_the_quota_is_filled_up() -> None:
    def script(request: GenerationRequest) -> Answer:
        text = request.messages[0].content
        if judge_of(request) == "pair" and int(text[-2]) % 2:  # the last digit of the response
            return write_judgement("pair", "it is another number", "1")
        return kind_answer(request)

    outcome = generate(panel(script), quota=6, budget_factor=9.0)
    refused = [row for row in outcome.rejected if row.rejection_reason == "low_pair_score"]
    assert refused and {row.leaf_path for row in refused} == {SKILL, GROUNDED}
    assert {row.detail for row in refused} == {"response: judge pair: verdict 1: it is another number"}
    assert all(row.instruction and row.response for row in refused)
    assert Counter(sample.leaf_path for sample in outcome.samples) == {SKILL: 6, GROUNDED: 6, KNOWLEDGE: 6}


def test_no_verdict_and_a_failed_call_are_told_apart() -> None:
    def script(request: GenerationRequest) -> Answer:
        if judge_of(request) == "instruction":
            return "I would rather not say."
        if judge_of(request) == "question":
            return GenerationResult("", "error", error="out of luck")
        return kind_answer(request)

    outcome = generate(panel(script), quota=2, budget_factor=1.0)
    reasons = Counter((row.leaf_path, row.outcome, row.rejection_reason) for row in outcome.rejected)
    assert reasons == {
        (SKILL, "rejected", "no_verdict"): 2,
        (GROUNDED, "rejected", "no_verdict"): 2,
        (KNOWLEDGE, "failed", "judge_error"): 2,
    }
    assert "'I would rather not say.'" in outcome.rejected[0].detail
    whys = {row.leaf_path: row.why for row in outcome.shortfalls}
    assert whys[SKILL] == "its budget of 2 candidates is spent: 2 no_verdict"


def test_a_judge_that_is_not_asked_refuses_nothing() -> None:
    def script(request: GenerationRequest) -> str:
        return (
            write_judgement("faithfulness", "no", "no", "x") if judge_of(request) == "faithfulness" else kind_answer(request)
        )

    assert not any(s.leaf_path == KNOWLEDGE for s in generate(panel(script), budget_factor=1.0).samples)
    outcome = generate(panel(script, asked=("instruction", "pair", "question", "relevance")), budget_factor=1.0)
    assert [s.verdicts for s in outcome.samples if s.leaf_path == KNOWLEDGE] == [("question: yes", "relevance: 2")] * 4


def test_an_instruction_too_close_to_another_is_not_novel() -> None:
    outcome = generate(None, quota=4, budget_factor=2.0, max_rouge_l=0.7)
    refused = [row for row in outcome.rejected if row.rejection_reason == "not_novel"]
    assert refused and "ROUGE-L 0.8" in refused[0].detail  # "Do new thing N?" of two seeds differ in one word of five
    assert len([s for s in outcome.samples if s.leaf_path == SKILL]) == 1
    assert len([s for s in outcome.samples if s.leaf_path == GROUNDED]) == 4  # each on a text of its own


def test_creative_leaves_have_a_temperature_and_a_persona_is_drawn() -> None:
    teacher = ScriptedTeacher(varied)
    given = settings(
        4,
        creative_leaves=("compositional_skills/a/*",),
        creative_temperature=1.3,
        prompts="lab",
        personas=("a baker", "a nurse"),
    )
    generate_samples([leaf(SKILL), leaf(GROUNDED)], [*seeds(SKILL), *seeds(GROUNDED)], [], teacher, given, 7)
    instructions, responses = teacher.batches[0], teacher.batches[1]
    assert {request.temperature for request in responses[:4]} == {1.3}
    assert {request.temperature for request in responses[4:]} == {0.7}
    assert "imagination" in responses[0].messages[0].content and "exactly" in responses[4].messages[0].content
    assert [message.role for message in responses[0].messages] == ["user", "assistant"] * 2 + ["user"]
    said = " ".join(request.messages[0].content for request in instructions)
    assert "a baker" in said and "a nurse" in said


def test_calibration_cases_are_right_or_surely_wrong() -> None:
    examples = [*seeds(SKILL), *seeds(GROUNDED, is_grounded=True)]
    examples += [
        SeedExample(
            f"k{n}", "id", KNOWLEDGE, n, f"Ort {n // 2} has {n // 2}0 boats.", f"How many {n}?", f"{n // 2}0 boats {n}"
        )
        for n in range(6)
    ]
    cases = list(calibration_cases([leaf(SKILL), leaf(GROUNDED), leaf(KNOWLEDGE)], examples, 3, 7))
    good = [case for case in cases if case.spoiled_by == "none"]
    assert Counter(case.judge for case in good) == {
        "instruction": 10, "pair": 10, "question": 5, "faithfulness": 5, "relevance": 5
    }  # fmt: skip
    assert all((c.case.values["instruction"], c.case.values["response"]) == (c.seed.question, c.seed.answer) for c in good)
    bad = [case for case in cases if case.spoiled_by != "none"]
    assert len(bad) >= 30
    for case in bad:
        asked, answer = case.case.values["instruction"], case.case.values["response"]
        assert asked != case.seed.question or answer != case.seed.answer
        if case.judge in ("pair", "relevance", "faithfulness"):
            assert asked == case.seed.question and answer != case.seed.answer
        assert case.seed.question not in case.case.values["examples"]
    assert cases == list(calibration_cases([leaf(KNOWLEDGE), leaf(GROUNDED), leaf(SKILL)], examples[::-1], 3, 7))


def test_an_answer_from_another_text_is_never_the_answer_itself() -> None:
    examples = [
        SeedExample(
            f"k{n}", "id", KNOWLEDGE, n, f"Text {'abc'[n // 3]}.", f"Why {n}?", f"Because of {'pqrstu'[n]} and so on."
        )
        for n in range(6)
    ]
    cases = calibration_cases([leaf(KNOWLEDGE)], examples, 3, 7)
    bad = [case for case in cases if case.spoiled_by == "answer_from_another_text"]
    contexts = {example.answer: example.context for example in examples}
    assert len(bad) == 5
    assert all(contexts[str(case.case.values["response"])] != case.seed.context for case in bad)


def test_a_call_that_failed_is_no_verdict() -> None:
    def script(request: GenerationRequest) -> Answer:
        return GenerationResult("", "error", error="too long") if judge_of(request) == "pair" else kind_answer(request)

    with pytest.raises(EngineError, match="10 of 20 calls of the judge have failed: too long"):
        calibrate_judges([leaf(SKILL)], seeds(SKILL), panel(script), 3, 7)


def test_a_judge_that_accepts_everything_shows_in_the_calibration() -> None:
    rows = calibrate_judges([leaf(SKILL), leaf(GROUNDED)], [*seeds(SKILL), *seeds(GROUNDED)], panel(), 3, 7)
    assert {row.is_accepted for row in rows} == {True} and {row.must_accept for row in rows} == {True, False}
    assert len({row.judged_case_id for row in rows}) == len(rows)
