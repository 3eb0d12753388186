"""Several responses to a prompt -> pairs of a better and a worse one, and who said so.

Who decides, in this order, as in Nemotron-4 340B (arXiv 2406.11704, section 3.2):

1. ground truth: an answer that is known, or a program that verifies; where it calls some responses right and others wrong.
   Where it calls none of them right, or none wrong, there is no pair: two wrong responses teach nothing.
2. a language model as judge, asked in both orders; only what it says in both counts, and there is no appeal from it.
3. the reward model: the best response against the worst, if their rewards are a margin apart. Rewards are compared within
   a prompt only, so scalar rewards that mean nothing across prompts will do.

Of the pairs that a method may choose from, those whose rewards differ most come first; without rewards, in the order of
the responses. So where ground truth decides, the pairs on which the reward model agrees are preferred.

Every prompt ends as exactly one of kept (with at least one pair), rejected or failed. Responses that were cut off, are
empty, repeat another, or are refused, are never part of a pair. What is refused, and why, is given: what texts give away, or
share with what is held out, is for others to judge. Simplification: only pairs that may be taken are judged, at most
`max_pairs` of a prompt; a tie among those ends the prompt, though other responses might differ.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from synth_assets.counting import count_by_leaf, sum_counts
from synth_assets.errors import CountsError, RecipeError
from synth_assets.judging import JUDGE_ERROR, NO_VERDICT, Panel, Preferred, comparison_cases, read_comparison
from synth_assets.recipe import PreferencesSection
from synth_assets.records import DecidedBy, PreferencePair, RejectedSample, Reward, StageCounts
from synth_assets.reward.preference_rows import NO_REWARD, PairDecision, pair_row, rejected_prompt
from synth_assets.reward.responses import PreferencePrompt, Refusal, SampledResponse
from synth_assets.reward.scoring import REWARD_MODEL_ERROR
from synth_assets.reward.verifying import Verify
from synth_assets.roles import Message, RewardModel
from synth_assets.sketches import rouge_l, words_of

STAGE = "preferences"
NO_RESPONSE, RESPONSE_ERROR = "no_response", "response_error"
ALL_EQUAL, NEAR_IDENTICAL = "all_equal", "near_identical"
JUDGE_INCONSISTENT = "judge_inconsistent"
MARGIN_TOO_SMALL, UNDECIDED = "margin_too_small", "undecided"
REASONS = (NO_RESPONSE, ALL_EQUAL, NEAR_IDENTICAL, JUDGE_INCONSISTENT, NO_VERDICT, MARGIN_TOO_SMALL, UNDECIDED)

Responses = tuple[SampledResponse, SampledResponse]


@dataclass(frozen=True)
class PreferenceOutcome:
    """`rejected` has one row a prompt without a pair, under the prompt's id; counts are of prompts."""

    pairs: list[PreferencePair]
    rejected: list[RejectedSample]
    leaf_counts: list[StageCounts]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


def decide_pairs(
    prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse], settings: PreferencesSection, *,
    verify: Verify | None = None, panel: Panel | None = None, reward_model: RewardModel | None = None,
    weights: Mapping[str, float] | None = None, refusals: Mapping[str, Refusal] | None = None,
    rewards: Mapping[str, Reward | str] | None = None,
) -> PreferenceOutcome:  # fmt: skip
    """Pairs in the order of the prompts; `weights` are those of the recipe's reward.

    `refusals`: by the id of a prompt, or of a response, why it may not be in a pair. `rewards`: what `reward_responses`
    gave, so that no reward model is needed beside the judge.

    Raises RecipeError where judges are wanted and there is no panel, CountsError for prompts that repeat and responses to
    none of them, and what the models raise (EngineError).
    """
    if settings.judges and panel is None:
        raise RecipeError("preferences.judges is true, and there is no judge", remedy="add the section judges, or say false")
    refused = refusals or {}
    contests = _contests(prompts, responses, refused)
    ended = {contest.prompt.prompt_id: end for contest in contests if (end := _unusable(contest, refused))}
    open_ones = [contest for contest in contests if contest.prompt.prompt_id not in ended]
    known = rewards if rewards is not None else _asked_rewards(open_ones, reward_model)
    _add_rewards(open_ones, known, weights or {})
    decided: dict[str, list[PairDecision]] = {}

    def take(contest: _Contest, said: _Said) -> None:
        if isinstance(said, _End):
            ended[contest.prompt.prompt_id] = said
        elif said:
            decided[contest.prompt.prompt_id] = said

    for contest in open_ones:
        take(contest, _by_ground_truth(contest, verify, settings) if verify else [])
    rest = [contest for contest in open_ones if contest.prompt.prompt_id not in {*ended, *decided}]
    judge = panel if settings.judges else None
    verdicts = _by_judge(rest, judge, settings) if judge else [_by_reward(contest, settings) for contest in rest]
    for contest, said in zip(rest, verdicts, strict=True):
        take(contest, said)
    return _outcome(prompts, decided, ended)


