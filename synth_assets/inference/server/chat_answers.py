"""Requests to /chat/completions and what comes back, as OpenAI describes them and vLLM, NIM and others speak them.

A vLLM is asked to leave special tokens in the text, as our own engines do: a teacher that writes a chat marker in mid-answer
must be seen. Others know no such wish.

Limits: the conversation as rendered is the server's secret, so `GenerationResult.prompt` holds its turns as plain text. A
server that gives no log-probabilities leaves `mean_logprob` at 0, which reads as certainty: it is stored and shown, and
nothing decides by it. Reasoning that a server sends apart from the answer is left out. What else a server draws by (top_p,
top_k of the model's generation_config.json) is its own choice; `synth-assets serve` chooses as our engines do.
"""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from synth_assets.inference.chat import steady
from synth_assets.inference.server.answers import Answered, UnfitAnswer, UnreadableAnswer, cut, words_of
from synth_assets.recipe import ModelSpec
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult

_ENDS: dict[str, Literal["stop", "length"]] = {"stop": "stop", "length": "length"}


def chat_body(request: GenerationRequest, spec: ModelSpec, is_vllm: bool) -> bytes:
    """The body of the request, the same bytes each time. A greedy request has no seed, since none is drawn from."""
    assert spec.server
    said: dict[str, Any] = {
        "model": spec.server.model,
        "messages": turns(request.messages),
        "max_tokens": request.max_new_tokens,
        "temperature": request.temperature,
    }
    if request.temperature > 0:
        said["seed"] = request.seed
    if spec.server.logprobs:
        said["logprobs"] = True
    if spec.structured_outputs and request.schema:
        schema = {"name": "answer", "schema": json.loads(request.schema)}
        said["response_format"] = {"type": "json_schema", "json_schema": schema}
    if is_vllm:
        said["skip_special_tokens"] = False
    return json.dumps(said, separators=(",", ":")).encode()


def turns(conversation: Conversation) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in conversation]


def read_chat(said: Any, messages: Conversation) -> Answered:
    """A GenerationResult out of a response's JSON. Raises UnreadableAnswer and UnfitAnswer."""
    choice = first_choice(said)
    message = choice.get("message")
    reason = choice.get("finish_reason")
    if not isinstance(message, dict) or not (reason is None or isinstance(reason, str)):
        raise UnreadableAnswer("the answer holds no message, or no finish_reason")
    text = message.get("content")
    if reason not in _ENDS:
        raise UnfitAnswer(f"the server ended the answer: {reason}" + (f": {cut(str(text))}" if text else ""))
    if not isinstance(text, str):
        raise UnfitAnswer(f"the answer has no text (content: {json.dumps(text)[:80]}), finish_reason {reason}")
    usage = said.get("usage")
    logprobs = _logprobs(choice)
    num_prompt, num_new = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens") or len(logprobs)
    result = GenerationResult(
        text=text.strip(),
        finish_reason=_ENDS[reason],
        prompt=plain_text(messages),
        num_prompt_tokens=num_prompt,
        num_new_tokens=num_new,
        mean_logprob=steady(min(0.0, math.fsum(logprobs) / len(logprobs))) if logprobs else 0.0,
    )
    return Answered(result, num_prompt + num_new)


def first_choice(said: Any) -> dict[str, Any]:
    """Raises UnreadableAnswer for JSON that is no chat completion."""
    match said:
        case {"choices": [dict(choice), *_]}:
            return choice
    raise UnreadableAnswer(f"the answer holds no choices: {cut(words_of(json.dumps(said).encode()))}")


def plain_text(messages: Conversation) -> str:
    """The turns, each under its role: stable, for people."""
    return "\n".join(f"[{role}]\n{content}" for role, content in messages)


def _logprobs(choice: dict[str, Any]) -> list[float]:
    match choice.get("logprobs"):
        case {"content": [*tokens]}:
            found = [token.get("logprob") for token in tokens if isinstance(token, dict)]
            return [float(value) for value in found if isinstance(value, int | float) and math.isfinite(value)]
    return []


def _count(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) and value > 0 else 0
