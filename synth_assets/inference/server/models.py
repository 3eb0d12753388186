"""The roles, played by a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from synth_assets.inference.chat import failed_result
from synth_assets.inference.server.attempt import Question
from synth_assets.inference.server.chat_answers import chat_body, read_chat
from synth_assets.inference.server.identity import find_served, server_fingerprint
from synth_assets.inference.server.reward_answers import read_reward, reward_body
from synth_assets.inference.server.window import RequestWindow, open_window
from synth_assets.recipe import ModelSpec
from synth_assets.records import Reward
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult, OnResult, OnScore

_ROUTES = {"chat": ("/chat/completions", False), "classify": ("/classify", True), "pooling": ("/pooling", True)}


class ServerTextModel:
    """A TextModel. `generate` may be called from several threads; they share one window of requests."""

    def __init__(self, spec: ModelSpec, window: RequestWindow, fingerprint: str, is_vllm: bool) -> None:
        self.fingerprint = fingerprint
        self._spec, self._window, self._is_vllm = spec, window, is_vllm

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]:  # fmt: skip
        """One result a request, in their order; `on_result` is called in this thread. Raises as `RequestWindow.run` does."""
        results: dict[int, GenerationResult] = {}

        def take(position: int, value: GenerationResult, words: str) -> None:
            results[position] = failed_result(words) if words else value
            if on_result:
                on_result(position, results[position])

        self._window.run([self._question(request) for request in requests], take)
        return [results[position] for position in range(len(requests))]

    def _question(self, request: GenerationRequest) -> Question:
        return Question(
            partial(chat_body, request, self._spec, self._is_vllm),
            partial(read_chat, messages=request.messages),
            request.max_new_tokens,
        )


class ServerRewardModel:
    """A RewardModel. `score` may be called from several threads; they share one window of requests."""

    def __init__(self, spec: ModelSpec, window: RequestWindow, fingerprint: str) -> None:
        assert spec.server
        self.fingerprint = fingerprint
        self._server, self._window = spec.server, window

    def score(self, conversations: Sequence[Conversation], on_score: OnScore | None = None) -> list[Reward | str]:
        """A reward or the words of an error each, in their order. Raises as `RequestWindow.run` does."""
        scores: dict[int, Reward | str] = {}

        def take(position: int, value: Reward, words: str) -> None:
            scores[position] = words or value
            if on_score:
                on_score(position, scores[position])

        self._window.run([self._question(conversation) for conversation in conversations], take)
        return [scores[position] for position in range(len(conversations))]

    def _question(self, conversation: Conversation) -> Question:
        return Question(partial(reward_body, conversation, self._server), partial(read_reward, server=self._server))


@contextmanager
def open_server_text_model(spec: ModelSpec, folder_fingerprint: str = "") -> Iterator[ServerTextModel]:
    """A model that is served, ready to generate. Raises EngineError if no server of it answers."""
    assert spec.server
    served, fingerprint = find_served(spec.server), server_fingerprint(spec.server, folder_fingerprint)
    with open_window(spec.server, served, *_ROUTES["chat"]) as window:
        yield ServerTextModel(spec, window, fingerprint, served.is_vllm)


@contextmanager
def open_server_reward_model(spec: ModelSpec, folder_fingerprint: str = "") -> Iterator[ServerRewardModel]:
    """A reward model that is served, ready to score. Raises EngineError if no server of it answers."""
    assert spec.server
    served, fingerprint = find_served(spec.server), server_fingerprint(spec.server, folder_fingerprint)
    with open_window(spec.server, served, *_ROUTES[spec.server.reward_api]) as window:
        yield ServerRewardModel(spec, window, fingerprint)
