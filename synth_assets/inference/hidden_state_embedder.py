"""A causal language model as an embedder: the mean of its last hidden states over the tokens of a text.

Where no sentence-transformer knows the language or the domain, the model that is tuned does. Such means share a large common
direction (K. Ethayarajh 2019, arXiv 1909.00512), so their cosines are all high; distances within one embedder still order
texts, but figures of two embedders are not to be compared. Texts beyond 512 tokens are cut off at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_BATCH_SIZE = 32
_MAX_TOKENS = 512


class HiddenStateEmbedder:
    """An Embedder in this process, on a GPU if there is one. `folder` has been checked by the caller."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.fingerprint = fingerprint
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model: Any = AutoModel.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
        self._model = model.eval().to(self._device)
        self._max_tokens = min(_MAX_TOKENS, getattr(model.config, "max_position_embeddings", _MAX_TOKENS))

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) unit vectors. Texts of like length share a batch."""
        vectors = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        rows = [self._token_ids(text) for text in texts]
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        for start in range(0, len(order), _BATCH_SIZE):
            batch = order[start : start + _BATCH_SIZE]
            vectors[batch] = self._embed_batch([rows[index] for index in batch]).cpu().numpy()
        return vectors

    def _token_ids(self, text: str) -> list[int]:
        """At least one token, so that a text without any has a place as well."""
        ids: list[int] = self._tokenizer(text, truncation=True, max_length=self._max_tokens)["input_ids"]
        return ids or [self._tokenizer.eos_token_id or 0]

    def _embed_batch(self, rows: list[list[int]]) -> Tensor:
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
        for number, row in enumerate(rows):
            tokens[number, : len(row)] = torch.tensor(row)
        mask = (torch.arange(tokens.shape[1]) < lengths[:, None]).long().to(self._device)
        hidden = self._model(tokens.to(self._device), attention_mask=mask, use_cache=False).last_hidden_state
        mean = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        unit: Tensor = torch.nn.functional.normalize(mean, dim=-1)
        return unit
