"""`make study-embedded`: what the embedded teacher and reward model reach on seeds and documents never trained on.

teacher_instruction_valid      share of all generated instructions that are valid members of their leaf
teacher_instruction_new        share of the valid ones that occur nowhere in the teacher's training data
teacher_answer_right           share of right answers among the accepted samples with a valid instruction
teacher_unseen_leaf_valid      teacher_instruction_valid on kinds of leaf that were kept out of training
teacher_unseen_leaf_right      teacher_answer_right there
reward_auc_within_leaf         AUC of right against wrong answers by reward; `all`: mean over leaves with >= 5 of each
logprob_auc_within_leaf        the same by the teacher's own mean log-probability of its answer
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import mean

from synth_assets.embedded.leaves import BY_PATH, UNSEEN
from synth_assets.embedded.training_record import trained_instructions
from synth_assets.recipe import Recipe
from synth_assets.records import RejectedSample, SyntheticSample
from synth_assets.studies.results import StudyRow, mean_over, roc_auc, share
from synth_assets.studies.world import (
    ScoredGeneration,
    bundled_material,
    generate_and_score,
    instance_of,
    is_right,
    material_of_kinds,
)

MIN_OF_EACH = 5


def run_embedded_study(recipe: Recipe, seeds: Sequence[int]) -> Iterator[StudyRow]:
    taught = generate_and_score(recipe, bundled_material(recipe), seeds)
    unseen = generate_and_score(recipe, material_of_kinds(UNSEEN), seeds[:1])
    yield from _valid_rows("teacher_instruction_valid", taught)
    yield from _new_rows(taught)
    yield from _right_rows("teacher_answer_right", taught)
    yield from _valid_rows("teacher_unseen_leaf_valid", unseen)
    yield from _right_rows("teacher_unseen_leaf_right", unseen)
    yield from _auc_rows("reward_auc_within_leaf", taught, by_reward=True)
    yield from _auc_rows("logprob_auc_within_leaf", taught, by_reward=False)


def _valid_rows(metric: str, generations: Sequence[ScoredGeneration]) -> Iterator[StudyRow]:
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for generation in generations:
        for sample in generation.samples:
            verdicts[sample.leaf_path].append(instance_of(sample) is not None)
        for rejected in generation.rejected:
            if rejected.stage == "instruction" or rejected.instruction:
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
        yield mean_over(metric, "embedded", "all", [mean(values) for values in verdicts.values()])


def _auc_rows(metric: str, generations: Sequence[ScoredGeneration], *, by_reward: bool) -> Iterator[StudyRow]:
    values: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for generation in generations:
        rewards = generation.reward_of
        for sample in generation.samples:
            if instance_of(sample) is not None and sample.synthetic_sample_id in rewards:
                value = rewards[sample.synthetic_sample_id] if by_reward else sample.response_logprob
                values[sample.leaf_path, is_right(sample)].append(value)
    aucs = []
    for leaf_path in sorted({path for path, _ in values}):
        right, wrong = values[leaf_path, True], values[leaf_path, False]
        if min(len(right), len(wrong)) >= MIN_OF_EACH:
            aucs.append(roc_auc(right, wrong))
            yield StudyRow(metric, "embedded", leaf_path, aucs[-1], None, None, len(right) + len(wrong))
    if aucs:
        yield mean_over(metric, "embedded", "all", aucs)
