"""The roles, played by a vLLM worker: records to JSON and back, nothing else."""

from collections.abc import Sequence
from dataclasses import asdict

from synth_assets.inference.worker_process import WorkerProcess
from synth_assets.records import RewardAttributes
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult


class VllmTextModel:
    """A TextModel. All requests of a call are one batch of the engine."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def generate(self, requests: Sequence[GenerationRequest]) -> list[GenerationResult]:
        """One result a request, in their order. Raises EngineError if the engine dies."""
        if not requests:
            return []
        rows = self.worker.call({"rows": [asdict(request) for request in requests]}, len(requests))
        return [GenerationResult(**row) for row in rows]


class VllmRewardModel:
    """A RewardModel."""

    def __init__(self, worker: WorkerProcess, fingerprint: str) -> None:
        self.worker = worker
        self.fingerprint = fingerprint

    def score(self, conversations: Sequence[Conversation]) -> list[RewardAttributes | str]:
        """Attributes or the words of an error, in the order of the conversations. Raises EngineError."""
        if not conversations:
            return []
        rows = self.worker.call({"rows": list(conversations)}, len(conversations))
        return [row if isinstance(row, str) else RewardAttributes(*row) for row in rows]
