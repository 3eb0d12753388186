"""What studies of students share: rows to tune them on, the tuning, the examination, and the figures of several arms.

The teacher writes CANDIDATES_PER_ROW candidates for each row that a leaf shall have, so that no leaf is short of rows only
because the filter has work there. (With one candidate a row, price_list was left with 33 rows.) One student a seed and arm,
and each seed has samples of its own. Adapters that an interrupted study has finished are used again.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from statistics import mean
from tempfile import TemporaryDirectory

from synth_assets.evaluation import answer_benchmark
from synth_assets.inference import open_text_model
from synth_assets.recipe import CheckpointChoice, Recipe, RewardCut, resolve_path, warehouse_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, KeptSample, TrainingExample
from synth_assets.reward import filter_samples
from synth_assets.roles import TextModel
from synth_assets.studies.results import StudyRow, mean_over_seeds, share
from synth_assets.studies.world import ScoredGeneration
from synth_assets.tuning import ReplayExample, merge_adapter, read_replay_buffer, tune_student, tuned_student

CANDIDATES_PER_ROW = 2.5
METRICS = {"taxonomy": "student_exact", "retained": "student_retained"}
#: By arm: the answers of the student of each seed.
Runs = Mapping[str, Sequence[Sequence[BenchmarkAnswer]]]


def with_more_candidates(recipe: Recipe) -> Recipe:
    num_candidates = round(CANDIDATES_PER_ROW * recipe.generation.num_samples_per_leaf)
    generation = recipe.generation.model_copy(update={"num_samples_per_leaf": num_candidates})
    return recipe.model_copy(update={"generation": generation})


def keep(
    recipe: Recipe, generation: ScoredGeneration, questions: Sequence[BenchmarkQuestion], cut: RewardCut
) -> list[KeptSample]:
    outcome = filter_samples(generation.samples, generation.scored, cut, recipe.filter, questions)
    return list(outcome.kept)


def by_leaf(samples: Sequence[KeptSample]) -> dict[str, list[KeptSample]]:
    rows: dict[str, list[KeptSample]] = defaultdict(list)
    for sample in samples:
        rows[sample.leaf_path].append(sample)
    return rows


def drawn(rows_of: Mapping[str, list[KeptSample]], num_rows: Mapping[str, int], rng: Random) -> list[KeptSample]:
    """So many rows of each leaf, without replacement."""
    return [row for path, num in num_rows.items() for row in rng.sample(rows_of[path], num)]


def replay_of(recipe: Recipe) -> list[ReplayExample]:
    return read_replay_buffer(resolve_path(recipe.tuning.replay_buffer)) if recipe.tuning.replay_buffer else []


def tuned_answers(
    recipe: Recipe, mix: Sequence[TrainingExample], seed: int, questions: Sequence[BenchmarkQuestion], study: str
) -> list[BenchmarkAnswer]:
    """Of a student that is tuned on the mix as the recipe says, but that phases end with their last step."""
    folder, student = warehouse_path() / "studies" / study, resolve_path(recipe.student.path)
    settings = recipe.tuning.model_copy(update={"checkpoint_choice": CheckpointChoice()})
    checkpoint = tuned_student(tune_student(student, mix, settings, seed, folder))
    with open_tuned(recipe, folder / checkpoint.adapter_path) as model:
        return answer_benchmark(model, questions, "tuned", recipe.evaluation, recipe.generation.prompts)


@contextmanager
def open_tuned(recipe: Recipe, adapter: Path) -> Iterator[TextModel]:
    """The recipe's student with this adapter merged in."""
    with TemporaryDirectory(prefix="synth-assets-") as scratch:
        merged = merge_adapter(resolve_path(recipe.student.path), adapter, Path(scratch) / "merged")
        with open_text_model(recipe.student, merged) as model:
            yield model


def exact(answers: Sequence[BenchmarkAnswer]) -> float:
    """Share of right answers to what was taught."""
    return mean(answer.is_right for answer in answers if answer.suite == "taxonomy")


def accuracy_rows(arm: str, runs: Sequence[Sequence[BenchmarkAnswer]]) -> Iterator[StudyRow]:
    """METRICS of one arm, by leaf and over all; intervals over seeds, of a single run over questions."""
    for suite, metric in METRICS.items():
        of_suite = [[answer for answer in run if answer.suite == suite] for run in runs]
        for leaf_path in sorted({answer.leaf_path for run in of_suite for answer in run}):
            of_leaf = [[answer for answer in run if answer.leaf_path == leaf_path] for run in of_suite]
            yield _over_runs(metric, arm, leaf_path, of_leaf)
        yield _over_runs(metric, arm, "all", of_suite)


def _over_runs(metric: str, arm: str, subject: str, runs: Sequence[Sequence[BenchmarkAnswer]]) -> StudyRow:
    if len(runs) == 1:
        return share(metric, arm, subject, sum(answer.is_right for answer in runs[0]), len(runs[0]))
    return mean_over_seeds(metric, arm, subject, [mean(answer.is_right for answer in run) for run in runs])


def gain_row(by_arm: Runs, arm: str, other: str) -> StudyRow:
    """student_exact of one arm less that of another, paired by seed."""
    gains = [exact(run) - exact(of_other) for run, of_other in zip(by_arm[arm], by_arm[other], strict=True)]
    return mean_over_seeds("student_exact_gain", f"{arm} - {other}", "all", gains, bounds=(-1.0, 1.0))
