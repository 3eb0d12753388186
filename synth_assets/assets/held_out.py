"""What nothing may be trained on: questions that are asked of a student, to report, choose or compare; the real holdout."""

from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.assets.recipe_parts import benchmarks
from synth_assets.evaluation import read_benchmark, read_open_questions
from synth_assets.prompts import render_prompt
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import BenchmarkQuestion, RealExample, SeedExample
from synth_assets.reward import BenchmarkIndex
from synth_assets.sketches import plain
from synth_assets.taxonomy import read_real_examples
from synth_assets.tuning import ReplayExample


@dataclass(frozen=True)
class Trainable:
    """Rows beside the samples that may be trained on. `left_out`: others by id or number in the buffer, and why."""

    seeds: list[SeedExample]
    replay: list[ReplayExample]
    left_out: dict[str, str]


def held_out_questions(recipe: Recipe) -> list[BenchmarkQuestion]:
    """All of them; those without a right answer have an empty one. Raises BenchmarkError."""
    questions = [question for folder in benchmarks(recipe) for question in read_benchmark(resolve_path(folder))]
    if recipe.evaluation.open_questions:
        questions += [
            BenchmarkQuestion(each.open_question_id, each.leaf_path, "taxonomy", each.context, each.question, "")
            for each in read_open_questions(resolve_path(recipe.evaluation.open_questions))
        ]
    return questions


def held_out_rows(recipe: Recipe) -> list[RealExample]:
    """The real holdout, as its file holds it; none without real data. Raises RealDataError."""
    if recipe.trust.real is None:
        return []
    real = read_real_examples(resolve_path(recipe.trust.real.reference), resolve_path(recipe.trust.real.holdout))
    return [row for row in real if row.split == "holdout"]


def without_held_out(seeds: Sequence[SeedExample], replay: Sequence[ReplayExample], recipe: Recipe) -> Trainable:
    """Seed examples without what a held-out question or row shares with them; replayed rows without the holdout's.

    A replayed prompt may be a whole user turn, so it is compared with the holdout's as the student would be shown them.
    Raises BenchmarkError, RealDataError.
    """
    if not seeds and not replay:
        return Trainable([], [], {})
    holdout, left_out = held_out_rows(recipe), dict[str, str]()
    if seeds:
        index = BenchmarkIndex(held_out_questions(recipe), recipe.filter.overlap_ngram, holdout)
        found = {seed.seed_example_id: index.overlap(seed.context, seed.question, seed.answer) for seed in seeds}
        left_out |= {seed_id: what for seed_id, what in found.items() if what}
    style, known = recipe.generation.prompts, dict[tuple[str, str], str]()
    for row in holdout:
        shown = render_prompt(style, "question", context=row.context, instruction=row.question)
        prompts = (shown,) if row.context else (shown, row.question)
        known |= {(plain(prompt), plain(row.answer)): row.real_example_id for prompt in prompts}
    kept = []
    for number, each in enumerate(replay, 1):
        if real_id := known.get((plain(each.prompt), plain(each.response))):
            left_out[f"row {number} of the replay buffer"] = f"is row {real_id} of the real holdout"
        else:
            kept.append(each)
    return Trainable([seed for seed in seeds if seed.seed_example_id not in left_out], kept, left_out)
