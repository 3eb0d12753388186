"""Preference pairs as an asset: several responses to a prompt, set against one another."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg

from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, histogram, sample_rows
from synth_assets.assets.journaling import (
    JournaledCalls,
    calls_metadata,
    journaled_judge,
    journaled_reward_model,
    journaled_text_model,
    panel_of,
)
from synth_assets.assets.leasing import making
from synth_assets.assets.pair_prompts import ground_truth, preference_prompts
from synth_assets.assets.pair_refusals import PairRefusals
from synth_assets.assets.progress import Progress
from synth_assets.assets.prompting import prompt_topics, prompted_samples, synthetic_prompts
from synth_assets.assets.recipe_parts import lineage_of
from synth_assets.assets.resources import Engines
from synth_assets.assets.reward import GROUP, reward_filtered_set
from synth_assets.assets.storing import load, num_by, store
from synth_assets.assets.taxonomy import document_chunks, seed_examples
from synth_assets.assets.tuning import load_tuned, lora_checkpoint, training_mix, tuned_student_folder
from synth_assets.frames import to_frame
from synth_assets.model_folder import read_lineage
from synth_assets.quality.privacy import hide_rejected
from synth_assets.recipe import ModelSpec, PreferencesSection, Recipe
from synth_assets.records import (
    DocumentChunk,
    PreferencePair,
    RejectedSample,
    Reward,
    SeedExample,
)
from synth_assets.reward import (
    PreferenceOutcome,
    PreferencePrompt,
    Refusal,
    SampledResponse,
    decide_pairs,
    draw_prompts,
    reward_responses,
    sample_responses,
)
from synth_assets.storage import Warehouse


@dg.asset(
    deps=[
        seed_examples,
        document_chunks,
        prompt_topics,
        synthetic_prompts,
        prompted_samples,
        reward_filtered_set,
        training_mix,
        lora_checkpoint,
    ],
    group_name=GROUP,
    kinds={"python", "vllm", "parquet"},
    metadata=column_schema("preference_pairs"),
)
def preference_pairs(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """A better and a worse response to a prompt, and who said so: a program that verifies, a judge, or the reward model.

    The responses are the tuned student's, or the teacher's. A prompt without a pair goes into `rejected_samples`, with why.
    """
    with making(context, recipe, warehouse) as made_of:
        section = declared_preferences(recipe)
        prompts = draw_prompts(preference_prompts(recipe, warehouse), section.max_prompts, recipe.seed)
        refusing = PairRefusals(recipe, load(warehouse, SeedExample), load(warehouse, DocumentChunk))
        refusals = refusing.of_prompts(prompts)
        asked = [prompt for prompt in prompts if prompt.prompt_id not in refusals]
        responses, calls = _respond(context, recipe, warehouse, engines, asked)
        refusals |= refusing.of_responses(asked, responses)
        outcome, deciding = _decide(context, recipe, warehouse, engines, prompts, responses, refusals)
        metadata = _metadata(outcome, recipe) | calls_metadata(context, *calls, *deciding)
        rejected = hide_rejected(outcome.rejected, recipe.trust.privacy)
        counts = outcome.leaf_counts
        return store(context, recipe, warehouse, made_of, outcome.pairs, metadata, counts=counts, rejected=rejected)


def declared_preferences(recipe: Recipe) -> PreferencesSection:
    """The section of a recipe that has this asset."""
    assert recipe.preferences is not None
    return recipe.preferences


class _Responder(NamedTuple):
    """`folder` stands in for that of `spec`; `generation_depth` is the model's own."""

    name: str
    spec: ModelSpec
    folder: Path | None
    generation_depth: int


def _responders(recipe: Recipe, warehouse: Warehouse) -> Iterator[_Responder]:
    for name in declared_preferences(recipe).responders:
        if name == "student":
            folder = tuned_student_folder(warehouse, recipe, load_tuned(warehouse))
            yield _Responder(name, recipe.student, folder, read_lineage(folder).generation_depth)
        else:
            yield _Responder(name, recipe.teacher, None, lineage_of(recipe.teacher).generation_depth)


def _respond(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines,
    prompts: Sequence[PreferencePrompt],
) -> tuple[list[SampledResponse], list[JournaledCalls[Any]]]:  # fmt: skip
    """One model after the other, so that one at a time is in memory."""
    section = declared_preferences(recipe)
    responses, calls = list[SampledResponse](), list[JournaledCalls[Any]]()
    for who in _responders(recipe, warehouse):
        context.log.info(f"the {who.name} responds {section.num_samples} times to {len(prompts)} prompts")
        with journaled_text_model(engines, warehouse, who.spec, who.folder, Progress(context)) as model:
            responses += sample_responses(
                prompts, {who.name: model}, section.num_samples, section.temperature, section.max_new_tokens, recipe.seed,
                {who.name: who.generation_depth},
            )  # fmt: skip
            calls.append(model.calls)
    return responses, calls


def _decide(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines,
    prompts: Sequence[PreferencePrompt], responses: Sequence[SampledResponse], refusals: dict[str, Refusal],
) -> tuple[PreferenceOutcome, list[JournaledCalls[Any]]]:  # fmt: skip
    """By a known answer or the constraints of a prompt, where it has some, then by the judge, then by the reward model.

    One model after the other here too: rewards are asked first, since they order what the judge is asked.
    """
    section = declared_preferences(recipe)
    rewards, calls = dict[str, Reward | str](), list[JournaledCalls[Any]]()
    if spec := recipe.reward_model:
        with journaled_reward_model(engines, warehouse, spec, Progress(context)) as model:
            rewards = reward_responses(prompts, responses, model, refusals)
            calls.append(model.calls)
    with ExitStack() as stack:
        judge = None
        if section.judges:
            judge = stack.enter_context(journaled_judge(engines, warehouse, recipe, progress=Progress(context)))
        outcome = decide_pairs(
            prompts, responses, section, verify=ground_truth(recipe, warehouse),
            panel=panel_of(recipe, judge) if judge else None, rewards=rewards, weights=recipe.reward.weights,
            refusals=refusals,
        )  # fmt: skip
        return outcome, [*calls, *([judge.calls] if judge else [])]


def _metadata(outcome: PreferenceOutcome, recipe: Recipe) -> dict[str, Any]:
    pairs = to_frame(outcome.pairs, PreferencePair)
    rejected = to_frame(outcome.rejected, RejectedSample)
    hide = recipe.trust.privacy
    shown = ["leaf_path", "prompt", "chosen", "rejected", "margin", "decided_by"]
    turned_away = ["rejection_reason", "detail", "leaf_path", "instruction"]
    return {
        "examples": sample_rows(pairs, shown, 12, hide=hide),
        "without_a_pair": sample_rows(rejected, turned_away, hide=hide),
        "decided_by": bars(num_by(pairs, "decided_by"), "Who has decided", "pairs"),
        "margins": histogram(
            {by: pairs.filter(decided_by=by)["margin"].drop_nulls().to_list() for by in num_by(pairs, "decided_by")},
            "Reward of the chosen response less that of the rejected one", "reward",
        ),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "No pair because", "prompts"),
        "pairs_per_leaf": bars(num_by(pairs, "leaf_path"), "Pairs of each leaf node", "pairs"),
    }  # fmt: skip
