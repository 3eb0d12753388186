"""Figures about prompts from topics: are lists and kinds as long as asked for, do rows belong together, do answers obey.

What a kind was to have is computed here again from the recipe and the kept prompts, not taken from the stage. A stage that
no row went into has failed in nothing: that a teacher named no topic shows in the quotas, which warn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import polars as pl

from synth_assets.constraints import broken_constraints, read_constraint
from synth_assets.quality.counted import ALL, Measure, Tables, count_measures, ratio
from synth_assets.recipe import PromptSynthesisSection, Recipe
from synth_assets.records import TABLE_FROM_TOPICS


def with_prompted(tables: Tables, name: str, recipe: Recipe) -> pl.DataFrame:
    """The table, and below it that of the prompts from topics, of a recipe that has such."""
    frame = tables[name]
    if recipe.prompt_synthesis is None:
        return frame
    return pl.concat([frame, tables[TABLE_FROM_TOPICS[name]].select(frame.columns)])


def _prompt_topics(tables: Tables, recipe: Recipe) -> list[Measure]:
    topics, said, least = tables["prompt_topics"], _section(recipe), recipe.quality.min_quota_share.value
    homeless = topics.join(tables["generated_leaf_nodes"], on="leaf_path", how="anti").height
    general = topics.filter(pl.col("area") == "general")
    macro, subtopics = general.filter(pl.col("parent").is_null()), general.filter(pl.col("parent").is_not_null())
    asked = {"macro_topics": said.num_macro_topics, "subtopics": said.num_subtopics * macro.height}
    named = {"macro_topics": macro.height - len(said.manual_topics), "subtopics": subtopics.height}
    return [
        Measure("topics_without_leaf_node", ALL, homeless, 0),
        *(Measure("quota_share", name, ratio(named[name], num), least) for name, num in asked.items() if num),
        *_counted(tables, recipe, "prompt_topics", topics.height),
    ]


def _synthetic_prompts(tables: Tables, recipe: Recipe) -> list[Measure]:
    prompts, said, least = tables["synthetic_prompts"], _section(recipe), recipe.quality.min_quota_share.value
    homeless = prompts.join(tables["prompt_topics"], on="topic_id", how="anti").height
    found = dict(prompts.group_by("kind").len().iter_rows())
    shares = {kind: found.get(kind, 0) / num for kind, num in said.num_prompts if num}
    if said.constrained_share:
        num_parents = found.get("open_question", 0) + found.get("writing_task", 0)
        num = round(said.constrained_share * num_parents)
        shares["instruction_following"] = found.get("instruction_following", 0) / num if num else float(num_parents > 0)
    return [
        Measure("prompts_without_topic", ALL, homeless, 0),
        *(Measure("quota_share", kind, share, least) for kind, share in shares.items()),
        *_counted(tables, recipe, "prompt_synthesis", prompts.height),
    ]


def _prompted_samples(tables: Tables, recipe: Recipe) -> list[Measure]:
    samples, prompts = tables["prompted_samples"], tables["synthetic_prompts"]
    homeless = samples.join(tables["generated_leaf_nodes"], on="leaf_node_id", how="anti").height
    unprompted = samples.join(prompts, on="synthetic_prompt_id", how="anti").height
    asked = samples.join(prompts.select("synthetic_prompt_id", "constraints"), on="synthetic_prompt_id")
    asked = asked.filter(pl.col("constraints").list.len() > 0)
    broken = sum(
        bool(broken_constraints(tuple(map(read_constraint, lines)), response))
        for lines, response in asked.select("constraints", "response").iter_rows()
    )
    return [
        Measure("samples_of_unknown_leaf_nodes", ALL, homeless, 0),
        Measure("samples_without_prompt", ALL, unprompted, 0),
        Measure("samples_that_break_constraints", ALL, broken, 0),
        *_constraint_share(tables, recipe, asked.height),
        *_counted(tables, recipe, "answering", samples.height, prompts.height),
    ]


def _constraint_share(tables: Tables, recipe: Recipe, num_kept: int) -> list[Measure]:
    """Of the answers of good form to constrained prompts, judges' refusals left aside; none without such prompts."""
    said = _section(recipe)
    reason = pl.col("rejection_reason") == "breaks_constraints"
    num_broken = tables["rejected_samples"].filter((pl.col("stage") == "answering") & reason).height
    if not said.constrained_share:
        return []
    words = f"{num_kept} of {num_kept + num_broken} answers keep all of their constraints"
    least = said.min_constraint_share.value
    return [Measure("constraint_share", ALL, ratio(num_kept, num_kept + num_broken), least, words)]


def _scored_prompted_samples(tables: Tables, recipe: Recipe) -> list[Measure]:
    scored, samples = tables["scored_prompted_samples"], tables["prompted_samples"]
    return [
        Measure("scores_without_sample", ALL, scored.join(samples, on="synthetic_sample_id", how="anti").height, 0),
        *_counted(tables, recipe, "prompted_scoring", scored.height, samples.height),
    ]


def _counted(
    tables: Tables, recipe: Recipe, stage: str, num_kept: int, num_in: int | None = None
) -> list[Measure]:  # fmt: skip
    rows = tables["stage_counts"].filter(pl.col("stage") == stage)
    measures = count_measures(tables, recipe, stage, num_kept, num_in)
    if not rows.height or rows["num_in"].sum():
        return measures
    return [m._replace(value=0.0) if m.measure == "failed_share" and math.isnan(m.value or 0) else m for m in measures]


def _section(recipe: Recipe) -> PromptSynthesisSection:
    assert recipe.prompt_synthesis is not None
    return recipe.prompt_synthesis


PROMPT_MEASURES: Mapping[str, Callable[[Tables, Recipe], list[Measure]]] = {
    "prompt_topics": _prompt_topics,
    "synthetic_prompts": _synthetic_prompts,
    "prompted_samples": _prompted_samples,
    "scored_prompted_samples": _scored_prompted_samples,
}
