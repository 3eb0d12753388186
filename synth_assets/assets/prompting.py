"""Stage 2's second way, as assets of recipes that declare it: topics, prompts about them, and the teacher's answers.

    document_chunks -> prompt_topics -> synthetic_prompts -> prompted_samples

None is made leaf by leaf: the leaf nodes come into being with the first. What makes many calls is cheap to make again all
the same, since the journal has every answer.
"""

from contextlib import ExitStack
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.descent import teacher_depth
from synth_assets.assets.display import bars, sample_rows, table
from synth_assets.assets.generation import GROUP, told_into
from synth_assets.assets.journaling import calls_metadata, journaled_judge, journaled_text_model, panel_of
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import load, num_by, store
from synth_assets.assets.taxonomy import document_chunks
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.constraints import Following
from synth_assets.frames import to_frame
from synth_assets.generation.prompt_synthesis import (
    AnswerOutcome,
    AnswerSettings,
    PromptOutcome,
    TopicOutcome,
    answer_prompts,
    leaf_nodes_of_topics,
    synthesize_prompts,
    synthesize_topics,
)
from synth_assets.quality.privacy import hide_rejected
from synth_assets.quality.reports import shown_chunks
from synth_assets.recipe import PromptSynthesisSection, Recipe
from synth_assets.records import (
    DocumentChunk,
    LeafNode,
    PromptedSample,
    RejectedSample,
    SyntheticPrompt,
    Topic,
)
from synth_assets.storage import Warehouse

KINDS = {"python", "vllm", "parquet"}


