"""Several responses to a prompt -> pairs of a better and a worse one, and who said so.

Who decides, in this order, as in Nemotron-4 340B (arXiv 2406.11704, section 3.2):

1. ground truth: an answer that is known, or a program that verifies; where it calls some responses right and others wrong.
   Where it calls none of them right, or none wrong, there is no pair: two wrong responses teach nothing.
2. a language model as judge, asked in both orders; only what it says in both counts, a tie included.
3. the reward model, where nobody was asked before it, or the judge prefers another in each order or gives no verdict: the
   best response against the worst, if their rewards are a margin apart. Rewards are compared within a prompt only, so scalar
   rewards that mean nothing across prompts will do. Where they decide nothing either, the judge's word is the reason.

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
from dataclasses import dataclass

from synth_assets.counting import count_by_leaf, sum_counts
from synth_assets.errors import RecipeError
from synth_assets.judging import JUDGE_ERROR, NO_VERDICT, Panel, Preferred, comparison_cases, read_comparison
from synth_assets.recipe import PreferencesSection
from synth_assets.records import DecidedBy, PreferencePair, RejectedSample, Reward, StageCounts
from synth_assets.reward.contests import ALL_EQUAL, NO_RESPONSE, TRUNCATED, Contest, End, Responses, contests_of, unusable
from synth_assets.reward.preference_rows import NO_REWARD, PairDecision, pair_row, rejected_prompt
from synth_assets.reward.responses import PreferencePrompt, Refusal, SampledResponse
from synth_assets.reward.scoring import REWARD_MODEL_ERROR
from synth_assets.reward.verifying import Verify
from synth_assets.roles import Message, RewardModel
from synth_assets.sketches import rouge_l, words_of

STAGE = "preferences"
NEAR_IDENTICAL = "near_identical"
JUDGE_INCONSISTENT = "judge_inconsistent"
MARGIN_TOO_SMALL, UNDECIDED = "margin_too_small", "undecided"
REASONS = (
    NO_RESPONSE, TRUNCATED, ALL_EQUAL, NEAR_IDENTICAL, JUDGE_INCONSISTENT, NO_VERDICT, MARGIN_TOO_SMALL, UNDECIDED,
)  # fmt: skip


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
    contests = contests_of(prompts, responses, refused)
    ended = {contest.prompt.prompt_id: end for contest in contests if (end := unusable(contest, refused))}
    open_ones = [contest for contest in contests if contest.prompt.prompt_id not in ended]
    known = rewards if rewards is not None else _asked_rewards(open_ones, reward_model)
    _add_rewards(open_ones, known, weights or {})
    decided: dict[str, list[PairDecision]] = {}

    def take(contest: Contest, said: _Said) -> None:
        if isinstance(said, End):
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
    contests = contests_of(prompts, responses, refused)
    return _asked_rewards([contest for contest in contests if not unusable(contest, refused)], reward_model)


_Said = list[PairDecision] | End


def _asked_rewards(contests: Sequence[Contest], reward_model: RewardModel | None) -> dict[str, Reward | str]:
    """In one batch."""
    if reward_model is None:
        return {}
    rows = [(contest, response) for contest in contests for response in contest.usable]
    answers = reward_model.score([(*c.prompt.messages, Message("assistant", r.text)) for c, r in rows]) if rows else []
    return {response.response_id: answer for (_, response), answer in zip(rows, answers, strict=True)}


def _add_rewards(
    contests: Sequence[Contest], known: Mapping[str, Reward | str], weights: Mapping[str, float]
) -> None:  # fmt: skip
    for contest in contests:
        for answer, response in ((known.get(each.response_id), each) for each in contest.usable):
            if isinstance(answer, str):
                contest.reward_errors.append(answer)
            elif answer and math.isfinite(reward := answer.weighted_sum(weights)):
                contest.rewards[response.response_id] = reward
            elif answer:
                contest.reward_errors.append(f"{answer}, reward {reward}")


def _by_ground_truth(contest: Contest, verify: Verify, settings: PreferencesSection) -> _Said:
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
    return End(ALL_EQUAL, f"{len(verdicts)} different responses, none {'wrong' if right else 'right'} by ground truth")


def _by_judge(contests: Sequence[Contest], panel: Panel, settings: PreferencesSection) -> list[_Said]:
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
        said.append(won or _by_reward_instead(contest, pairs, preferred, _no_winner(preferred, failed, settings), settings))
    return said


def _by_reward_instead(
    contest: Contest, pairs: Sequence[Responses], preferred: Sequence[Preferred], ended: End, settings: PreferencesSection
) -> _Said:  # fmt: skip
    """Of the pairs of a prompt without a winner those that the judge has left open, if their rewards are a margin apart."""
    if ended.reason not in (JUDGE_INCONSISTENT, NO_VERDICT):
        return ended
    if len(contest.rewards) < 2:
        return End(REWARD_MODEL_ERROR, contest.reward_errors[0], is_failure=True) if contest.reward_errors else ended
    left_open = [(pair, by) for pair, by in zip(pairs, preferred, strict=True) if by in ("inconsistent", "no_verdict")]
    decided = [
        _decision(contest, pair, "reward", is_judge_split=by == "inconsistent")
        for pair, by in left_open if _is_wide(contest, pair, settings)
    ]  # fmt: skip
    return decided or ended._replace(detail=f"{ended.detail}; rewards are not {settings.margin:g} apart")


def _no_winner(preferred: Sequence[Preferred], failed: Sequence[str], settings: PreferencesSection) -> End:
    if failed:
        return End(JUDGE_ERROR, failed[0], is_failure=True)
    if not preferred:
        return _all_near(settings)
    reasons = {"inconsistent": JUDGE_INCONSISTENT, "no_verdict": NO_VERDICT}
    reason = next((reason for word, reason in reasons.items() if word in preferred), ALL_EQUAL)
    return End(reason, "judge, in both orders: " + ", ".join(preferred))


def _by_reward(contest: Contest, settings: PreferencesSection) -> _Said:
    if len(contest.rewards) < 2:
        if contest.reward_errors:
            return End(REWARD_MODEL_ERROR, contest.reward_errors[0], is_failure=True)
        return End(UNDECIDED, "no ground truth, no judge and no reward model")
    pairs = [pair for pair in contest.oriented() if contest.gap(pair) > 0]
    if not pairs:
        return End(ALL_EQUAL, f"{len(contest.rewards)} different responses, all of the same reward")
    wide = [pair for pair in pairs if _is_wide(contest, pair, settings)]
    if not wide:
        return End(MARGIN_TOO_SMALL, f"rewards differ by {contest.gap(pairs[0]):.4f}, less than {settings.margin:g}")
    return [_decision(contest, pair, "reward") for pair in _apart(wide, settings)] or _all_near(settings)


def _is_wide(contest: Contest, pair: Responses, settings: PreferencesSection) -> bool:
    """False where a reward is not known."""
    return contest.gap(pair) > 0 and contest.gap(pair) >= settings.margin


def _apart(pairs: Iterable[Responses], settings: PreferencesSection) -> list[Responses]:
    """The first `max_pairs` that are not near-identical."""
    apart = (pair for pair in pairs if rouge_l(*(words_of(each.text) for each in pair)) < settings.max_rouge_l)
    return list(itertools.islice(apart, settings.max_pairs))


def _all_near(settings: PreferencesSection) -> End:
    return End(NEAR_IDENTICAL, f"every two that could be a pair have ROUGE-L {settings.max_rouge_l:g} or more")


def _shown(prompt: PreferencePrompt) -> tuple[str, str]:
    """To the judge: what was said before as the text, and the last user turn as the task."""
    *before, last = prompt.messages
    return "\n".join(f"{turn.role}: {turn.content}" for turn in before), last.content


def _as_preferred(pair: Responses, preferred: Preferred) -> Responses:
    return pair if preferred == "first" else (pair[1], pair[0])


def _decision(
    contest: Contest, pair: Responses, decided_by: DecidedBy, *, is_judge_split: bool = False
) -> PairDecision:  # fmt: skip
    chosen, rejected = (contest.rewards.get(each.response_id, NO_REWARD) for each in pair)
    return PairDecision(*pair, chosen, rejected, decided_by, is_judge_split)


def _outcome(
    prompts: Sequence[PreferencePrompt], decided: Mapping[str, list[PairDecision]], ended: Mapping[str, End]
) -> PreferenceOutcome:  # fmt: skip
    pairs = [pair_row(prompt, said) for prompt in prompts for said in decided.get(prompt.prompt_id, ())]
    rejected = [rejected_prompt(prompt, STAGE, *ended[prompt.prompt_id]) for prompt in prompts if prompt.prompt_id in ended]
    kept = {pair.prompt_id: pair for pair in pairs}.values()
    num_in = Counter(prompt.leaf_path for prompt in prompts)
    return PreferenceOutcome(pairs, rejected, count_by_leaf(STAGE, num_in, kept, rejected))
