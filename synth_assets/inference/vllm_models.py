"""The roles, played by a vLLM worker: records to JSON and back, nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from synth_assets.inference.chat import reward_of_outputs
from synth_assets.inference.worker_process import WorkerProcess
from synth_assets.records import Reward
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult, OnResult, OnScore

AnswerT = TypeVar("AnswerT")


class VllmTextModel:
    """A TextModel. All requests of a call are one batch of the engine."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]:  # fmt: skip
        """One result a request, in their order. Raises EngineError if the engine dies."""
        rows = [asdict(request) for request in requests]
        return _answers(self.worker, rows, lambda row: GenerationResult(**row), on_result)


class VllmRewardModel:
    """A RewardModel."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[Reward | str]:  # fmt: skip
        """Rewards or the words of an error, in the order of the conversations. Raises EngineError."""
        return _answers(self.worker, list(conversations), _read_score, on_score)


def _read_score(row: Any) -> Reward | str:
    return row if isinstance(row, str) else reward_of_outputs(row)


def _answers(
    worker: WorkerProcess, rows: list[Any], read: Callable[[Any], AnswerT], tell: Callable[[int, AnswerT], None] | None
) -> list[AnswerT]:  # fmt: skip
    """What comes of the rows, in their order; `tell` is told as each comes."""
    answers: dict[int, AnswerT] = {}
    for position, row in worker.call({"rows": rows}, len(rows)) if rows else ():
        answers[position] = read(row)
        if tell:
            tell(position, answers[position])
    return [answers[position] for position in range(len(rows))]
