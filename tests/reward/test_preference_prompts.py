"""What is asked for pairs, what a program verifies, and what is refused, whoever wrote it."""

from dataclasses import replace

import pytest

from synth_assets.constraints import write_constraint
from synth_assets.constraints.length import NumWords
from synth_assets.records import KeptSample, SeedExample, SyntheticPrompt, Topic, TrainingExample
from synth_assets.reward import (
    PreferencePrompt,
    Refusal,
    decide_pairs,
    draw_prompts,
    exact_verifier,
    first_to_tell,
    follows_constraints,
    known_answers,
    prompts_of_mix,
    prompts_of_seeds,
    prompts_of_synthesis,
    reward_responses,
    with_relatives,
)
from synth_assets.roles import Message
from tests.reward.test_preferences import PROMPT, by_text, decide, end, responses, settings


def _row(number: int, split: str = "train", source: str = "synthetic", phase: str = "one") -> TrainingExample:
    return TrainingExample(
        f"t{number}{phase}", f"s{number}", "skills/a", split, phase, source, number, f"Text {number}\nDo {number}", "done", 1
    )  # type: ignore[arg-type]  # fmt: skip


def _kept(number: int, depth: int | None = 1) -> KeptSample:
    return KeptSample(
        f"s{number}", "leaf", "skills/a", "compositional_skills", f"Text {number}", f"Do {number}", "done", 1.0, depth, 0.25
    )  # fmt: skip


def _synthetic(kind: str, *turns: str, context: str | None = None, constraints: tuple[str, ...] = ()) -> SyntheticPrompt:
    return SyntheticPrompt(
        f"p-{kind}", kind, "skills/b", "topic", "Towns", turns[-1], turns, context, None, "", "", constraints, None, "m", 0,
        (), 1,
    )  # type: ignore[arg-type]  # fmt: skip


def _topic(topic_id: str, depth: int = 0) -> Topic:
    return Topic(topic_id, "skills/b", "general", "Towns", None, "manual", "", (), depth)


def test_only_new_rows_that_train_are_asked_and_each_once() -> None:
    mix = [_row(2), _row(1), _row(3, "validation"), _row(1, source="earlier_phase", phase="two"), _row(4, source="replay")]
    first, second = prompts_of_mix(mix, [_kept(1), _kept(2, None), _kept(3), _kept(4)])
    assert (first.prompt_id, first.generation_depth, first.synthetic_ancestry) == ("s2", None, 0.25)
    assert second.messages == (Message("user", "Text 1\nDo 1"),) and second.asked == ("Text 1", "Do 1")


def test_prompts_that_a_teacher_made_up_keep_their_turns_context_and_constraints() -> None:
    two, talk, closed = prompts_of_synthesis(
        [
            _synthetic("two_turn", "Hello?", "Hi.", "And now?", constraints=("{}",)),
            _synthetic("dialogue", "Hello?", "Hi.", "And now?", "Bye."),
            _synthetic("closed_question", "Who is it?", context="It is Ada."),
        ],
        [_topic("topic")],
        "brief",
    )
    assert [turn.role for turn in two.messages] == ["user", "assistant", "user"] == [turn.role for turn in talk.messages]
    assert (
        two.constraints == ("{}",) and two.asked == ("Hello?\nHi.", "And now?") and talk.messages[-1].content == "And now?"
    )
    assert closed.messages[0].content == "It is Ada.\nWho is it?" and closed.asked == ("It is Ada.", "Who is it?")


def test_a_prompt_descends_from_people_where_its_topic_or_its_document_does() -> None:
    ask, closed = _synthetic("open_question", "Who?"), _synthetic("closed_question", "Who?", context="It is Ada.")
    rows = [ask, replace(ask, topic_id="made"), replace(closed, topic_id="made", document_chunk_id="chunk")]
    found = prompts_of_synthesis(rows, [_topic("topic"), _topic("made", depth=1)], "brief")
    assert [prompt.synthetic_ancestry for prompt in found] == [0.0, 1.0, 0.0], "as of their answers, whatever the depth"


def test_of_a_family_all_are_unseen_where_one_is() -> None:
    parents = {"a": None, "a1": "a", "a2": "a", "a11": "a1", "b": None, "b1": "b"}
    rows = [
        replace(_synthetic("open_question", "Who?"), synthetic_prompt_id=name, parent_prompt_id=parent)
        for name, parent in parents.items()
    ]
    assert with_relatives({"a1"}, rows) == {"a", "a1", "a2", "a11"}
    assert with_relatives({"b"}, rows) == {"b", "b1"} and with_relatives(set(), rows) == set()


