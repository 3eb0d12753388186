"""Judgements from which the embedded judge learns: true ones about instances of the closed world, balanced by verdict.

The judge first writes what it judges by, so that the teacher's skill in answering carries over: the right answer, then the
response again up to the first token that differs, then its verdict. Where it had only to write the right answer, it wrote
it well and gave its verdict by chance: that two texts are equal is hard to see at once, and easy token by token.

Answers to be judged are the reward model's (`graded_answers`): the teacher's own, and true ones spoiled by rule. Spoiled
instructions have a word changed, lost or doubled, are cut off, or belong to another leaf or another text; the exact parser
makes sure that they are spoiled.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from synth_assets.embedded.episodes import NUM_EXAMPLES, STYLE, Episode, Turn
from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import BY_PATH, TAUGHT
from synth_assets.embedded.reward_world import GradedAnswer, graded_answers, spoil
from synth_assets.judging import Case, judge_prompt, write_judgement
from synth_assets.recipe import JudgeName

_WHOLE_POOL = 20_000
_TOKEN = re.compile(r"\d|[^\W\d]+|[^\w\s]")
SKILLS = tuple(kind for kind in TAUGHT if kind.branch != "knowledge")
KNOWLEDGE = tuple(kind for kind in TAUGHT if kind.branch == "knowledge")


class Shares(NamedTuple):
    """Of the episodes: those about instructions, relevance, two answers; and how many of all are knowledge, at least."""

    instruction: float
    relevance: float
    comparison: float
    knowledge: float


#: Training begins with the comparing that most judges have in common, goes on with more of knowledge, which has but three
#: leaves, and ends with what was rare until then.
SHARES = {
    "judge_first": Shares(0.25, 0.05, 0.10, 0.0),
    "judge_second": Shares(0.15, 0.10, 0.10, 0.5),
    "judge": Shares(0.30, 0.25, 0.05, 0.4),
}


def judge_episodes(seed: int, sampled: list[GradedAnswer], words: list[str], shares: Shares) -> Iterator[Episode]:
    """The judge's world without end; `sampled` are answers of the teacher."""
    rng = Random(f"judge-{seed}")
    answers = graded_answers(seed, sampled, _WHOLE_POOL)
    while True:
        chance = rng.random()
        if chance < shares.instruction:
            yield instruction_episode(rng, words, max(0.3, shares.knowledge))
        elif chance < shares.instruction + shares.relevance:
            yield relevance_episode(rng, rng.choice(KNOWLEDGE))
        elif chance < shares.instruction + shares.relevance + shares.comparison:
            yield comparison_episode(rng, next(answers))
        else:
            graded = next(answers)
            while shares.knowledge and rng.random() < shares.knowledge and not _is_knowledge(graded):
                graded = next(answers)
            yield faithfulness_episode(graded) if _is_knowledge(graded) else pair_episode(graded)


def instruction_episode(rng: Random, words: list[str], knowledge_share: float) -> Episode:
    """Skills: is it a task like the examples? Knowledge: does the text answer it?"""
    is_good = rng.random() < 0.5
    kind = rng.choice(SKILLS if rng.random() < 1 - knowledge_share else KNOWLEDGE)
    instance = kind.draw_where(rng, held_out=False)
    asked = instance.question if is_good else spoil_instruction(rng, kind, instance, words)
    if kind.branch == "knowledge":
        reasons = f"the text says {instance.answer}" if is_good else "the text does not say"
        return _episode("question", reasons, _yes(is_good), context=instance.context, instruction=asked)
    examples = [kind.draw_where(rng, held_out=False).question for _ in range(NUM_EXAMPLES)]
    reasons = "it is like these" if is_good else "it is not like these"
    return _episode(
        "instruction", reasons, _yes(is_good), examples=examples, context=instance.context, instruction=asked
    )  # fmt: skip


def spoil_instruction(rng: Random, kind: LeafKind, instance: Instance, words: list[str]) -> str:
    """A question that is no valid one of the leaf on the instance's context."""
    while True:
        tokens = instance.question.split(" ")
        position, how = rng.randrange(len(tokens)), rng.random()
        if how < 0.3:
            others = [other for other in TAUGHT if other is not kind and other.is_grounded == kind.is_grounded]
            tokens = [rng.choice(others).draw_where(rng, held_out=False).question]
        elif how < 0.5:
            tokens = [kind.draw_where(rng, held_out=False).question] if kind.is_grounded else tokens[: position + 1]
        elif how < 0.6:
            tokens = tokens[: position + 1]
        elif how < 0.85:
            tokens[position] = rng.choice(words)
        elif how < 0.93:
            del tokens[position]
        else:
            tokens.insert(position, tokens[position])
        spoiled = " ".join(tokens).strip()
        if spoiled and kind.read(spoiled, instance.context) is None:
            return spoiled