@dg.asset(deps=[document_chunks], group_name=GROUP, kinds=KINDS, metadata=column_schema("prompt_topics"))
def prompt_topics(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """What prompts shall be about: subjects that the teacher names and people add to, subtopics, keywords, documents.

    Each is a leaf node below foundational_skills/generated, in the table `generated_leaf_nodes`. Names that repeat one
    another or are none are rejected with that reason.
    """
    with making(context, recipe, warehouse) as made_of:
        check_trust_files(recipe, warehouse)
        section, depth = _section(recipe), teacher_depth(recipe)
        chunks = shown_chunks(load(warehouse, DocumentChunk), recipe.trust.privacy.split_share)
        with journaled_text_model(engines, warehouse, recipe.teacher, progress=Progress(context)) as teacher:
            outcome = synthesize_topics(teacher, section, recipe.seed, depth, chunks)
            metadata = _topic_metadata(outcome, recipe) | calls_metadata(context, teacher.calls)
        leaves = to_frame(leaf_nodes_of_topics(outcome.topics), LeafNode)
        metadata["generated_leaf_nodes_digest"] = warehouse.write_table("generated_leaf_nodes", leaves)
        rejected = hide_rejected(outcome.rejected, recipe.trust.privacy)
        return store(
            context, recipe, warehouse, made_of, outcome.topics, metadata, counts=outcome.leaf_counts, rejected=rejected
        )


@dg.asset(deps=[document_chunks, prompt_topics], group_name=GROUP, kinds=KINDS, metadata=column_schema("synthetic_prompts"))
def synthetic_prompts(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """Prompts about the topics: questions, writing tasks, problems, those with constraints, and conversations.

    Of each kind candidates are asked for until there are as many as the recipe wants, or its budget is spent. In
    conversations the teacher plays both roles; as the user it says no thanks and no please.
    """
    with making(context, recipe, warehouse) as made_of:
        section, progress, depth = _section(recipe), Progress(context), teacher_depth(recipe)
        chunks = shown_chunks(load(warehouse, DocumentChunk), recipe.trust.privacy.split_share)
        with journaled_text_model(engines, warehouse, recipe.teacher, progress=progress) as teacher:
            outcome = synthesize_prompts(
                load(warehouse, Topic), chunks, teacher, section, recipe.seed, depth, told_into(progress)
            )  # fmt: skip
            metadata = _prompt_metadata(outcome, recipe) | calls_metadata(context, teacher.calls)
        rejected = hide_rejected(outcome.rejected, recipe.trust.privacy)
        return store(
            context, recipe, warehouse, made_of, outcome.prompts, metadata, counts=outcome.leaf_counts, rejected=rejected
        )


@dg.asset(deps=[prompt_topics, synthetic_prompts], group_name=GROUP, kinds=KINDS, metadata=column_schema("prompted_samples"))
def prompted_samples(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """The teacher's answers to the prompts: samples like those from seeds, and from here on treated alike.

    An answer that breaks a constraint of its prompt is rejected, and so is what a judge of the recipe refuses. Of a
    conversation the last answer is the response; its earlier turns stand in the context, and are turns again wherever a
    chat template is applied.
    """
    with making(context, recipe, warehouse) as made_of:
        settings = AnswerSettings(recipe.generation, _section(recipe), recipe.seed, teacher_depth(recipe))
        prompts, topics = load(warehouse, SyntheticPrompt), load(warehouse, Topic)
        leaves, progress = load(warehouse, LeafNode, "generated_leaf_nodes"), Progress(context)
        with ExitStack() as stack:
            teacher = stack.enter_context(journaled_text_model(engines, warehouse, recipe.teacher, progress=progress))
            judge = stack.enter_context(journaled_judge(engines, warehouse, recipe, teacher, progress))
            panel = panel_of(recipe, judge) if judge else None
            outcome = answer_prompts(prompts, topics, leaves, teacher, settings, panel)
            metadata = _answer_metadata(outcome, recipe) | calls_metadata(
                context, teacher.calls, *([judge.calls] if judge else [])
            )
        rejected = hide_rejected(outcome.rejected, recipe.trust.privacy)
        return store(
            context, recipe, warehouse, made_of, outcome.samples, metadata, counts=outcome.leaf_counts, rejected=rejected
        )


def _section(recipe: Recipe) -> PromptSynthesisSection:
    assert recipe.prompt_synthesis is not None
    return recipe.prompt_synthesis


def _topic_metadata(outcome: TopicOutcome, recipe: Recipe) -> dict[str, Any]:
    topics, rejected = to_frame(outcome.topics, Topic), to_frame(outcome.rejected, RejectedSample)
    short = [f"{row.parent or 'subjects'}: {row.num_missing} short, {row.why}" for row in outcome.shortfalls]
    shown = ["area", "name", "parent", "origin", "leaf_path"]
    return {
        "examples": sample_rows(topics, shown, 20, hide=recipe.trust.privacy),
        "topics_by_area": bars(num_by(topics, "area"), "Topics of each area", "topics"),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "entries"),
        "lists_too_short": table(pl.DataFrame({"list": short}, schema={"list": pl.String})),
    }


def _prompt_metadata(outcome: PromptOutcome, recipe: Recipe) -> dict[str, Any]:
    prompts, rejected = to_frame(outcome.prompts, SyntheticPrompt), to_frame(outcome.rejected, RejectedSample)
    short = [f"{row.kind}: {row.num_missing} short, {row.why}" for row in outcome.shortfalls]
    return {
        "examples": sample_rows(prompts, ["kind", "topic", "context", "text"], 16, hide=recipe.trust.privacy),
        "prompts_by_kind": bars(num_by(prompts, "kind"), "Prompts of each kind", "prompts"),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "candidates"),
        "kinds_below_quota": table(pl.DataFrame({"kind": short}, schema={"kind": pl.String})),
    }


def _answer_metadata(outcome: AnswerOutcome, recipe: Recipe) -> dict[str, Any]:
    samples, rejected = to_frame(outcome.samples, PromptedSample), to_frame(outcome.rejected, RejectedSample)
    shown = ["kind", "leaf_path", "context", "instruction", "response"]
    return {
        "examples": sample_rows(samples, shown, 16, hide=recipe.trust.privacy),
        "rows_by_kind": bars(num_by(samples, "kind"), "Samples of each kind of prompt", "samples"),
        "rejected_by_reason": bars(num_by(rejected, "rejection_reason"), "Rejected because", "prompts"),
        "constraints_followed": _followed(outcome.following),
    }


def _followed(following: Following | None) -> Any:
    """As IFEval counts: strictly and loosely, by prompt and by constraint."""
    if following is None:
        return "no constrained prompt was answered"
    of = {"prompts": following.num_prompts, "constraints": following.num_constraints}
    strict = {"prompts": following.prompt_strict, "constraints": following.constraint_strict}
    loose = {"prompts": following.prompt_loose, "constraints": following.constraint_loose}
    rows = [(name, of[name], strict[name], loose[name]) for name in of]
    return table(pl.DataFrame(rows, schema=["of", "number", "strict", "loose"], orient="row"))
