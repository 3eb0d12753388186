"""Several conversations in one row, none of which sees another: less padding, hence fewer rows for the same tokens.

A packed row says by its positions, which start again at 0, where a conversation begins. transformers makes a
block-diagonal mask of them, for its eager and its fused attention, if neither a mask nor a cache is given
(`masking_utils.find_packed_sequence_indices`, as of 5.19): so both are left out, and padding is one more conversation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synth_assets.tuning.encoding import IGNORED_LABEL, EncodedExample

if TYPE_CHECKING:
    from torch import Tensor

PackedRow = tuple[EncodedExample, ...]
_NUM_OPEN = 64  # rows that are looked at for room: enough to fill them well, and linear in the number of examples


def pack_rows(examples: Sequence[EncodedExample], max_tokens: int) -> list[PackedRow]:
    """Each example, in its order, into the first open row with room for it. None may be longer than `max_tokens`."""
    rows: list[list[EncodedExample]] = []
    sizes: list[int] = []
    for example in examples:
        size = len(example.token_ids)
        first = max(0, len(rows) - _NUM_OPEN)
        place = next((n for n in range(first, len(rows)) if sizes[n] + size <= max_tokens), len(rows))
        if place == len(rows):
            rows.append([])
            sizes.append(0)
        rows[place].append(example)
        sizes[place] += size
    return [tuple(row) for row in rows]


def pack_batch(rows: Sequence[PackedRow], pad_token_id: int) -> dict[str, Tensor | bool]:
    """input_ids, position_ids and labels, each (rows, longest row); and that no cache is to be made.

    The first token of a conversation bears no loss: nothing before it predicts it.
    """
    import torch

    longest = max(sum(len(example.token_ids) for example in row) for row in rows)

    def filled(row: list[list[int]], filler: Any) -> list[int]:
        values = [value for part in row for value in part]
        missing = longest - len(values)
        return values + (list(range(missing)) if filler is None else [filler] * missing)

    return {
        "input_ids": torch.tensor([filled([e.token_ids for e in row], pad_token_id) for row in rows]),
        "position_ids": torch.tensor([filled([list(range(len(e.token_ids))) for e in row], None) for row in rows]),
        "labels": torch.tensor([filled([[IGNORED_LABEL, *e.labels[1:]] for e in row], IGNORED_LABEL) for row in rows]),
        "use_cache": False,
    }
