"""Cases to calibrate judges with: seed examples, which they must accept, and spoiled ones, which they must refuse.

Spoiling is by rule: what is asked is replaced by half of it or by a question of another leaf, an answer by that to another
question or on another text, a figure by another one. So a judge's error rates are known for the very taxonomy that is
generated from, without anybody labelling anything. Now and then a spoiled case may be good by chance, of open tasks above
all; and errors subtler than these do not show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from synth_assets.judging import Case, Judgement, Panel, require_judged
from synth_assets.recipe import JudgeName
from synth_assets.records import JudgedCase, LeafNode, SeedExample, content_id
from synth_assets.sketches import plain

MAX_SEEDS_PER_LEAF = 5
GOOD = "none"
_DIGIT = re.compile(r"\d(?!.*\d)", re.DOTALL)  # the last one


@dataclass(frozen=True)
class CalibrationCase:
    """A case with what must come of it; `spoiled_by` names the rule that spoiled it, or is `none`."""

    leaf: LeafNode
    seed: SeedExample
    case: Case
    spoiled_by: str

    @property
    def judge(self) -> JudgeName:
        return self.case.judge


def calibrate_judges(
    leaf_nodes: Sequence[LeafNode], seed_examples: Sequence[SeedExample], panel: Panel, num_examples: int, seed: int
) -> list[JudgedCase]:
    """Every judge on all its cases, in one batch; `num_examples` seeds stand in a prompt. Raises what the model raises."""
    asked = panel.settings.asked
    cases = [each for each in calibration_cases(leaf_nodes, seed_examples, num_examples, seed) if each.judge in asked]
    judgements = require_judged(panel.judge([case.case for case in cases]))
    return [_judged(case, judgement) for case, judgement in zip(cases, judgements, strict=True)]


def calibration_cases(
    leaf_nodes: Sequence[LeafNode], seed_examples: Sequence[SeedExample], num_examples: int, seed: int
) -> Iterator[CalibrationCase]:
    """Of up to MAX_SEEDS_PER_LEAF seeds a leaf: for each judge a good and, where one can be made, a bad case."""
    by_leaf: dict[str, list[SeedExample]] = {}
    for example in sorted(seed_examples, key=lambda example: (example.position, example.seed_example_id)):
        by_leaf.setdefault(example.leaf_path, []).append(example)
    for leaf in sorted(leaf_nodes, key=lambda leaf: leaf.leaf_path):
        own = by_leaf.get(leaf.leaf_path, [])
        if leaf.branch == "knowledge":
            own = [example for example in own if example.is_grounded]
        strangers = [
            example
            for other in leaf_nodes
            if other.leaf_path != leaf.leaf_path and (other.branch == "knowledge") == (leaf.branch == "knowledge")
            for example in by_leaf.get(other.leaf_path, [])
        ]
        rng = Random(content_id("calibration", seed, leaf.leaf_path))
        for example in rng.sample(own, min(MAX_SEEDS_PER_LEAF, len(own))):
            yield from _cases_of(_Pool(leaf, example, own, strangers, rng, num_examples))


@dataclass(frozen=True)
class _Pool:
    """A seed example, and what its bad cases are made of."""

    leaf: LeafNode
    seed: SeedExample
    own: list[SeedExample]
    strangers: list[SeedExample]
    rng: Random
    num_examples: int

    def case(self, judge: JudgeName, question: str, answer: str, spoiled_by: str) -> CalibrationCase:
        others = [example for example in self.own if example is not self.seed]
        seeds = self.rng.sample(others, min(self.num_examples, len(others))) or [self.seed]
        context = self.seed.context or ""
        values = {
            "task": self.leaf.task_description, "examples": [example.question for example in seeds], "seeds": seeds,
            "context": context, "instruction": question, "response": answer,
        }  # fmt: skip
        return CalibrationCase(self.leaf, self.seed, Case(judge, values, context, self.rng.getrandbits(63)), spoiled_by)

    def drawn(self, pool: Sequence[SeedExample], is_fit: Callable[[SeedExample], bool]) -> SeedExample | None:
        fitting = [example for example in pool if is_fit(example)]
        return self.rng.choice(fitting) if fitting else None


def _cases_of(pool: _Pool) -> Iterator[CalibrationCase]:
    seed = pool.seed
    spoiled: dict[JudgeName, tuple[str, str, str] | None]
    if pool.leaf.branch == "knowledge":
        spoiled = {
            "question": _other_question(pool),
            "faithfulness": _other_fact(pool),
            "relevance": _other_answer(pool, seed.context),
        }
    else:
        spoiled = {"instruction": _other_question(pool), "pair": _other_answer(pool, None)}
    for judge, bad in spoiled.items():
        yield pool.case(judge, seed.question, seed.answer, GOOD)
        if bad:
            yield pool.case(judge, *bad)


def _other_question(pool: _Pool) -> tuple[str, str, str] | None:
    """A question of another leaf; of every second seed, or where there is no other leaf, the first half of its own."""
    stranger = pool.drawn(pool.strangers, lambda other: other.is_grounded == pool.seed.is_grounded)
    if stranger and pool.seed.position % 2 == 0:
        return stranger.question, pool.seed.answer, "question_of_another_leaf"
    words = pool.seed.question.split()
    half = " ".join(words[: len(words) // 2])
    return (half, pool.seed.answer, "half_a_question") if half else None


def _other_answer(pool: _Pool, context: str | None) -> tuple[str, str, str] | None:
    """The answer to another question of the leaf; with `context`, to another question on it."""

    def is_fit(other: SeedExample) -> bool:
        here = context is None or other.context == context
        return here and plain(other.answer) != plain(pool.seed.answer) and other.question != pool.seed.question

    other = pool.drawn(pool.own, is_fit)
    return (pool.seed.question, other.answer, "answer_to_another_question") if other else None


def _other_fact(pool: _Pool) -> tuple[str, str, str] | None:
    """The last digit of the answer changed; without one, an answer of another text that this one does not hold."""
    if digit := _DIGIT.search(pool.seed.answer):
        changed = str((int(digit.group()) + 1 + pool.rng.randrange(8)) % 10)
        answer = pool.seed.answer[: digit.start()] + changed + pool.seed.answer[digit.end() :]
        return pool.seed.question, answer, "another_figure"
    text = plain(pool.seed.context)

    def is_fit(other: SeedExample) -> bool:
        answer = plain(other.answer)
        return other.context != pool.seed.context and answer not in text and answer != plain(pool.seed.answer)

    other = pool.drawn([*pool.own, *pool.strangers], is_fit)
    return (pool.seed.question, other.answer, "answer_from_another_text") if other else None


def _judged(case: CalibrationCase, judgement: Judgement) -> JudgedCase:
    values = case.case.values
    return JudgedCase(
        judged_case_id=content_id("judged_case", case.judge, case.seed.seed_example_id, case.spoiled_by),
        judge=case.judge,
        leaf_path=case.leaf.leaf_path,
        branch=case.leaf.branch,
        seed_example_id=case.seed.seed_example_id,
        spoiled_by=case.spoiled_by,
        instruction=str(values["instruction"]),
        response=str(values["response"]),
        verdict=judgement.verdict,
        reasons=judgement.reasons or judgement.detail,
        must_accept=case.spoiled_by == GOOD,
        is_accepted=judgement.is_accepted,
    )
