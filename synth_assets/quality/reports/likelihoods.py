"""How likely a model finds rows: their responses after the prompts that a student is given."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from synth_assets.prompts.conversations import shown_prompt, turns_of_prompt
from synth_assets.roles import Conversation, LikelihoodModel, TokenLogprobs, conversation


def conversations_of(rows: pl.DataFrame, style: str) -> list[Conversation]:
    """Of rows with leaf_path, context, instruction and response (`reports.rows`)."""
    return [
        turns_of(path, shown_prompt(style, path, context, instruction), response)
        for path, context, instruction, response in rows.select(
            "leaf_path", "context", "instruction", "response"
        ).iter_rows()
    ]


def turns_of(leaf_path: str, prompt: str, response: str) -> Conversation:
    """The prompt as a row of that leaf shows it, and the response."""
    return conversation((*turns_of_prompt(leaf_path, prompt), response))


def response_losses(model: LikelihoodModel, rows: pl.DataFrame, style: str) -> list[float | None]:
    """Nats per token of each response; None where the model cannot read the row."""
    found = model.token_logprobs(conversations_of(rows, style))
    return [each.mean_loss if isinstance(each, TokenLogprobs) else None for each in found]


def read_by_all(
    models: Sequence[LikelihoodModel], conversations: Sequence[Conversation]
) -> tuple[list[int], list[list[TokenLogprobs]]]:
    """Positions of the conversations that every model can read, and for each model what it says of those."""
    said = [model.token_logprobs(conversations) for model in models]
    good = [n for n, row in enumerate(zip(*said, strict=True)) if all(isinstance(each, TokenLogprobs) for each in row)]
    return good, [[each for n in good if isinstance(each := of_model[n], TokenLogprobs)] for of_model in said]
