"""The held-out questions: JSON Lines files, one object a line, each with its one right answer.

Keys: leaf_path, suite (`taxonomy`: what tuning shall teach; `retained`: what the base knew before), context (text or
null), question, answer. A benchmark that is partly unreadable is not used at all: accuracy on what happened to be
readable would be another benchmark under the same name.
"""

from __future__ import annotations

import json
import typing
from pathlib import Path
from typing import Any

from synth_assets.errors import BenchmarkError, Where
from synth_assets.evaluation.json_lines import located_lines
from synth_assets.records import BenchmarkQuestion, Suite, content_id

_KEYS = ("leaf_path", "suite", "context", "question", "answer")
_SUITES: tuple[str, ...] = typing.get_args(Suite)
_NUM_SHOWN = 20


def read_benchmark(folder: Path) -> list[BenchmarkQuestion]:
    """Every question of the folder's *.jsonl files, by file name and line.

    Raises BenchmarkError with file and line of each fault: what is no such object, a question that stands twice,
    and a folder without questions.
    """
    lines = located_lines(folder, "the benchmark")
    if not lines:
        raise BenchmarkError(
            "no benchmark question was found", where=Where(str(folder)),
            remedy="set evaluation.benchmark to a folder of *.jsonl files with the keys " + ", ".join(_KEYS),
        )  # fmt: skip
    questions: dict[str, BenchmarkQuestion] = {}
    places: dict[str, Where] = {}
    faults: list[str] = []
    for where, line in lines:
        question = _parse(line)
        if isinstance(question, str):
            faults.append(f"{where}: {question}")
        elif question.benchmark_question_id in questions:
            faults.append(f"{where}: the question stands at {places[question.benchmark_question_id]} already")
        else:
            questions[question.benchmark_question_id] = question
            places[question.benchmark_question_id] = where
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults[:_NUM_SHOWN])
        raise BenchmarkError(
            f"the benchmark has {len(faults)} faulty lines, the first of them:\n{listed}", where=Where(str(folder)),
            remedy="mend the lines named; no question was asked",
        )  # fmt: skip
    return list(questions.values())


def _parse(line: str) -> BenchmarkQuestion | str:
    """The question, or what is wrong with the line. The id leaves the answer out: a question has but one."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(value, dict) or set(value) != set(_KEYS):
        found = ", ".join(map(str, value)) if isinstance(value, dict) else type(value).__name__
        return f"expected exactly the keys {', '.join(_KEYS)}; found {found}"
    for key in _KEYS:
        if key == "context" and value[key] is None:
            continue
        if not isinstance(value[key], str) or not value[key].strip():
            return f"{key} must be a text, found {value[key]!r:.80}"
    if value["suite"] not in _SUITES:
        return f"suite must be one of {', '.join(_SUITES)}, found {value['suite']!r:.80}"
    key = content_id("benchmark_question", value["leaf_path"], value["suite"], value["context"], value["question"])
    return BenchmarkQuestion(key, *(value[name] for name in _KEYS))
