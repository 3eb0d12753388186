"""Graded answers from which the embedded reward model learns: the teacher's own, and true ones spoiled by rule.

Within each leaf right and wrong answers are balanced, else the model would learn which leaves are easy. They come from
the teacher, since those are what a filter meets, or from fresh questions with true answers and `spoil`ed ones: what is
drawn often is learned by heart, and no arithmetic with it. Training begins with the teacher's and ends with fresh ones.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import polars as pl

from synth_assets.embedded.episodes import pair_prompt
from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import BY_PATH, TAUGHT
from synth_assets.embedded.packing import Encoded
from synth_assets.embedded.tokenizer import encode_texts

#: How many elements each kind of answer puts together: the `complexity` of HelpSteer, 0 to 4.
COMPLEXITY = {"extraction": 0.0, "people": 0.0, "places": 0.0, "products": 0.0, "rewriting": 1.0, "reasoning": 1.0,
              "writing": 2.0, "dates": 2.0, "arithmetic": 2.0, "lists": 3.0}  # fmt: skip
#: A leaf that the teacher always gets wrong is drawn 1 + this times as often as one that it always gets right.
HARD_LEAF_WEIGHT = 5
_TOKEN = re.compile(r"\d|[^\W\d]+|[^\w\s]")


class GradedAnswer(NamedTuple):
    leaf_path: str
    instance: Instance
    response: str


def read_sampled(file: Path) -> list[GradedAnswer]:
    """The teacher's sampled answers, as `sample_answers` wrote them."""
    columns = pl.read_parquet(file, columns=["leaf_path", "question", "context", "answer", "response"])
    return [
        GradedAnswer(leaf_path, Instance(question, answer, context), response)
        for leaf_path, question, context, answer, response in columns.iter_rows()
    ]


def grade(answer: GradedAnswer) -> tuple[float, float, float, float, float]:
    """The five attributes, 0 to 4: helpfulness, correctness, coherence, complexity, verbosity.

    correctness: 4 if the verifier says right, else 0. helpfulness: 4, or twice the share of the right answer's
    tokens that stand in their place. coherence: 4 with the form of the right answer, else 1.
    """
    kind, right = BY_PATH[answer.leaf_path], answer.instance.answer
    expected, given = _TOKEN.findall(right), _TOKEN.findall(answer.response)
    in_place = sum(a == b for a, b in zip(expected, given, strict=False)) / max(len(expected), len(given), 1)
    is_right = kind.is_right(answer.instance, answer.response)
    coherence = 4.0 if _form(answer.response) == _form(right) else 1.0
    complexity = COMPLEXITY[answer.leaf_path.split("/")[1]]
    return (
        4.0 if is_right else 2 * in_place,
        4.0 * is_right,
        coherence,
        complexity,
        min(4.0, len(given) / 4),
    )


def spoil(rng: Random, kind: LeafKind, instance: Instance) -> str:
    """A wrong answer near the right one: a digit, a word from the prompt, two tokens swapped, one lost or doubled."""
    for _ in range(20):
        tokens = re.findall(r"\s*(?:\d|[^\W\d]+|[^\w\s])", instance.answer)
        position = rng.randrange(len(tokens))
        how = rng.random()
        if tokens[position].strip().isdigit() and how < 0.7:
            tokens[position] = tokens[position].replace(tokens[position].strip(), str(rng.randrange(10)))
        elif how < 0.7:
            tokens[position] = " " + rng.choice(re.findall(r"[^\W\d]+", instance.context or instance.question))
        elif how < 0.8 and len(tokens) > 1:
            other = rng.randrange(len(tokens))
            tokens[position], tokens[other] = tokens[other], tokens[position]
        elif how < 0.85:
            tokens.insert(position, tokens[position])
        elif how < 0.9 and len(tokens) > 1:
            del tokens[position]
        else:
            again = kind.draw(rng, instance.context or None)
            tokens = [again.answer]
        spoiled = "".join(tokens).strip()
        if spoiled and not kind.is_right(instance, spoiled):
            return spoiled
    return instance.answer + " " + instance.answer


def graded_answers(seed: int, sampled: list[GradedAnswer], whole_pool: int) -> Iterator[GradedAnswer]:
    """Balanced answers without end: half of each leaf right, leaves the more often the more the teacher errs there.

    Of a leaf's right or wrong answers, three of four are the teacher's own where it gave `whole_pool` such answers or
    more, fewer in proportion where it gave less.
    """
    rng = Random(f"reward-{seed}")
    own: dict[tuple[str, bool], list[GradedAnswer]] = defaultdict(list)
    for answer in sampled:
        kind = BY_PATH[answer.leaf_path]
        own[answer.leaf_path, kind.is_right(answer.instance, answer.response)].append(answer)
    weights = [1 + HARD_LEAF_WEIGHT * _share_wrong(own, kind) for kind in TAUGHT]
    while True:
        kind = rng.choices(TAUGHT, weights)[0]
        is_right = rng.random() < 0.5
        pool = own[kind.leaf_path, is_right]
        if rng.random() < min(0.75, len(pool) / whole_pool):
            yield rng.choice(pool)
            continue
        instance = kind.draw_where(rng, held_out=False)
        yield GradedAnswer(kind.leaf_path, instance, instance.answer if is_right else spoil(rng, kind, instance))


def encode_graded(tokenizer: Any, answers: list[GradedAnswer]) -> list[Encoded]:
    """Token ids of the conversation, and for each token five targets and the right next token (negative: none).

    The end token bears the grade; the response's tokens bear right-so-far, and what comes next as long as it is true.
    """
    user, assistant = (tokenizer.convert_tokens_to_ids(f"<|{role}|>") for role in ("user", "assistant"))
    end = tokenizer.eos_token_id
    texts = [text for a in answers for text in (pair_prompt(a.instance), a.response, a.instance.answer)]
    ids = iter(encode_texts(tokenizer, texts))
    encoded: list[Encoded] = []
    for answer, prompt, response, expected in zip(answers, ids, ids, ids, strict=True):
        token_ids = [user, *prompt, end, assistant, *response, end]
        right_tokens = [*expected, end]
        targets = [[-1.0] * 6 for _ in range(len(prompt) + 2)] + [[-1.0] * 5 + [float(right_tokens[0])]]
        for position in range(1, len(response) + 1):
            is_right = response[:position] == expected[:position]
            following = float(right_tokens[position]) if is_right else -1.0
            targets.append([-1.0, 4.0 * is_right, -1.0, -1.0, -1.0, following])
        encoded.append((token_ids, [*targets, [*grade(answer), -1.0]]))
    return encoded


def _share_wrong(own: dict[tuple[str, bool], list[GradedAnswer]], kind: LeafKind) -> float:
    wrong, right = len(own[kind.leaf_path, False]), len(own[kind.leaf_path, True])
    return wrong / max(wrong + right, 1)


def _form(text: str) -> str:
    """A text with digits, capitalized and other words each made one: two answers of one kind have one form."""
    return re.sub(r"[a-z]+", "w", re.sub(r"[A-Z]\w*", "W", re.sub(r"\d+", "0", text)))
