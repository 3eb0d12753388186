"""The roles that models play: who generates text, gives rewards, places texts by what they say, tells how likely they are.

Stages speak to these protocols; `inference` holds the implementations (vLLM, transformers); `assets` brings them together.
A request carries everything that its answer depends on, so that the same request to the same model is the same text.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from synth_assets.records import Reward


class Message(NamedTuple):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


Conversation = tuple[Message, ...]
FinishReason = Literal["stop", "length", "error"]


def conversation(turns: Sequence[str]) -> Conversation:
    """Turns as messages: the user's first, then the assistant's and the user's in turn."""
    return tuple(Message("assistant" if number % 2 else "user", turn) for number, turn in enumerate(turns))


@dataclass(frozen=True)
class GenerationRequest:
    """A conversation to be continued by the assistant. temperature 0 is greedy; `seed` is this request's own.

    `schema` is a JSON schema as text: engines that can hold the answer to it, the others do as if it were not there.
    """

    messages: Conversation
    max_new_tokens: int
    temperature: float
    seed: int
    schema: str = ""


@dataclass(frozen=True)
class GenerationResult:
    """What came of one request.

    `text` is without surrounding white space; `prompt` is the conversation as rendered for the model.
    `mean_logprob` is the mean natural logarithm of the probability of each new token, at temperature 1.
    `finish_reason` error: the request failed, `error` says why, and the other fields are empty.
    """

    text: str
    finish_reason: FinishReason
    prompt: str = ""
    num_prompt_tokens: int = 0
    num_new_tokens: int = 0
    mean_logprob: float = 0.0
    error: str = ""


class TokenLogprobs(NamedTuple):
    """Tokens that a model was asked about, and the natural logarithm of each one's probability at temperature 1."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def mean_loss(self) -> float:
        """Nats per token: the mean negative log-likelihood."""
        return -math.fsum(self.logprobs) / len(self.logprobs)


OnResult = Callable[[int, GenerationResult], None]
OnScore = Callable[[int, Reward | str], None]


class TextModel(Protocol):
    """A teacher or a student: continues conversations. Results come in the order of the requests.

    `on_result` is told of each as soon as it is there, in any order: position of the request, result.
    """

    @property
    def fingerprint(self) -> str: ...

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]: ...  # fmt: skip


class RewardModel(Protocol):
    """Gives a conversation that ends with an assistant turn its five attributes, one scalar, or the words of an error.

    A model gives all conversations the same kind of reward. Scores come in the order of the conversations.
    `on_score` is told of each as soon as it is there, in any order.
    """

    @property
    def fingerprint(self) -> str: ...

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> Sequence[Reward | str]: ...  # fmt: skip


class Embedder(Protocol):
    """Places texts so that those that say alike are near: unit vectors, whose dot product is the cosine."""

    @property
    def fingerprint(self) -> str: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, d), in the order of the texts; (0, d) for none. What a text becomes does not depend on its neighbours,
        but for the last bits."""
        ...


class LikelihoodModel(Protocol):
    """Tells how likely texts are that it did not write. Results come in the order given, or the words of an error."""

    @property
    def fingerprint(self) -> str: ...

    def token_logprobs(self, conversations: Sequence[Conversation]) -> list[TokenLogprobs | str]:
        """Of the last turn, the assistant's, its end token included: the tokens that tuning puts its loss on."""
        ...

    def text_logprobs(self, texts: Sequence[str]) -> list[TokenLogprobs | str]:
        """Of plain texts, without a chat template."""
        ...
