"""Why a candidate is rejected: rules on the teacher's raw words, one reason each, the first that holds.

They look only at form and at sameness; whether a response is *right* is for the reward model and the benchmark to say.
Sameness is judged without regard to case and white space. A question may repeat a seed's question if it is asked of
another text: "What is the price?" is a new instruction on a new context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from synth_assets.judging import REFUSALS
from synth_assets.roles import GenerationResult
from synth_assets.sketches import plain

EMPTY = "empty"
TRUNCATED = "truncated"
UNPARSEABLE = "unparseable"
REPEATS_PROMPT = "repeats_prompt"
COPIES_SEED = "copies_seed"
DUPLICATE_INSTRUCTION = "duplicate_instruction"
NOT_NOVEL = "not_novel"
REASONS = (EMPTY, TRUNCATED, UNPARSEABLE, REPEATS_PROMPT, COPIES_SEED, DUPLICATE_INSTRUCTION, NOT_NOVEL, *REFUSALS)
ENGINE_ERROR = "engine_error"  # of failed candidates

#: Turn markers of the common chat templates; in the middle of an answer the teacher has lost its role.
_CHAT_MARKER = re.compile(r"<\|[^|\n]{1,40}\|>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<\|?im_(?:start|end)\|?>")
_MIN_WORDS_OF_A_COPY = 4


class Verdict(NamedTuple):
    """A reason, and what exactly was seen."""

    reason: str
    detail: str


def parse_item(text: str) -> str:
    """A new item, as the prompt asks for it, without the bullet that its examples have."""
    return text.removeprefix("- ").strip()


def judge_form(result: GenerationResult, text: str) -> Verdict | None:
    """empty, truncated or unparseable by chat markers; the same for every step."""
    if result.finish_reason == "length":
        return Verdict(TRUNCATED, f"no end after {result.num_new_tokens} tokens")
    if not text:
        return Verdict(EMPTY, "nothing but white space")
    if marker := _CHAT_MARKER.search(text):
        return Verdict(UNPARSEABLE, f"chat marker {marker.group()} at character {marker.start()}")
    return None


def judge_item(result: GenerationResult, text: str, shown: Iterable[str]) -> Verdict | None:
    """The form of a new context or instruction: one item, on one line unless an example has several."""
    if verdict := judge_form(result, text):
        return verdict
    if "\n- " in text or ("\n" in text and not any("\n" in example for example in shown)):
        return Verdict(UNPARSEABLE, f"{text.count(chr(10)) + 1} lines where one item is asked for")
    return None


def judge_repetition(text: str, shown: Iterable[str], what: str) -> Verdict | None:
    """A new item that equals one of its examples."""
    if plain(text) in {plain(example) for example in shown}:
        return Verdict(REPEATS_PROMPT, f"equals a {what} of the prompt")
    return None


def judge_response(result: GenerationResult, instruction: str, context: str | None) -> Verdict | None:
    """The form of a response, and that it is not its prompt again."""
    if verdict := judge_form(result, result.text):
        return verdict
    text, question = plain(result.text), plain(instruction)
    if text == question or (context and text == plain(context)):
        return Verdict(REPEATS_PROMPT, "equals its " + ("instruction" if text == question else "context"))
    if len(question.split()) >= _MIN_WORDS_OF_A_COPY and text.startswith(question):
        return Verdict(REPEATS_PROMPT, "begins with its whole instruction")
    return None
