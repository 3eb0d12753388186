"""Which instructions the teacher was trained on: its training stream, drawn again from its seed."""

import json
from collections.abc import Set as AbstractSet

from synth_assets.embedded.episodes import Episode, teacher_episodes
from synth_assets.embedded.packing import Encoded, encode_episodes, packed_batches
from synth_assets.embedded.tokenizer import build_tokenizer, world_words
from synth_assets.embedded.trainer import TrainingPlan
from synth_assets.recipe import resolve_path

Instruction = tuple[str, str]  # context (or empty), instruction


def trained_instructions(candidates: AbstractSet[Instruction]) -> set[Instruction]:
    """Those of the candidates that the committed teacher saw in training, as question or as text to be written.

    The very batches of the training run are drawn again (minutes of one core); a candidate counts as seen when
    its words are a line of an episode (asked, written, or one of the examples) that holds its context too.
    """
    training = json.loads((resolve_path("data/models/teacher") / "training.json").read_text())
    by_line: dict[str, set[Instruction]] = {}
    for context, instruction in candidates:
        by_line.setdefault(instruction, set()).add((context, instruction))
    seen: set[Instruction] = set()
    for rank in range(training["processes"]):
        for episode in _training_episodes(training["seed"], rank, training["steps"]):
            text = "\n".join(turn.text for turn in episode)
            for line in text.split("\n"):
                for candidate in by_line.get(line.removeprefix("- "), ()):
                    if not candidate[0] or candidate[0] in text:
                        seen.add(candidate)
    return seen


def _training_episodes(seed: int, rank: int, num_steps: int) -> list[Episode]:
    tokenizer = build_tokenizer()
    drawn: list[Episode] = []

    def encode(episodes: list[Episode]) -> list[Encoded]:
        drawn.extend(episodes)
        return encode_episodes(tokenizer, episodes)

    episodes = teacher_episodes(seed * 1000 + rank, world_words())
    batches = packed_batches(episodes, encode, TrainingPlan.num_rows, TrainingPlan.length)
    for _ in range(num_steps):
        next(batches)
    return drawn
