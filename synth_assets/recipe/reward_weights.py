"""How a reward model's five attributes become one reward: the recipe's own weights, or a published vector by its name.

    nemotron-4-340b-reward   HelpSteer2 (arXiv 2406.08673), and the model card of Nemotron-4-340B-Reward
    llama3-70b-steerlm-rm    the same paper, and the model card of Llama3-70B-SteerLM-RM

Both were fitted to RewardBench, for these two models; of another reward model they are a starting point. In both verbosity
counts against a response. A name is read as its numbers: whoever writes these out has the same recipe, down to its hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from synth_assets.records import REWARD_ATTRIBUTES

#: In the order of REWARD_ATTRIBUTES.
PUBLISHED_WEIGHTS: Mapping[str, tuple[float, ...]] = {
    "nemotron-4-340b-reward": (0.3, 0.74, 0.46, 0.47, -0.33),
    "llama3-70b-steerlm-rm": (0.65, 0.8, 0.45, 0.55, -0.4),
}


def _by_name(said: object) -> object:
    """The vector of that name; anything but a name is left as it is."""
    if not isinstance(said, str):
        return said
    if said not in PUBLISHED_WEIGHTS:
        names = ", ".join(PUBLISHED_WEIGHTS)
        raise ValueError(f"a weight for each of the five attributes, or the name of a published vector: one of {names}")
    return dict(zip(REWARD_ATTRIBUTES, PUBLISHED_WEIGHTS[said], strict=True))


def _all_five(weights: dict[str, float]) -> dict[str, float]:
    if weights and set(weights) != set(REWARD_ATTRIBUTES):
        raise ValueError("exactly the five attributes " + ", ".join(REWARD_ATTRIBUTES))
    return weights


Weight = Annotated[float, Field(allow_inf_nan=False)]
AttributeWeights = Annotated[dict[str, Weight], BeforeValidator(_by_name), AfterValidator(_all_five)]
