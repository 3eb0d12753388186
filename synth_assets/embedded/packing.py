"""Episodes -> rows of fixed length: several episodes a row, none sees another, positions restart in each."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from synth_assets.embedded.episodes import Episode
from synth_assets.embedded.tokenizer import encode_texts

IGNORED = -100

ItemT = TypeVar("ItemT")
#: Token ids, and what each of them is to predict: one label a token, or a vector of targets a token.
Encoded = tuple[list[int], Any]


class PackedBatch(NamedTuple):
    """`rows` x `length` arrays: token ids, labels (IGNORED: no loss), position in and number of the episode."""

    token_ids: NDArray[np.int64]
    labels: NDArray[Any]
    positions: NDArray[np.int64]
    episode_numbers: NDArray[np.int64]


def encode_episodes(tokenizer: Any, episodes: list[Episode]) -> list[Encoded]:
    """For each episode: token ids as by the chat template, and labels aligned with them (label t is token t + 1)."""
    roles = {role: tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant")}
    end = tokenizer.eos_token_id
    texts = iter(encode_texts(tokenizer, [turn.text for episode in episodes for turn in episode]))
    encoded = []
    for episode in episodes:
        token_ids, bears_loss = [], []
        for turn in episode:
            content = next(texts)
            token_ids += [roles[turn.role], *content, end]
            bears_loss += [False] + [turn.bears_loss] * (len(content) + 1)
        labels = [t if loss else IGNORED for t, loss in zip(token_ids[1:], bears_loss[1:], strict=True)] + [IGNORED]
        encoded.append((token_ids, labels))
    return encoded


def packed_batches(
    items: Iterator[ItemT],
    encode: Callable[[list[ItemT]], list[Encoded]],
    num_rows: int,
    length: int,
    label_width: int | None = None,
    pool: int = 256,
) -> Iterator[PackedBatch]:
    """Batches without end; of the pool, the first item that fits goes into a row, too long ones are left out.

    `label_width` None: integer labels (rows, length); else vectors of floats (rows, length, label_width).
    """
    waiting: list[Encoded] = []
    while True:
        batch = _empty_batch(num_rows, length, label_width)
        for row in range(num_rows):
            filled = number = 0
            while True:
                if len(waiting) < pool // 2:
                    fresh = encode([next(items) for _ in range(pool)])
                    waiting += [item for item in fresh if len(item[0]) <= length]
                fitting = next((i for i, item in enumerate(waiting[:64]) if len(item[0]) <= length - filled), None)
                if fitting is None:
                    break
                token_ids, labels = waiting.pop(fitting)
                span = slice(filled, filled + len(token_ids))
                batch.token_ids[row, span] = token_ids
                batch.labels[row, span] = labels
                batch.positions[row, span] = np.arange(len(token_ids))
                batch.episode_numbers[row, span] = number
                filled, number = span.stop, number + 1
        yield batch


def _empty_batch(num_rows: int, length: int, label_width: int | None) -> PackedBatch:
    token_ids, positions, numbers = (np.full((num_rows, length), fill, dtype=np.int64) for fill in (0, 0, -1))
    if label_width is None:
        return PackedBatch(token_ids, np.full((num_rows, length), IGNORED, dtype=np.int64), positions, numbers)
    targets = np.full((num_rows, length, label_width), IGNORED, dtype=np.float32)
    return PackedBatch(token_ids, targets, positions, numbers)
