"""The recipe's benchmark as tasks of EleutherAI's lm-evaluation-harness, and which tasks the harness has.

The same question is put in the same words: prompt of the recipe's style, the model's own chat template, greedy, right if
equal but for white space around it. So the harness's figure is our own accuracy, which a test holds, and what it says of
other tasks is measured in the same way. Two differences remain. The harness leaves special tokens out of an answer, we do
not: one that is right but for a chat marker in its middle is right for the harness alone. And engines round differently:
where two tokens are as good as equally likely, theirs may be another than ours.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from synth_assets.errors import HarnessError
from synth_assets.prompts import render_prompt
from synth_assets.recipe import LOCAL_TASKS, EvaluationSection, HarnessSection
from synth_assets.records import BenchmarkQuestion, Suite

PACKAGE = "lm_eval"
_NAME = re.compile(r"""^["']?(?:task|group)["']?:[ \t]*["']?([^\s"'\[\]{}]+)["']?[ \t]*(?:#.*)?$""", re.MULTILINE)
_AROUND = r"\A\s+|\s+\Z"  # white space, of answer and right answer alike
_NUM_NEAR = 3


def write_tasks(
    folder: Path, questions: Sequence[BenchmarkQuestion], settings: EvaluationSection, prompts_style: str
) -> None:  # fmt: skip
    """One task for each suite that has questions: NAME.yaml and NAME.jsonl with `prompt` and `answer`, and nothing else.

    A blank stands before each answer, lest a column of dates be read as points in time; the metric leaves it out.
    `lm-eval run --include_path FOLDER --tasks NAME --apply_chat_template` runs them from a terminal as well.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, suite in LOCAL_TASKS.items():
        asked = [question for question in questions if question.suite == suite]
        if not asked:
            continue
        rows = [
            {
                "prompt": render_prompt(prompts_style, "question", context=each.context, instruction=each.question),
                "answer": f" {each.answer.strip()}",
            }
            for each in asked
        ]
        data = (folder / f"{name}.jsonl").absolute()
        data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        declared = yaml.safe_dump(_declared(name, suite, data, settings.max_new_tokens), sort_keys=False)
        (folder / f"{name}.yaml").write_text(declared, encoding="utf-8")


def _declared(name: str, suite: Suite, data: Path, max_new_tokens: int) -> dict[str, Any]:
    return {
        "task": name,
        "task_alias": f"held-out questions, suite {suite}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}, "cache_dir": str(data.parent / "cache")},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "prompt",
        "doc_to_target": "answer",
        "num_fewshot": 0,
        "generation_kwargs": {"until": [], "do_sample": False, "temperature": 0.0, "max_gen_toks": max_new_tokens},
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "regexes_to_ignore": [_AROUND]}
        ],
        "metadata": {"version": 1.0},
    }


def check_tasks(declared: HarnessSection) -> None:
    """Raises HarnessError if the harness is not installed, or has no task or group of a name that is declared."""
    found = importlib.util.find_spec(PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    if not places:
        raise HarnessError(
            "the recipe declares evaluation.harness, but the lm-evaluation-harness is not installed",
            remedy="pip install 'synth_assets[harness]', or take evaluation.harness out of the recipe",
        )
    public = [task.name for task in declared.tasks if task.name not in LOCAL_TASKS]
    if not public:
        return
    known = {*LOCAL_TASKS, *_names_in(Path(places[0]) / "tasks")}
    for name in public:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), _NUM_NEAR)
            said = f"use {' or '.join(near)}" if near else "`lm-eval ls tasks` lists all"
            raise HarnessError("the lm-evaluation-harness has no such task", value=name, remedy=said)


def _names_in(folder: Path) -> set[str]:
    """Tasks and groups by their files' text: seconds sooner than the harness, which parses all of them."""
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in folder.rglob("*.yaml"))
    return {name for text in texts for name in _NAME.findall(text)}
