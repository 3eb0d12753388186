"""The process in which vLLM's own OpenAI server runs: `python -m synth_assets.inference.serving_process ORDER`.

`serving` starts it as the leader of a session of its own, with a pipe as standard input: vLLM starts further processes,
which a killed server would leave behind, so as soon as nobody holds the pipe's other end, all of the group end together.

The engine is told what the engines of `vllm_engine` are told. The sampling defaults of the model's generation_config.json,
which a server would apply behind the requests' backs, are put out of force; its end tokens are not.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from synth_assets.inference.vllm_engine import engine_settings
from synth_assets.machine import end_when_closed
from synth_assets.recipe import ModelSpec

SERVER_MODULE = "vllm.entrypoints.openai.api_server"
_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_NEUTRAL = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


def main(order: str) -> None:
    """`order` is JSON: spec, folder, role, name, host, port."""
    end_when_closed(0)
    said = json.loads(order)
    os.environ.update(_ENVIRONMENT)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.pop("VLLM_CPU_KVCACHE_SPACE", None)  # it would overrule the recipe's kv_cache_mib
    spec = ModelSpec.model_validate_json(json.dumps(said["spec"]))
    sys.argv = [
        SERVER_MODULE,
        *arguments(spec, Path(said["folder"]), said["role"], said["name"], said["host"], said["port"]),
    ]
    runpy.run_module(SERVER_MODULE, run_name="__main__")


def arguments(spec: ModelSpec, folder: Path, role: str, name: str, host: str, port: int) -> list[str]:
    """The server's command line."""
    settings: dict[str, Any] = {
        "model": str(folder), "served_model_name": name, "host": host, "port": port,
        "uvicorn_log_level": "warning", "disable_uvicorn_access_log": True, **engine_settings(spec, role),
    }  # fmt: skip
    if role == "text":
        settings["override_generation_config"] = _NEUTRAL
    flags: list[str] = []
    for key, value in settings.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags += [f"--{flag}", json.dumps(value) if isinstance(value, dict) else str(value)]
    return flags


if __name__ == "__main__":
    main(sys.argv[1])