def reward_responses(
    prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse], reward_model: RewardModel,
    refusals: Mapping[str, Refusal] | None = None,
) -> dict[str, Reward | str]:  # fmt: skip
    """By response id, of those that can be in a pair. Raises as `decide_pairs` does."""
    refused = refusals or {}
    contests = _contests(prompts, responses, refused)
    return _asked_rewards([contest for contest in contests if not _unusable(contest, refused)], reward_model)


class _End(NamedTuple):
    """Why a prompt has no pair."""

    reason: str
    detail: str
    is_failure: bool = False


_Said = list[PairDecision] | _End


@dataclass(frozen=True)
class _Contest:
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


def _contests(
    prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse], refused: Mapping[str, Refusal]
) -> list[_Contest]:  # fmt: skip
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
    return [_Contest(each, tuple(found := by_prompt[each.prompt_id]), _usable(found, refused)) for each in prompts]


def _usable(responses: Iterable[SampledResponse], refused: Mapping[str, Refusal]) -> tuple[SampledResponse, ...]:
    """Whole ones, each text once."""
    first: dict[str, SampledResponse] = {}
    for response in responses:
        if response.is_whole and response.text.strip() and response.response_id not in refused:
            first.setdefault(response.text.strip(), response)
    return tuple(first.values())


def _unusable(contest: _Contest, refused: Mapping[str, Refusal]) -> _End | None:
    if said := refused.get(contest.prompt.prompt_id):
        return _End(*said)
    whole = [response for response in contest.all if response.is_whole and response.text.strip()]
    errors = [response.error for response in contest.all if response.error]
    if len(contest.usable) > 1:
        return None
    if errors and not whole:
        return _End(RESPONSE_ERROR, f"{len(errors)} of {len(contest.all)} responses: {errors[0]}", is_failure=True)
    if turned_away := [refused[response.response_id] for response in whole if response.response_id in refused]:
        return _End(turned_away[0].reason, f"{len(turned_away)} of {len(whole)} responses: {turned_away[0].detail}")
    if len(whole) < 2:
        return _End(NO_RESPONSE, f"{len(whole)} of {len(contest.all)} responses are whole, and a pair needs two")
    return _End(ALL_EQUAL, f"{len(whole)} responses, all the same")


def _asked_rewards(contests: Sequence[_Contest], reward_model: RewardModel | None) -> dict[str, Reward | str]:
    """In one batch."""
    if reward_model is None:
        return {}
    rows = [(contest, response) for contest in contests for response in contest.usable]
    answers = reward_model.score([(*c.prompt.messages, Message("assistant", r.text)) for c, r in rows]) if rows else []
    return {response.response_id: answer for (_, response), answer in zip(rows, answers, strict=True)}


def _add_rewards(
    contests: Sequence[_Contest], known: Mapping[str, Reward | str], weights: Mapping[str, float]
) -> None:  # fmt: skip
    for contest in contests:
        for answer, response in ((known.get(each.response_id), each) for each in contest.usable):
            if isinstance(answer, str):
                contest.reward_errors.append(answer)
            elif answer and math.isfinite(reward := answer.weighted_sum(weights)):
                contest.rewards[response.response_id] = reward
            elif answer:
                contest.reward_errors.append(f"{answer}, reward {reward}")


def _by_ground_truth(contest: _Contest, verify: Verify, settings: PreferencesSection) -> _Said:
    """Nothing where it says nothing of any response."""
    verdicts = [verify(contest.prompt, response.text) for response in contest.usable]
    right, wrong = (
        [response for response, verdict in zip(contest.usable, verdicts, strict=True) if verdict is wanted]
        for wanted in (True, False)
    )
    if right and wrong:
        pairs = contest.widest_first(itertools.product(right, wrong))[: settings.max_pairs]
        return [_decision(contest, pair, "ground_truth") for pair in pairs]
    if not right and not wrong:
        return []
    return _End(ALL_EQUAL, f"{len(verdicts)} different responses, none {'wrong' if right else 'right'} by ground truth")


