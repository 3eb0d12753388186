"""Every example in a prompt agrees with the verdict that it shows, and no prompt needs a value that is not given."""

import json
import re
import shutil
from pathlib import Path

import pytest

from synth_assets import prompts
from synth_assets.judging import JUDGES, Case, judge_prompt, read_judgement
from synth_assets.prompts import (
    PROMPT_STYLES,
    PROMPT_SYNTHESIS_STYLES,
    prompt_examples,
    prompt_variables,
    render_prompt,
)
from synth_assets.recipe import JudgeName
from synth_assets.roles import GenerationResult

VALUES = {
    "task": "Add.", "examples": ["What is 1 + 1?"], "seeds": [], "context": "Lena is 7.", "instruction": "What is 2 + 2?",
    "response": "4", "first": "4", "second": "5", "persona": "a baker", "is_creative": False,
}  # fmt: skip
STEPS = ("context", "instruction", "question", "response")
EXAMPLES = [(style, name, example) for style in PROMPT_STYLES for name in JUDGES for example in prompt_examples(style, name)]


def _sum(text: str) -> int | None:
    match = re.search(r"(\d+) \+ (\d+)", text)
    return int(match[1]) + int(match[2]) if match else None


def _last_number(text: str) -> int:
    return int(re.findall(r"\d+", text)[-1])


@pytest.mark.parametrize("style", PROMPT_STYLES)
def test_a_style_has_every_prompt_and_needs_no_other_value(style: str) -> None:
    for name in (*STEPS[:3], *(f"judge_{judge}" for judge in JUDGES)):
        assert prompt_variables(style, name) <= set(VALUES), name
        assert "What is 2 + 2?" in (text := render_prompt(style, name, **VALUES)) or name in ("context", "instruction")
        assert "None" not in text and "{{" not in text


SYNTHESIS_VALUES = {
    "topic": "Optics", "parent": "Physics", "num": 5, "known": ["Acoustics"], "text": "Why is it so?",
    "document_type": "a poem", "context": "Lena is 7.", "programming_language": "Python", "persona": "a baker",
    "turns": ["Why is it so?", "It is not."],
}  # fmt: skip


@pytest.mark.parametrize("style", PROMPT_SYNTHESIS_STYLES)
def test_a_style_of_prompt_synthesis_has_every_prompt(style: str) -> None:
    shown = {
        "macro_topics": ("5", "Acoustics"), "subtopics": ("5", "Optics", "Acoustics"),
        "open_question": ("Optics", "Physics"),
        "open_question_refined": ("Why is it so?",), "writing_task": ("a poem", "Optics", "Physics"),
        "writing_task_refined": ("Why is it so?",), "closed_question": ("Lena is 7.",), "maths_problem": ("Optics",),
        "coding_problem": ("Optics", "Python"), "user_turn": ("a baker", "User: Why is it so?", "Assistant: It is not."),
    }  # fmt: skip
    assert shown.keys() == {file.stem for file in (prompts.PROMPT_FOLDER / style).glob("*.j2")}
    for name, values in shown.items():
        assert prompt_variables(style, name) <= set(SYNTHESIS_VALUES), name
        text = render_prompt(style, name, **SYNTHESIS_VALUES)
        assert all(value in text for value in values), (name, text)
        bare = render_prompt(style, name, **SYNTHESIS_VALUES | {"parent": "", "known": [], "persona": ""})
        assert "{" not in text + bare and "None" not in bare and "()" not in bare and "\n\n\n" not in text + bare


def test_there_are_examples_of_every_judge_with_every_verdict() -> None:
    for name, judge in JUDGES.items():
        assert {example["verdict"] for _, of, example in EXAMPLES if of == name} == set(judge.verdicts), name


@pytest.mark.parametrize(("style", "name", "example"), EXAMPLES)
def test_an_example_is_shown_in_the_form_that_is_read(style: str, name: JudgeName, example: dict) -> None:
    shown = [line for line in judge_prompt(Case(name, VALUES), style).splitlines() if line.startswith('{"reasons"')]
    (line,) = [line for line in shown if json.loads(line)["reasons"] == example["reasons"]]
    judgement = read_judgement(name, GenerationResult(line, "stop"), example.get("context", ""))
    assert (judgement.verdict, judgement.span) == (example["verdict"], example.get("span"))
    assert judgement.is_accepted == (example["verdict"] in JUDGES[name].accepts)


@pytest.mark.parametrize(("style", "name", "example"), EXAMPLES)
def test_an_example_agrees_with_its_verdict(style: str, name: JudgeName, example: dict) -> None:
    """By means of its own: sums are added up, figures and words looked up in the text."""
    verdict, asked = example["verdict"], example.get("instruction", "")
    if name == "instruction":
        assert (verdict == "yes") == (_sum(asked) is not None)
    elif name == "pair":
        assert (verdict != "1") == (_last_number(example["response"]) == _sum(asked))
        assert (verdict == "3") == (verdict != "1" and len(example["response"].split()) <= 5)
        assert str(_sum(asked)) in example["reasons"]
    elif name == "comparison":
        right = [_last_number(example[side]) == _sum(asked) for side in ("first", "second")]
        assert verdict == {(True, True): "tie", (False, False): "tie", (True, False): "A", (False, True): "B"}[tuple(right)]
    elif name == "faithfulness":
        claimed = set(re.findall(r"\d+|\w{6,}", example["response"])) - {"metres"}
        assert (verdict == "yes") == all(word in example["context"] for word in claimed)
        assert example["span"] in example["context"]
    elif name == "question":
        assert (verdict == "yes") == ("Orla" in asked and asked.startswith("How high"))  # what the text tells of
    else:
        is_year = bool(re.fullmatch(r"1\d{3}", example["response"]))
        assert "year" in asked and verdict == ("2" if is_year else "1" if "187" in example["response"] else "0")


def test_the_id_of_prompts_is_that_of_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(prompts.PROMPT_FOLDER / "brief", tmp_path / "brief")
    before = prompts.prompts_id("brief"), prompts.prompts_id("brief", of_judges=True)
    monkeypatch.setattr(prompts, "PROMPT_FOLDER", tmp_path)
    assert (prompts.prompts_id("brief"), prompts.prompts_id("brief", of_judges=True)) == before
    (tmp_path / "brief" / "judge_pair.j2").write_text("Other words.")
    assert prompts.prompts_id("brief") == before[0] and prompts.prompts_id("brief", of_judges=True) != before[1]
    (tmp_path / "brief" / "question.j2").write_text("Other words.")
    assert prompts.prompts_id("brief") != before[0]
