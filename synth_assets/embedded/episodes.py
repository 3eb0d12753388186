"""Training episodes: chat conversations drawn from the closed world, with the turns that bear loss.

An episode is a list of (role, text, bears_loss). Answers bear loss; where an instruction or a context is to be
written, the whole episode does, since its seeds come from the same leaf. Held-out instances never occur.
`echo` and `pattern` episodes are the curriculum: copying of random tokens forms induction, and random templates
with random slots teach that a leaf node is given by its seeds, which is what carries over to unseen kinds of leaf.
"""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import NamedTuple

from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import TAUGHT
from synth_assets.embedded.primitives import PRIMITIVES
from synth_assets.embedded.vocabulary import SLOTS
from synth_assets.prompts import render_prompt

STYLE = "brief"
NUM_EXAMPLES = 3
_PATTERN_SLOTS = ("name", "noun", "city", "adj", "event", "place", "job", "num", "day", "material", "verb", "nouns")


class Turn(NamedTuple):
    role: str
    text: str
    bears_loss: bool


Episode = list[Turn]


def pair_prompt(instance: Instance) -> str:
    """The user turn that asks an instance's question."""
    return render_prompt(STYLE, "question", context=instance.context, instruction=instance.question)


def conversation(instances: list[Instance]) -> Episode:
    """Questions with their answers, one after the other; the answers bear loss."""
    episode: Episode = []
    for instance in instances:
        episode += [Turn("user", pair_prompt(instance), False), Turn("assistant", instance.answer, True)]
    return episode


def response_episode(rng: Random, kind: LeafKind) -> Episode:
    num_turns = rng.choice((1, 2, 3)) if not kind.is_grounded else rng.choice((1, 1, 2))
    return conversation([kind.draw_where(rng, held_out=False) for _ in range(num_turns)])


def writing_episode(rng: Random, kind: LeafKind) -> Episode:
    """Write a new instruction (or, for grounded leaves, a context or a question on one) from seeds of the leaf."""
    seeds = [kind.draw_where(rng, held_out=False) for _ in range(NUM_EXAMPLES + 1)]
    if not kind.is_grounded:
        prompt = render_prompt(STYLE, "instruction", context="", examples=[s.question for s in seeds[:-1]])
        return [Turn("user", prompt, True), Turn("assistant", seeds[-1].question, True)]
    if kind.branch != "knowledge" and rng.random() < 0.4:
        prompt = render_prompt(STYLE, "context", examples=[s.context for s in seeds[:-1]])
        return [Turn("user", prompt, True), Turn("assistant", seeds[-1].context, True)]
    target = seeds[-1]
    prompt = render_prompt(STYLE, "instruction", context=target.context, examples=[s.question for s in seeds[:-1]])
    return [Turn("user", prompt, False), Turn("assistant", target.question, True)]


def echo_episode(rng: Random, words: list[str]) -> Episode:
    """Copy random words, one of them perhaps spelled in random letters, or find the word that followed one."""
    sequence = rng.sample(words, rng.randint(3, 24))
    if rng.random() < 0.3:
        sequence[rng.randrange(len(sequence))] = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 8)))
    text = " ".join(sequence)
    if rng.random() < 0.6:
        return [Turn("user", text, False), Turn("assistant", text, True)]
    position = rng.randrange(len(sequence) - 1)
    return [Turn("user", f"{text} | {sequence[position]}", False), Turn("assistant", sequence[position + 1], True)]


def pattern_episode(rng: Random, words: list[str]) -> Episode:
    """A leaf that nobody has seen: a random template with random slots; write one more, or answer by its shots."""
    slots = rng.sample(_PATTERN_SLOTS, rng.randint(1, 3))
    question = rng.sample(words, rng.randint(3, 9))
    for slot in slots:
        question.insert(rng.randint(1, len(question)), f"{{{slot}}}")
    answered = rng.sample(slots, rng.randint(1, len(slots)))
    answer = rng.sample(words, rng.randint(0, 4)) + [f"{{{slot}}}" for slot in answered]
    rng.shuffle(answer)
    instances = []
    for _ in range(NUM_EXAMPLES + 1):
        values = {slot: rng.choice(SLOTS[slot]) for slot in slots}
        instances.append(Instance(" ".join(question).format(**values), " ".join(answer).format(**values)))
    if rng.random() < 0.5:
        prompt = render_prompt(STYLE, "instruction", context="", examples=[i.question for i in instances[:-1]])
        return [Turn("user", prompt, False), Turn("assistant", instances[-1].question, True)]
    shots = conversation(instances)
    return [shots[0], shots[1]._replace(bears_loss=False), *shots[2:]]


def text_episode(rng: Random) -> Episode:
    """A document or card of the world as plain text, for the student base: its language, not its tasks."""
    kind = rng.choice([kind for kind in TAUGHT if kind.is_grounded])
    text = kind.draw_where(rng, held_out=False).context
    return [Turn("user", "text", False), Turn("assistant", text, True)]


def base_episodes(seed: int, words: list[str]) -> Iterator[Episode]:
    """The student base's world without end: copying first, then primitives and plain text."""
    rng = Random(f"base-{seed}")
    for index in count():
        copying = max(0.15, 0.8 - index / 20_000)
        chance = rng.random()
        if chance < copying:
            yield echo_episode(rng, words)
        elif chance < copying + 0.1:
            yield text_episode(rng)
        else:
            kind = rng.choice(PRIMITIVES)
            yield conversation([kind.draw_where(rng, held_out=False) for _ in range(rng.choice((1, 1, 3)))])


def teacher_episodes(seed: int, words: list[str]) -> Iterator[Episode]:
    """The teacher's world without end: answers and instructions of the taught leaves, patterns, a replay of the base."""
    rng = Random(f"teacher-{seed}")
    while True:
        chance = rng.random()
        if chance < 0.50:
            yield response_episode(rng, rng.choice(TAUGHT))
        elif chance < 0.80:
            yield writing_episode(rng, rng.choice(TAUGHT))
        elif chance < 0.90:
            yield pattern_episode(rng, words)
        elif chance < 0.95:
            yield echo_episode(rng, words)
        else:
            yield conversation([rng.choice(PRIMITIVES).draw_where(rng, held_out=False)])
