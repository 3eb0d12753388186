"""How a model is run: vLLM in a process of its own, transformers in this one, or a server anywhere.

`open_text_model` and `open_reward_model` give the roles of `synth_assets.roles`; which engine stands behind them is
the recipe's word (`ModelSpec.engine`). The engines of this machine render, tokenize, check lengths and decode in `chat`, so
that they differ in arithmetic only; a server does all that by itself (`server`). `open_embedder` gives what places texts by
what they say; `open_likelihood_model` tells how likely given texts are, always by transformers.
"""

from synth_assets.inference.opening import (
    bundled_sentence_transformer,
    check_model,
    fingerprint_of,
    open_embedder,
    open_likelihood_model,
    open_reward_model,
    open_text_model,
)
from synth_assets.inference.server import NOTICES

__all__ = [
    "NOTICES",
    "bundled_sentence_transformer",
    "check_model",
    "fingerprint_of",
    "open_embedder",
    "open_likelihood_model",
    "open_reward_model",
    "open_text_model",
]
