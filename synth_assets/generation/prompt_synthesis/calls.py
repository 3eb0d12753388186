"""A model call as a row carries it, so that each prompt can be followed back to what was asked and answered."""

from __future__ import annotations

import json
from collections.abc import Mapping

from synth_assets.records import SyntheticPrompt
from synth_assets.roles import GenerationResult


def call_line(step: str, seed: int, result: GenerationResult) -> str:
    """One line of JSON: step, the request's seed, the prompt as rendered for the model, the raw answer."""
    return json.dumps({"step": step, "seed": seed, "prompt": result.prompt, "answer": result.text}, ensure_ascii=False)


def instruction_prompt_of(prompt: SyntheticPrompt, prompts: Mapping[str, SyntheticPrompt]) -> str:
    """The prompt from which the teacher wrote the user's last turn; where a rule wrote it, that of its parent.

    `prompts`: by id, those that this one may have gone on from; empty where the parent is not among them.
    """
    asked = [call for call in map(json.loads, prompt.calls) if call["step"] != "assistant"]
    if asked:
        return str(asked[-1]["prompt"])
    parent = prompts.get(prompt.parent_prompt_id or "")
    return instruction_prompt_of(parent, prompts) if parent else ""
