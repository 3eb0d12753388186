"""Defects planted in the tuning of a student, for the checks of the report on the student; and the same without any.

The students are the embedded one, tuned with the product's own LoRA and read by its own likelihoods. Clean: one pass over
CLEAN_ROWS real rows that are not of the holdout. Forgetful: as many steps on the same rows, of which in some the words of
the answers are shuffled. Over-trained: many passes over few rows. Remembering: canaries that stand in the rows 16 times.
Answers of groups are drawn: what a gap looks like needs no student.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from synth_assets.frames import to_frame
from synth_assets.inference import open_likelihood_model
from synth_assets.quality import Estimate
from synth_assets.quality.fairness import estimate_accuracy
from synth_assets.quality.privacy.canaries import Canary, insert_canaries, make_canaries, measure_exposure, shadow_settings
from synth_assets.quality.reports import Pair, measure_membership, measure_perplexities
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import TrainingExample
from synth_assets.roles import LikelihoodModel
from synth_assets.studies.planted_rows import TOO_FEW, Planted
from synth_assets.studies.trust_world import TrustWorld, examples_of
from synth_assets.tuning import merge_adapter, tune_student, tuned_student

CLEAN_ROWS, FEW_ROWS = 400, 200
ONE_PASS, MANY_PASSES = 25, 100
#: Share of the forgetful student's rows whose answers are shuffled.
SHUFFLED = 0.5
NUM_CANARIES, NUM_CANDIDATES = 8, 200
_FEW, _QUESTIONS = 50, 400
_GAP = 0.25


def plant_in_student(world: TrustWorld, base: LikelihoodModel) -> Iterator[Planted]:
    rng, seed = world.rng("student"), world.seed
    rows = rng.sample(world.samples, CLEAN_ROWS + FEW_ROWS)
    train, others = examples_of(rows[:CLEAN_ROWS], 1), examples_of(rows[CLEAN_ROWS:], 1, split="validation")
    never, often = (make_canaries(seed, _sentences(seed), (times,)) for times in (0, 16))
    with tuned(world.recipe, train, ONE_PASS, seed) as student:
        pair = Pair(base, student)
        estimates = _perplexities(world, pair) + measure_membership(
            pair, to_frame([*train, *others], TrainingExample), world.recipe.trust, seed
        )
        estimates += _exposure(world, student, never) + _accuracies(world, 0.0, rng)
        yield Planted(None, estimates, has_defect=False)
    with tuned(world.recipe, [_shuffled(row, rng) for row in train], ONE_PASS, seed) as student:
        yield Planted(("perplexity_ratio", "rare_perplexity_ratio"), _perplexities(world, Pair(base, student)))
        yield Planted((TOO_FEW,), _perplexities(world, Pair(base, student), _FEW))
    with tuned(world.recipe, train[:FEW_ROWS], MANY_PASSES, seed) as student:
        mix = to_frame([*train[:FEW_ROWS], *others], TrainingExample)
        yield Planted(("membership_auc",), measure_membership(Pair(base, student), mix, world.recipe.trust, seed))
    with tuned(world.recipe, insert_canaries(train[:FEW_ROWS], often, seed), ONE_PASS, seed) as student:
        yield Planted(("canary_exposure",), _exposure(world, student, often))
    yield Planted(("student_accuracy_gap",), _accuracies(world, _GAP, rng))


@contextmanager
def tuned(recipe: Recipe, rows: Sequence[TrainingExample], num_steps: int, seed: int) -> Iterator[LikelihoodModel]:
    """A student that is tuned on the rows as a run does it, and forgotten afterwards."""
    student, settings = resolve_path(recipe.student.path), shadow_settings(recipe.tuning, num_steps)
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        folder = Path(scratch)
        checkpoint = tuned_student(tune_student(student, rows, settings, seed, folder))
        merged = merge_adapter(student, folder / checkpoint.adapter_path, folder / "merged")
        with open_likelihood_model(recipe.student, merged) as model:
            yield model


def _perplexities(world: TrustWorld, pair: Pair, num_rows: int = 10_000) -> list[Estimate]:
    style, trust = world.recipe.generation.prompts, world.recipe.trust
    return measure_perplexities(pair, world.reference, world.holdout.head(num_rows), style, trust, world.seed)


def _exposure(world: TrustWorld, student: LikelihoodModel, canaries: Sequence[Canary]) -> list[Estimate]:
    return measure_exposure(student, canaries, seed=world.seed, num_candidates=NUM_CANDIDATES)


def _sentences(seed: int) -> list[tuple[str, str]]:
    from synth_assets.quality.privacy.canaries import default_sentences

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
