"""`make study-phases`: is it worth while to tune in phases? The same rows for as many steps, phased and stacked.

student_exact        share of the benchmark's taxonomy questions answered exactly right, by arm: phased | stacked
student_retained     the same on what the base knew before tuning
student_exact_gain   the difference of student_exact, paired by seed: phased - stacked

Both arms are tuned on the recipe's quota of kept samples, with its phases, steps and shares of replay; a phase ends with
its last step, so that both cost the same. Phased tuning replays rows of earlier phases as well: that belongs to it.
LAB (arXiv 2403.01081) tunes in phases; arXiv 2412.13337 finds no difference. Samples, students and intervals: `students`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from synth_assets.evaluation import read_benchmark
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, KeptSample
from synth_assets.studies.results import StudyRow
from synth_assets.studies.students import (
    accuracy_rows,
    by_leaf,
    drawn,
    exact,
    gain_row,
    keep,
    replay_of,
    tuned_answers,
    with_more_candidates,
)
from synth_assets.studies.world import bundled_material, generate_and_score
from synth_assets.tuning import mix_phases

ARMS = ("phased", "stacked")


def run_phases_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
    generations = generate_and_score(with_more_candidates(recipe), bundled_material(recipe), seeds)
    quota = recipe.generation.num_samples_per_leaf
    rows_of: dict[int, list[KeptSample]] = {}
    for generation in generations:
        kept = by_leaf(keep(recipe, generation, questions, recipe.reward.cut))
        num_rows = {path: min(quota, len(rows)) for path, rows in kept.items()}
        rows_of[generation.seed] = drawn(kept, num_rows, Random(f"phases-{generation.seed}"))
    yield from compare_strategies(recipe, rows_of, questions, report)


def compare_strategies(
    recipe: Recipe, rows_of: Mapping[int, Sequence[KeptSample]], questions: Sequence[BenchmarkQuestion],
    report: Callable[[str], None],
) -> Iterator[StudyRow]:  # fmt: skip
    """`rows_of`: by seed, what both arms are tuned on."""
    by_arm: dict[str, list[list[BenchmarkAnswer]]] = defaultdict(list)
    for seed, rows in rows_of.items():
        for arm in ARMS:
            said = with_strategy(recipe, arm)
            mix = mix_phases(rows, replay_of(said), said.tuning, seed, said.generation.prompts)
            by_arm[arm].append(tuned_answers(said, mix, seed, questions, "phases"))
            report(f"seed {seed}, {arm}: {len(mix)} rows, student_exact {exact(by_arm[arm][-1]):.3f}")
    for arm in ARMS:
        yield from accuracy_rows(arm, by_arm[arm])
    yield gain_row(by_arm, *ARMS)


def with_strategy(recipe: Recipe, strategy: str) -> Recipe:
    return recipe.model_copy(update={"tuning": recipe.tuning.model_copy(update={"strategy": strategy})})
