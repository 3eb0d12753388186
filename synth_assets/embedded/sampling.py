"""The teacher's own answers to training questions, graded later: what the reward model learns from.

Questions are asked as generation asks them: with shots of the same leaf before them; three of four above the
recipe's temperature, where the slips are those that the recipe's temperature brings, only more of them.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random

import polars as pl

from synth_assets.embedded.episodes import conversation
from synth_assets.embedded.leaf_kinds import Instance
from synth_assets.embedded.leaves import TAUGHT
from synth_assets.roles import GenerationRequest, Message, TextModel

TEMPERATURES = (1.0, 1.3, 1.6, 2.0)
MAX_NEW_TOKENS = 40
CHUNK = 4096


def sample_answers(model: TextModel, num_answers: int, seed: int, file: Path, report: Callable[[int], None]) -> None:
    """Write `num_answers` rows (leaf_path, question, context, answer, response, mean_logprob) to a Parquet file."""
    rng = Random(f"answers-{seed}")
    rows: list[dict[str, object]] = []
    while len(rows) < num_answers:
        asked = [_draw(rng) for _ in range(min(CHUNK, num_answers - len(rows)))]
        results = model.generate([request for _, _, request in asked])
        for (leaf_path, instance, _), result in zip(asked, results, strict=True):
            if result.finish_reason == "error" or not result.text:
                result_text, logprob = "?", 0.0
            else:
                result_text, logprob = result.text, result.mean_logprob
            rows.append({"leaf_path": leaf_path, "question": instance.question, "context": instance.context,
                         "answer": instance.answer, "response": result_text, "mean_logprob": logprob})  # fmt: skip
        report(len(rows))
    file.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame(rows).write_parquet(file)


def _draw(rng: Random) -> tuple[str, Instance, GenerationRequest]:
    kind = rng.choice(TAUGHT)
    num_shots = 1 if kind.is_grounded else 2
    instances = [kind.draw_where(rng, held_out=False) for _ in range(num_shots + 1)]
    messages = tuple(Message(turn.role, turn.text) for turn in conversation(instances)[:-1])  # type: ignore[arg-type]
    request = GenerationRequest(messages, MAX_NEW_TOKENS, rng.choice(TEMPERATURES), rng.getrandbits(31))
    return kind.leaf_path, instances[-1], request
