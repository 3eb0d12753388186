"""A prompt with its responses: which of them can be in a pair, and why a prompt has too few of those."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from synth_assets.errors import CountsError
from synth_assets.reward.preference_rows import NO_REWARD
from synth_assets.reward.responses import PreferencePrompt, Refusal, SampledResponse

NO_RESPONSE, RESPONSE_ERROR, TRUNCATED = "no_response", "response_error", "truncated"
ALL_EQUAL = "all_equal"

Responses = tuple[SampledResponse, SampledResponse]


class End(NamedTuple):
    """Why a prompt has no pair."""

    reason: str
    detail: str
    is_failure: bool = False


@dataclass(frozen=True)
class Contest:
    """A prompt with all of its responses, those that can be in a pair, and their rewards by response id, where known."""

    prompt: PreferencePrompt
    all: tuple[SampledResponse, ...]
    usable: tuple[SampledResponse, ...]
    rewards: dict[str, float] = field(default_factory=dict)
    reward_errors: list[str] = field(default_factory=list)

    def gap(self, pair: Responses) -> float:
        """Reward of the first less that of the second; NO_REWARD where one is not known."""
        first, second = (self.rewards.get(response.response_id, NO_REWARD) for response in pair)
        return first - second

    def widest_first(self, pairs: Iterable[Responses]) -> list[Responses]:
        """By their gap; those without one come last. Equal ones keep their order."""
        return sorted(pairs, key=lambda pair: -gap if not math.isnan(gap := self.gap(pair)) else math.inf)

    def oriented(self) -> list[Responses]:
        """Every two responses, the better rewarded one first; the widest gap first."""
        pairs = itertools.combinations(self.usable, 2)
        return self.widest_first((b, a) if self.gap((a, b)) < 0 else (a, b) for a, b in pairs)


def contests_of(
    prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse], refused: Mapping[str, Refusal]
) -> list[Contest]:  # fmt: skip
    by_prompt: dict[str, list[SampledResponse]] = {prompt.prompt_id: [] for prompt in prompts}
    strangers = sorted({response.prompt_id for response in responses} - set(by_prompt))
    if strangers or len(by_prompt) != len(prompts):
        raise CountsError(
            "prompts and responses do not belong together",
            value=strangers or f"{len(prompts)} prompts, of which {len(prompts) - len(by_prompt)} repeat another's id",
            remedy="sample the responses of this run again",
        )
    for response in responses:
        by_prompt[response.prompt_id].append(response)
    return [Contest(each, tuple(found := by_prompt[each.prompt_id]), _usable(found, refused)) for each in prompts]


def _usable(responses: Iterable[SampledResponse], refused: Mapping[str, Refusal]) -> tuple[SampledResponse, ...]:
    """Whole ones, each text once."""
    first: dict[str, SampledResponse] = {}
    for response in responses:
        if response.is_whole and response.text.strip() and response.response_id not in refused:
            first.setdefault(response.text.strip(), response)
    return tuple(first.values())


def unusable(contest: Contest, refused: Mapping[str, Refusal]) -> End | None:
    if said := refused.get(contest.prompt.prompt_id):
        return End(*said)
    whole = [response for response in contest.all if response.is_whole and response.text.strip()]
    errors = [response.error for response in contest.all if response.error]
    if len(contest.usable) > 1:
        return None
    if errors and not whole:
        return End(RESPONSE_ERROR, f"{len(errors)} of {len(contest.all)} responses: {errors[0]}", is_failure=True)
    if turned_away := [refused[response.response_id] for response in whole if response.response_id in refused]:
        return End(turned_away[0].reason, f"{len(turned_away)} of {len(whole)} responses: {turned_away[0].detail}")
    if len(whole) < 2:
        lost = [response for response in contest.all if response not in whole]
        if lost and all(response.is_cut_off for response in lost):
            return End(TRUNCATED, f"{len(lost)} of {len(contest.all)} responses were cut off, and a pair needs two")
        return End(NO_RESPONSE, f"{len(whole)} of {len(contest.all)} responses are whole, and a pair needs two")
    return End(ALL_EQUAL, f"{len(whole)} responses, all the same")
