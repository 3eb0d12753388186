"""`make study-weak-to-strong`: do students that teach the next ones get better, and is a worse one refused?

student_exact        share of the benchmark's taxonomy questions answered exactly right, by arm:
                     generation_0 | generation_1 | generation_2 | shuffled
student_retained     the same on what the base knew before tuning
teacher_exact        student_exact of whoever answered for the arm: the present teacher
student_exact_gain   differences of student_exact, paired by seed: generation_1 - generation_0, generation_2 - generation_1
promoted_share       share of the seeds in which the arm's student was promoted (shuffled: planted, to be refused)
answered_share       share of the instructions to which the present teacher gave a response that the reward model let pass
answered_right       share of those responses that are right, by the closed world's verifiers

Iterative weak-to-strong alignment (Nemotron-4 340B, arXiv 2406.11704). The embedded student cannot follow the prompts by
which instructions are written, so the embedded teacher writes them throughout. The teacher of generation 0 is a weak
student, tuned on the seeds of people and on WEAK_ROWS kept samples a leaf; all other responses of the embedded teacher are
thrown away. Generation 0 answers each instruction NUM_SAMPLES times, the reward model chooses the best response and lets it
pass at the recipe's cut, and the next student is tuned from the base on what passes and on the seeds. It is the next teacher
only if it beats the present one by `evaluation.promotion`, the rule of `synth-assets promote`, on the questions of
data/selection; data/benchmark chooses nothing and is reported. If it does not, the present one teaches generation 2 as well.

The arm `shuffled` is the planted worse one: tuned on the rows of generation 1 with their responses shuffled, seeds included,
and held against the same teacher.

What makes the weak stronger here is the reward model, which knows right from wrong far better than the student does: where
it does not, this would not help. All students have the same steps, a fifth of the demo's, so that a later one is not better
for more training; its rows are more and others, which is the point. Three students and 136 questions show large gains only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from synth_assets.embedded.leaves import BY_PATH
from synth_assets.evaluation import (
    against_teacher,
    answer_benchmark,
    is_better,
    questions_that_decide,
    read_benchmark,
)
from synth_assets.inference import open_reward_model
from synth_assets.recipe import Recipe, RewardCut, resolve_path, warehouse_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, KeptSample, SeedExample, content_id
from synth_assets.reward import rewards_of_texts, sample_responses
from synth_assets.studies.preferences import at_small_scale, prompt_of
from synth_assets.studies.results import StudyRow, mean_over_seeds, share
from synth_assets.studies.students import accuracy_rows, by_leaf, exact, gain_row, keep, open_tuned, replay_of
from synth_assets.studies.world import ScoredGeneration, bundled_material, generate_and_score, instance_of
from synth_assets.tuning import mix_phases, tune_student, tuned_student

SELECTION = "data/selection"
PART_OF_SAMPLES, PART_OF_STEPS, WEAK_ROWS = 0.5, 0.2, 10
NUM_SEEDS, NUM_GENERATIONS, NUM_SAMPLES, TEMPERATURE = 5, 2, 4, 0.8
SHUFFLED = "shuffled"
NO_CUT = RewardCut(mode="absolute", value=-1e9)


@dataclass(frozen=True)
class Exams:
    """What decides over the next teacher, and what is reported."""

    deciding: Sequence[BenchmarkQuestion]
    reported: Sequence[BenchmarkQuestion]


@dataclass(frozen=True)
class Given:
    """What a seed begins with: the rows of generation 0, and what the others are asked, whatever was responded to it."""

    weak: Sequence[KeptSample]
    instructions: Sequence[KeptSample]


@dataclass(frozen=True)
class Taught:
    """A tuned student, and its answers to both exams."""

    adapter: Path
    deciding: list[BenchmarkAnswer]
    reported: list[BenchmarkAnswer]

    @property
    def as_student(self) -> list[BenchmarkAnswer]:
        """What it answered to the questions that decide, in the other role."""
        return [replace(answer, model="tuned") for answer in self.deciding]


@dataclass
class Found:
    """What the seeds have shown, by arm."""

    answers: dict[str, list[list[BenchmarkAnswer]]] = field(default_factory=lambda: defaultdict(list))
    teachers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    promoted: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    answered: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    """Instructions, those with a response that passed, and those of them whose response is right."""

    def count(self, arm: str, instructions: Sequence[KeptSample], rows: Sequence[KeptSample]) -> None:
        for number, num in enumerate((len(instructions), len(rows), sum(map(_is_right, rows)))):
            self.answered[arm][number] += num

    def judge(self, arm: str, teacher: Taught, student: Taught, is_promoted: bool) -> None:
        self.answers[arm].append(student.reported)
        self.teachers[arm].append(exact(teacher.reported))
        self.promoted[arm].append(is_promoted)


def _is_right(row: KeptSample) -> bool:
    instance = instance_of(row)
    return instance is not None and BY_PATH[row.leaf_path].is_right(instance, row.response)


def run_weak_to_strong_study(
    recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print
) -> Iterator[StudyRow]:  # fmt: skip
    recipe = at_small_scale(recipe, num_samples=PART_OF_SAMPLES, num_steps=PART_OF_STEPS)
    exams = Exams(_questions(SELECTION), read_benchmark(resolve_path(recipe.evaluation.benchmark)))
    material = bundled_material(recipe)
    generations = generate_and_score(recipe, material, seeds)
    asked = [*exams.deciding, *exams.reported]
    given = {each.seed: given_of(recipe, each, asked) for each in generations}
    people = [example for example in material.seed_examples if example.position < NUM_SEEDS]
    yield from iterate(recipe, given, people, exams, report)


def given_of(recipe: Recipe, generation: ScoredGeneration, asked: Sequence[BenchmarkQuestion]) -> Given:
    """Of a seed's samples; what generation 0 is tuned on is not asked of it again."""
    kept = by_leaf(keep(recipe, generation, asked, recipe.reward.cut))
    weak = [row for rows in kept.values() for row in rows[:WEAK_ROWS]]
    known = {row.synthetic_sample_id for row in weak}
    rows = keep(recipe, generation, asked, NO_CUT)
    return Given(weak, [row for row in rows if row.synthetic_sample_id not in known])


