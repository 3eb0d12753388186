"""Conversations of several turns in tables whose rows have one prompt: written as text, and read back as turns.

    User: How is bread made?

    Assistant: Of flour, water and salt.

    User: And without salt?

A sample's earlier turns stand in its `context`, its last one is the `instruction`; a row of the training mix has all of
them in its `prompt`. Wherever a chat template is applied (tuning, reward model, likelihoods, export, trace) the turns are
turns again; people, filters and measures read the text as it stands.

Only rows of the generated branch are read so, and none that is about a document: a text that a person wrote is never taken
for a conversation, whatever it looks like. A conversation that could not be read back as it was is no sample
(`is_read_back`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth_assets.prompts import render_prompt
from synth_assets.records import GENERATED_BRANCH, SyntheticPrompt, area_path, is_generated

_ROLES = ("User", "Assistant")
_TURN = re.compile(r"(?:\A|\n\n)(User|Assistant): ")
_OF_DOCUMENTS = f"{GENERATED_BRANCH}/documents"


def write_turns(turns: Sequence[str]) -> str:
    """The turns as one text, the user's first."""
    return "\n\n".join(f"{_ROLES[number % 2]}: {turn}" for number, turn in enumerate(turns))


def shown_prompt(style: str, leaf_path: str, context: str | None, instruction: str) -> str:
    """What a student reads before it answers a sample: its question on its context, or the conversation so far."""
    if earlier := _read_turns(leaf_path, context or ""):
        return write_turns([*earlier, instruction])
    return render_prompt(style, "question", context=context or "", instruction=instruction)


def turns_of_prompt(leaf_path: str, prompt: str) -> tuple[str, ...]:
    """The turns of a prompt as `shown_prompt` gives it, the user's first and last."""
    turns = _read_turns(leaf_path, prompt)
    return turns if len(turns) % 2 else (prompt,)


def turns_to_answer(prompt: SyntheticPrompt) -> tuple[str, ...]:
    """Up to the user's last turn, without the text that a closed question is about."""
    return prompt.turns if len(prompt.turns) % 2 else prompt.turns[:-1]


def shown_turns(prompt: SyntheticPrompt, style: str) -> tuple[str, ...]:
    """The conversation up to the user's last turn; a closed question stands below its text as in the style's `question`."""
    turns = turns_to_answer(prompt)
    if prompt.context is None:
        return turns
    return (render_prompt(style, "question", context=prompt.context, instruction=turns[0]), *turns[1:])


def is_read_back(turns: Sequence[str], style: str, leaf_path: str, context: str | None, instruction: str) -> bool:
    """Whether just these turns are read from the sample's prompt."""
    return turns_of_prompt(leaf_path, shown_prompt(style, leaf_path, context, instruction)) == tuple(turns)


def _read_turns(leaf_path: str, text: str) -> tuple[str, ...]:
    """Two turns or more; none where the text is no conversation."""
    if not is_generated(leaf_path) or area_path(leaf_path) == _OF_DOCUMENTS:
        return ()
    before, *parts = _TURN.split(text)
    roles, turns = parts[::2], parts[1::2]
    is_conversation = len(turns) > 1 and not before and all(role == _ROLES[n % 2] for n, role in enumerate(roles))
    return tuple(turns) if is_conversation else ()
