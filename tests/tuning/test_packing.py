"""Conversations in one row do not see one another: the same logits and the same loss as each by itself."""

from pathlib import Path
from typing import Any

import pytest

from synth_assets.tuning.encoding import IGNORED_LABEL, EncodedExample, pad_batch
from synth_assets.tuning.packing import pack_batch, pack_rows

PARTS = [
    EncodedExample(ids, [IGNORED_LABEL] * split + ids[split:])
    for ids, split in (([11, 12, 13, 14, 15], 3), ([21, 22, 23], 1), ([31], 0), ([41, 42, 43, 44, 45, 46, 47], 4))
]


def test_each_example_goes_into_the_first_row_with_room() -> None:
    rows = pack_rows(PARTS, 8)
    assert rows == [(PARTS[0], PARTS[1]), (PARTS[2], PARTS[3])]
    assert pack_rows(PARTS, 7) == [(PARTS[0], PARTS[2]), (PARTS[1],), (PARTS[3],)]
    many = [EncodedExample([1] * (1 + n % 9), [1] * (1 + n % 9)) for n in range(500)]
    packed = pack_rows(many, 10)
    assert sum(len(row) for row in packed) == 500 and all(sum(len(e.token_ids) for e in row) <= 10 for row in packed)
    assert len(packed) < 300


def test_positions_start_again_with_each_conversation_and_its_first_token_bears_no_loss() -> None:
    batch = pack_batch([(PARTS[1], PARTS[2]), (PARTS[0], PARTS[1])], pad_token_id=0)
    assert batch["input_ids"].tolist() == [[21, 22, 23, 31, 0, 0, 0, 0], [11, 12, 13, 14, 15, 21, 22, 23]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 0, 1, 2, 3], [0, 1, 2, 3, 4, 0, 1, 2]]
    assert batch["labels"].tolist()[0] == [IGNORED_LABEL, 22, 23, *[IGNORED_LABEL] * 5]
    assert "attention_mask" not in batch and batch["use_cache"] is False


@pytest.mark.slow
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("pad_to", [0, 5])
def test_a_packed_row_gives_the_logits_and_the_loss_of_its_parts(tiny_student: Path, attention: str, pad_to: int) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32, attn_implementation=attention)
    model.train()  # as in training; the tiny student has no dropout
    longer = (EncodedExample([9] * (16 + pad_to), [IGNORED_LABEL] * (16 + pad_to)),)  # makes padding in the other row
    with torch.no_grad():
        packed = model(**pack_batch([tuple(PARTS), longer], pad_token_id=0))
        alone = [model(**pad_batch([part], pad_token_id=0)) for part in PARTS]
    start = 0
    for part, out in zip(PARTS, alone, strict=True):
        size = len(part.token_ids)
        torch.testing.assert_close(packed.logits[0, start : start + size], out.logits[0], atol=1e-4, rtol=1e-4)
        start += size
    counts = [sum(label != IGNORED_LABEL for label in part.labels[1:]) for part in PARTS]
    mean = sum(float(out.loss) * count for out, count in zip(alone, counts, strict=True) if count) / sum(counts)
    assert float(packed.loss) == pytest.approx(mean, rel=1e-4)
