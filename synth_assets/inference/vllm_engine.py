"""vLLM itself, inside the worker process.

Settings that measurement decided: no chunked prefill (a seeded request whose prompt is split kills the CPU engine),
prefix caching on (the same shots open every prompt of a leaf) in blocks short enough for our prompts, an explicit KV
cache and eager mode (no profiling at the start). Log-probabilities are the raw model's, before temperature
(`raw_logprobs`, vLLM's default, stated here all the same).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from synth_assets.errors import EngineError
from synth_assets.inference.chat import ChatTokenizer, Prompt, failed_result
from synth_assets.recipe import ModelSpec
from synth_assets.roles import GenerationRequest, GenerationResult, Message

Rows = list[Any]
Finished = list[tuple[int, Any]]  # positions in the call's rows, and what came of them
Engine = Callable[[Rows], Iterator[Finished]]

_CPU_BLOCK_TOKENS = 32
_MAX_TEMPERATURE = 2.0
_SCORES_AT_ONCE = 256
#: xgrammar lets raw control characters through into strings; guidance does not.
_STRUCTURED_OUTPUTS = {"backend": "guidance", "disable_any_whitespace": True}


def open_engine(spec: ModelSpec, folder: Path, role: str) -> Engine:
    """A function from rows to what comes of them, in groups as they are finished.

    Requests to results for a text model, conversations to attributes or errors for a reward model.
    """
    chat = ChatTokenizer(folder, spec.max_model_len, spec.max_num_batched_tokens)
    return _text_engine(spec, folder, chat) if role == "text" else _reward_engine(spec, folder, chat)


def engine_settings(spec: ModelSpec, role: str) -> dict[str, Any]:
    """What vLLM is told, here and by `synth-assets serve`. Raises EngineError where vLLM cannot be imported."""
    try:
        from vllm.platforms import current_platform
    except ImportError as error:
        raise EngineError(
            f"vLLM cannot be imported: {error}",
            remedy="install the extra `cpu` or `gpu` (`make demo` does), or set engine: transformers in the recipe",
        ) from error
    settings: dict[str, Any] = {
        "dtype": spec.dtype,
        "load_format": "safetensors",
        "trust_remote_code": False,
        "seed": 0,
        "enforce_eager": True,
        "kv_cache_memory_bytes": spec.kv_cache_mib << 20,
        "max_model_len": spec.max_model_len,
        "max_num_seqs": spec.max_num_seqs,
        "max_num_batched_tokens": max(spec.max_num_batched_tokens, spec.max_model_len),  # vLLM insists; chat is stricter
        "enable_chunked_prefill": False,
        "enable_prefix_caching": True,
    }
    if current_platform.is_cpu():
        settings["block_size"] = _CPU_BLOCK_TOKENS  # the default of 128 tokens would never see a shared prefix of ours
    if role == "reward":
        return settings | {"runner": "pooling", "pooler_config": {"use_activation": False}}
    held = {"structured_outputs_config": _STRUCTURED_OUTPUTS} if spec.structured_outputs else {}
    return settings | {"logprobs_mode": "raw_logprobs", **held}


def _load(spec: ModelSpec, folder: Path, role: str) -> Any:
    settings = engine_settings(spec, role)
    from vllm import LLM

    return LLM(model=str(folder), **settings)


def _text_engine(spec: ModelSpec, folder: Path, chat: ChatTokenizer) -> Engine:
    llm = _load(spec, folder, "text")

    def generate(rows: Rows) -> Iterator[Finished]:
        requests = [
            GenerationRequest(**(row | {"messages": tuple(Message(*message) for message in row["messages"])}))
            for row in rows
        ]
        prompts = chat.prompts_of_requests(requests)
        errors = [prompt.error or _temperature_error(r) for prompt, r in zip(prompts, requests, strict=True)]
        yield [(index, vars(failed_result(error))) for index, error in enumerate(errors) if error]
        for index in (index for index, error in enumerate(errors) if not error):
            prompt = {"prompt_token_ids": prompts[index].token_ids}
            llm.llm_engine.add_request(str(index), prompt, _sampling_params(requests[index], spec.structured_outputs))
        while llm.llm_engine.has_unfinished_requests():
            finished = [output for output in llm.llm_engine.step() if output.finished]
            if finished:
                yield [(int(o.request_id), vars(_result(chat, prompts[int(o.request_id)], o.outputs[0]))) for o in finished]

    return generate


def _result(chat: ChatTokenizer, prompt: Prompt, answer: Any) -> GenerationResult:
    if answer.finish_reason in ("stop", "length"):
        return chat.result(prompt, answer.token_ids, answer.cumulative_logprob, answer.finish_reason == "stop")
    return failed_result(f"vLLM ended the request: {answer.finish_reason}")


def _temperature_error(request: GenerationRequest) -> str:
    if request.temperature <= _MAX_TEMPERATURE:
        return ""
    return f"vLLM takes temperatures up to {_MAX_TEMPERATURE:g}, not {request.temperature:g}"


def _sampling_params(request: GenerationRequest, is_held: bool) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    schema = StructuredOutputsParams(json=request.schema) if is_held and request.schema else None
    return SamplingParams(
        structured_outputs=schema,
        temperature=request.temperature,
        seed=request.seed if request.temperature > 0 else None,
        max_tokens=request.max_new_tokens,
        logprobs=0,
        output_kind=RequestOutputKind.FINAL_ONLY,
        flat_logprobs=True,  # one list a request instead of an object a token
        detokenize=False,  # chat.result does it, for every engine alike
    )


def _reward_engine(spec: ModelSpec, folder: Path, chat: ChatTokenizer) -> Engine:
    llm = _load(spec, folder, "reward")

    def score(rows: Rows) -> Iterator[Finished]:
        prompts = chat.prompts_of_conversations([tuple(Message(*message) for message in row) for row in rows])
        yield [(index, prompt.error) for index, prompt in enumerate(prompts) if prompt.error]
        runnable = [index for index, prompt in enumerate(prompts) if not prompt.error]
        for start in range(0, len(runnable), _SCORES_AT_ONCE):
            group = runnable[start : start + _SCORES_AT_ONCE]
            outputs = llm.classify([{"prompt_token_ids": prompts[index].token_ids} for index in group], use_tqdm=False)
            yield [(index, list(map(float, o.outputs.probs))) for index, o in zip(group, outputs, strict=True)]

    return score
