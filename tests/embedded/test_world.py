"""The closed world: what it draws it can read back, and nothing else passes its verifiers."""

from random import Random

import pytest

from synth_assets.embedded.leaf_kinds import LeafKind
from synth_assets.embedded.leaves import BY_PATH, TAUGHT, UNSEEN
from synth_assets.embedded.primitives import PRIMITIVES
from synth_assets.embedded.reward_world import GradedAnswer, grade, graded_answers, spoil

ALL_KINDS = (*TAUGHT, *UNSEEN, *PRIMITIVES)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.leaf_path)
def test_a_kind_reads_back_what_it_draws(kind: LeafKind) -> None:
    rng = Random(5)
    for _ in range(100):
        instance = kind.draw(rng)
        assert kind.read(instance.question, instance.context) == instance
        assert kind.is_right(instance, f" {instance.answer} ")
        assert not kind.is_right(instance, spoil(rng, kind, instance))


@pytest.mark.parametrize("kind", TAUGHT, ids=lambda kind: kind.leaf_path)
def test_what_is_no_member_is_not_read(kind: LeafKind) -> None:
    rng = Random(6)
    instance = kind.draw(rng)
    for text in ("", "Tell me a story.", instance.question + " Please.", instance.question.lower()):
        assert kind.read(text, instance.context) is None
    if kind.is_grounded:
        other = kind.draw(rng)
        assert kind.read(instance.question, "Some other text.") is None
        assert kind.leaf_path.endswith("price_list") or kind.read(instance.question, other.context) is None
    else:
        assert kind.read(instance.question, "A context that the leaf does not have.") is None


@pytest.mark.parametrize(
    ("leaf_path", "question", "answer"),
    [
        (
            "foundational_skills/arithmetic/story_sum",
            "Sam has 34 bells and buys 27 more. How many bells does Sam have now?",
            "34 + 27 = 61",
        ),
        (
            "compositional_skills/rewriting/plural",
            "Rewrite with three: Ruth has one old knife.",
            "Ruth has three old knives.",
        ),
        (
            "compositional_skills/rewriting/past_tense",
            "Put into the past: Leo steals the red hat.",
            "Leo stole the red hat.",
        ),
        (
            "foundational_skills/reasoning/ranking",
            "Ada is older than Tom. Tom is older than Mei. Who is the youngest?",
            "Mei",
        ),
        (
            "compositional_skills/lists/sort_numbers",
            "Sort these numbers from small to large: 50, 12, 98, 50",
            "12, 50, 50, 98",
        ),
    ],
)
def test_answers_are_what_a_person_would_say(leaf_path: str, question: str, answer: str) -> None:
    instance = BY_PATH[leaf_path].read(question)
    assert instance is not None and instance.answer == answer


def test_broken_members_are_refused() -> None:
    ranking = BY_PATH["foundational_skills/reasoning/ranking"]
    assert ranking.read("Ada is older than Tom. Ida is older than Mei. Who is the youngest?") is None
    assert ranking.read("Ada is older than Tom. Tom is older than Mei. Who is the tallest?") is None
    prices = BY_PATH["compositional_skills/extraction/price_list"]
    assert not prices.reads_context("cup: 10 dollars. pan: 10 dollars. map: 54 dollars.")


def test_held_out_is_about_one_in_sixteen_and_respected() -> None:
    rng = Random(7)
    kind = TAUGHT[0]
    drawn = [kind.draw(rng) for _ in range(4000)]
    assert 0.04 < sum(i.is_held_out for i in drawn) / len(drawn) < 0.09
    assert kind.draw_where(rng, held_out=True).is_held_out
    assert not kind.draw_where(rng, held_out=False).is_held_out


def test_grades_of_right_and_wrong_answers() -> None:
    path = "foundational_skills/arithmetic/story_sum"
    instance = BY_PATH[path].draw(Random(1))
    right = grade(GradedAnswer(path, instance, instance.answer))
    assert right[:3] == (4.0, 4.0, 4.0)
    wrong = grade(GradedAnswer(path, instance, "I do not know"))
    assert wrong[1] == 0.0 and wrong[0] < 1 and wrong[2] == 1.0


def test_graded_answers_are_balanced_within_leaves() -> None:
    stream = graded_answers(3, [], 1000)
    drawn = [next(stream) for _ in range(3000)]
    for kind in TAUGHT:
        of_leaf = [a for a in drawn if a.leaf_path == kind.leaf_path]
        right = sum(kind.is_right(a.instance, a.response) for a in of_leaf)
        assert 0.35 < right / len(of_leaf) < 0.65
        assert not any(a.instance.is_held_out for a in of_leaf)
