"""Several responses to each prompt, of several models or several samples of one: what preference pairs are made of.

Each request has a seed of its own, a hash of (recipe seed, model's name, prompt, number of the sample): a response is the
same whatever else is asked beside it, or was asked before a crash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from synth_assets.records import content_id
from synth_assets.roles import Conversation, FinishReason, GenerationRequest, TextModel


@dataclass(frozen=True)
class PreferencePrompt:
    """A conversation with a user turn last. `generation_depth` and `synthetic_ancestry` as of `SyntheticSample`.

    `constraints`: what a response must hold to, as lines of JSON (`constraints.read_constraint`). `context` and
    `instruction`: of what the last turn was rendered, where it was.
    """

    prompt_id: str
    leaf_path: str
    messages: Conversation
    generation_depth: int | None = 0
    synthetic_ancestry: float = 0.0
    constraints: tuple[str, ...] = ()
    context: str | None = None
    instruction: str = ""

    @property
    def asked(self) -> tuple[str | None, str]:
        """What the question is about, earlier turns included, and the question itself."""
        before = [turn.content for turn in self.messages[:-1]]
        context = "\n".join([*before, *([self.context] if self.context else [])]) or None
        return context, self.instruction or self.messages[-1].content

    @property
    def text(self) -> str:
        """All turns, a line each at least."""
        return "\n".join(turn.content for turn in self.messages)


@dataclass(frozen=True)
class SampledResponse:
    """`model` is a fingerprint; `finish_reason` as of `GenerationResult`; `error` says why there is no response at all."""

    response_id: str
    prompt_id: str
    model: str
    text: str
    finish_reason: FinishReason
    error: str
    generation_depth: int | None

    @property
    def is_whole(self) -> bool:
        """Whether the model ended it by itself."""
        return self.finish_reason == "stop"

    @property
    def is_cut_off(self) -> bool:
        return self.finish_reason == "length"


class Refusal(NamedTuple):
    """Why a prompt or a response may not be in a pair."""

    reason: str
    detail: str


def sample_responses(
    prompts: Sequence[PreferencePrompt], models: Mapping[str, TextModel], num_samples: int, temperature: float,
    max_new_tokens: int, seed: int, depths: Mapping[str, int] | None = None,
) -> list[SampledResponse]:  # fmt: skip
    """`num_samples` responses of each model to each prompt; one batch a model, ordered by model, prompt and sample.

    `models`: by a name, which decides over the seeds; `depths`: the generation_depth of each model, by default 0. At
    temperature 0 there is but one response to a prompt, so ask for one. Raises what the models raise (EngineError).
    """
    responses: list[SampledResponse] = []
    for name, model in models.items():
        asked = [(prompt, index) for prompt in prompts for index in range(num_samples)]
        requests = [
            GenerationRequest(
                prompt.messages, max_new_tokens, temperature,
                request_seed(seed, name, prompt.prompt_id, index) if temperature else 0,
            )
            for prompt, index in asked
        ]  # fmt: skip
        results = model.generate(requests) if requests else []
        depth = (depths or {}).get(name, 0)
        for (prompt, index), request, result in zip(asked, requests, results, strict=True):
            key = content_id(
                "response", prompt.prompt_id, prompt.messages, model.fingerprint, index, request.seed, result.text
            )
            responses.append(
                SampledResponse(
                    key, prompt.prompt_id, model.fingerprint, result.text, result.finish_reason, result.error,
                    None if prompt.generation_depth is None else 1 + max(depth, prompt.generation_depth),
                )
            )  # fmt: skip
    return responses


def request_seed(seed: int, model: str, prompt_id: str, index: int) -> int:
    """A seed of 63 bits, so that it fits a signed 64-bit column."""
    return int(content_id("preference_seed", seed, model, prompt_id, index), 16) >> 1
