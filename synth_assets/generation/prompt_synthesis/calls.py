"""A model call as a row carries it, so that each prompt can be followed back to what was asked and answered."""

from __future__ import annotations

import json

from synth_assets.roles import GenerationResult


def call_line(step: str, seed: int, result: GenerationResult) -> str:
    """One line of JSON: step, the request's seed, the prompt as rendered for the model, the raw answer."""
    return json.dumps({"step": step, "seed": seed, "prompt": result.prompt, "answer": result.text}, ensure_ascii=False)
