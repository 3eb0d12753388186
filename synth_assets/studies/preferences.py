"""`make study-preferences`: does alignment on preference pairs make a tuned student better, and does RPO differ from DPO?

student_exact        share of the benchmark's taxonomy questions answered exactly right, by arm: sft | dpo | rpo
student_retained     the same on what the base knew before tuning
mean_reward          mean reward of the answers to the benchmark's taxonomy questions, by the recipe's reward model
student_exact_gain   differences of student_exact, paired by seed: dpo - sft, rpo - sft, rpo - dpo
pairs_by_truth       share of the pairs that ground truth decided, the rest being the reward model's
reward_agreement     of those that ground truth decided, the share on which the reward model agrees

Each seed has samples of its own. One half of each leaf's is what a student is tuned on, as far as the filter keeps them (arm
sft). Of the other half only the instructions are used: the student answers those of skills NUM_SAMPLES times at a
temperature; the closed world's verifiers say which responses are right, and where they tell none apart the reward model
decides. Arms dpo and rpo go on from the student's adapter, on the same pairs, for as many steps and with the same rate. RPO
leaves out pairs on which the reward model contradicts the truth.

Settings were chosen on another seed. What was tried there: prompts that the student had been tuned on (it knew most by
heart, one in four had a pair, and neither arm gained anything); four responses at a temperature of 0.8 (one prompt in four
has a pair, and gains are smaller); rates of 1e-3, at which DPO unlearned more than it taught.

Small, to fit one core: half of the demo's samples and steps. So the student is not done learning, and part of what
alignment gains might be had from more tuning: the arms are compared at their own cost, not at the same.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from synth_assets.embedded.leaves import BY_PATH
from synth_assets.evaluation import answer_benchmark, read_benchmark
from synth_assets.inference import open_reward_model
from synth_assets.prompts import render_prompt
from synth_assets.recipe import (
    AlignmentSection,
    AlignmentStage,
    CheckpointChoice,
    PreferencesSection,
    Recipe,
    RewardCut,
    resolve_path,
    warehouse_path,
)
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, Checkpoint, KeptSample, PreferencePair
from synth_assets.reward import PreferenceOutcome, PreferencePrompt, Verify, decide_pairs, rewards_of_texts, sample_responses
from synth_assets.roles import Message
from synth_assets.studies.results import StudyRow, mean_over_seeds, share
from synth_assets.studies.students import accuracy_rows, by_leaf, exact, gain_row, keep, open_tuned, replay_of
from synth_assets.studies.world import ScoredGeneration, bundled_material, generate_and_score, instance_of
from synth_assets.tuning import align_student, mix_phases, tune_student, tuned_student

ARMS = ("sft", "dpo", "rpo")
PART = 0.5  # of the recipe's samples, which are tuned on, and of its steps
SAMPLED = PreferencesSection(num_samples=8, temperature=1.2, max_new_tokens=64, margin=0.5, max_pairs=2)
NUM_STEPS, RATE, BETA, SFT_WEIGHT = 120, 2e-4, 0.3, 1.0
STAGES = {
    "dpo": AlignmentStage(name="dpo", loss="dpo", beta=BETA, sft_weight=SFT_WEIGHT, learning_rate=RATE, max_steps=NUM_STEPS),
    "rpo": AlignmentStage(
        name="rpo", loss="rpo", beta=BETA, eta=1.0, sft_weight=SFT_WEIGHT, learning_rate=RATE, max_steps=NUM_STEPS
    ),
}  # fmt: skip
Answers = dict[str, list[list[BenchmarkAnswer]]]


class Halves(NamedTuple):
    """A seed's samples: what its student is tuned on, and those whose instructions it answers for pairs."""

    tuned_on: list[KeptSample]
    asked: list[KeptSample]


def run_preferences_study(recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print) -> Iterator[StudyRow]:
    recipe = at_small_scale(recipe, num_samples=1.0)  # half of them are tuned on
    questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
    generations = generate_and_score(recipe, bundled_material(recipe), seeds)
    rows_of = {each.seed: halves_of(recipe, each, questions) for each in generations}
    yield from compare_alignments(recipe, rows_of, questions, report)


def at_small_scale(recipe: Recipe, num_samples: float, num_steps: float = PART) -> Recipe:
    """These parts of the samples of each leaf and of the steps of each phase; a phase ends with its last step."""
    samples = round(num_samples * recipe.generation.num_samples_per_leaf)
    phases = tuple(
        phase.model_copy(update={"max_steps": max(1, round(num_steps * (phase.max_steps or 1)))})
        for phase in recipe.tuning.phases
    )
    tuning = {"phases": phases, "checkpoint_choice": CheckpointChoice()}
    return recipe.model_copy(
        update={
            "generation": recipe.generation.model_copy(update={"num_samples_per_leaf": samples}),
            "tuning": recipe.tuning.model_copy(update=tuning),
        }
    )


def halves_of(recipe: Recipe, generation: ScoredGeneration, questions: Sequence[BenchmarkQuestion]) -> Halves:
    """Alternately in each leaf, duplicates and what is in the benchmark left out; of the second half no reward is asked."""
    kept = {row.synthetic_sample_id for row in keep(recipe, generation, questions, recipe.reward.cut)}
    everything = by_leaf(keep(recipe, generation, questions, RewardCut(mode="none")))
    num = round(1 / PART)
    tuned_on = [row for rows in everything.values() for row in rows[::num] if row.synthetic_sample_id in kept]
    asked = [row for rows in everything.values() for at, row in enumerate(rows) if at % num and row.branch != "knowledge"]
    return Halves(tuned_on, asked)


