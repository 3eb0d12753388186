"""Reading the benchmark, its faults, and answering it with a model that is written down."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from synth_assets.errors import BenchmarkError, EngineError
from synth_assets.evaluation import answer_benchmark, read_benchmark
from synth_assets.recipe import EvaluationSection
from synth_assets.roles import GenerationRequest, GenerationResult

SETTINGS = EvaluationSection(benchmark="data/benchmark", max_new_tokens=16)
GOOD: dict[str, Any] = {
    "leaf_path": "skills/sum", "suite": "taxonomy", "context": None, "question": "What is 1 + 1?", "answer": "2",
}  # fmt: skip


def _folder(tmp_path: Path, *rows: object, name: str = "a.jsonl") -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


class WrittenDownModel:
    fingerprint = "written down"

    def __init__(self, answer: Callable[[GenerationRequest], GenerationResult]) -> None:
        self.answer = answer
        self.requests: list[GenerationRequest] = []

    def generate(self, requests: Sequence[GenerationRequest], on_result: object = None) -> list[GenerationResult]:
        self.requests += requests
        return [self.answer(request) for request in requests]


def test_questions_come_by_file_and_line_with_ids_of_their_content(tmp_path: Path) -> None:
    _folder(tmp_path, GOOD | {"context": "Look."}, name="b.jsonl")
    first, second = read_benchmark(_folder(tmp_path, GOOD, ""))
    assert (first.context, second.context) == (None, "Look.")
    assert first.benchmark_question_id != second.benchmark_question_id
    assert first.answer == "2" and first.suite == "taxonomy"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "no JSON"),
        ("[1]", "expected exactly the keys"),
        ({key: GOOD[key] for key in GOOD if key != "answer"}, "expected exactly the keys"),
        (GOOD | {"hint": "x"}, "expected exactly the keys"),
        (GOOD | {"answer": " "}, "answer must be a text"),
        (GOOD | {"answer": 2}, "answer must be a text"),
        (GOOD | {"context": ""}, "context must be a text"),
        (GOOD | {"suite": "held_out"}, "suite must be one of taxonomy, retained"),
        (GOOD | {"answer": "3"}, "stands at"),
    ],
)
def test_each_fault_is_told_with_file_and_line(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(BenchmarkError) as caught:
        read_benchmark(_folder(tmp_path, GOOD, row))
    assert f"{tmp_path / 'a.jsonl'}:2: " in str(caught.value) and message in str(caught.value)


def test_a_folder_without_questions_says_what_is_expected(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BenchmarkError, match=r"evaluation\.benchmark"):
            read_benchmark(folder)
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(BenchmarkError, match="cannot be read"):
        read_benchmark(tmp_path)


def test_answers_are_greedy_and_right_but_for_white_space(tmp_path: Path) -> None:
    questions = read_benchmark(
        _folder(tmp_path, GOOD, GOOD | {"question": "What is 2 + 2?", "context": "A sum.", "answer": "4"})
    )
    model = WrittenDownModel(lambda request: GenerationResult(" 2\n", "stop"))
    right, wrong = answer_benchmark(model, questions, "base", SETTINGS, "brief")
    assert (right.is_right, wrong.is_right, right.model) == (True, False, "base")
    assert right.benchmark_question_id == questions[0].benchmark_question_id
    assert [request.messages[0].content for request in model.requests] == ["What is 1 + 1?", "A sum.\nWhat is 2 + 2?"]
    assert all(request.temperature == 0 and request.max_new_tokens == 16 for request in model.requests)


def test_a_question_that_was_not_answered_is_no_wrong_answer(tmp_path: Path) -> None:
    questions = read_benchmark(_folder(tmp_path, GOOD))
    model = WrittenDownModel(lambda request: GenerationResult("", "error", error="the prompt is too long"))
    with pytest.raises(EngineError, match="1 of 1 benchmark questions without an answer: the prompt is too long"):
        answer_benchmark(model, questions, "tuned", SETTINGS, "brief")
