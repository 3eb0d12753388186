"""The shapes in which reward models answer, each read by a pure function; tests/inference/reward_shapes holds one of each.

    chat       scores as `logprob` of tokens that are called like the attributes; `message` a list or an object
               no log-probabilities, the scores as text in the content: helpfulness:4.09,correctness:4.03,...
               one scalar: reward:-3.26, likewise in either place
    classify   vLLM's /classify: `probs`, five or one
    pooling    vLLM's /pooling: `data`, five or one, in a list or in a list of lists

vLLM is asked for the bare outputs, but an old one ignores that and sends them through a softmax: five numbers between 0
and 1 whose sum is 1 are refused. A sigmoid of a single output cannot be told from a reward.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from synth_assets.inference.chat import steady
from synth_assets.inference.server.answers import Answered, UnfitAnswer, UnreadableAnswer, cut
from synth_assets.inference.server.chat_answers import first_choice, turns
from synth_assets.recipe import ServerSection
from synth_assets.records import REWARD_ATTRIBUTES, Reward, RewardAttributes, ScalarReward
from synth_assets.roles import Conversation

SCALAR = "reward"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PAIR = re.compile(rf"\s*(\w+)\s*:\s*({_NUMBER})\s*")
_CLOSE_TO_ONE = 1e-3


def reward_body(conversation: Conversation, server: ServerSection) -> bytes:
    """The body of the request for the recipe's reward_api, the same bytes each time."""
    said: dict[str, Any] = {"model": server.model, "messages": turns(conversation)}
    if server.reward_api != "chat":
        said["use_activation"] = False
    if server.reward_api == "pooling":
        said["task"] = "classify"
    return json.dumps(said, separators=(",", ":")).encode()


def read_reward(said: Any, server: ServerSection) -> Answered:
    """A Reward out of a response's JSON, of the kind that the recipe declares (reward_outputs).

    Raises UnreadableAnswer for JSON of no known shape, UnfitAnswer for numbers that are no such reward.
    """
    read = {"chat": read_chat_reward, "classify": read_classes, "pooling": read_pooled}[server.reward_api]
    reward = read(said)
    num = 1 if isinstance(reward, ScalarReward) else len(REWARD_ATTRIBUTES)
    if num != server.reward_outputs:
        raise UnfitAnswer(f"the model gives {num} rewards, the recipe declares reward_outputs: {server.reward_outputs}")
    return Answered(reward)


def read_chat_reward(said: Any) -> Reward:
    """Of /chat/completions: from the log-probabilities where they are named like attributes, else from the content."""
    choice = first_choice(said)
    named = _named_logprobs(choice.get("logprobs"))
    if set(REWARD_ATTRIBUTES) <= set(named) or SCALAR in named:
        return _by_name(named)
    content = _content(choice.get("message"))
    return _by_name(_named_in_text(content))


def read_classes(said: Any) -> Reward:
    """Of vLLM's /classify."""
    match said:
        case {"data": [{"probs": [*values]}, *_]}:
            return _by_position(values)
    raise UnreadableAnswer("the answer holds no data with probs, as /classify has them")


def read_pooled(said: Any) -> Reward:
    """Of vLLM's /pooling; of outputs for each token, the last token's."""
    match said:
        case {"data": [{"data": [*_, [*values]]}, *_]} | {"data": [{"data": [*values]}, *_]}:
            return _by_position(values)
    raise UnreadableAnswer("the answer holds no data with numbers, as /pooling has them")


def _named_logprobs(logprobs: Any) -> dict[str, float]:
    match logprobs:
        case {"content": [*tokens]}:
            return {
                str(token["token"]): float(token["logprob"])
                for token in tokens
                if isinstance(token, dict) and "token" in token and isinstance(token.get("logprob"), int | float)
            }
    return {}


def _content(message: Any) -> str:
    """Of a message; of a list of them the last one that has any."""
    messages = message if isinstance(message, list) else [message]
    for each in reversed(messages):
        if isinstance(each, dict) and isinstance(each.get("content"), str):
            return str(each["content"])
    raise UnreadableAnswer("the answer has neither scores as log-probabilities nor a message with content")


def _named_in_text(text: str) -> dict[str, float]:
    pairs = [_PAIR.fullmatch(part) for part in text.split(",")]
    if not all(pairs):
        raise UnfitAnswer(f"the answer's content is no list of scores: {cut(text)}")
    return {pair[1]: float(pair[2]) for pair in pairs if pair}


def _by_name(values: Mapping[str, float]) -> Reward:
    if SCALAR in values:
        return ScalarReward(_finite([values[SCALAR]])[0])
    if missing := [name for name in REWARD_ATTRIBUTES if name not in values]:
        raise UnfitAnswer(f"the answer lacks {', '.join(missing)}; it has {', '.join(values) or 'nothing'}")
    return RewardAttributes(*_finite([values[name] for name in REWARD_ATTRIBUTES]))


def _by_position(values: Sequence[Any]) -> Reward:
    if not all(isinstance(value, int | float) for value in values):
        raise UnreadableAnswer("the outputs are no numbers")
    numbers = _finite(values)
    if len(numbers) == 1:
        return ScalarReward(numbers[0])
    if len(numbers) != len(REWARD_ATTRIBUTES):
        raise UnfitAnswer(f"the model has {len(numbers)} outputs, not five or one")
    if min(numbers) >= 0 and abs(math.fsum(values) - 1) < _CLOSE_TO_ONE:
        raise UnfitAnswer("the five outputs are shares of 1: the server puts them through a softmax; start it with "
                          '--pooler-config \'{"use_activation": false}\'')  # fmt: skip
    return RewardAttributes(*numbers)


def _finite(values: Sequence[float]) -> list[float]:
    if not all(map(math.isfinite, values)):
        raise UnfitAnswer(f"a reward is no finite number: {list(values)}")
    return [steady(float(value)) for value in values]
