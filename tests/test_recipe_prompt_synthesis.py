"""The section of prompt synthesis: what it needs it asks for, with key and value."""

import json

import pytest
from pydantic import ValidationError

from synth_assets.constraints import CONSTRAINT_KINDS
from synth_assets.recipe import PromptSynthesisSection

LEAST = {
    "num_prompts": {}, "topic_temperature": 1.0, "prompt_temperature": 1.0, "budget_factor": 2,
    "max_new_tokens": {"topics": 200, "prompt": 100, "turn": 200},
}  # fmt: skip


def section(**changes: object) -> PromptSynthesisSection:
    return PromptSynthesisSection.model_validate_json(json.dumps(LEAST | changes))  # as recipes are read


def test_what_goes_without_saying() -> None:
    found = section()
    assert (found.prompts, found.num_dialogue_turns, found.dialogue_temperature) == ("nemotron", 3, 0.0)
    assert found.constraint_kinds == CONSTRAINT_KINDS and found.programming_language == "Python"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_prompts": {"open_question": 3}}, "num_prompts.open_question is 3.*num_macro_topics or manual_topics"),
        ({"num_prompts": {"writing_task": 1}, "manual_topics": ["a"]}, "num_prompts.writing_task is 1.*give document_types"),
        ({"num_prompts": {"maths_problem": 1}}, "give maths_keywords"),
        ({"num_prompts": {"coding_problem": 1}}, "give coding_keywords"),
        ({"num_prompts": {"dialogue": 1, "closed_question": 4}}, "num_prompts.dialogue is 1.*give an open_question"),
        ({"num_prompts": {"two_turn": 1}}, "num_prompts.two_turn is 1"),
        ({"num_prompts": {"rhymes": 1}}, "Extra inputs"),
        ({"num_prompts": {"dialogue": -1}}, "greater than or equal to 0"),
        ({"prompts": "lab"}, "one of nemotron"),
        ({"constraint_kinds": ["rhymes"]}, "'rhymes' is no kind of constraint"),
        ({"constraint_kinds": []}, "at least one kind"),
        ({"constraint_kinds": ["no_commas", "no_commas"]}, "each once"),
        ({"manual_topics": ["Baking", "baking "]}, "'Baking' stands twice"),
        ({"personas": ["  "]}, "'  ' is blank"),
        ({"constrained_share": 1.1}, "less than or equal to 1"),
        ({"constrained_share": 0.5}, "constrained_share is 0.5, but constraints go on open questions and writing tasks"),
        ({"max_constraints": 0}, "greater than or equal to 1"),
        ({"num_dialogue_turns": 1}, "greater than or equal to 2"),
    ],
)
def test_faults_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        section(**changes)


def test_it_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        section().prompts = "lab"  # type: ignore[misc]
