"""Pairs: who decides, which responses are taken, and that every prompt ends exactly once."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from made_samples import WEIGHTS, ScriptedRewardModel

from synth_assets.errors import CountsError, RecipeError
from synth_assets.frames import from_frame, to_frame
from synth_assets.judging import Panel, write_judgement
from synth_assets.recipe import JudgesSection, PreferencesSection
from synth_assets.records import PreferencePair, RewardAttributes
from synth_assets.reward import (
    PreferenceOutcome,
    PreferencePrompt,
    SampledResponse,
    decide_pairs,
    exact_verifier,
    sample_responses,
)
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult, Message
from tests.generation.scripted import ScriptedTeacher

PROMPT = PreferencePrompt("p", "skills/a", (Message("user", "What is 2 + 2?"),), 1, 0.5)


def settings(**values: Any) -> PreferencesSection:
    return PreferencesSection(**{"num_samples": 4, "temperature": 0.8, "max_new_tokens": 8, "margin": 0.5} | values)


def responses(*texts: str, prompt: PreferencePrompt = PROMPT, **changes: Any) -> list[SampledResponse]:
    said = {"model": "m", "finish_reason": "stop", "error": "", "generation_depth": 2} | changes
    return [SampledResponse(f"{prompt.prompt_id}-{n}", prompt.prompt_id, text=text, **said) for n, text in enumerate(texts)]


def by_text(**rewards: float | str) -> ScriptedRewardModel:
    """A reward for the first word of each response."""

    def script(conversation: Conversation) -> RewardAttributes | str:
        reward = rewards[conversation[-1].content.split()[0]]
        return reward if isinstance(reward, str) else RewardAttributes(0.0, reward, 0.0, 0.0, 0.0)

    return ScriptedRewardModel(script)


def panel(script: Callable[[str, str], str | GenerationResult]) -> Panel:
    """A judge whose verdict is a function of the two answers that it is shown."""

    def answer(request: GenerationRequest) -> str | GenerationResult:
        lines = request.messages[0].content.splitlines()
        shown = [next(line for line in lines if line.startswith(f"{side}: "))[3:] for side in "AB"]
        verdict = script(*shown)
        return verdict if isinstance(verdict, GenerationResult) else write_judgement("comparison", "so it is", verdict)

    bounds = {"value": 0.5, "reason": "for the tests, of this length"}
    section = JudgesSection(min_true_positive_rate=bounds, max_false_positive_rate=bounds)  # type: ignore[arg-type]
    return Panel(ScriptedTeacher(answer), section)


def decide(said: list[SampledResponse], **how: Any) -> PreferenceOutcome:
    return decide_pairs([PROMPT], said, how.pop("settings", settings()), weights=WEIGHTS, **how)


def end(outcome: PreferenceOutcome) -> tuple[str, str]:
    (row,) = outcome.rejected
    assert not outcome.pairs and row.synthetic_sample_id == "p" and row.instruction == "What is 2 + 2?"
    assert (row.stage, row.leaf_path) == ("preferences", "skills/a") and row.detail
    return row.outcome, row.rejection_reason


def chosen(outcome: PreferenceOutcome) -> list[tuple[str, str, str]]:
    assert not outcome.rejected
    return [(pair.chosen, pair.rejected, pair.decided_by) for pair in outcome.pairs]


FOUR = exact_verifier({"p": "4"})


def test_ground_truth_decides_before_judge_and_reward_and_the_widest_gap_comes_first() -> None:
    model = by_text(**{"4": 1.0, "5": 0.2, "6": 3.0})
    judge = panel(lambda one, other: pytest.fail("nobody asks the judge"))
    outcome = decide(
        responses("6", " 4", "5"), verify=FOUR, reward_model=model, panel=judge, settings=settings(judges=True, max_pairs=2)
    )
    assert chosen(outcome) == [(" 4", "5", "ground_truth"), (" 4", "6", "ground_truth")]
    first, second = outcome.pairs
    assert (first.agreement, first.disagreement) == (("reward",), ()) and first.margin == pytest.approx(0.8)
    assert (second.agreement, second.disagreement) == ((), ("reward",)) and second.margin == pytest.approx(-2.0)
    assert chosen(decide(responses("6", "4", "5"), verify=FOUR)) == [("4", "6", "ground_truth")]  # the first wrong one
    assert decide(responses("6", "4"), verify=FOUR).pairs[0].margin is None


@pytest.mark.parametrize("texts", [("5", "6"), ("4.", "four")])
def test_what_ground_truth_calls_equal_is_no_pair_however_the_rewards_are(texts: tuple[str, str]) -> None:
    model = by_text(**{"5": 0.0, "6": 9.0, "4.": 0.0, "four": 9.0})
    assert end(decide(responses(*texts), verify=FOUR, reward_model=model)) == ("rejected", "all_equal")
    right = end(decide(responses(*texts), verify=lambda prompt, response: True, reward_model=model))
    assert right == ("rejected", "all_equal")


def test_a_prompt_that_nobody_can_verify_goes_to_the_judge_or_the_reward_model() -> None:
    model, unknown = by_text(good=2.0, bad=1.0), exact_verifier({"another prompt": "4"})
    said = responses("bad one", "good one")
    assert chosen(decide(said, verify=unknown, reward_model=model)) == [("good one", "bad one", "reward")]
    longest = panel(lambda one, other: "A" if len(one) > len(other) else "B")
    said = responses("bad and quite long", "good one")
    outcome = decide(said, verify=unknown, reward_model=model, panel=longest, settings=settings(judges=True))
    assert chosen(outcome) == [("bad and quite long", "good one", "judge")]
    assert outcome.pairs[0].disagreement == ("reward",) and outcome.pairs[0].margin == -1.0
    assert decide(said, panel=longest, settings=settings(judges=True)).pairs[0].disagreement == ()


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (lambda one, other: "A", ("rejected", "judge_inconsistent")),
        (lambda one, other: "tie", ("rejected", "all_equal")),
        (lambda one, other: GenerationResult("I like both.", "stop"), ("rejected", "no_verdict")),
        (lambda one, other: GenerationResult("", "error", error="too long"), ("failed", "judge_error")),
    ],
)
def test_a_judge_that_names_no_winner_in_both_orders_ends_the_prompt(verdict: Any, expected: tuple[str, str]) -> None:
    outcome = decide(
        responses("good one", "bad one"), panel=panel(verdict), settings=settings(judges=True)
    )  # fmt: skip
    assert end(outcome) == expected
    model = by_text(good=2.0, bad=0.0)
    outcome = decide(
        responses("good one", "bad one"), panel=panel(verdict), reward_model=model, settings=settings(judges=True)
    )  # fmt: skip
    if expected[1] in ("all_equal", "judge_error"):  # a tie in both orders is a verdict, and a failure is asked again
        assert end(outcome) == expected
    else:
        assert chosen(outcome) == [("good one", "bad one", "reward")]
        split = ("judge",) if expected[1] == "judge_inconsistent" else ()
        assert (outcome.pairs[0].agreement, outcome.pairs[0].disagreement) == (split, split)


def test_where_judge_and_reward_model_both_tell_nothing_apart_the_judge_is_the_reason() -> None:
    split = panel(lambda one, other: "A")
    said, how = responses("good one", "bad one"), settings(judges=True)
    outcome = decide(said, panel=split, reward_model=by_text(good=2.0, bad=1.9), settings=how)
    assert end(outcome) == ("rejected", "judge_inconsistent") and "not 0.5 apart" in outcome.rejected[0].detail
    outcome = decide(said, panel=split, reward_model=by_text(good="too long", bad=1.9), settings=how)
    assert end(outcome) == ("failed", "reward_model_error")


def test_the_reward_model_is_not_asked_over_what_the_judge_calls_a_tie() -> None:
    judge = panel(lambda one, other: "tie" if "two" in one + other else "A")
    model = by_text(one=3.0, two=0.0, three=1.0)
    outcome = decide(
        responses("one", "two", "three"), panel=judge, reward_model=model, settings=settings(judges=True, max_pairs=3)
    )
    assert chosen(outcome) == [("one", "three", "reward")]


def test_the_reward_model_sets_the_best_against_the_worst() -> None:
    model = by_text(one=1.0, two=3.0, three=0.0, four=2.0)
    said = responses("one", "two", "three", "four")
    assert chosen(decide(said, reward_model=model)) == [("two", "three", "reward")]
    pair = decide(said, reward_model=model).pairs[0]
    assert (pair.chosen_reward, pair.rejected_reward, pair.margin, pair.agreement) == (3.0, 0.0, 3.0, ())
    three = chosen(decide(said, reward_model=model, settings=settings(max_pairs=3)))
    assert [pair[:2] for pair in three] == [("two", "three"), ("two", "one"), ("four", "three")]
    all_wide = chosen(decide(said, reward_model=model, settings=settings(max_pairs=99, margin=1.5)))
    assert len(all_wide) == 3, "pairs below the margin are not taken to fill up"


@pytest.mark.parametrize(
    ("rewards", "margin", "expected"),
    [
        ((1.0, 1.4), 0.5, ("rejected", "margin_too_small")),
        ((1.0, 1.0), 0.0, ("rejected", "all_equal")),
        (("too long", 1.0), 0.0, ("failed", "reward_model_error")),
        ((float("nan"), 1.0), 0.0, ("failed", "reward_model_error")),
    ],
)
def test_rewards_that_do_not_tell_responses_apart(rewards: Any, margin: float, expected: tuple[str, str]) -> None:
    model = by_text(one=rewards[0], two=rewards[1])
    assert end(decide(responses("one", "two"), reward_model=model, settings=settings(margin=margin))) == expected


def test_nobody_to_decide_is_a_reason_and_a_missing_judge_a_wrong_recipe() -> None:
    assert end(decide(responses("one", "two"))) == ("rejected", "undecided")
    with pytest.raises(RecipeError, match=r"preferences\.judges"):
        decide(responses("one", "two"), settings=settings(judges=True))


def test_near_identical_responses_are_no_pair_unless_ground_truth_tells_them_apart() -> None:
    long = " ".join(f"w{n}" for n in range(40))
    model = by_text(right=2.0, wrong=0.0)
    said = responses(f"right {long}", f"wrong {long}")
    assert end(decide(said, reward_model=model)) == ("rejected", "near_identical")
    judge = panel(lambda one, other: pytest.fail("nobody asks the judge"))
    assert end(decide(said, panel=judge, settings=settings(judges=True))) == ("rejected", "near_identical")
    told = decide(said, reward_model=model, verify=lambda prompt, response: response.startswith("right"))
    assert [pair.decided_by for pair in told.pairs] == ["ground_truth"]
    assert decide(said, reward_model=model, settings=settings(max_rouge_l=1.0)).pairs


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (responses(), ("rejected", "no_response")),
        (responses("one", "two", finish_reason="length"), ("rejected", "truncated")),
        (responses("one") + responses("two", finish_reason="length"), ("rejected", "truncated")),
        (responses("one") + responses("") + responses("two", finish_reason="length"), ("rejected", "no_response")),
        (responses("", " "), ("rejected", "no_response")),
        (responses("same", "same ", "same"), ("rejected", "all_equal")),
        (responses("", "", finish_reason="error", error="prompt too long"), ("failed", "response_error")),
    ],
)
def test_prompts_without_two_responses(said: list[SampledResponse], expected: tuple[str, str]) -> None:
    assert end(decide(said, reward_model=by_text())) == expected


def test_every_prompt_ends_exactly_once_in_its_own_leaf() -> None:
    prompts = [PreferencePrompt(f"p{n}", f"leaf/{n % 2}", (Message("user", f"{n}?"),)) for n in range(8)]
    said = [
        response
        for n, prompt in enumerate(prompts)
        for response in responses(*[("good a", "bad b"), ("bad a", "bad b"), ("x",)][n % 3], prompt=prompt)
    ]
    model = by_text(good=1.0, bad=0.0, x=0.0)
    outcome = decide_pairs(prompts, said, settings(), reward_model=model, weights=WEIGHTS)
    kept, rejected = {p.prompt_id for p in outcome.pairs}, {r.synthetic_sample_id for r in outcome.rejected}
    assert not kept & rejected and kept | rejected == {prompt.prompt_id for prompt in prompts}
    assert (outcome.counts.num_in, outcome.counts.num_kept, outcome.counts.num_rejected) == (8, 3, 5)
    assert [(count.leaf_path, count.num_in) for count in outcome.leaf_counts] == [("leaf/0", 4), ("leaf/1", 4)]
    assert len(model.asked) == 2 * 6, "a prompt with one response is not scored"
    with pytest.raises(CountsError, match="do not belong together"):
        decide_pairs(prompts[1:], said, settings())
    with pytest.raises(CountsError, match="do not belong together"):
        decide_pairs([*prompts, prompts[0]], said, settings())


def test_a_pair_carries_where_it_comes_from() -> None:
    turns = (Message("user", "Hi \u00e9"), Message("assistant", "Hello"), Message("user", "2 + 2?"))
    prompt = PreferencePrompt("q", "skills/b", turns, 3, 0.25)
    deeper = SampledResponse("other", "q", "two", "5", "stop", "", generation_depth=4)
    said = [*responses("4", prompt=prompt, model="one"), deeper]
    model = by_text(**{"4": 2.0, "5": 1.0})
    outcome = decide_pairs([prompt], said, settings(), reward_model=model, weights=WEIGHTS)
    (pair,) = outcome.pairs
    assert json.loads(pair.prompt) == [turn._asdict() for turn in turns] and "\u00e9" in pair.prompt
    assert (pair.chosen_model, pair.rejected_model, pair.rejected_response_id) == ("one", "two", "other")
    assert (pair.generation_depth, pair.synthetic_ancestry, pair.prompt_id) == (4, 0.25, "q")
    assert model.asked[0] == (*turns, Message("assistant", "4"))
    assert from_frame(to_frame(outcome.pairs, PreferencePair), PreferencePair) == outcome.pairs
    seen: list[str] = []
    judge = Panel(ScriptedTeacher(lambda request: seen.append(request.messages[0].content) or "?"), panel(None).settings)  # type: ignore[func-returns-value,arg-type]
    decide_pairs([prompt], said, settings(judges=True), panel=judge)
    assert "user: Hi \u00e9\nassistant: Hello" in seen[0] and "Task: 2 + 2?" in seen[0]


def test_responses_have_seeds_of_their_own_and_do_not_depend_on_their_neighbours() -> None:
    prompts = [PreferencePrompt(f"p{n}", "a", (Message("user", f"{n}?"),), n) for n in range(3)]
    model = ScriptedTeacher(lambda request: f"{request.messages[0].content} {request.seed}")
    said = sample_responses(prompts, {"student": model, "teacher": model}, 3, 0.8, 16, seed=7, depths={"teacher": 4})
    (of_student, of_teacher) = model.batches
    seeds = [request.seed for request in [*of_student, *of_teacher]]
    assert len(set(seeds)) == 18 == len({each.response_id for each in said}) and all(0 <= seed < 2**63 for seed in seeds)
    assert {(request.temperature, request.max_new_tokens) for request in of_student} == {(0.8, 16)}
    assert [each.generation_depth for each in said if each.prompt_id == "p2"] == [3] * 3 + [5] * 3
    alone = sample_responses(prompts[1:2], {"student": model}, 2, 0.8, 16, seed=7)
    assert alone == [replaced for replaced in said if replaced.prompt_id == "p1"][:2]
    assert sample_responses(prompts[1:2], {"student": model}, 2, 0.8, 16, seed=8) != alone
    sample_responses(prompts[:1], {"student": model}, 1, 0.0, 16, seed=8)
    assert model.batches[-1][0].seed == 0, "a greedy request is the same with every seed"


def test_failed_and_cut_responses_are_told_apart() -> None:
    results = iter([GenerationResult("4", "stop"), GenerationResult("4 and", "length"),
                    GenerationResult("", "error", error="prompt too long")])  # fmt: skip
    model = ScriptedTeacher(lambda request: next(results))
    said = sample_responses([PROMPT], {"m": model}, 3, 0.8, 8, seed=1)
    assert [(each.is_whole, each.error) for each in said] == [(True, ""), (False, ""), (False, "prompt too long")]
