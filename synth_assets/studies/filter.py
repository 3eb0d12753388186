"""`make study-filter`: does the filter pay? Errors of the kept and the unfiltered set, and students tuned on each.

unfiltered_error, kept_error   share of samples whose instruction or response is wrong by the exact verifiers
kept_share                     share of the samples that the recipe's cut and filters keep
student_exact                  share of the benchmark's taxonomy questions answered exactly right, by arm:
                               base (untuned) | seeds (the five of each leaf) | unfiltered | kept
student_retained               the same on what the base knew before tuning
student_exact_gain             differences of student_exact, paired by seed: kept - ARM

The teacher writes CANDIDATES_PER_ROW candidates for each row that a leaf shall have; the kept arm takes the recipe's quota
of those that the filter keeps (a leaf where the teacher mostly errs has fewer), the unfiltered arm as many, drawn from all
candidates that neither repeat another nor a benchmark question. So the arms differ by the reward alone, and no leaf is
short of rows only because the filter has work there. (With one candidate a row, price_list was left with 33 rows.) The
seeds arm has only its five a leaf. All arms get the same replay buffer and the same steps; one student a seed, and each seed
has samples of its own. Intervals of tuned arms are over seeds, that of the base over questions. Adapters that an
interrupted study has finished are used again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import mean
from tempfile import TemporaryDirectory

from synth_assets.evaluation import answer_benchmark, read_benchmark
from synth_assets.inference import open_text_model
from synth_assets.recipe import Recipe, RewardCut, resolve_path, warehouse_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, KeptSample, TrainingExample
from synth_assets.reward import filter_samples
from synth_assets.studies.results import StudyRow, mean_over_seeds, share
from synth_assets.studies.world import (
    ScoredGeneration,
    bundled_material,
    generate_and_score,
    is_right,
)
from synth_assets.taxonomy import Material
from synth_assets.tuning import merge_adapter, mix_phases, read_replay_buffer, tune_student, tuned_student

NUM_SEEDS = 5
CANDIDATES_PER_ROW = 2.5
ARMS = ("seeds", "unfiltered", "kept")
NO_CUT = RewardCut(mode="absolute", value=-1e9)
METRICS = {"taxonomy": "student_exact", "retained": "student_retained"}


def run_filter_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
    material = bundled_material(recipe)
    generations = generate_and_score(_with_more_candidates(recipe), material, seeds)
    kept_of = {g.seed: _keep(recipe, g, questions, recipe.reward.cut) for g in generations}
    yield from _error_rows(generations, kept_of)
    with open_text_model(recipe.student) as base:
        answers = answer_benchmark(base, questions, "base", recipe.evaluation, recipe.generation.prompts)
    yield from _accuracy_rows("base", [answers])
    by_arm: dict[str, list[list[BenchmarkAnswer]]] = defaultdict(list)
    for generation in generations:
        clean = _keep(recipe, generation, questions, NO_CUT)
        for arm, mix in equal_arms(recipe, material, generation.seed, clean, kept_of[generation.seed]).items():
            by_arm[arm].append(_tuned_answers(recipe, mix, generation.seed, questions))
            right = mean(a.is_right for a in by_arm[arm][-1] if a.suite == "taxonomy")
            report(f"seed {generation.seed}, {arm}: {len(mix)} rows, student_exact {right:.3f}")
    for arm in ARMS:
        yield from _accuracy_rows(arm, by_arm[arm])
    yield from _gain_rows({"base": [answers] * len(generations), **by_arm})


def _with_more_candidates(recipe: Recipe) -> Recipe:
    num_candidates = round(CANDIDATES_PER_ROW * recipe.generation.num_samples_per_leaf)
    generation = recipe.generation.model_copy(update={"num_samples_per_leaf": num_candidates})
    return recipe.model_copy(update={"generation": generation})


def _keep(
    recipe: Recipe, generation: ScoredGeneration, questions: Sequence[BenchmarkQuestion], cut: RewardCut
) -> list[KeptSample]:
    outcome = filter_samples(generation.samples, generation.scored, cut, recipe.filter, questions)
    return list(outcome.kept)


def _error_rows(generations: Sequence[ScoredGeneration], kept_of: dict[int, list[KeptSample]]) -> Iterator[StudyRow]:
    samples = [(g.seed, s) for g in generations for s in g.samples]
    kept_ids = {(seed, k.synthetic_sample_id) for seed, kept in kept_of.items() for k in kept}
    for subject in ["all", *sorted({s.leaf_path for _, s in samples})]:
        rows = [(seed, s) for seed, s in samples if subject in ("all", s.leaf_path)]
        kept = [(seed, s) for seed, s in rows if (seed, s.synthetic_sample_id) in kept_ids]
        yield share("unfiltered_error", "unfiltered", subject, sum(not is_right(s) for _, s in rows), len(rows))
        yield share("kept_error", "kept", subject, sum(not is_right(s) for _, s in kept), len(kept))
        yield share("kept_share", "kept", subject, len(kept), len(rows))


def _accuracy_rows(arm: str, runs: Sequence[Sequence[BenchmarkAnswer]]) -> Iterator[StudyRow]:
    for suite, metric in METRICS.items():
        of_suite = [[a for a in run if a.suite == suite] for run in runs]
        for leaf_path in sorted({a.leaf_path for run in of_suite for a in run}):
            yield _over_runs(metric, arm, leaf_path, [[a for a in run if a.leaf_path == leaf_path] for run in of_suite])
        yield _over_runs(metric, arm, "all", of_suite)


def _over_runs(metric: str, arm: str, subject: str, runs: Sequence[Sequence[BenchmarkAnswer]]) -> StudyRow:
    if len(runs) == 1:
        return share(metric, arm, subject, sum(a.is_right for a in runs[0]), len(runs[0]))
    return mean_over_seeds(metric, arm, subject, [mean(a.is_right for a in run) for run in runs])


def _gain_rows(by_arm: Mapping[str, Sequence[Sequence[BenchmarkAnswer]]]) -> Iterator[StudyRow]:
    exact = {arm: [mean(a.is_right for a in run if a.suite == "taxonomy") for run in runs] for arm, runs in by_arm.items()}
    for arm in ("base", "seeds", "unfiltered"):
        gains = [kept - other for kept, other in zip(exact["kept"], exact[arm], strict=True)]
        yield mean_over_seeds("student_exact_gain", f"kept - {arm}", "all", gains, bounds=(-1.0, 1.0))


def equal_arms(
    recipe: Recipe, material: Material, seed: int, clean: Sequence[KeptSample], kept: Sequence[KeptSample]
) -> dict[str, list[TrainingExample]]:
    """The training mix of each tuned arm: up to the quota of rows a leaf, in `unfiltered` as many as in `kept`."""
    rng = Random(f"arms-{seed}")
    clean_of, kept_of = _by_leaf(clean), _by_leaf(kept)
    num_rows = {
        path: min(recipe.generation.num_samples_per_leaf, len(kept_of[path]), len(clean_of[path])) for path in kept_of
    }
    chosen = [row for path, num in num_rows.items() for row in rng.sample(kept_of[path], num)]
    unfiltered = [row for path, num in num_rows.items() for row in rng.sample(clean_of[path], num)]
    replay = read_replay_buffer(resolve_path(recipe.tuning.replay_buffer)) if recipe.tuning.replay_buffer else []
    five = [seed for seed in material.seed_examples if seed.position < NUM_SEEDS]
    style, settings = recipe.generation.prompts, recipe.tuning
    return {
        "seeds": mix_phases([], replay, settings, seed, style, seeds=five),
        "unfiltered": mix_phases(unfiltered, replay, settings, seed, style),
        "kept": mix_phases(chosen, replay, settings, seed, style),
    }


def _by_leaf(samples: Sequence[KeptSample]) -> dict[str, list[KeptSample]]:
    rows: dict[str, list[KeptSample]] = defaultdict(list)
    for sample in samples:
        rows[sample.leaf_path].append(sample)
    return rows


def _tuned_answers(
    recipe: Recipe, mix: Sequence[TrainingExample], seed: int, questions: Sequence[BenchmarkQuestion]
) -> list[BenchmarkAnswer]:
    folder, student = warehouse_path() / "studies" / "filter", resolve_path(recipe.student.path)
    checkpoint = tuned_student(tune_student(student, mix, recipe.tuning, seed, folder))
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        merged = merge_adapter(student, folder / checkpoint.adapter_path, Path(scratch) / "merged")
        with open_text_model(recipe.student, merged) as model:
            return answer_benchmark(model, questions, "tuned", recipe.evaluation, recipe.generation.prompts)