def _by_judge(contests: Sequence[_Contest], panel: Panel, settings: PreferencesSection) -> list[_Said]:
    """In one batch of the judging model."""
    asked = [_apart(contest.oriented(), settings) for contest in contests]
    cases = [
        case for contest, pairs in zip(contests, asked, strict=True) for pair in pairs
        for case in comparison_cases(*_shown(contest.prompt), pair[0].text, pair[1].text)
    ]  # fmt: skip
    judgements = iter(panel.judge(cases))
    said: list[_Said] = []
    for contest, pairs in zip(contests, asked, strict=True):
        heard = [(next(judgements), next(judgements)) for _ in pairs]
        failed = [each.detail for both in heard for each in both if each.has_failed]
        preferred = [read_comparison(*both) for both in heard]
        won = [_decision(contest, _as_preferred(pair, by), "judge") for pair, by in zip(pairs, preferred, strict=True)
               if by in ("first", "second")]  # fmt: skip
        said.append(won or _no_winner(preferred, failed, settings))
    return said


def _no_winner(preferred: Sequence[Preferred], failed: Sequence[str], settings: PreferencesSection) -> _End:
    if failed:
        return _End(JUDGE_ERROR, failed[0], is_failure=True)
    if not preferred:
        return _all_near(settings)
    reasons = {"inconsistent": JUDGE_INCONSISTENT, "no_verdict": NO_VERDICT}
    reason = next((reason for word, reason in reasons.items() if word in preferred), ALL_EQUAL)
    return _End(reason, "judge, in both orders: " + ", ".join(preferred))


def _by_reward(contest: _Contest, settings: PreferencesSection) -> _Said:
    if len(contest.rewards) < 2:
        if contest.reward_errors:
            return _End(REWARD_MODEL_ERROR, contest.reward_errors[0], is_failure=True)
        return _End(UNDECIDED, "no ground truth, no judge and no reward model")
    pairs = [pair for pair in contest.oriented() if contest.gap(pair) > 0]
    if not pairs:
        return _End(ALL_EQUAL, f"{len(contest.rewards)} different responses, all of the same reward")
    wide = [pair for pair in pairs if contest.gap(pair) >= settings.margin]
    if not wide:
        return _End(MARGIN_TOO_SMALL, f"rewards differ by {contest.gap(pairs[0]):.4f}, less than {settings.margin:g}")
    return [_decision(contest, pair, "reward") for pair in _apart(wide, settings)] or _all_near(settings)


def _apart(pairs: Iterable[Responses], settings: PreferencesSection) -> list[Responses]:
    """The first `max_pairs` that are not near-identical."""
    apart = (pair for pair in pairs if rouge_l(*(words_of(each.text) for each in pair)) < settings.max_rouge_l)
    return list(itertools.islice(apart, settings.max_pairs))


def _all_near(settings: PreferencesSection) -> _End:
    return _End(NEAR_IDENTICAL, f"every two that could be a pair have ROUGE-L {settings.max_rouge_l:g} or more")


def _shown(prompt: PreferencePrompt) -> tuple[str, str]:
    """To the judge: what was said before as the text, and the last user turn as the task."""
    *before, last = prompt.messages
    return "\n".join(f"{turn.role}: {turn.content}" for turn in before), last.content


def _as_preferred(pair: Responses, preferred: Preferred) -> Responses:
    return pair if preferred == "first" else (pair[1], pair[0])


def _decision(contest: _Contest, pair: Responses, decided_by: DecidedBy) -> PairDecision:
    chosen, rejected = (contest.rewards.get(each.response_id, NO_REWARD) for each in pair)
    return PairDecision(*pair, chosen, rejected, decided_by)


def _outcome(
    prompts: Sequence[PreferencePrompt], decided: Mapping[str, list[PairDecision]], ended: Mapping[str, _End]
) -> PreferenceOutcome:  # fmt: skip
    pairs = [pair_row(prompt, said) for prompt in prompts for said in decided.get(prompt.prompt_id, ())]
    rejected = [rejected_prompt(prompt, STAGE, *ended[prompt.prompt_id]) for prompt in prompts if prompt.prompt_id in ended]
    kept = {pair.prompt_id: pair for pair in pairs}.values()
    num_in = Counter(prompt.leaf_path for prompt in prompts)
    return PreferenceOutcome(pairs, rejected, count_by_leaf(STAGE, num_in, kept, rejected))
