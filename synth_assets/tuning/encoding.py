"""Conversations -> token ids and labels, by the student's own chat template; and the batches of a whole training.

The loss is on the answer only, its end token included; which tokens these are, `answer_tokens` finds.

Batches are planned in advance for all steps: then a run that goes on after a crash meets the very same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from synth_assets.answer_tokens import render_answer
from synth_assets.errors import ModelError, Where
from synth_assets.prompts.conversations import turns_of_prompt
from synth_assets.records import TrainingExample

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

IGNORED_LABEL = -100
#: A line of text, and the share that is done, 0 to 1, where it tells of progress.
Report = Callable[[str, float | None], None]


def open_tokenizer(student_folder: Path, max_tokens: int | None) -> tuple[PreTrainedTokenizerBase, int]:
    """And the longest row in tokens: `max_tokens`, at most the student's window. Raises ModelError for what is missing."""
    from transformers import AutoConfig, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(student_folder, local_files_only=True, trust_remote_code=False)
        config = AutoConfig.from_pretrained(student_folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the student's tokenizer or configuration cannot be read: {error}", where=Where(str(student_folder)),
            remedy="set student.path to a whole Hugging Face folder of a causal language model",
        ) from error  # fmt: skip
    if not tokenizer.chat_template:
        raise ModelError(
            "the student's tokenizer has no chat template", where=Where(str(student_folder)),
            remedy="add chat_template.jinja to its folder, or choose an instruction-tuned student",
        )  # fmt: skip
    window = getattr(config, "max_position_embeddings", None) or tokenizer.model_max_length
    return tokenizer, min(window, max_tokens or window)


def pad_token_of(tokenizer: Any) -> int:
    """Any token will do where there is none for it: padding is neither seen nor learned."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0)


class EncodedExample(NamedTuple):
    """Token ids of a conversation; a label is the token itself where it bears loss, else IGNORED_LABEL."""

    token_ids: list[int]
    labels: list[int]


def encode_conversation(tokenizer: Any, prompt: str, response: str) -> EncodedExample:
    """One user turn and its answer. Where the template ends an answer without an end token, it is added."""
    return encode_turns(tokenizer, [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}])


def encode_example(tokenizer: Any, example: TrainingExample) -> EncodedExample:
    """A row of the mix; a conversation of several turns is rendered as such, with its last answer alone bearing loss."""
    turns = [*turns_of_prompt(example.leaf_path, example.prompt), example.response]
    roles = ("user", "assistant")
    return encode_turns(tokenizer, [{"role": roles[n % 2], "content": turn} for n, turn in enumerate(turns)])


def encode_turns(tokenizer: Any, turns: Sequence[Mapping[str, str]]) -> EncodedExample:
    """A conversation of which the last turn, the assistant's, bears loss."""
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


def response_losses(model: Any, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """Of each row the sum of its labelled tokens' losses, in nats, and their number; both of shape (rows,)."""
    from torch.nn.functional import cross_entropy

    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1].float()
    labels = batch["labels"][:, 1:]
    of_tokens = cross_entropy(logits.transpose(1, 2), labels, ignore_index=IGNORED_LABEL, reduction="none")
    return of_tokens.sum(1), (labels != IGNORED_LABEL).sum(1)
