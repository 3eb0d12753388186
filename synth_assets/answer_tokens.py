"""Which tokens of a conversation are its last answer: one rule for training, and for measuring what was trained.

The conversation is rendered twice by the tokenizer's own chat template, up to the answer and with it; what both have in
common is not the answer. That works with any template, also with one that cannot mark the assistant's tokens itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def render_answer(tokenizer: Any, turns: Sequence[Mapping[str, str]]) -> tuple[list[int], int]:
    """Token ids of the whole conversation, and how many of them stand before the last turn's own tokens.

    `turns`: role and content of each, the last one the assistant's. Where the template ends an answer without an end
    token, it is added: a model that never learns to stop is useless.
    """
    asked = tokenizer.apply_chat_template(list(turns[:-1]), add_generation_prompt=True, tokenize=True, return_dict=False)
    whole = tokenizer.apply_chat_template(list(turns), tokenize=True, return_dict=False)
    pairs = zip(asked, whole, strict=False)
    num_common = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(asked), len(whole)))
    end = tokenizer.eos_token_id
    if end is not None and end not in whole[num_common:]:
        whole = [*whole, end]
    return list(whole), num_common
