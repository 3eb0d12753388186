"""Kept samples and replayed conversations -> the rows of one training phase.

The validation rows are chosen by hash within each leaf: the same sample is on the same side in every run, each leaf
is held out in its share, and no leaf loses its last training row. Replay rows only train: the validation loss tells
how well the *new* leaves are learned. All rows are one phase for now.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from synth_assets.errors import TuningError
from synth_assets.prompts import render_prompt
from synth_assets.recipe import TuningSection
from synth_assets.records import KeptSample, SeedExample, Source, Split, TrainingExample, content_id
from synth_assets.tuning.replay import ReplayExample

STACKED_PHASE = "stacked"


class _Row(NamedTuple):
    source: Source
    synthetic_sample_id: str | None
    leaf_path: str
    prompt: str
    response: str
    split: Split = "train"


def mix_phase(
    kept: Sequence[KeptSample], replay: Sequence[ReplayExample], settings: TuningSection, seed: int,
    prompts_style: str, *, seeds: Sequence[SeedExample] = (), phase: str = STACKED_PHASE,
) -> list[TrainingExample]:  # fmt: skip
    """The shuffled rows of a phase; `position` counts from 0 over both splits.

    Every kept sample and every seed example stands in it once. Of the *training* rows, replay rows make up
    `settings.replay_share` (rounded); they repeat only once the buffer is used up. Raises TuningError if
    nothing is given to train on, or replay is asked for and the buffer is empty.
    """
    rows = [_kept_row(sample, prompts_style) for sample in kept]
    rows += [_seed_row(example, prompts_style) for example in seeds]
    if not rows:
        raise TuningError(
            "there is nothing to train on: no kept sample",
            remedy="loosen reward.cut, raise generation.num_samples_per_leaf, or look at rejected_samples for the reasons",
        )
    rows = _split(rows, settings.validation_share)
    num_new = sum(row.split == "train" for row in rows)
    num_replay = round(num_new * settings.replay_share / (1 - settings.replay_share))
    rng = Random(f"{seed}/{phase}")
    rows += _drawn(replay, num_replay, rng)
    rng.shuffle(rows)
    return _numbered(rows, phase)


def _kept_row(sample: KeptSample, style: str) -> _Row:
    prompt = render_prompt(style, "question", context=sample.context, instruction=sample.instruction)
    return _Row("synthetic", sample.synthetic_sample_id, sample.leaf_path, prompt, sample.response)


def _seed_row(example: SeedExample, style: str) -> _Row:
    prompt = render_prompt(style, "question", context=example.context, instruction=example.question)
    return _Row("seed", None, example.leaf_path, prompt, example.answer)


def _split(rows: list[_Row], share: float) -> list[_Row]:
    """Of each leaf, the rows with the lowest hashes are held out."""
    by_leaf: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_leaf[row.leaf_path].append(row)
    split_rows = []
    for leaf_path in sorted(by_leaf):
        leaf_rows = sorted(by_leaf[leaf_path], key=lambda row: content_id("split", row.prompt, row.response))
        num_held_out = min(round(len(leaf_rows) * share), len(leaf_rows) - 1)
        split_rows += [row._replace(split="validation") for row in leaf_rows[:num_held_out]]
        split_rows += leaf_rows[num_held_out:]
    return split_rows


def _drawn(replay: Sequence[ReplayExample], count: int, rng: Random) -> list[_Row]:
    if count and not replay:
        raise TuningError(
            f"{count} replay rows are asked for, and the replay buffer is empty",
            remedy="name a file in tuning.replay_buffer, or set tuning.replay_share to 0",
        )
    drawn: list[ReplayExample] = []
    while len(drawn) < count:
        drawn += rng.sample(replay, min(len(replay), count - len(drawn)))
    return [_Row("replay", None, example.leaf_path, example.prompt, example.response) for example in drawn]


def _numbered(rows: list[_Row], phase: str) -> list[TrainingExample]:
    """A row that stands several times gets as many ids."""
    seen: Counter[str] = Counter()
    examples = []
    for position, row in enumerate(rows):
        key = content_id("training_example", phase, row.source, row.synthetic_sample_id, row.prompt, row.response)
        seen[key] += 1
        example_id = key if seen[key] == 1 else content_id(key, seen[key])
        values = (row.synthetic_sample_id, row.leaf_path, row.split, phase, row.source, position, row.prompt, row.response)
        examples.append(TrainingExample(example_id, *values))
    return examples
