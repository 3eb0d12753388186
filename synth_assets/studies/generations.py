"""A model of the closed world's rows, for the study of collapse: trained on whole rows, it writes whole rows.

A row is a question (after its context, where it has one) and its answer, as one exchange of a chat. Every token of both
bears loss, so that from the mere opening of a user's turn the model writes an exchange of its own: nothing else is given to
it, and what a generation has forgotten cannot come back through a prompt. All weights are tuned, not an adapter: at 2.5
million parameters that is the simpler thing and as fast.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synth_assets.embedded.episodes import Episode, Turn, pair_prompt
from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.tokenizer import ASSISTANT, USER

if TYPE_CHECKING:
    import torch

    from synth_assets.embedded.network import CausalModel

MAX_ROW_TOKENS = 160
_BATCH = 32


class Row(NamedTuple):
    """What the user says and what is answered."""

    prompt: str
    answer: str

    @property
    def text(self) -> str:
        return f"{self.prompt}\n{self.answer}"


@dataclass(frozen=True)
class Schedule:
    """One training: packed rows of `length` tokens, `num_rows` of them a step."""

    num_steps: int = 60
    num_rows: int = 8
    length: int = 176
    learning_rate: float = 2e-3


def real_rows(kinds: Sequence[LeafKind], num_rows: int, rng: Random, *, held_out: bool) -> list[Row]:
    """Rows as the world has them; every kind as often as any other, one more at most."""
    return [row_of(kinds[n % len(kinds)].draw_where(rng, held_out=held_out)) for n in range(num_rows)]


def row_of(instance: Instance) -> Row:
    return Row(pair_prompt(instance), instance.answer)


def instance_in(row: Row, kinds: Sequence[LeafKind]) -> tuple[LeafKind, Instance] | None:
    """The kind and the instance that a row's prompt states, or None where no kind can read it."""
    context, _, question = row.prompt.rpartition("\n")
    for kind in kinds:
        instance = kind.read(question, context) if kind.is_grounded == bool(context) else None
        if instance:
            return kind, instance
    return None


def token_frequencies(rows: Sequence[Row]) -> dict[int, int]:
    """How often each token that bears loss stands in the rows."""
    from synth_assets.embedded.packing import IGNORED, encode_episodes
    from synth_assets.embedded.tokenizer import build_tokenizer

    encoded = encode_episodes(build_tokenizer(), [_episode(row) for row in rows])
    return Counter(label for _, labels in encoded for label in labels if label != IGNORED)


