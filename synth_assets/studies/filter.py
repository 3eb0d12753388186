"""`make study-filter`: does the filter pay? Errors of the kept and the unfiltered set, and students tuned on each.

unfiltered_error, kept_error   share of samples whose instruction or response is wrong by the exact verifiers
kept_share                     share of the samples that the recipe's cut and filters keep
student_exact                  share of the benchmark's taxonomy questions answered exactly right, by arm:
                               base (untuned) | seeds (the five of each leaf) | unfiltered | kept
student_retained               the same on what the base knew before tuning
student_exact_gain             differences of student_exact, paired by seed: kept - ARM

The kept arm takes the recipe's quota of those candidates that the filter keeps (a leaf where the teacher mostly errs has
fewer), the unfiltered arm as many, drawn from all candidates that neither repeat another nor a benchmark question. So the
arms differ by the reward alone. The seeds arm has only its five a leaf. All arms get the same replay buffer and the same
steps. Intervals of tuned arms are over seeds, that of the base over questions. Samples and students: `students`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from random import Random

from synth_assets.evaluation import answer_benchmark, read_benchmark
from synth_assets.inference import open_text_model
from synth_assets.recipe import Recipe, RewardCut, resolve_path
from synth_assets.records import BenchmarkAnswer, KeptSample, TrainingExample
from synth_assets.studies.results import StudyRow, share
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
from synth_assets.studies.world import (
    ScoredGeneration,
    bundled_material,
    generate_and_score,
    is_right,
)
from synth_assets.taxonomy import Material
from synth_assets.tuning import mix_phases

NUM_SEEDS = 5
ARMS = ("seeds", "unfiltered", "kept")
NO_CUT = RewardCut(mode="absolute", value=-1e9)


def run_filter_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
    material = bundled_material(recipe)
    generations = generate_and_score(with_more_candidates(recipe), material, seeds)
    kept_of = {g.seed: keep(recipe, g, questions, recipe.reward.cut) for g in generations}
    yield from _error_rows(generations, kept_of)
    with open_text_model(recipe.student) as base:
        answers = answer_benchmark(base, questions, "base", recipe.evaluation, recipe.generation.prompts)
    yield from accuracy_rows("base", [answers])
    by_arm: dict[str, list[list[BenchmarkAnswer]]] = defaultdict(list)
    for generation in generations:
        clean = keep(recipe, generation, questions, NO_CUT)
        for arm, mix in equal_arms(recipe, material, generation.seed, clean, kept_of[generation.seed]).items():
            by_arm[arm].append(tuned_answers(recipe, mix, generation.seed, questions, "filter"))
            report(f"seed {generation.seed}, {arm}: {len(mix)} rows, student_exact {exact(by_arm[arm][-1]):.3f}")
    for arm in ARMS:
        yield from accuracy_rows(arm, by_arm[arm])
    by_arm["base"] = [answers] * len(generations)
    yield from (gain_row(by_arm, "kept", arm) for arm in ("base", "seeds", "unfiltered"))


def _error_rows(generations: Sequence[ScoredGeneration], kept_of: dict[int, list[KeptSample]]) -> Iterator[StudyRow]:
    samples = [(g.seed, s) for g in generations for s in g.samples]
    kept_ids = {(seed, k.synthetic_sample_id) for seed, kept in kept_of.items() for k in kept}
    for subject in ["all", *sorted({s.leaf_path for _, s in samples})]:
        rows = [(seed, s) for seed, s in samples if subject in ("all", s.leaf_path)]
        kept = [(seed, s) for seed, s in rows if (seed, s.synthetic_sample_id) in kept_ids]
        yield share("unfiltered_error", "unfiltered", subject, sum(not is_right(s) for _, s in rows), len(rows))
        yield share("kept_error", "kept", subject, sum(not is_right(s) for _, s in kept), len(kept))
        yield share("kept_share", "kept", subject, len(kept), len(rows))


def equal_arms(
    recipe: Recipe, material: Material, seed: int, clean: Sequence[KeptSample], kept: Sequence[KeptSample]
) -> dict[str, list[TrainingExample]]:
    """The training mix of each tuned arm: up to the quota of rows a leaf, in `unfiltered` as many as in `kept`."""
    rng = Random(f"arms-{seed}")
    clean_of, kept_of = by_leaf(clean), by_leaf(kept)
    num_rows = {
        path: min(recipe.generation.num_samples_per_leaf, len(kept_of[path]), len(clean_of[path])) for path in kept_of
    }
    chosen, unfiltered = drawn(kept_of, num_rows, rng), drawn(clean_of, num_rows, rng)
    replay = replay_of(recipe)
    five = [seed for seed in material.seed_examples if seed.position < NUM_SEEDS]
    style, settings = recipe.generation.prompts, recipe.tuning
    return {
        "seeds": mix_phases([], replay, settings, seed, style, seeds=five),
        "unfiltered": mix_phases(unfiltered, replay, settings, seed, style),
        "kept": mix_phases(chosen, replay, settings, seed, style),
    }
