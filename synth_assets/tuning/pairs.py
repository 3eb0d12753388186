"""Preference pairs -> token ids, held-out prompts, and batches in which each chosen response has its rejected one.

All pairs of a prompt are on the same side: what is measured on held-out pairs has not been read in training. Prompts are
held out by hash within their leaf, of topics within their area, as rows of the training mix are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from synth_assets.records import PreferencePair, Split, content_id, leaf_or_area
from synth_assets.tuning.encoding import EncodedExample, encode_turns, pad_batch

if TYPE_CHECKING:
    from torch import Tensor


class EncodedPair(NamedTuple):
    """`reward_gap` as of the pair, 0 where nobody asks for it; log-probabilities of the whole responses, in nats."""

    chosen: EncodedExample
    rejected: EncodedExample
    reward_gap: float
    chosen_reference: float = 0.0
    rejected_reference: float = 0.0


def split_pairs(pairs: Sequence[PreferencePair], validation_share: float) -> dict[Split, list[PreferencePair]]:
    """In the order given. Of each leaf, or area of topics, `validation_share` of the prompts are held out (rounded), but
    never all."""
    prompts: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        prompts[leaf_or_area(pair.leaf_path)].add(pair.prompt)
    held_out: set[tuple[str, str]] = set()
    for leaf_path, of_leaf in prompts.items():
        num = min(round(len(of_leaf) * validation_share), len(of_leaf) - 1)
        by_hash = sorted(of_leaf, key=lambda prompt: content_id("split", prompt))
        held_out.update((leaf_path, prompt) for prompt in by_hash[:num])
    split: dict[Split, list[PreferencePair]] = {"train": [], "validation": []}
    for pair in pairs:
        is_held_out = (leaf_or_area(pair.leaf_path), pair.prompt) in held_out
        split["validation" if is_held_out else "train"].append(pair)
    return split


def encode_pair(tokenizer: Any, pair: PreferencePair) -> EncodedPair:
    """By the student's chat template; loss is on the responses only, their end tokens included."""
    turns = json.loads(pair.prompt)
    chosen, rejected = (
        encode_turns(tokenizer, [*turns, {"role": "assistant", "content": text}]) for text in (pair.chosen, pair.rejected)
    )
    return EncodedPair(chosen, rejected, pair.margin or 0.0)


def pad_pairs(pairs: Sequence[EncodedPair], pad_token_id: int) -> dict[str, Tensor]:
    """As `pad_batch` of 2 n rows: the n chosen responses, then the rejected ones in the same order.

    Beside them `reward_gap`, shape (n,), and `reference`, the log-probability of each row, shape (2 n,).
    """
    import torch

    batch = pad_batch([pair.chosen for pair in pairs] + [pair.rejected for pair in pairs], pad_token_id)
    reference = [pair.chosen_reference for pair in pairs] + [pair.rejected_reference for pair in pairs]
    return batch | {
        "reward_gap": torch.tensor([pair.reward_gap for pair in pairs], dtype=torch.float32),
        "reference": torch.tensor(reference, dtype=torch.float32),
    }
