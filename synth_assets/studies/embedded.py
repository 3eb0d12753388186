"""`make study-embedded`: what the embedded teacher and reward model reach on seeds and documents never trained on.

teacher_instruction_valid      share of all generated instructions that are valid members of their leaf
teacher_instruction_new        share of the valid ones that occur nowhere in the teacher's training data
teacher_answer_right           share of right answers among the accepted samples with a valid instruction
teacher_unseen_leaf_valid      teacher_instruction_valid on kinds of leaf that were kept out of training
teacher_unseen_leaf_right      teacher_answer_right there
reward_auc_within_leaf         AUC of right against wrong answers by reward; `all`: mean over leaves with >= 5 of each
logprob_auc_within_leaf        the same by the teacher's own mean log-probability of its answer
reward_auc_gain                the difference of the two

Shares of `all` are means over leaves. AUC intervals: percentile bootstrap (2,000 draws) over the right and the wrong answers
of each leaf, both measures on the same draws; their `n` is the number of wrong answers, the scarce side.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import mean

import numpy as np

from synth_assets.embedded.leaves import BY_PATH, UNSEEN
from synth_assets.embedded.training_record import trained_instructions
from synth_assets.recipe import Recipe
from synth_assets.records import RejectedSample, SyntheticSample
from synth_assets.studies.results import Floats, StudyRow, mean_share, roc_auc, share
from synth_assets.studies.world import (
    ScoredGeneration,
    bundled_material,
    generate_and_score,
    instance_of,
    is_right,
    material_of_kinds,
)

MIN_OF_EACH = 5
NUM_DRAWS = 2000
AUC_METRICS = ("reward_auc_within_leaf", "logprob_auc_within_leaf", "reward_auc_gain")


def run_embedded_study(recipe: Recipe, seeds: Sequence[int]) -> Iterator[StudyRow]:
    taught = generate_and_score(recipe, bundled_material(recipe), seeds)
    unseen = generate_and_score(recipe, material_of_kinds(UNSEEN), seeds[:1])
    yield from _valid_rows("teacher_instruction_valid", taught)
    yield from _new_rows(taught)
    yield from _right_rows("teacher_answer_right", taught)
    yield from _valid_rows("teacher_unseen_leaf_valid", unseen)
    yield from _right_rows("teacher_unseen_leaf_right", unseen)
    yield from _auc_rows(taught)


def _valid_rows(metric: str, generations: Sequence[ScoredGeneration]) -> Iterator[StudyRow]:
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for generation in generations:
        for sample in generation.samples:
            verdicts[sample.leaf_path].append(instance_of(sample) is not None)
        for rejected in generation.rejected:
            if not rejected.detail.startswith("context: "):  # no instruction was asked for
                verdicts[rejected.leaf_path].append(_is_valid(rejected))
    yield from _shares_by_leaf(metric, verdicts)


def _is_valid(rejected: RejectedSample) -> bool:
    return BY_PATH[rejected.leaf_path].read(rejected.instruction, rejected.context or "") is not None


def _new_rows(generations: Sequence[ScoredGeneration]) -> Iterator[StudyRow]:
    valid = [s for g in generations for s in g.samples if instance_of(s) is not None]
    trained = trained_instructions({_key(sample) for sample in valid})
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for sample in valid:
        verdicts[sample.leaf_path].append(_key(sample) not in trained)
    yield from _shares_by_leaf("teacher_instruction_new", verdicts)


def _key(sample: SyntheticSample) -> tuple[str, str]:
    return (sample.context or "", sample.instruction)


def _right_rows(metric: str, generations: Sequence[ScoredGeneration]) -> Iterator[StudyRow]:
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for sample in (s for g in generations for s in g.samples):
        if instance_of(sample) is not None:
            verdicts[sample.leaf_path].append(is_right(sample))
    yield from _shares_by_leaf(metric, verdicts)


def _shares_by_leaf(metric: str, verdicts: dict[str, list[bool]]) -> Iterator[StudyRow]:
    """A row a leaf, and `all`: the mean over leaves."""
    for leaf_path, values in sorted(verdicts.items()):
        yield share(metric, "embedded", leaf_path, sum(values), len(values))
    if verdicts:
        yield mean_share(metric, "embedded", "all", [(sum(values), len(values)) for values in verdicts.values()])


def _auc_rows(generations: Sequence[ScoredGeneration]) -> Iterator[StudyRow]:
    judged = sorted(_judged_answers(generations).items())
    by_leaf = {path: arrays for path, arrays in judged if min(map(len, arrays)) >= MIN_OF_EACH}
    draws: dict[str, list[Floats]] = {metric: [] for metric in AUC_METRICS}
    values: dict[str, list[float]] = {metric: [] for metric in AUC_METRICS}
    num_wrong = []
    rng = np.random.default_rng(0)
    for leaf_path, (right, wrong) in by_leaf.items():
        num_wrong.append(len(wrong))
        drawn = [_aucs(rng.choice(right, len(right)), rng.choice(wrong, len(wrong))) for _ in range(NUM_DRAWS)]
        for metric, value, of_draws in zip(AUC_METRICS, _aucs(right, wrong), np.array(drawn).T, strict=True):
            values[metric].append(value)
            draws[metric].append(of_draws)
            yield _auc_row(metric, leaf_path, value, of_draws, len(wrong))
    for metric in AUC_METRICS if by_leaf else ():
        yield _auc_row(metric, "all", mean(values[metric]), np.mean(draws[metric], axis=0), sum(num_wrong))


def _judged_answers(generations: Sequence[ScoredGeneration]) -> dict[str, tuple[Floats, Floats]]:
    """By leaf: right and wrong answers to valid instructions, a row each of reward and log-probability."""
    rows: dict[str, tuple[list[tuple[float, float]], ...]] = defaultdict(lambda: ([], []))
    for generation in generations:
        rewards = generation.reward_of
        for sample in generation.samples:
            if instance_of(sample) is not None and sample.synthetic_sample_id in rewards:
                row = (rewards[sample.synthetic_sample_id], sample.response_logprob)
                rows[sample.leaf_path][0 if is_right(sample) else 1].append(row)
    return {path: (np.array(right), np.array(wrong)) for path, (right, wrong) in rows.items()}


def _aucs(right: Floats, wrong: Floats) -> tuple[float, float, float]:
    """As AUC_METRICS."""
    by_reward, by_logprob = (roc_auc(right[:, column], wrong[:, column]) for column in (0, 1))
    return by_reward, by_logprob, by_reward - by_logprob


def _auc_row(metric: str, subject: str, value: float, draws: Floats, num_wrong: int) -> StudyRow:
    low, high = np.quantile(draws, (0.025, 0.975))
    return StudyRow(metric, "embedded", subject, value, float(low), float(high), num_wrong)
