"""Conversations -> token ids and labels, by the student's own chat template; and the batches of a whole training.

The loss is on the answer only, its end token included; which tokens these are, `answer_tokens` finds.

Batches are planned in advance for all steps: then a run that goes on after a crash meets the very same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from synth_assets.answer_tokens import render_answer

if TYPE_CHECKING:
    from torch import Tensor

IGNORED_LABEL = -100
#: A line of text, and the share that is done, 0 to 1, where it tells of progress.
Report = Callable[[str, float | None], None]


class EncodedExample(NamedTuple):
    """Token ids of a conversation; a label is the token itself where it bears loss, else IGNORED_LABEL."""

    token_ids: list[int]
    labels: list[int]


def encode_conversation(tokenizer: Any, prompt: str, response: str) -> EncodedExample:
    """One user turn and its answer. Where the template ends an answer without an end token, it is added."""
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    whole, num_given = render_answer(tokenizer, turns)
    return EncodedExample(whole, [IGNORED_LABEL] * num_given + whole[num_given:])


def plan_batches(num_rows: int, batch_size: int, num_steps: int, seed: int) -> list[list[int]]:
    """`num_steps` batches of row numbers; each epoch takes every row once, in an order of its own.

    Rows are not grouped by length: that would save padding, but rows of like length are of like leaves, and steps that
    each see one kind of task serve a student worse than mixed ones.
    """
    rng = Random(seed)
    batches: list[list[int]] = []
    while len(batches) < num_steps:
        rows = rng.sample(range(num_rows), num_rows)
        batches += [rows[start : start + batch_size] for start in range(0, num_rows, batch_size)]
    return batches[:num_steps]


def pad_batch(examples: Sequence[EncodedExample], pad_token_id: int) -> dict[str, Tensor]:
    """input_ids, attention_mask and labels, each (rows, longest row), padded on the right."""
    import torch

    longest = max(len(example.token_ids) for example in examples)

    def padded(rows: list[list[int]], filler: int) -> Tensor:
        return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])

    return {
        "input_ids": padded([example.token_ids for example in examples], pad_token_id),
        "attention_mask": padded([[1] * len(example.token_ids) for example in examples], 0),
        "labels": padded([example.labels for example in examples], IGNORED_LABEL),
    }
