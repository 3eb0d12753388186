"""Conversations to token ids and back, for every engine alike: one place, so that engines cannot differ in it.

The model's own chat template renders; the text is then tokenized as it stands, without further special tokens.
Answers are decoded with their special tokens left in: a teacher that writes a chat marker in mid-answer must be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth_assets.errors import ModelError, Where
from synth_assets.records import Reward, RewardAttributes, ScalarReward
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult


@dataclass(frozen=True)
class Prompt:
    """A conversation as rendered, and its token ids; `error` says why it cannot be run, else it is empty."""

    text: str
    token_ids: list[int]
    error: str = ""


class ChatTokenizer:
    """The tokenizer of a model folder with the engine's limits on lengths, in tokens."""

    def __init__(self, folder: Path, max_model_len: int, max_num_batched_tokens: int) -> None:
        from transformers import AutoTokenizer

        self.max_model_len = max_model_len
        self.max_num_batched_tokens = max_num_batched_tokens
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # transformers raises whatever its parsers raise
            what = f"the tokenizer cannot be loaded: {type(error).__name__}: {error}"
            raise ModelError(what, where=Where(str(folder)), remedy="restore the tokenizer's files") from error
        if not self.tokenizer.chat_template:
            raise ModelError(
                "the tokenizer has no chat template, so conversations cannot be put to this model",
                where=Where(str(folder)),
                remedy="add the model's chat_template.jinja to the folder, or choose its instruction-tuned version",
            )

    def render(self, conversations: Sequence[Conversation], generate: bool) -> list[tuple[str, list[int]]]:
        """Text and token ids of each conversation; `generate`: with the opening of an assistant turn at its end."""
        if not conversations:
            return []
        texts = self.tokenizer.apply_chat_template(
            [[message._asdict() for message in conversation] for conversation in conversations],
            tokenize=False,
            add_generation_prompt=generate,
        )
        token_ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return list(zip(texts, token_ids, strict=True))

    def prompts_of_requests(self, requests: Sequence[GenerationRequest]) -> list[Prompt]:
        """One prompt a request, with an error where prompt and answer do not fit the model."""
        rendered = self.render([request.messages for request in requests], generate=True)
        return [
            Prompt(text, token_ids, self._length_error(len(token_ids), request.max_new_tokens))
            for (text, token_ids), request in zip(rendered, requests, strict=True)
        ]

    def prompts_of_conversations(self, conversations: Sequence[Conversation]) -> list[Prompt]:
        """One prompt a finished conversation, with an error where it does not fit the model."""
        return [
            Prompt(text, token_ids, self._length_error(len(token_ids), 0))
            for text, token_ids in self.render(conversations, generate=False)
        ]

    def _length_error(self, num_prompt_tokens: int, max_new_tokens: int) -> str:
        if num_prompt_tokens == 0:
            return "the prompt is empty"
        if num_prompt_tokens + max_new_tokens > self.max_model_len:
            return (
                f"{num_prompt_tokens} prompt tokens and {max_new_tokens} new tokens are more than "
                f"max_model_len = {self.max_model_len}"
            )
        if num_prompt_tokens > self.max_num_batched_tokens:
            return f"{num_prompt_tokens} prompt tokens are more than max_num_batched_tokens = {self.max_num_batched_tokens}"
        return ""

    def result(self, prompt: Prompt, token_ids: Sequence[int], sum_logprob: float, is_stopped: bool) -> GenerationResult:
        """What the engine's new tokens say; if it stopped by itself, its last token is the end of the turn."""
        shown = list(token_ids[:-1] if is_stopped else token_ids)
        text = self.tokenizer.decode(shown, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return GenerationResult(
            text=text.strip(),
            finish_reason="stop" if is_stopped else "length",
            prompt=prompt.text,
            num_prompt_tokens=len(prompt.token_ids),
            num_new_tokens=len(token_ids),
            mean_logprob=steady(sum_logprob / max(1, len(token_ids))),
        )


def steady(value: float) -> float:
    """Three significant digits of a number that a model computed.

    The last bits depend on which requests shared a batch (float32 on CPU: up to 1.5e-7 in one row of ten), and after a
    crash only those that were under way are asked again, in other batches. Cut to three digits the numbers are the same,
    but for one in some ten thousand that lies just between two.
    """
    return float(f"{value:.3g}")


def failed_result(error: str) -> GenerationResult:
    return GenerationResult(text="", finish_reason="error", error=error)


def reward_of_outputs(outputs: Sequence[float]) -> Reward:
    """Of a classifier in this process: one output is a scalar, five are HelpSteer's attributes in their order."""
    values = list(map(steady, outputs))
    return ScalarReward(values[0]) if len(values) == 1 else RewardAttributes(*values)
