"""Open answers compared in both orders: what counts as preferred, and what a judge is caught at."""

import json
from pathlib import Path

import pytest

from synth_assets.errors import BenchmarkError
from synth_assets.evaluation import answer_open_questions, compare_answers, read_open_questions
from synth_assets.judging import Panel, write_judgement
from synth_assets.recipe import JudgesSection
from synth_assets.records import OpenQuestion
from synth_assets.roles import GenerationRequest
from tests.generation.scripted import ScriptedTeacher

QUESTIONS = [OpenQuestion(f"q{n}", "a/b", None, f"Write about {n}.") for n in range(3)]


def panel(script) -> Panel:
    bounds = {"value": 0.5, "reason": "for the tests, of this length"}
    section = JudgesSection(min_true_positive_rate=bounds, max_false_positive_rate=bounds)  # type: ignore[arg-type]
    return Panel(ScriptedTeacher(script), section)


def sides(request: GenerationRequest) -> dict[str, str]:
    lines = request.messages[0].content.splitlines()
    return {side: next(line for line in lines if line.startswith(f"{side}: "))[3:] for side in "AB"}


def outcomes(script) -> list[str]:
    rows = compare_answers(QUESTIONS, ["short"] * 3, ["much longer"] * 3, panel(script))
    assert [row.open_question_id for row in rows] == ["q0", "q1", "q2"]
    return [row.outcome for row in rows]


def test_an_answer_preferred_in_both_orders_has_won() -> None:
    def longest(request: GenerationRequest) -> str:
        shown = sides(request)
        return write_judgement("comparison", "by length", max("AB", key=lambda side: len(shown[side])))

    assert outcomes(longest) == ["tuned"] * 3
    assert outcomes(lambda request: longest(request).replace('"A"', '"x"').replace('"B"', '"A"').replace('"x"', '"B"')) == (
        ["base"] * 3
    )
    assert outcomes(lambda _: write_judgement("comparison", "all the same", "tie")) == ["tie"] * 3


def test_a_judge_that_goes_by_the_order_has_said_nothing() -> None:
    assert outcomes(lambda _: write_judgement("comparison", "the first is best", "A")) == ["inconsistent"] * 3
    assert outcomes(lambda _: "I like both.") == ["no_verdict"] * 3


def test_the_students_are_asked_greedily_in_the_style_of_the_recipe() -> None:
    student = ScriptedTeacher(lambda request: f"to {request.messages[0].content}")
    assert answer_open_questions(student, QUESTIONS, 40, "brief")[1] == "to Write about 1."
    assert {(request.temperature, request.max_new_tokens) for request in student.batches[0]} == {(0.0, 40)}


def test_open_questions_are_read_and_faults_are_located(tmp_path: Path) -> None:
    rows = [
        {"leaf_path": "a/b", "question": "Why?"},
        {"leaf_path": "a/b", "question": "Why?", "context": "A text.", "suite": "taxonomy", "answer": "so"},
    ]
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, [*rows, rows[0]])) + "\n\n")
    assert [(q.context, q.question) for q in read_open_questions(tmp_path)] == [(None, "Why?"), ("A text.", "Why?")]
    for line, said in (
        ("{", "no JSON"),
        ('{"question": "Why?"}', "not an open"),
        ('{"leaf_path": "", "question": "x"}', "text"),
    ):
        (tmp_path / "q.jsonl").write_text(json.dumps(rows[0]) + "\n" + line)
        with pytest.raises(BenchmarkError, match=said) as error:
            read_open_questions(tmp_path)
        assert error.value.where is not None and error.value.where.line == 2
    with pytest.raises(BenchmarkError, match="no open question"):
        read_open_questions(tmp_path / "nowhere")
