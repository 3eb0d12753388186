"""Questions that nothing may be trained on: those that are reported, choose a checkpoint, or have answers compared."""

from collections.abc import Iterable

from synth_assets.assets.ingredients import benchmarks
from synth_assets.evaluation import read_benchmark, read_open_questions
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import BenchmarkQuestion, SeedExample
from synth_assets.reward import BenchmarkIndex


def held_out_questions(recipe: Recipe) -> list[BenchmarkQuestion]:
    """All of them; those without a right answer have an empty one. Raises BenchmarkError."""
    questions = [question for folder in benchmarks(recipe) for question in read_benchmark(resolve_path(folder))]
    if recipe.evaluation.open_questions:
        questions += [
            BenchmarkQuestion(each.open_question_id, each.leaf_path, "taxonomy", each.context, each.question, "")
            for each in read_open_questions(resolve_path(recipe.evaluation.open_questions))
        ]
    return questions


def overlapping(seeds: Iterable[SeedExample], recipe: Recipe) -> dict[str, str]:
    """Seed example id -> what it shares with a held-out question, of those that share something."""
    index = BenchmarkIndex(held_out_questions(recipe), recipe.filter.overlap_ngram)
    found = {seed.seed_example_id: index.overlap(seed.context, seed.question, seed.answer) for seed in seeds}
    return {seed_id: what for seed_id, what in found.items() if what}
