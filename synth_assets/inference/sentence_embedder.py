"""A sentence-transformer from a folder on this machine: nothing is fetched, no code of the folder runs, no pickle is read.

Texts beyond the model's length (256 word pieces for all-MiniLM-L6-v2) are cut off at the end, as the model's authors do.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BATCH_SIZE = 32


class SentenceEmbedder:
    """An Embedder in this process, on a GPU if there is one. `folder` has been checked by the caller."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        self.fingerprint = fingerprint
        self._model: Any = SentenceTransformer(
            str(folder),
            device="cuda" if torch.cuda.is_available() else "cpu",
            trust_remote_code=False,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        ).eval()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d) unit vectors."""
        if not texts:
            return np.zeros((0, self._model.get_embedding_dimension()), dtype=np.float32)
        vectors: NDArray[np.float32] = self._model.encode(
            list(texts), batch_size=_BATCH_SIZE, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return vectors.astype(np.float32)
