"""What a step on preference pairs computes: log-probabilities of both responses, their gap, and the loss of each pair.

The reference's log-probabilities are computed once, before the training: it is frozen, so they never change, and no second
model is in memory. They are computed in the precision in which the policy is trained (bfloat16, where that is fast), and
differ from the policy's first ones only by what other neighbours in a batch do to the last digits.

Memory: logits over the whole vocabulary for both responses of `batch_size` pairs at once, prompts included.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from synth_assets.recipe import AlignmentStage
from synth_assets.tuning.adapters import load_adapted
from synth_assets.tuning.encoding import EncodedExample, pad_batch, response_losses
from synth_assets.tuning.pairs import EncodedPair, pad_pairs
from synth_assets.tuning.preference_losses import dpo_loss, implied_gap, rpo_loss
from synth_assets.tuning.threads import has_fast_bfloat16, use_all_cores


class PairLosses(NamedTuple):
    """Of each pair the loss, and the implied gap: positive where the policy prefers the chosen response."""

    losses: Tensor
    gaps: Tensor


@dataclass(frozen=True)
class PreferenceObjective:
    """The loss of one alignment stage."""

    stage: AlignmentStage

    def compute(self, model: Any, batch: Mapping[str, Tensor]) -> PairLosses:
        """`batch` as of `pad_pairs`, n pairs; both results have the shape (n,).

        The loss on the chosen response is its mean over that response's tokens, so that long ones count no more.
        """
        sums, num_tokens = response_losses(model, batch)
        chosen, rejected = (-sums - batch["reference"]).chunk(2)
        gaps = implied_gap(chosen, rejected, self.stage.beta)
        eta = self.stage.eta
        losses = dpo_loss(gaps) if eta is None else rpo_loss(gaps, batch["reward_gap"], eta)
        if self.stage.sft_weight:
            losses = losses + self.stage.sft_weight * (sums / num_tokens.clamp(min=1)).chunk(2)[0]
        return PairLosses(losses, gaps.detach())


@torch.no_grad()
def mean_pair_loss(
    model: Any, pairs: Sequence[EncodedPair], objective: PreferenceObjective, pad_token_id: int, batch_size: int
) -> float:
    """Mean loss over the pairs; the model is left in the mode for measuring."""
    model.eval()
    total = 0.0
    for start in range(0, len(pairs), batch_size):
        batch = pad_pairs(pairs[start : start + batch_size], pad_token_id)
        total += float(objective.compute(model, _on(model.device, batch)).losses.sum())
    return total / len(pairs)


def add_reference(
    pairs: Sequence[EncodedPair], student_folder: Path, adapter: Path, pad_token_id: int, batch_size: int, file: Path
) -> list[EncodedPair]:
    """The pairs with the log-probabilities that the student with this adapter gives their responses.

    They are kept in `file`: a training that goes on after a crash goes on with the same numbers.
    """
    if not file.is_file():
        rows = [example for pair in pairs for example in (pair.chosen, pair.rejected)]
        unfinished = file.with_suffix(".unfinished")
        said = _logprobs(student_folder, adapter, rows, pad_token_id, 2 * batch_size)
        unfinished.write_text(json.dumps(said), encoding="utf-8")
        unfinished.rename(file)
    known: list[float] = json.loads(file.read_text(encoding="utf-8"))
    of_pairs = zip(pairs, known[::2], known[1::2], strict=True)
    return [pair._replace(chosen_reference=one, rejected_reference=other) for pair, one, other in of_pairs]


@torch.no_grad()
def _logprobs(
    student_folder: Path, adapter: Path, rows: Sequence[EncodedExample], pad_token_id: int, batch_size: int
) -> list[float]:
    """Of each row's response, in nats."""
    use_all_cores()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_adapted(student_folder, adapter).to(device).eval()
    order = sorted(range(len(rows)), key=lambda number: len(rows[number].token_ids))
    found = [0.0] * len(rows)
    precision = torch.autocast(device.type, dtype=torch.bfloat16) if has_fast_bfloat16() else nullcontext()
    for start in range(0, len(rows), batch_size):
        numbers = order[start : start + batch_size]
        with precision:
            sums, _ = response_losses(model, _on(device, pad_batch([rows[number] for number in numbers], pad_token_id)))
        for number, value in zip(numbers, sums.tolist(), strict=True):
            found[number] = -value
    del model
    gc.collect()
    return found


def _on(device: torch.device, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}