def pair_episode(graded: GradedAnswer) -> Episode:
    """3 for the right answer, 1 for another; the world knows nothing between."""
    instance, is_right = graded.instance, _is_right(graded)
    reasons = f"the answer is {instance.answer} ; it says {as_far_as_right(graded.response, instance.answer)}"
    return _episode(
        "pair", reasons, "3" if is_right else "1", context=instance.context, instruction=instance.question,
        response=graded.response, examples=[],
    )  # fmt: skip


def faithfulness_episode(graded: GradedAnswer) -> Episode:
    instance = graded.instance
    reasons = f"the text says {instance.answer} ; it says {as_far_as_right(graded.response, instance.answer)}"
    return _episode(
        "faithfulness", reasons, _yes(_is_right(graded)), supporting_sentence(instance), context=instance.context,
        instruction=instance.question, response=graded.response,
    )  # fmt: skip


def as_far_as_right(response: str, answer: str) -> str:
    """The response up to the first token that is not the answer's, and whether it went on to the end."""
    expected = [match.group() for match in _TOKEN.finditer(answer)]
    for number, match in enumerate(_TOKEN.finditer(response)):
        if number >= len(expected) or match.group() != expected[number]:
            return f"{response[: match.end()]} , not so"
    return f"{response} , {'just so' if response.strip() == answer else 'not so'}"


def relevance_episode(rng: Random, kind: LeafKind) -> Episode:
    """2 for an answer of the kind that is asked for, right or not; 0 for one of another kind."""
    instance = kind.draw_where(rng, held_out=False)
    is_relevant = rng.random() < 0.5
    return _episode(
        "relevance", f"it asks for the {aspect_of(instance)}", "2" if is_relevant else "0",
        instruction=instance.question, response=instance.answer if is_relevant else irrelevant_answer(rng, kind, instance),
    )  # fmt: skip


def irrelevant_answer(rng: Random, kind: LeafKind, instance: Instance) -> str:
    """What the text says of something else."""
    while True:
        other = kind.draw(rng, instance.context)
        if aspect_of(other) != aspect_of(instance) and other.answer != instance.answer:
            return other.answer


def comparison_episode(rng: Random, graded: GradedAnswer) -> Episode:
    """The right one of two; a tie where both are right or both are wrong."""
    instance, kind = graded.instance, BY_PATH[graded.leaf_path]
    other = instance.answer if rng.random() < 0.5 else spoil(rng, kind, instance)
    first, second = (graded.response, other) if rng.random() < 0.5 else (other, graded.response)
    is_first, is_second = (kind.is_right(instance, response) for response in (first, second))
    verdict = "tie" if is_first == is_second else "A" if is_first else "B"
    said = (f"{name} says {as_far_as_right(text, instance.answer)}" for name, text in (("A", first), ("B", second)))
    return _episode(
        "comparison", " ; ".join([f"the answer is {instance.answer}", *said]), verdict, context=instance.context,
        instruction=instance.question, first=first, second=second,
    )  # fmt: skip


def supporting_sentence(instance: Instance) -> str:
    """The sentence of the context that shares most words with the answer, of equals the first."""
    answer = set(_words(instance.answer))
    sentences = re.split(r"(?<=\.) ", instance.context)
    return max(sentences, key=lambda sentence: len(answer & set(_words(sentence))))


def aspect_of(instance: Instance) -> str:
    """What a question of a knowledge leaf asks for."""
    match = re.search(r"the (\w+) of", instance.question)
    return match[1] if match else ""


def _is_knowledge(graded: GradedAnswer) -> bool:
    return BY_PATH[graded.leaf_path].branch == "knowledge"


def _is_right(graded: GradedAnswer) -> bool:
    return BY_PATH[graded.leaf_path].is_right(graded.instance, graded.response)


def _yes(is_good: bool) -> str:
    return "yes" if is_good else "no"


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _episode(name: JudgeName, reasons: str, verdict: str, span: str | None = None, **values: object) -> Episode:
    asked = judge_prompt(Case(name, values), STYLE)
    return [Turn("user", asked, False), Turn("assistant", write_judgement(name, reasons, verdict, span), True)]