class RowModel:
    """A language model of rows. `seed` decides the order of training and nothing else."""

    def __init__(self, base: Path, rows: Sequence[Row], schedule: Schedule, seed: int) -> None:
        """Tunes all weights of `base` (an embedded model's folder) on the rows."""
        import torch

        from synth_assets.embedded.language_models import embedded_config, load_weights
        from synth_assets.embedded.network import CausalModel, load_trunk_state
        from synth_assets.embedded.packing import encode_episodes, packed_batches
        from synth_assets.embedded.tokenizer import build_tokenizer
        from synth_assets.embedded.trainer import TrainingPlan, train

        self.tokenizer: Any = build_tokenizer()
        torch.manual_seed(seed)
        self.model: CausalModel = CausalModel(embedded_config())
        load_trunk_state(self.model, load_weights(base))
        items = _in_turn(rows, Random(f"training-{seed}"))
        batches = packed_batches(
            items, lambda drawn: encode_episodes(self.tokenizer, drawn), schedule.num_rows, schedule.length
        )
        with TemporaryDirectory(prefix="synth-assets-") as scratch:
            train(self.model, batches, TrainingPlan(
                "rows", Path(scratch), schedule.num_steps, schedule.num_rows, schedule.length, schedule.learning_rate,
                warmup_steps=5, seed=seed,
            ))  # fmt: skip
        self.model.to("cpu").eval()

    def log_probabilities(self, rows: Sequence[Row]) -> list[tuple[list[int], list[float]]]:
        """By row: ids of its tokens and the natural logarithm of the probability of each, given those before it.

        The marks of the roles are given to the model and do not count; the ends of both turns do.
        """
        import torch

        from synth_assets.embedded.packing import encode_episodes

        encoded = encode_episodes(self.tokenizer, [_episode(row) for row in rows])
        order = sorted(range(len(encoded)), key=lambda at: len(encoded[at][0]))
        found: dict[int, tuple[list[int], list[float]]] = {}
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            width = max(len(encoded[at][0]) for at in batch)
            token_ids, labels = np.zeros((len(batch), width), np.int64), np.full((len(batch), width), -100, np.int64)
            for line, at in enumerate(batch):
                token_ids[line, : len(encoded[at][0])], labels[line, : len(encoded[at][0])] = encoded[at]
            log_probabilities = self._log_softmax(torch.from_numpy(token_ids)).numpy()
            for line, at in enumerate(batch):
                (where,) = np.nonzero(labels[line] >= 0)
                ids = labels[line, where]
                found[at] = (ids.tolist(), log_probabilities[line, where, ids].tolist())
        return [found[at] for at in range(len(rows))]

    def _log_softmax(self, token_ids: torch.Tensor) -> torch.Tensor:
        import torch

        positions = torch.arange(token_ids.shape[1]).expand_as(token_ids)
        with torch.no_grad():
            hidden = self.model.model(token_ids, positions, torch.zeros_like(token_ids))
            logits: torch.Tensor = hidden @ self.model.model.embed_tokens.weight.t()
            return logits.log_softmax(-1)

    def write_rows(self, num_rows: int, seed: int) -> list[Row]:
        """Rows that the model writes at temperature 1, from nothing but the opening of the user's turn.

        A row without an end is cut after MAX_ROW_TOKENS tokens and stays, with an empty answer if it has come to none: to
        leave out what went wrong would be a filter, and the question is what becomes of unfiltered rows.
        """
        import torch

        generator = torch.Generator().manual_seed(seed)
        written = _sample(self._with_cache(), self.tokenizer, num_rows, generator)
        return [Row(*(self.tokenizer.decode(part, skip_special_tokens=True).strip() for part in row)) for row in written]

    def _with_cache(self) -> Any:
        """The same weights in transformers' module, which can keep keys and values."""
        from transformers import LlamaForCausalLM

        from synth_assets.embedded.language_models import embedded_config

        llama = LlamaForCausalLM(embedded_config())
        llama.load_state_dict(self.model.state_dict(), strict=False)
        llama.tie_weights()
        return llama.eval()


def _sample(llama: Any, tokenizer: Any, num_rows: int, generator: torch.Generator) -> list[tuple[list[int], list[int]]]:
    """Token ids of prompt and answer of each row. The marks of the roles are set, not sampled."""
    import torch
    from transformers import DynamicCache

    user, assistant = (tokenizer.convert_tokens_to_ids(mark) for mark in (USER, ASSISTANT))
    end, cache = tokenizer.eos_token_id, DynamicCache()
    written: list[tuple[list[int], list[int]]] = [([], []) for _ in range(num_rows)]
    alive, last = list(range(num_rows)), [user] * num_rows
    is_answering = [False] * num_rows
    for _ in range(MAX_ROW_TOKENS):
        with torch.no_grad():
            logits = llama(input_ids=torch.tensor(last)[:, None], past_key_values=cache, use_cache=True).logits[:, -1]
        drawn = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1).tolist()
        going: list[tuple[int, int, int]] = []
        for line, (row, before, token) in enumerate(zip(alive, last, drawn, strict=True)):
            if before == end:
                is_answering[row], token = True, assistant
            elif token != end:
                written[row][is_answering[row]].append(token)
            elif is_answering[row]:
                continue
            going.append((line, row, token))
        if not going:
            break
        if len(going) < len(alive):
            cache.batch_select_indices(torch.tensor([line for line, _, _ in going]))
        alive, last = [row for _, row, _ in going], [token for _, _, token in going]
    return written


def _in_turn(rows: Sequence[Row], rng: Random) -> Iterator[Episode]:
    """All rows in a random order, again and again."""
    while True:
        for row in rng.sample(list(rows), len(rows)):
            yield _episode(row)


def _episode(row: Row) -> Episode:
    return [Turn("user", row.prompt, True), Turn("assistant", row.answer, True)]
