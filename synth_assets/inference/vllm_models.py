"""The roles, played by a vLLM worker: records to JSON and back, nothing else."""

from collections.abc import Sequence
from dataclasses import asdict

from synth_assets.inference.worker_process import WorkerProcess
from synth_assets.records import RewardAttributes
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult, OnResult, OnScore


class VllmTextModel:
    """A TextModel. All requests of a call are one batch of the engine."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]:  # fmt: skip
        """One result a request, in their order. Raises EngineError if the engine dies."""
        results: dict[int, GenerationResult] = {}
        message = {"rows": [asdict(request) for request in requests]}
        for position, row in self.worker.call(message, len(requests)) if requests else ():
            results[position] = GenerationResult(**row)
            if on_result:
                on_result(position, results[position])
        return [results[position] for position in range(len(requests))]


class VllmRewardModel:
    """A RewardModel."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[RewardAttributes | str]:  # fmt: skip
        """Attributes or the words of an error, in the order of the conversations. Raises EngineError."""
        scores: dict[int, RewardAttributes | str] = {}
        message = {"rows": list(conversations)}
        for position, row in self.worker.call(message, len(conversations)) if conversations else ():
            scores[position] = row if isinstance(row, str) else RewardAttributes(*row)
            if on_score:
                on_score(position, scores[position])
        return [scores[position] for position in range(len(conversations))]
