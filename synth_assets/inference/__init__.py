"""How a model is run: vLLM in a process of its own, or transformers in this one.

`open_text_model` and `open_reward_model` give the roles of `synth_assets.roles`; which engine stands behind them is
the recipe's word (`ModelSpec.engine`). Both engines render, tokenize, check lengths and decode in `chat`, so that
they differ in arithmetic only. `open_embedder` gives what places texts by what they say; `open_likelihood_model` tells how
likely given texts are, always by transformers.
"""

from synth_assets.inference.opening import (
    bundled_sentence_transformer,
    open_embedder,
    open_likelihood_model,
    open_reward_model,
    open_text_model,
)

__all__ = [
    "bundled_sentence_transformer",
    "open_embedder",
    "open_likelihood_model",
    "open_reward_model",
    "open_text_model",
]
