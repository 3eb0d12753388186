"""What responses are sampled to: questions that the student was trained on, and prompts that a teacher made up.

Only rows of the split train are asked: validation rows stay unseen by alignment as well. A question that is replayed in a
later phase is one prompt. Of the prompts that a teacher made up some go on from others and hold their text; where one is
unseen, so is its whole family.

Limit: the mix itself does not know of families (`tuning.mixing`). Where the answer of a prompt was held out for
validation, one that goes on from it may be trained on, so that the validation loss of prompts from topics is a little low.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from synth_assets.prompts import render_prompt
from synth_assets.prompts.conversations import shown_turns
from synth_assets.recipe import length_of
from synth_assets.records import (
    KeptSample,
    SeedExample,
    SyntheticPrompt,
    Topic,
    TrainingExample,
    ancestry_of_prompt,
    content_id,
)
from synth_assets.reward.responses import PreferencePrompt
from synth_assets.roles import Message, conversation


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


def prompts_of_seeds(
    mix: Sequence[TrainingExample], seeds: Sequence[SeedExample], style: str
) -> list[PreferencePrompt]:  # fmt: skip
    """One for each question of the recipe's own data sets that is trained on and not held out; the id is a seed's."""
    rows = [row for row in mix if row.source == "seed"]
    trained = {(row.prompt, row.response) for row in rows if row.split == "train"}
    held_out = {row.prompt for row in rows if row.split == "validation"}
    shown: dict[str, SeedExample] = {}
    for seed in seeds:
        prompt = _shown(seed, style)
        if (prompt, seed.answer) in trained and prompt not in held_out:
            shown.setdefault(prompt, seed)
    return [
        PreferencePrompt(
            seed.seed_example_id, seed.leaf_path, (Message("user", prompt),), seed.generation_depth,
            float(seed.generation_depth != 0), context=seed.context, instruction=seed.question,
        )
        for prompt, seed in shown.items()
    ]  # fmt: skip


def known_answers(seeds: Sequence[SeedExample], style: str, short_words: int) -> dict[str, str]:
    """By the id of a seed example its answer, where the question has one right answer, of at most so many words.

    What is longer can be said in many ways, and who answers otherwise is not wrong; where seeds answer a question
    differently, no answer is the one.
    """
    answers: dict[str, set[str]] = defaultdict(set)
    for seed in seeds:
        answers[_shown(seed, style)].add(seed.answer.strip())
    return {
        seed.seed_example_id: seed.answer for seed in seeds
        if len(answers[_shown(seed, style)]) == 1 and length_of(seed.answer, short_words) == "short"
    }  # fmt: skip


def prompts_of_synthesis(
    rows: Sequence[SyntheticPrompt], topics: Sequence[Topic], style: str
) -> list[PreferencePrompt]:  # fmt: skip
    """Each with its constraints; of a dialogue all but the assistant's last turn. A context stands before the last turn.

    `topics`: all that the prompts are about.
    """
    by_id = {topic.topic_id: topic for topic in topics}
    return [
        PreferencePrompt(
            row.synthetic_prompt_id, row.leaf_path, conversation(shown_turns(row, style)), row.generation_depth,
            ancestry_of_prompt(row, by_id[row.topic_id]), row.constraints, row.context, row.text if row.context else "",
        )
        for row in rows
    ]  # fmt: skip


def with_relatives(prompt_ids: Collection[str], rows: Sequence[SyntheticPrompt]) -> set[str]:
    """These prompts with all that share a text with one of them: whom they go on from, and all that go on from the same."""
    parent_of = {row.synthetic_prompt_id: row.parent_prompt_id for row in rows}
    roots = {prompt_id: _root(prompt_id, parent_of) for prompt_id in {*parent_of, *prompt_ids}}
    of_these = {roots[prompt_id] for prompt_id in prompt_ids}
    return {prompt_id for prompt_id, root in roots.items() if root in of_these}


def draw_prompts(prompts: Sequence[PreferencePrompt], most: int | None, seed: int) -> list[PreferencePrompt]:
    """At most so many, drawn by the hashes of their ids and the seed, in the order given."""
    if most is None or most >= len(prompts):
        return list(prompts)
    by_hash = sorted(prompts, key=lambda prompt: content_id("preference_prompt", seed, prompt.prompt_id))
    drawn = {prompt.prompt_id for prompt in by_hash[:most]}
    return [prompt for prompt in prompts if prompt.prompt_id in drawn]


def _shown(seed: SeedExample, style: str) -> str:
    return render_prompt(style, "question", context=seed.context, instruction=seed.question)


def _root(prompt_id: str, parent_of: Mapping[str, str | None]) -> str:
    while parent := parent_of.get(prompt_id):
        prompt_id = parent
    return prompt_id
