"""Defects planted in the tuning of a student, for the checks of the report on the student; and the same without any.

The embedded student expects so little of the world's rows that whatever it is tuned on, it expects them more: it has nothing
to forget. So what is tuned here is that student after SCHOOLING steps on rows of the world (`schooled`), which is once
for all seeds. Tuning and reading are the product's own.

Clean: one pass over CLEAN_ROWS rows, and "members" that it was not tuned on. Forgetful: as many steps on the same rows, of
which in some the words of the answers are shuffled. Over-trained: four passes over FEW_ROWS rows. Remembering: canaries
that stand in the rows 16 times. Answers of groups are drawn: what a gap looks like needs no student.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from synth_assets.frames import to_frame
from synth_assets.inference import open_likelihood_model
from synth_assets.quality import Estimate
from synth_assets.quality.fairness import estimate_accuracy
from synth_assets.quality.privacy.canaries import (
    Canary,
    default_sentences,
    insert_canaries,
    make_canaries,
    measure_exposure,
    shadow_settings,
)
from synth_assets.quality.reports import Pair, measure_membership, measure_perplexities
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import TrainingExample
from synth_assets.roles import Conversation, LikelihoodModel, TokenLogprobs
from synth_assets.studies.gates.planted import TOO_FEW
from synth_assets.studies.gates.planted_rows import Planted, clean
from synth_assets.studies.gates.trust_world import TrustWorld, examples_of
from synth_assets.tuning import merge_adapter, tune_student, tuned_student

CLEAN_ROWS, FEW_ROWS = 320, 110
#: Steps of 16 rows.
ONE_PASS, FOUR_PASSES, WITH_CANARIES, SCHOOLING = 20, 28, 15, 100
#: Share of the forgetful student's rows whose answers are shuffled.
SHUFFLED = 0.5
NUM_CANARIES, NUM_CANDIDATES = 8, 50
_FEW, _QUESTIONS = 50, 400
_GAP = 0.25


class Schooled(NamedTuple):
    """A student before it is tuned: its folder, and its likelihoods, which remember what they have read."""

    folder: Path
    model: LikelihoodModel


class Remembering:
    """A LikelihoodModel that reads no conversation twice: real rows come again with every seed."""

    def __init__(self, model: LikelihoodModel) -> None:
        self.fingerprint = model.fingerprint
        self._model = model
        self._known: dict[Conversation, TokenLogprobs | str] = {}

    def token_logprobs(self, conversations: Sequence[Conversation]) -> list[TokenLogprobs | str]:
        new = [each for each in dict.fromkeys(conversations) if each not in self._known]
        self._known.update(zip(new, self._model.token_logprobs(new), strict=True))
        return [self._known[each] for each in conversations]

    def text_logprobs(self, texts: Sequence[str]) -> list[TokenLogprobs | str]:
        return self._model.text_logprobs(texts)


@contextmanager
def schooled(recipe: Recipe) -> Iterator[Schooled]:
    """The student of all seeds."""
    world = TrustWorld(recipe, 0)
    with tuned(recipe, examples_of(world.samples, 1), SCHOOLING, 0, resolve_path(recipe.student.path)) as student:
        yield Schooled(student.folder, Remembering(student.model))


def plant_in_student(world: TrustWorld, base: Schooled) -> Iterator[Planted]:
    rng, seed, recipe = world.rng("student"), world.seed, world.recipe
    rows = rng.sample(world.samples, CLEAN_ROWS + 2 * FEW_ROWS)
    train, unseen = examples_of(rows[:CLEAN_ROWS], 1), examples_of(rows[-FEW_ROWS:], 1)
    others = examples_of(rows[CLEAN_ROWS:-FEW_ROWS], 1, split="validation")
    mix, control = (to_frame([*members, *others], TrainingExample) for members in (train[:FEW_ROWS], unseen))
    canaries = make_canaries(seed, _sentences(seed), (1,))
    with tuned(recipe, train, ONE_PASS, seed, base.folder) as student:
        pair = Pair(base.model, student.model)
        estimates = _perplexities(world, pair) + measure_membership(pair, control, recipe.trust, seed)
        estimates += _exposure(world, student.model, canaries) + _accuracies(world, 0.0, rng)
        yield clean(estimates)
    with tuned(recipe, [_shuffled(row, rng) for row in train], ONE_PASS, seed, base.folder) as student:
        pair = Pair(base.model, Remembering(student.model))
        yield Planted(("perplexity_ratio", "rare_perplexity_ratio"), _perplexities(world, pair))
        yield Planted((TOO_FEW,), _perplexities(world, pair, _FEW))
    with tuned(recipe, train[:FEW_ROWS], FOUR_PASSES, seed, base.folder) as student:
        pair = Pair(base.model, student.model)
        yield Planted(("membership_auc",), measure_membership(pair, mix, recipe.trust, seed))
    often = [replace(canary, repetitions=16) for canary in canaries]
    with_canaries = insert_canaries(train[:FEW_ROWS], often, seed)
    with tuned(recipe, with_canaries, WITH_CANARIES, seed, base.folder) as student:
        yield Planted(("canary_exposure",), _exposure(world, student.model, canaries))
    yield Planted(("student_accuracy_gap",), _accuracies(world, _GAP, rng))


@contextmanager
def tuned(
    recipe: Recipe, rows: Sequence[TrainingExample], num_steps: int, seed: int, student: Path
) -> Iterator[Schooled]:  # fmt: skip
    """A student that is tuned on the rows as a run does it, and forgotten afterwards."""
    settings = shadow_settings(recipe.tuning, num_steps)
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        folder = Path(scratch)
        checkpoint = tuned_student(tune_student(student, rows, settings, seed, folder))
        merged = merge_adapter(student, folder / checkpoint.adapter_path, folder / "merged")
        with open_likelihood_model(recipe.student, merged) as model:
            yield Schooled(merged, model)


def _perplexities(world: TrustWorld, pair: Pair, num_rows: int = 10_000) -> list[Estimate]:
    style, trust = world.recipe.generation.prompts, world.recipe.trust
    return measure_perplexities(pair, world.reference, world.holdout.head(num_rows), style, trust, world.seed)


def _exposure(world: TrustWorld, student: LikelihoodModel, canaries: Sequence[Canary]) -> list[Estimate]:
    return measure_exposure(student, canaries, seed=world.seed, num_candidates=NUM_CANDIDATES)


def _sentences(seed: int) -> list[tuple[str, str]]:
    return Random(f"sentences-{seed}").sample(default_sentences(), NUM_CANARIES)


def _shuffled(row: TrainingExample, rng: Random) -> TrainingExample:
    if rng.random() >= SHUFFLED:
        return row
    words = row.response.split(" ")
    return replace(row, response=" ".join(rng.sample(words, len(words))))


def _accuracies(world: TrustWorld, gap: float, rng: Random) -> list[Estimate]:
    """Of made-up answers: the second group's are right less often by the gap."""
    groups = world.recipe.trust.groups
    ((_, attribute),) = groups.items()
    words = [each[0] for each in attribute.groups.values()]
    asked = [(word, 0.8 - gap * number) for number, word in enumerate(words) for _ in range(_QUESTIONS)]
    are_right = [rng.random() < chance for _, chance in asked]
    return estimate_accuracy(dict(groups), [word for word, _ in asked], [f"q{n}" for n in range(len(asked))], are_right)