def iterate(
    recipe: Recipe, given_of_seed: Mapping[int, Given], people: Sequence[SeedExample], exams: Exams,
    report: Callable[[str], None],
) -> Iterator[StudyRow]:  # fmt: skip
    """`people`: the seed examples, which every student is shown."""
    found = Found()
    for seed, given in given_of_seed.items():
        _iterate_seed(recipe, given, people, exams, seed, found, report)
    yield from _rows(found)


def _iterate_seed(
    recipe: Recipe, given: Given, people: Sequence[SeedExample], exams: Exams, seed: int, found: Found,
    report: Callable[[str], None],
) -> None:  # fmt: skip
    teacher = _teach(recipe, given.weak, people, exams, seed)
    found.answers[arm_of(0)].append(teacher.reported)
    report(f"seed {seed}, {arm_of(0)}: {len(given.weak)} rows, student_exact {exact(teacher.reported):.3f}")
    for number in range(1, NUM_GENERATIONS + 1):
        rows = respond(recipe, given.instructions, teacher.adapter, content_id("responses", seed, number))
        found.count(arm_of(number), given.instructions, rows)
        students = {arm_of(number): (rows, people)} | ({SHUFFLED: shuffled(rows, people, seed)} if number == 1 else {})
        present = teacher
        for arm, (taught, shown) in students.items():
            student = _teach(recipe, taught, shown, exams, seed)
            is_next = is_better(against_teacher(present.deciding, student.as_student, recipe.evaluation.confidence))
            found.judge(arm, present, student, is_next)
            said = f"{exact(student.reported):.3f} after {exact(present.reported):.3f}"
            report(f"seed {seed}, {arm}: {len(taught)} rows, student_exact {said}, {'promoted' if is_next else 'refused'}")
            teacher = student if is_next and arm != SHUFFLED else teacher


