"""Open answers, compared in pairs by a judge: questions that have no one right answer.

As MT-Bench compares models (Zheng et al. 2023, arXiv 2306.05685, section 3.4): the judge sees both answers in both orders,
since judges favour the first; what it does not say in both is no verdict but a sign of that bias, and is counted as such.
One turn, no reference answers, no scores: whether the tuned student is *better* than its base, not how good it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synth_assets.errors import BenchmarkError, EngineError, Where
from synth_assets.evaluation.json_lines import located_lines
from synth_assets.judging import Judgement, Panel, Preferred, comparison_cases, read_comparison, require_judged
from synth_assets.prompts import render_prompt
from synth_assets.records import Comparison, ComparisonOutcome, OpenQuestion, content_id
from synth_assets.roles import GenerationRequest, Message, TextModel

_REQUIRED, _OPTIONAL = ("leaf_path", "question"), ("context", "answer", "suite")
_OUTCOMES: dict[Preferred, ComparisonOutcome] = {
    "first": "base", "second": "tuned", "tie": "tie", "inconsistent": "inconsistent", "no_verdict": "no_verdict"
}  # fmt: skip


def read_open_questions(folder: Path) -> list[OpenQuestion]:
    """Every question of the folder's *.jsonl files; a right answer may stand with it and is not looked at.

    Raises BenchmarkError with file and line for what is no such object, and for a folder without questions.
    """
    parsed = (_parse(line, where) for where, line in located_lines(folder, "the open questions"))
    questions = {question.open_question_id: question for question in parsed}
    if not questions:
        raise BenchmarkError(
            "no open question was found", where=Where(str(folder)),
            remedy="set evaluation.open_questions to a folder of *.jsonl files with the keys " + ", ".join(_REQUIRED),
        )  # fmt: skip
    return list(questions.values())


def answer_open_questions(
    model: TextModel, questions: Sequence[OpenQuestion], max_new_tokens: int, prompts_style: str
) -> list[str]:
    """Greedy answers, in the order of the questions. Raises EngineError if one could not be answered at all."""
    prompts = [render_prompt(prompts_style, "question", context=q.context, instruction=q.question) for q in questions]
    requests = [GenerationRequest((Message("user", prompt),), max_new_tokens, 0.0, 0) for prompt in prompts]
    results = model.generate(requests)
    if failed := [result.error for result in results if result.finish_reason == "error"]:
        raise EngineError(
            f"{len(failed)} of {len(questions)} open questions could not be answered: {failed[0]}",
            remedy="shorten the question named, or raise student.max_model_len",
        )
    return [result.text for result in results]


def compare_answers(
    questions: Sequence[OpenQuestion], base: Sequence[str], tuned: Sequence[str], panel: Panel
) -> list[Comparison]:
    """One comparison a question, each judged twice: base as A, then tuned as A. Raises what the judge raises."""
    cases = [
        case
        for question, *answers in zip(questions, base, tuned, strict=True)
        for case in comparison_cases(question.context or "", question.question, *answers)
    ]
    said = require_judged(panel.judge(cases))
    return [
        _comparison(question, base[number], tuned[number], said[2 * number], said[2 * number + 1])
        for number, question in enumerate(questions)
    ]


def _comparison(question: OpenQuestion, base: str, tuned: str, first: Judgement, second: Judgement) -> Comparison:
    outcome = _OUTCOMES[read_comparison(first, second)]
    return Comparison(
        question.open_question_id, question.leaf_path, question.context, question.question, base, tuned,
        first.verdict, second.verdict, first.reasons or first.detail, second.reasons or second.detail, outcome,
    )  # fmt: skip


def _parse(line: str, where: Where) -> OpenQuestion:
    remedy = f"one JSON object a line with the keys {', '.join(_REQUIRED)}, and if need be {', '.join(_OPTIONAL)}"
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"this line is no JSON: {error}", where=where, remedy=remedy) from error
    if not isinstance(value, dict) or not set(_REQUIRED) <= set(value) <= {*_REQUIRED, *_OPTIONAL}:
        raise BenchmarkError("not an open question", value=line[:200], where=where, remedy=remedy)
    for key in (*_REQUIRED, *(["context"] if value.get("context") is not None else [])):
        if not isinstance(value[key], str) or not value[key].strip():
            raise BenchmarkError(f"{key} must be a text", value=value[key], where=where, remedy=remedy)
    key = content_id("open_question", value["leaf_path"], value.get("context"), value["question"])
    return OpenQuestion(key, value["leaf_path"], value.get("context"), value["question"])
