"""A reward model by transformers alone: the reference for parity tests, and for platforms without vLLM.

The head is applied to the last token of each conversation by its known length. transformers' own pooling looks for the
last token that is not padding, which is wrong where padding and the end of a turn are one token.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from synth_assets.errors import ModelError, Where
from synth_assets.inference.chat import ChatTokenizer, reward_of_outputs
from synth_assets.recipe import ModelSpec
from synth_assets.records import Reward
from synth_assets.roles import Conversation, OnScore


class TransformersRewardModel:
    """A RewardModel in this process, on a GPU if there is one."""

    def __init__(self, spec: ModelSpec, folder: Path, fingerprint: str) -> None:
        from transformers import AutoModelForSequenceClassification

        self.fingerprint = fingerprint
        self._chat = ChatTokenizer(folder, spec.max_model_len, spec.max_num_batched_tokens)
        self._batch_size = spec.max_num_seqs
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: Any = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=spec.dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        if not hasattr(model, "score"):
            raise ModelError(
                "the reward model has no linear head named `score` on its last token", value=type(model).__name__,
                where=Where(str(folder)), remedy="name a *ForSequenceClassification of a decoder, such as Llama's",
            )  # fmt: skip
        self._model = model.eval().to(self._device)

    @torch.inference_mode()
    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[Reward | str]:  # fmt: skip
        """Rewards or the words of an error, in the order of the conversations; `on_score` a batch at a time."""
        prompts = self._chat.prompts_of_conversations(conversations)
        scores: list[Reward | str] = [prompt.error for prompt in prompts]
        runnable = [index for index, prompt in enumerate(prompts) if not prompt.error]
        if on_score:
            for index in (index for index, prompt in enumerate(prompts) if prompt.error):
                on_score(index, scores[index])
        for start in range(0, len(runnable), self._batch_size):
            batch = runnable[start : start + self._batch_size]
            values = self._score_batch([prompts[index].token_ids for index in batch])
            for index, row in zip(batch, values, strict=True):
                scores[index] = reward_of_outputs(row)
                if on_score:
                    on_score(index, scores[index])
        return scores

    def _score_batch(self, rows: list[list[int]]) -> list[list[float]]:
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for number, row in enumerate(rows):
            tokens[number, : len(row)] = torch.tensor(row)
        mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long()
        hidden = self._model.base_model(tokens.to(self._device), attention_mask=mask.to(self._device))
        last = hidden.last_hidden_state[torch.arange(len(rows)), lengths - 1]
        values: list[list[float]] = self._model.score(last).float().tolist()
        return values
