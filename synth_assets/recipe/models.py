"""The models of a recipe, and the server behind which one may stand."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from synth_assets.recipe.value_types import Count, Positive, Section, Share, Text, is_unsaid

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
#: Long runs of letters and digits without an underscore: no name that a person gives to a variable.
_LOOKS_LIKE_A_KEY = re.compile(r"(?=[A-Z]*\d)[A-Z0-9]{16,}")


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name) or _LOOKS_LIKE_A_KEY.fullmatch(name):
        raise PydanticCustomError(
            "secret_value", "the name of an environment variable, such as TEACHER_API_KEY, and never a key itself: what "
            "stands here looks like one and is not shown; a key that was written into a file should be withdrawn",
        )  # fmt: skip
    return name


def _base_urls(urls: tuple[str, ...]) -> tuple[str, ...]:
    split = [urlsplit(url) for url in urls]
    if any(parts.username or parts.password or parts.query or parts.fragment for parts in split):
        raise PydanticCustomError(
            "secret_value", "addresses without user, password or query (not shown, since they may hold a secret): name the "
            "key's environment variable in api_key_env",
        )  # fmt: skip
    if not all(parts.scheme in ("http", "https") and parts.hostname for parts in split):
        raise ValueError("addresses that begin with http:// or https://")
    paths = [parts.path.rstrip("/") for parts in split]
    if not paths or not all(path and not path.endswith("/completions") for path in paths):
        raise ValueError(
            "what stands before /chat/completions, for most servers ending with /v1: [http://127.0.0.1:8000/v1]"
        )
    return tuple(url.rstrip("/") for url in urls)


class ServerSection(Section):
    """An OpenAI-compatible server, or several that serve the same model."""

    base_urls: Annotated[tuple[str, ...], AfterValidator(_base_urls)]
    """What stands before /chat/completions, one for each replica: http://127.0.0.1:8000/v1."""
    model: Text
    """The name under which it is served."""
    api_key_env: Annotated[str, AfterValidator(_variable)] | None = None
    """Name of the environment variable that holds the key. None: no key is sent."""
    max_in_flight: Annotated[int, Field(ge=1, le=4096)] = 64
    """At most so many requests at a time, over all replicas; how many there are is found out by watching latency."""
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    """Of prompts and answers together; what is under way is estimated."""
    request_timeout_s: Positive = 300.0
    """Seconds after which one try is given up."""
    deadline_s: Positive = 1800.0
    """Seconds after which a call is given up, all tries together; and after which a run ends in which no replica answers."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 6
    """Tries of one call; a refusal to take it just now (HTTP 429) is none."""
    failure_share: Share = 0.5
    """Of the last 100 finished calls, if more than this share failed, the run stops."""
    logprobs: bool = True
    """Whether to ask for log-probabilities; a server that refuses them answers HTTP 400."""
    reward_api: Literal["chat", "classify", "pooling"] = "chat"
    """Of a reward model: /chat/completions, or vLLM's /classify or /pooling."""
    reward_outputs: Literal[1, 5] = 5
    """Of a reward model: HelpSteer's five attributes, or one scalar, which is not comparable across prompts."""
    generation_depth: Annotated[int | None, Field(ge=0)] = None
    """Of a model whose folder is not here to tell: 0 for one that others published, n for one that was tuned on rows of
    depth n. A teacher's must be known, since its rows are one deeper."""


#: What a server's answers do not depend on: where it is, how it is asked, how often, and whom its model descends from.
SERVER_LIMITS = {
    "base_urls", "api_key_env", "max_in_flight", "requests_per_minute", "tokens_per_minute", "request_timeout_s",
    "deadline_s", "max_attempts", "failure_share", "generation_depth",
}  # fmt: skip


class ModelSpec(Section):
    path: str = ""
    """Hugging Face folder with safetensors; never code from the folder. May be left out with engine: server, whose own chat
    template is used in any case; else it is the folder that is served, and its content helps to identify the model."""
    engine: Literal["vllm", "transformers", "server"] = "vllm"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: Count
    """Tokens of prompt and answer together."""
    max_num_seqs: Count = 256
    """Requests that run side by side."""
    max_num_batched_tokens: Count = 8192
    """Prompt tokens that one step of the engine takes in; no prompt may be longer."""
    kv_cache_mib: Count = 256
    active_billions: Positive | None = None
    """Billions of parameters that each token meets; for estimates on machines where the folder is not."""
    structured_outputs: bool = False
    """Whether vLLM or a server holds a judge's answers to their JSON schema; vLLM's grammars cannot read every tokenizer."""
    server: Annotated[ServerSection | None, Field(exclude_if=is_unsaid)] = None
    """With engine: server, where it is. Absent from the record of other models, which is as it was before servers."""
    reward_outputs: Annotated[Literal[1, 5] | None, Field(exclude_if=is_unsaid)] = None
    """Of a reward model in a folder: 5 (None), HelpSteer's attributes, or 1, a single number, which compares responses to
    the same prompt only. Of a served one it stands in the section server."""

    @model_validator(mode="after")
    def _has_what_its_engine_needs(self) -> ModelSpec:
        if (self.engine == "server") != (self.server is not None):
            said = "needs a section server with base_urls and model" if self.server is None else "has no section server"
            raise ValueError(f"engine: {self.engine} {said}")
        if not self.path and self.server is None:
            raise ValueError(f"engine: {self.engine} needs path, a Hugging Face folder")
        if self.server is not None and self.reward_outputs is not None:
            raise ValueError("reward_outputs in the section server, since engine is server")
        return self

    @property
    def num_rewards(self) -> int:
        """Of a reward model: how many numbers it gives."""
        return self.server.reward_outputs if self.server else self.reward_outputs or 5

    @property
    def name(self) -> str:
        """As people know the model: its folder, or what the server calls it."""
        return self.path or (self.server.model if self.server else "")
