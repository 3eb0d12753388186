"""What sections of a recipe ask of one another: rewards, preference pairs and alignment.

Each function returns the section that it was given, or raises ValueError with what would be right. `said` holds the sections
that stand before it in the recipe, of those that are right by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth_assets.recipe.alignment import AlignmentSection
from synth_assets.recipe.preferences import PreferencesSection
from synth_assets.recipe.reward import RewardSection


def check_reward(section: RewardSection, said: Mapping[str, Any]) -> RewardSection:
    """A reward model with one output compares responses to one prompt: what is held across prompts is refused."""
    model = said.get("reward_model")
    if model is None or model.num_rewards != 1:
        return section
    if section.cut.mode != "none":
        how = "an absolute cut holds" if section.cut.mode == "absolute" else "a quantile of a leaf ranks"
        raise ValueError(
            "cut: {mode: none}, since the reward_model has one output: its number compares responses to one prompt, and "
            f"{how} rewards of different prompts against one another. Each instruction has one response, so there is no "
            "best of several to keep; where there are several, in preferences, such rewards decide by their margin within a "
            "prompt"
        )
    if section.weights:
        raise ValueError("no weights, since the reward_model has one output: there are no attributes to weigh")
    return section


def check_preferences(section: PreferencesSection | None, said: Mapping[str, Any]) -> PreferencesSection | None:
    """Somebody must respond more than once, and somebody decide."""
    if section is None:
        if (model := said.get("reward_model")) is not None and model.num_rewards == 1:
            raise ValueError("this section, since the reward_model has one output: without pairs its rewards decide nothing")
        return None
    if section.num_responses < 2:
        raise ValueError("num_samples 2 or more, or a second of responders: a pair needs two responses to a prompt")
    if "judges" not in said or "reward_model" not in said:
        return section
    if section.judges and said["judges"] is None:
        raise ValueError("a section judges, since preferences.judges is true")
    if not section.judges and said["reward_model"] is None:
        raise ValueError("judges: true or a reward_model: nobody would decide which response is the better one")
    return section


def check_alignment(section: AlignmentSection | None, said: Mapping[str, Any]) -> AlignmentSection | None:
    """Alignment trains on preference pairs; RPO on those with rewards. No privacy budget covers it."""
    if section is None or "preferences" not in said:
        return section
    if said["preferences"] is None:
        raise ValueError("a section preferences: alignment trains on the pairs that it declares")
    rpo = [stage.name for stage in section.stages if stage.loss == "rpo"]
    if rpo and "reward_model" in said and said["reward_model"] is None:
        raise ValueError(f"a reward_model, since the loss of {', '.join(rpo)} is rpo: by how much do rewards differ?")
    if "tuning" in said and said["tuning"].privacy:
        raise ValueError("no section alignment beside tuning.privacy: alignment counts no privacy budget")
    return section