def test_rows_of_data_sets_are_asked_where_they_are_trained_on_and_a_short_answer_is_known() -> None:
    long = "It can be said in many ways. " * 5
    said = [("2 + 2?", "4"), ("3 + 3?", "6"), ("Why?", long), ("Who?", "Ada"), ("Who?", "Bob"), ("Left out?", "yes")]
    seeds = [SeedExample(f"seed{n}", "leaf", "skills/sums", n, None, *pair) for n, pair in enumerate(said)]
    seeds[0] = replace(seeds[0], generation_depth=None)
    mix = [
        replace(_row(n, "validation" if n == 1 else "train", "seed"), prompt=prompt, response=response)
        for n, (prompt, response) in enumerate(said[:5])
    ]
    asked = prompts_of_seeds(mix, seeds, "brief")
    assert [prompt.prompt_id for prompt in asked] == ["seed0", "seed2", "seed3"]
    assert (asked[0].generation_depth, asked[0].synthetic_ancestry, asked[1].synthetic_ancestry) == (None, 1.0, 0.0)
    known = known_answers(seeds, "brief", short_words=20)
    assert known == {"seed0": "4", "seed1": "6", "seed5": "yes"}
    bound = PreferencePrompt("other", "a", asked[0].messages, constraints=(write_constraint(NumWords("at_most", 2)),))
    verify = first_to_tell(exact_verifier(known), follows_constraints)
    assert [verify(asked[0], "4"), verify(asked[0], "5"), verify(bound, "5"), verify(asked[1], "5")] == [
        True, False, True, None,
    ]  # fmt: skip


def test_prompts_are_drawn_by_the_seed_and_stay_in_their_order() -> None:
    prompts = prompts_of_mix([_row(number) for number in range(40)], [_kept(number) for number in range(40)])
    drawn = [draw_prompts(prompts, 10, seed) for seed in (7, 7, 8)]
    assert drawn[0] == drawn[1] != drawn[2] and len(drawn[0]) == 10
    assert drawn[0] == [prompt for prompt in prompts if prompt in drawn[0]]
    assert draw_prompts(prompts, None, 7) == draw_prompts(prompts, 99, 7) == prompts


def test_constraints_decide_before_the_reward_model_and_bind_no_other_prompt() -> None:
    line = write_constraint(NumWords("at_most", 2))
    bound = PreferencePrompt("p", "skills/a", (Message("user", "Name it."),), constraints=(line,))
    said = responses("one two three", "one")
    model = by_text(one=1.0)
    (pair,) = decide_pairs(
        [bound], said, settings(), verify=follows_constraints, reward_model=model, weights=dict.fromkeys(_NAMES, 1.0)
    ).pairs
    assert (pair.chosen, pair.rejected, pair.decided_by) == ("one", "one two three", "ground_truth")
    assert end(decide(said, verify=follows_constraints)) == ("rejected", "undecided")


_NAMES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def test_what_is_refused_ends_its_prompt_or_leaves_the_other_responses() -> None:
    model = by_text(one=1.0, two=3.0, three=0.0)
    said = responses("one", "two", "three")
    refused = {"p-1": Refusal("personal_data", "EMAIL j...")}
    (pair,) = decide(said, reward_model=model, refusals=refused).pairs
    assert (pair.chosen, pair.rejected) == ("one", "three")
    both = refused | {"p-0": Refusal("benchmark_overlap", "asks question 7")}
    outcome = decide(said, reward_model=model, refusals=both)
    assert end(outcome) == ("rejected", "benchmark_overlap") and outcome.rejected[0].detail.startswith("2 of 3 responses")
    assert end(decide([], refusals={PROMPT.prompt_id: Refusal("secret", "KEY")})) == ("rejected", "secret")


def test_rewards_that_were_asked_before_decide_alike() -> None:
    said, refused = responses("one", "two", "three"), {"p-1": Refusal("secret", "KEY")}
    model = by_text(one=1.0, three="too long", two=3.0)
    rewards = reward_responses([PROMPT], said, model, refused)
    assert set(rewards) == {"p-0", "p-2"} and rewards["p-2"] == "too long"
    assert end(decide(said, rewards=rewards, refusals=refused)) == end(decide(said, reward_model=model, refusals=refused))
    assert decide(said[:2], rewards=reward_responses([PROMPT], said[:2], model)) == decide(said[:2], reward_model=model)


@pytest.mark.parametrize(("depths", "expected"), [((2, 3), 3), ((2, None), None)])
def test_a_pair_is_as_deep_as_its_deeper_writer_if_both_are_known(
    depths: tuple[int, int | None], expected: int | None
) -> None:  # fmt: skip
    said = [*responses("one", generation_depth=depths[0]), responses("x", "two", generation_depth=depths[1])[1]]
    (pair,) = decide(said, reward_model=by_text(one=1.0, two=3.0)).pairs
    assert pair.generation_depth == expected
