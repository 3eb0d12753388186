"""A made recipe with prompts from topics, and a teacher that has something to say to all that it is asked then."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synth_assets.assets.resources import Engines
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.roles import GenerationRequest
from tests.made_pipeline import TO_THE_MIX, MadeTeacher, made_recipe, open_made_reward_model

PROMPT_ASSETS = ("prompt_topics", "synthetic_prompts", "prompted_samples", "scored_prompted_samples")
TO_THE_PROMPTED_MIX = (*TO_THE_MIX, *PROMPT_ASSETS)
COUNTS = {
    "open_question": 6, "writing_task": 6, "closed_question": 4, "maths_problem": 3, "coding_problem": 3, "two_turn": 4,
    "dialogue": 4,
}  # fmt: skip
SECTION: dict[str, Any] = {
    "num_macro_topics": 2, "manual_topics": ["Baking"], "num_subtopics": 2, "document_types": ["a letter"],
    "maths_keywords": ["primes"], "coding_keywords": ["sorting"], "num_prompts": COUNTS, "constrained_share": 0.5,
    "constraint_kinds": ["forbids_keywords", "num_words"], "personas": ["a hurried baker"], "num_dialogue_turns": 2,
    "topic_temperature": 0.9, "prompt_temperature": 0.8, "max_new_tokens": {"topics": 41, "prompt": 31, "turn": 21},
    "budget_factor": 2.0,
}  # fmt: skip


def prompted_recipe(folder: Path, student: Path | None = None, **changes: Any) -> Recipe:
    """`made_recipe` with the section; `changes` are the section's."""
    return with_prompts(made_recipe(folder, student), **changes)


def with_prompts(recipe: Recipe, **changes: Any) -> Recipe:
    said = recipe.model_dump(mode="json") | {"prompt_synthesis": SECTION | changes}
    return Recipe.model_validate_json(json.dumps(said))


class PromptingTeacher(MadeTeacher):
    """Knows by the length that is allowed what it is asked for; counts its calls."""

    num_calls = 0

    def _text(self, request: GenerationRequest) -> str:
        type(self).num_calls += 1
        asked = request.messages[-1].content
        if request.max_new_tokens == 41:
            num = int(re.search(r"Name (\d+)", asked)[1])  # type: ignore[index]
            return "\n".join(f"{n + 1}. Matter {request.seed % 99991} {n}" for n in range(num))
        if request.max_new_tokens == 31:
            if asked.startswith(("Question:", "Task:")):
                return f"{asked.splitlines()[0].split(': ', 1)[1]} And say in detail why that is so."
            return f"What comes of {super()._text(request)[9:-8]}?"
        if request.max_new_tokens == 21:
            if asked.startswith("You play the user"):
                return f"Thank you! Could you say more of point {len(asked)}?"
            return f"That follows from rule {len(request.messages)} of {sum(map(ord, asked)) % 9973}."
        return super()._text(request)


@contextmanager
def open_prompting_teacher(spec: ModelSpec, folder: Path | None = None) -> Iterator[PromptingTeacher]:
    yield PromptingTeacher()


PROMPTING_ENGINES = Engines(open_prompting_teacher, open_made_reward_model)
