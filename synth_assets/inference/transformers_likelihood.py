"""How likely a model finds given texts, by transformers: for membership attacks, canaries and perplexities.

vLLM tells log-probabilities of prompts as well, but with another arithmetic on each platform, and it counts the tokens of
templates its own way. Here the tokens are those that tuning puts its loss on (`answer_tokens`), so that a figure can be
held against the training's.

Rows are taken by length, so that few are padded much; a batch holds at most `max_num_seqs` rows and, padding included,
`max_num_batched_tokens` tokens. What is too long is told, never cut: a cut text has another likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from synth_assets.answer_tokens import render_answer
from synth_assets.inference.chat import ChatTokenizer
from synth_assets.recipe import ModelSpec
from synth_assets.roles import Conversation, TokenLogprobs


class _Row(NamedTuple):
    """`num_given` first tokens are not asked about."""

    token_ids: list[int]
    num_given: int


class TransformersLikelihood:
    """A LikelihoodModel in this process, on a GPU if there is one."""

    def __init__(self, spec: ModelSpec, folder: Path, fingerprint: str) -> None:
        from transformers import AutoModelForCausalLM

        self.fingerprint = fingerprint
        self._tokenizer = ChatTokenizer(folder, spec.max_model_len, spec.max_num_batched_tokens).tokenizer
        self._max_model_len = spec.max_model_len
        self._max_rows, self._max_tokens = spec.max_num_seqs, spec.max_num_batched_tokens
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=spec.dtype, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        self._model = model.eval().to(self._device)

    def token_logprobs(self, conversations: Sequence[Conversation]) -> list[TokenLogprobs | str]:
        """Of the last turn's tokens, its end token included; or the words of an error, in the conversations' order."""
        return self._score([self._answer(conversation) for conversation in conversations])

    def text_logprobs(self, texts: Sequence[str]) -> list[TokenLogprobs | str]:
        """Of a plain text's tokens, without a template: all but the first, before which nothing stands.

        Where the tokenizer has a token for the beginning, it is put before the text, and the first counts as well.
        """
        begin = self._tokenizer.bos_token_id
        rows: list[_Row | str] = []
        for text in texts:
            token_ids = list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
            rows.append(_Row(token_ids if begin is None else [begin, *token_ids], 1))
        return self._score(rows)

    def _answer(self, conversation: Conversation) -> _Row | str:
        if len(conversation) < 2 or conversation[-1].role != "assistant":
            return "the conversation does not end with an assistant turn after another one"
        return _Row(*render_answer(self._tokenizer, [message._asdict() for message in conversation]))

    def _score(self, rows: Sequence[_Row | str]) -> list[TokenLogprobs | str]:
        results: list[TokenLogprobs | str] = [row if isinstance(row, str) else self._fault(row) for row in rows]
        runnable = [(index, row) for index, row in enumerate(rows) if not isinstance(row, str) and not results[index]]
        runnable.sort(key=lambda pair: (len(pair[1].token_ids), pair[0]))
        for batch in self._batches(runnable):
            scored = self._score_batch([row for _, row in batch])
            for (index, _), found in zip(batch, scored, strict=True):
                results[index] = found
        return results

    def _fault(self, row: _Row) -> str:
        most = min(self._max_model_len, self._max_tokens)
        if len(row.token_ids) > most:
            return (
                f"{len(row.token_ids)} tokens are more than the {most} that max_model_len and max_num_batched_tokens allow"
            )
        return "" if len(row.token_ids) > row.num_given else "there is no token to be asked about"

    def _batches(self, rows: list[tuple[int, _Row]]) -> list[list[tuple[int, _Row]]]:
        """`rows` come by length: the last one of a batch is its width."""
        batches: list[list[tuple[int, _Row]]] = []
        for pair in rows:
            width = len(pair[1].token_ids)
            if batches and len(batches[-1]) < self._max_rows and (len(batches[-1]) + 1) * width <= self._max_tokens:
                batches[-1].append(pair)
            else:
                batches.append([pair])
        return batches

    @torch.inference_mode()
    def _score_batch(self, rows: list[_Row]) -> list[TokenLogprobs]:
        """Padded on the right, which nothing before it sees; logits only from where the first answer begins."""
        width = max(len(row.token_ids) for row in rows)
        tokens = torch.zeros(len(rows), width, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        for number, row in enumerate(rows):
            tokens[number, : len(row.token_ids)] = torch.tensor(row.token_ids)
            mask[number, : len(row.token_ids)] = 1
        first = max(0, min(row.num_given for row in rows) - 1)
        output = self._model(
            input_ids=tokens.to(self._device), attention_mask=mask.to(self._device), use_cache=False,
            logits_to_keep=width - first,
        )  # fmt: skip
        results = []
        for number, row in enumerate(rows):
            # the logits of a place are about the token after it
            logits = output.logits[number, row.num_given - 1 - first : len(row.token_ids) - 1 - first].float()
            asked = tokens[number, row.num_given : len(row.token_ids)].to(self._device)
            found = logits.log_softmax(-1).gather(1, asked[:, None])[:, 0]
            results.append(TokenLogprobs(tuple(row.token_ids[row.num_given :]), tuple(found.tolist())))
        return results
