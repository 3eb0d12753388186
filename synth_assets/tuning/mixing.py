"""Kept samples and replayed conversations -> the rows of all training phases.

The validation rows are chosen by hash within each leaf, before rows are dealt out to phases: the same sample is on the
same side in every run and with every strategy, each leaf is held out in its share, and no leaf loses its last training
row. Topics that a teacher named are held out by area (`leaf_or_area`), since a share of a topic's few rows would round to
none; so a topic may be held out wholly, but no area.

Replay rows only train: the validation loss tells how well the *new* leaves are learned.

A phase replays two things: what the base knew (a file), and what earlier phases have taught. Of the latter only rows that
were new there are drawn: their own replay would come back by the first way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from synth_assets.errors import TuningError
from synth_assets.prompts import render_prompt
from synth_assets.prompts.conversations import shown_prompt
from synth_assets.recipe import PhaseSpec, TuningSection, length_of, phase_taking
from synth_assets.records import KeptSample, SeedExample, Source, Split, TrainingExample, content_id, leaf_or_area
from synth_assets.tuning.replay import ReplayExample


class _Row(NamedTuple):
    source: Source
    synthetic_sample_id: str | None
    leaf_path: str
    prompt: str
    response: str
    split: Split = "train"
    generation_depth: int | None = 0


def mix_phases(
    kept: Sequence[KeptSample], replay: Sequence[ReplayExample], settings: TuningSection, seed: int,
    prompts_style: str, *, seeds: Sequence[SeedExample] = (),
) -> list[TrainingExample]:  # fmt: skip
    """The shuffled rows of each phase, phase after phase; `position` counts from 0 over all of them.

    Every kept sample and every seed example is new in one phase. Of a phase's *training* rows, `settings.replay_share` are
    of `replay` and the phase's own `replay_share` of earlier phases (rounded); where there are too few and not
    `settings.upsample`, the share falls short. A phase whose branches have no sample is left out. Raises TuningError if
    there is nothing to train on at all, or replay is asked for and the buffer is empty. A replayed row that does not say its
    generation_depth has `settings.replay_depth`.
    """
    rows = [_kept_row(sample, prompts_style) for sample in kept]
    rows += [_seed_row(example, prompts_style) for example in seeds]
    if not rows:
        raise TuningError(
            "there is nothing to train on: no kept sample",
            remedy="loosen reward.cut, raise generation.num_samples_per_leaf, or look at rejected_samples for the reasons",
        )
    examples: list[TrainingExample] = []
    taught: list[_Row] = []
    phases = settings.phases_to_run
    dealt = _dealt_out(_split(rows, settings.validation_share), phases, settings.short_response_words)
    for phase in (phase for phase in phases if phase.name in dealt):
        new = dealt[phase.name]
        mixed = _mixed(new, replay, taught, phase, settings, Random(f"{seed}/{phase.name}"))
        examples += _numbered(mixed, phase.name, len(examples))
        taught += [row for row in new if row.split == "train"]
    return examples


def _kept_row(sample: KeptSample, style: str) -> _Row:
    prompt = shown_prompt(style, sample.leaf_path, sample.context, sample.instruction)
    return _Row(
        "synthetic",
        sample.synthetic_sample_id,
        sample.leaf_path,
        prompt,
        sample.response,
        generation_depth=sample.generation_depth,
    )


def _seed_row(example: SeedExample, style: str) -> _Row:
    prompt = render_prompt(style, "question", context=example.context, instruction=example.question)
    return _Row("seed", None, example.leaf_path, prompt, example.answer, generation_depth=example.generation_depth)


def _replay_row(example: ReplayExample, settings: TuningSection) -> _Row:
    depth = settings.replay_depth if example.generation_depth is None else example.generation_depth
    return _Row("replay", None, example.leaf_path, example.prompt, example.response, generation_depth=depth)


def _split(rows: list[_Row], share: float) -> list[_Row]:
    """Of each leaf, or area of topics, the rows with the lowest hashes are held out."""
    by_leaf: defaultdict[str, list[_Row]] = defaultdict(list)
    for row in rows:
        by_leaf[leaf_or_area(row.leaf_path)].append(row)
    split_rows = []
    for leaf_path in sorted(by_leaf):
        leaf_rows = sorted(by_leaf[leaf_path], key=lambda row: content_id("split", row.prompt, row.response))
        num_held_out = min(round(len(leaf_rows) * share), len(leaf_rows) - 1)
        split_rows += [row._replace(split="validation") for row in leaf_rows[:num_held_out]]
        split_rows += leaf_rows[num_held_out:]
    return split_rows


def _dealt_out(rows: list[_Row], phases: Sequence[PhaseSpec], short_words: int) -> dict[str, list[_Row]]:
    """Each row to the phase that takes its leaf node, or the branch, the first part of the leaf path, and its length; phases
    with rows."""
    dealt: dict[str, list[_Row]] = {phase.name: [] for phase in phases}
    for row in rows:
        dealt[phase_taking(phases, row.leaf_path, length_of(row.response, short_words))].append(row)
    return {name: of_phase for name, of_phase in dealt.items() if of_phase}


def _mixed(
    new: list[_Row], replay: Sequence[ReplayExample], taught: Sequence[_Row], phase: PhaseSpec, settings: TuningSection,
    rng: Random,
) -> list[_Row]:  # fmt: skip
    num_new = sum(row.split == "train" for row in new)
    share_new = 1 - settings.replay_share - phase.replay_share
    num_known, num_taught = (round(num_new * share / share_new) for share in (settings.replay_share, phase.replay_share))
    if num_known and not replay:
        raise TuningError(
            f"{num_known} replay rows are asked for, and the replay buffer is empty",
            remedy="name a file in tuning.replay_buffer, or set tuning.replay_share to 0",
        )
    known = [_replay_row(example, settings) for example in replay]
    rows = new + _drawn(known, num_known, settings.upsample, rng)
    rows += [row._replace(source="earlier_phase") for row in _drawn(taught, num_taught, settings.upsample, rng)]
    rng.shuffle(rows)
    return rows


def _drawn(rows: Sequence[_Row], count: int, may_repeat: bool, rng: Random) -> list[_Row]:
    """Without replacement; with `may_repeat`, once all are drawn, from all of them again."""
    if not may_repeat or not rows:
        count = min(count, len(rows))
    drawn: list[_Row] = []
    while len(drawn) < count:
        drawn += rng.sample(rows, min(len(rows), count - len(drawn)))
    return drawn


def _numbered(rows: list[_Row], phase: str, start: int) -> list[TrainingExample]:
    """A row that stands several times gets as many ids."""
    seen: Counter[str] = Counter()
    examples = []
    for position, row in enumerate(rows, start):
        key = content_id("training_example", phase, row.source, row.synthetic_sample_id, row.prompt, row.response)
        seen[key] += 1
        example_id = key if seen[key] == 1 else content_id(key, seen[key])
        values = (row.synthetic_sample_id, row.leaf_path, row.split, phase, row.source, position, row.prompt, row.response)
        examples.append(TrainingExample(example_id, *values, row.generation_depth))
    return examples
