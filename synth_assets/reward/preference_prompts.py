"""What responses are sampled to: questions that the student was trained on, and prompts that a teacher made up.

Only rows of the split train are asked: validation rows stay unseen by alignment as well. A question that is replayed in a
later phase is one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.prompts import render_prompt
from synth_assets.records import KeptSample, SyntheticPrompt, TrainingExample, content_id
from synth_assets.reward.responses import PreferencePrompt
from synth_assets.roles import Message


def prompts_of_mix(mix: Sequence[TrainingExample], kept: Sequence[KeptSample]) -> list[PreferencePrompt]:
    """One for each kept sample that is trained on, in the order of training; the id is the sample's."""
    known = {sample.synthetic_sample_id: sample for sample in kept}
    shown = {row.synthetic_sample_id: row.prompt for row in mix if row.split == "train" and row.source == "synthetic"}
    return [
        PreferencePrompt(
            sample.synthetic_sample_id, sample.leaf_path, (Message("user", prompt),), sample.generation_depth,
            sample.synthetic_ancestry, context=sample.context, instruction=sample.instruction,
        )
        for sample_id, prompt in shown.items()
        if sample_id and (sample := known.get(sample_id))
    ]  # fmt: skip


def prompts_of_synthesis(rows: Sequence[SyntheticPrompt], style: str) -> list[PreferencePrompt]:
    """Each with its constraints; of a dialogue all but the assistant's last turn. A context stands before the last turn.

    What a model of depth 0 wrote descends from people's words alone.
    """
    return [
        PreferencePrompt(
            row.synthetic_prompt_id, row.leaf_path, _turns(row, style), row.generation_depth,
            float(row.generation_depth > 1), row.constraints, row.context, row.text if row.context else "",
        )
        for row in rows
    ]  # fmt: skip


def draw_prompts(prompts: Sequence[PreferencePrompt], most: int | None, seed: int) -> list[PreferencePrompt]:
    """At most so many, drawn by the hashes of their ids and the seed, in the order given."""
    if most is None or most >= len(prompts):
        return list(prompts)
    by_hash = sorted(prompts, key=lambda prompt: content_id("preference_prompt", seed, prompt.prompt_id))
    drawn = {prompt.prompt_id for prompt in by_hash[:most]}
    return [prompt for prompt in prompts if prompt.prompt_id in drawn]


def _turns(row: SyntheticPrompt, style: str) -> tuple[Message, ...]:
    turns = row.turns if len(row.turns) % 2 else row.turns[:-1]
    said = [Message("assistant" if number % 2 else "user", turn) for number, turn in enumerate(turns)]
    if row.context:
        said[-1] = Message("user", render_prompt(style, "question", context=row.context, instruction=said[-1].content))
    return tuple(said)