def compare_alignments(
    recipe: Recipe, rows_of: Mapping[int, Halves], questions: Sequence[BenchmarkQuestion],
    report: Callable[[str], None], stages: Mapping[str, AlignmentStage] = STAGES,
) -> Iterator[StudyRow]:  # fmt: skip
    """`rows_of`: by seed."""
    by_arm: Answers = defaultdict(list)
    pairs: list[PreferencePair] = []
    folder = warehouse_path() / "studies" / "preferences"
    for seed, rows in rows_of.items():
        mix = mix_phases(rows.tuned_on, replay_of(recipe), recipe.tuning, seed, recipe.generation.prompts)
        student = tuned_student(tune_student(resolve_path(recipe.student.path), mix, recipe.tuning, seed, folder))
        outcome = pairs_of(recipe, rows.asked, folder / student.adapter_path, seed)
        report(f"seed {seed}: {outcome.counts.num_kept} of {outcome.counts.num_in} prompts have a pair")
        pairs += outcome.pairs
        for arm in ARMS:
            adapter = student if arm == "sft" else _aligned(recipe, student, outcome, stages[arm], seed, folder)
            with open_tuned(recipe, folder / adapter.adapter_path) as model:
                answers = answer_benchmark(model, questions, "tuned", recipe.evaluation, recipe.generation.prompts)
            by_arm[arm].append(answers)
            report(f"seed {seed}, {arm}: student_exact {exact(answers):.3f}")
    for arm in ARMS:
        yield from accuracy_rows(arm, by_arm[arm])
    yield from _reward_rows(recipe, by_arm, questions)
    for arm, other in (("dpo", "sft"), ("rpo", "sft"), ("rpo", "dpo")):
        yield gain_row(by_arm, arm, other)
    yield from _pair_rows(pairs)


def pairs_of(recipe: Recipe, asked: Sequence[KeptSample], adapter: Path, seed: int) -> PreferenceOutcome:
    """Of the student with this adapter, on these samples' instructions."""
    assert recipe.reward_model is not None
    prompts = [prompt_of(row, recipe.generation.prompts) for row in asked]
    with open_tuned(recipe, adapter) as model:
        said = sample_responses(
            prompts, {"student": model}, SAMPLED.num_samples, SAMPLED.temperature, SAMPLED.max_new_tokens, seed
        )
    verify = _verifier({row.synthetic_sample_id: row for row in asked})
    with open_reward_model(recipe.reward_model) as reward_model:
        return decide_pairs(prompts, said, SAMPLED, verify=verify, reward_model=reward_model, weights=recipe.reward.weights)


def prompt_of(row: KeptSample, style: str) -> PreferencePrompt:
    question = render_prompt(style, "question", context=row.context, instruction=row.instruction)
    turns = (Message("user", question),)
    assert row.generation_depth is not None, "the bundled taxonomy says who wrote its rows"
    return PreferencePrompt(row.synthetic_sample_id, row.leaf_path, turns, row.generation_depth, row.synthetic_ancestry)


def _verifier(asked: Mapping[str, KeptSample]) -> Verify:
    """None for an instruction that is no valid member of its leaf: it has no right answer."""

    def verify(prompt: PreferencePrompt, response: str) -> bool | None:
        instance = instance_of(asked[prompt.prompt_id])
        return None if instance is None else BY_PATH[prompt.leaf_path].is_right(instance, response)

    return verify


def _aligned(
    recipe: Recipe, student: Checkpoint, outcome: PreferenceOutcome, stage: AlignmentStage, seed: int, folder: Path
) -> Checkpoint:
    place, section = resolve_path(recipe.student.path), AlignmentSection(stages=(stage,))
    return tuned_student(align_student(place, student, outcome.pairs, section, recipe.tuning, seed, folder))


def _reward_rows(recipe: Recipe, by_arm: Answers, questions: Sequence[BenchmarkQuestion]) -> Iterator[StudyRow]:
    assert recipe.reward_model is not None
    known = {question.benchmark_question_id: question for question in questions}
    with open_reward_model(recipe.reward_model) as reward_model:
        for arm in ARMS:
            means = []
            for run in by_arm[arm]:
                asked = [(known[each.benchmark_question_id], each.answer) for each in run if each.suite == "taxonomy"]
                texts = [(question.context, question.question, answer) for question, answer in asked]
                rewards = rewards_of_texts(texts, reward_model, recipe.reward.weights, recipe.generation.prompts)
                means.append(mean(reward for reward in rewards if reward is not None))
            yield mean_over_seeds("mean_reward", arm, "all", means, bounds=(-inf, inf))


def _pair_rows(pairs: Sequence[PreferencePair]) -> Iterator[StudyRow]:
    by_truth = [pair for pair in pairs if pair.decided_by == "ground_truth"]
    yield share("pairs_by_truth", "pairs", "all", len(by_truth), len(pairs))
    if by_truth:
        yield share("reward_agreement", "pairs", "all", sum("reward" in pair.agreement for pair in by_truth), len(by_truth))
