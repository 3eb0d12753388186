"""One model's answers to the benchmark, greedy, so that a second run gives the same table.

Right is what equals the one right answer, but for white space around it: no judge, no partial credit. The benchmark's
questions are made such that this is fair.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.errors import EngineError
from synth_assets.prompts import render_prompt
from synth_assets.recipe import EvaluationSection
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, ModelArm
from synth_assets.roles import GenerationRequest, Message, TextModel


def answer_benchmark(
    model: TextModel, questions: Sequence[BenchmarkQuestion], arm: ModelArm, settings: EvaluationSection,
    prompts_style: str,
) -> list[BenchmarkAnswer]:  # fmt: skip
    """One answer a question, in their order.

    Raises EngineError if a question could not be answered at all: counted as wrong, it would flatter the other arm.
    """
    results = model.generate([_request(question, settings, prompts_style) for question in questions])
    failed = [result.error for result in results if result.finish_reason == "error"]
    if failed or len(results) != len(questions):
        raise EngineError(
            f"the {arm} model left {len(failed) or len(questions) - len(results)} of {len(questions)} benchmark "
            f"questions without an answer{': ' + failed[0] if failed else ''}",
            remedy=f"shorten the question named, or raise {'teacher' if arm == 'teacher' else 'student'}.max_model_len",
        )
    return [
        BenchmarkAnswer(
            question.benchmark_question_id, question.leaf_path, question.suite, arm, result.text,
            is_right=result.text.strip() == question.answer.strip(),
        )
        for question, result in zip(questions, results, strict=True)
    ]  # fmt: skip


def _request(question: BenchmarkQuestion, settings: EvaluationSection, style: str) -> GenerationRequest:
    prompt = render_prompt(style, "question", context=question.context, instruction=question.question)
    return GenerationRequest((Message("user", prompt),), settings.max_new_tokens, temperature=0.0, seed=0)