def arm_of(generation: int) -> str:
    return f"generation_{generation}"


def respond(
    recipe: Recipe, instructions: Sequence[KeptSample], adapter: Path, seed: str
) -> list[KeptSample]:  # fmt: skip
    """The instructions to which the student with this adapter has a response at the recipe's cut, with the best of them."""
    cut = recipe.reward.cut.value
    assert recipe.reward_model is not None and cut is not None, "the embedded recipe has both"
    asked = {row.synthetic_sample_id: row for row in instructions}
    style, budget = recipe.generation.prompts, recipe.generation.max_new_tokens.response
    with open_tuned(recipe, adapter) as model:
        prompts = [prompt_of(row, style) for row in instructions]
        said = sample_responses(prompts, {"teacher": model}, NUM_SAMPLES, TEMPERATURE, budget, int(seed, 16))
    whole = dict.fromkeys((each.prompt_id, each.text) for each in said if each.is_whole and each.text)
    texts = [(asked[name].context, asked[name].instruction, text) for name, text in whole]
    with open_reward_model(recipe.reward_model) as reward_model:
        rewards = rewards_of_texts(texts, reward_model, recipe.reward.weights, style)
    best: dict[str, KeptSample] = {}
    for (name, text), reward in zip(whole, rewards, strict=True):
        if reward is not None and reward >= cut and (name not in best or reward > best[name].reward):
            best[name] = replace(asked[name], response=text, reward=reward)
    return [best[name] for name in asked if name in best]


def shuffled(
    rows: Sequence[KeptSample], people: Sequence[SeedExample], seed: int
) -> tuple[list[KeptSample], list[SeedExample]]:  # fmt: skip
    """The same rows and seeds with each other's responses and answers."""
    rng = Random(f"shuffled-{seed}")
    responses = rng.sample([row.response for row in rows], len(rows))
    answers = rng.sample([example.answer for example in people], len(people))
    return (
        [replace(row, response=text) for row, text in zip(rows, responses, strict=True)],
        [replace(example, answer=text) for example, text in zip(people, answers, strict=True)],
    )


def _teach(
    recipe: Recipe, rows: Sequence[KeptSample], people: Sequence[SeedExample], exams: Exams, seed: int
) -> Taught:  # fmt: skip
    """A student that is tuned from the base on these rows and seeds."""
    folder = warehouse_path() / "studies" / "weak_to_strong"
    style = recipe.generation.prompts
    mix = mix_phases(rows, replay_of(recipe), recipe.tuning, seed, style, seeds=people)
    checkpoint = tuned_student(tune_student(resolve_path(recipe.student.path), mix, recipe.tuning, seed, folder))
    adapter = folder / checkpoint.adapter_path
    with open_tuned(recipe, adapter) as model:
        deciding = answer_benchmark(model, exams.deciding, "teacher", recipe.evaluation, style)
        reported = answer_benchmark(model, exams.reported, "tuned", recipe.evaluation, style)
    return Taught(adapter, deciding, reported)


def _questions(folder: str) -> list[BenchmarkQuestion]:
    return questions_that_decide(read_benchmark(resolve_path(folder)), folder)


def _rows(found: Found) -> Iterator[StudyRow]:
    for arm, runs in found.answers.items():
        yield from accuracy_rows(arm, runs)
    for arm, values in found.teachers.items():
        yield mean_over_seeds("teacher_exact", arm, "all", values)
    for number in range(1, NUM_GENERATIONS + 1):
        yield gain_row(found.answers, arm_of(number), arm_of(number - 1))
    for arm, verdicts in found.promoted.items():
        yield share("promoted_share", arm, "all", sum(verdicts), len(verdicts))
    for arm, (num_asked, num_answered, num_right) in found.answered.items():
        yield share("answered_share", arm, "all", num_answered, num_asked)
        if num_answered:
            yield share("answered_right", arm, "all", num_right, num_answered)
