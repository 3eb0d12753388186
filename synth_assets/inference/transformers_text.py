"""A text model by transformers alone: the reference for parity tests, and for platforms without vLLM.

Sampling is the exponential race (argmax of p / e with e ~ Exp(1), which draws from p), one generator a row: what a row
becomes depends on its own seed, never on its neighbours. The draws are not vLLM's: at a temperature above 0 the two
engines write different texts. Simple by intent: a batch runs until its last row is done, rows that are done ride along.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synth_assets.inference.chat import ChatTokenizer, Prompt, failed_result
from synth_assets.recipe import ModelSpec
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult


class TransformersTextModel:
    """A TextModel in this process, on a GPU if there is one."""

    def __init__(self, spec: ModelSpec, folder: Path, fingerprint: str) -> None:
        from transformers import AutoModelForCausalLM

        self.fingerprint = fingerprint
        self._chat = ChatTokenizer(folder, spec.max_model_len, spec.max_num_batched_tokens)
        self._batch_size = spec.max_num_seqs
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=spec.dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        self._model = model.eval().to(self._device)
        self._end_ids = _end_ids(self._chat.tokenizer, self._model.generation_config)

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]:  # fmt: skip
        """One result a request, in their order; `on_result` is told a batch at a time."""
        prompts = self._chat.prompts_of_requests(requests)
        results = [failed_result(prompt.error) for prompt in prompts]
        runnable = [index for index, prompt in enumerate(prompts) if not prompt.error]
        if on_result:
            for index in (index for index, prompt in enumerate(prompts) if prompt.error):
                on_result(index, results[index])
        for start in range(0, len(runnable), self._batch_size):
            batch = runnable[start : start + self._batch_size]
            rows = [_Row(requests[index], prompts[index]) for index in batch]
            self._continue(rows)
            for index, row in zip(batch, rows, strict=True):
                is_stopped = row.token_ids[-1] in self._end_ids
                results[index] = self._chat.result(row.prompt, row.token_ids, row.sum_logprob, is_stopped)
                if on_result:
                    on_result(index, results[index])
        return results

    @torch.inference_mode()
    def _continue(self, rows: list[_Row]) -> None:
        """Append to every row until it ends or is full. Left-padded, so that all rows grow at the same end."""
        width = max(len(row.prompt.token_ids) for row in rows)
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for number, row in enumerate(rows):
            tokens[number, width - len(row.prompt.token_ids) :] = torch.tensor(row.prompt.token_ids)
            mask[number, width - len(row.prompt.token_ids) :] = 1
        tokens, mask, cache = tokens.to(self._device), mask.to(self._device), None
        while True:
            positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
            output = self._model(
                input_ids=tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
                logits_to_keep=1,
            )  # fmt: skip
            cache = output.past_key_values
            chosen = self._choose(output.logits[:, -1].float().cpu(), rows)
            if all(row.is_done for row in rows):
                return
            tokens = chosen[:, None].to(self._device)
            mask = torch.cat((mask, torch.ones_like(tokens)), dim=1)

    def _choose(self, logits: Tensor, rows: list[_Row]) -> Tensor:
        """The next token of every row, also recorded in the rows that are not done."""
        logprobs = logits.log_softmax(-1)
        chosen = logits.argmax(-1)
        for number, row in enumerate(rows):
            if row.is_done:
                continue
            if row.generator is not None:
                race = torch.empty_like(logits[number]).exponential_(generator=row.generator)
                chosen[number] = ((logits[number] / row.request.temperature).softmax(-1) / race).argmax()
            token = int(chosen[number])
            row.token_ids.append(token)
            row.sum_logprob += float(logprobs[number, token])
            row.is_done = token in self._end_ids or len(row.token_ids) == row.request.max_new_tokens
        return chosen


@dataclass
class _Row:
    """One request on its way."""

    request: GenerationRequest
    prompt: Prompt

    def __post_init__(self) -> None:
        is_greedy = self.request.temperature == 0
        self.generator = None if is_greedy else torch.Generator().manual_seed(self.request.seed)
        self.token_ids: list[int] = []
        self.sum_logprob = 0.0
        self.is_done = False


def _end_ids(tokenizer: Any, generation_config: Any) -> frozenset[int]:
    """Tokens that end an answer: the tokenizer's, and those of the folder's generation_config."""
    declared = generation_config.eos_token_id
    declared = declared if isinstance(declared, list) else [declared]
    return frozenset(token for token in (tokenizer.eos_token_id, *declared) if token is not None)
