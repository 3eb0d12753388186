"""The report on the tuned student, as an asset: what it still knows, what it gives away, whom it serves.

The shadow student is tuned like the real one, on the same rows and on made-up secrets (canaries) beside them. It is kept as
an artefact for the next run of the same recipe, and never exported.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.alignment import aligned_checkpoint
from synth_assets.assets.columns import column_schema
from synth_assets.assets.evaluation import evaluation
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import load
from synth_assets.assets.taxonomy import real_examples
from synth_assets.assets.trust import GROUP, KINDS, real_rows, store_findings
from synth_assets.assets.tuning import load_student, lora_checkpoint, training_mix, tuned_student_folder
from synth_assets.quality.fairness import estimate_accuracy
from synth_assets.quality.privacy.canaries import Canary, insert_canaries, make_canaries, shadow_settings
from synth_assets.quality.reports import Findings, Pair, Passes, measure_canaries, measure_membership, measure_perplexities
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import Checkpoint, TrainingExample
from synth_assets.roles import LikelihoodModel
from synth_assets.storage import Warehouse
from synth_assets.tuning import merge_adapter, tune_student, tuned_student

SHADOWS = "shadow_students"


@dg.asset(
    deps=[real_examples, training_mix, lora_checkpoint, aligned_checkpoint, evaluation],
    group_name=GROUP,
    kinds=KINDS | {"pytorch"},
    metadata=column_schema("measures"),
)
def student_report(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """What has become of the student: real texts that it expects, training rows that can be told, groups that it serves.

    Canaries are read out of a shadow student that is tuned for the purpose and never released.
    """
    with making(context, recipe, warehouse) as made_of:
        style, trust, seed = recipe.generation.prompts, recipe.trust, recipe.seed
        reference, holdout = real_rows(warehouse, recipe)
        tuned_folder = tuned_student_folder(warehouse, recipe, load_student(warehouse, recipe))
        mix = warehouse.read_table("training_mix")
        with ExitStack() as stack:
            folders = [None, tuned_folder, *([resolve_path(trust.previous_student)] if trust.previous_student else [])]
            opened = (engines.open_likelihood_model(recipe.student, folder) for folder in folders)
            pair = Pair(*(stack.enter_context(model) for model in opened))
            estimates = [
                *measure_perplexities(pair, reference if holdout is not None else None, holdout, style, trust, seed),
                *measure_membership(pair, mix, trust, seed),
            ]
        with _shadow(context, recipe, warehouse, engines) as (shadow, canaries):
            passes = _passes(recipe, mix, load(warehouse, Checkpoint), canaries)
            estimates += measure_canaries(shadow, canaries, trust, seed, passes)
        estimates += _accuracy_by_group(recipe, warehouse)
        return store_findings(context, recipe, warehouse, made_of, Findings(estimates, {}))


@contextmanager
def _shadow(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines
) -> Iterator[tuple[LikelihoodModel | None, list[Canary]]]:  # fmt: skip
    """The shadow student with the canaries that it was tuned on; None where the recipe wants none."""
    num_steps = recipe.trust.privacy.shadow_steps
    if not num_steps:
        yield None, []
        return
    context.log.info(f"a shadow student is tuned on canaries, {num_steps} steps")
    canaries = make_canaries(recipe.seed)
    rows = insert_canaries(load(warehouse, TrainingExample), canaries, recipe.seed)
    settings = shadow_settings(recipe.tuning, num_steps)
    student = resolve_path(recipe.student.path)
    adapters = warehouse.artefact_dir(SHADOWS, recipe.name)
    report = Progress(context, "steps").tell
    shadow = tuned_student(tune_student(student, rows, settings, recipe.seed, adapters, report))
    merged = merge_adapter(student, adapters / shadow.adapter_path, adapters / f"{shadow.checkpoint_id}_merged")
    with engines.open_likelihood_model(recipe.student, merged) as model:
        yield model, canaries


def _passes(recipe: Recipe, mix: pl.DataFrame, checkpoints: list[Checkpoint], canaries: list[Canary]) -> Passes:
    """With packing a step takes more rows than are counted here."""
    num_rows = mix.filter(pl.col("split") == "train").height
    num_in_shadow = num_rows + sum(canary.repetitions for canary in canaries)
    in_step = {phase.name: recipe.tuning.of_phase(phase).rows_a_step for phase in recipe.tuning.phases_to_run}
    num_taken = sum(each.num_steps * in_step[each.phase] for each in checkpoints if each.is_chosen)
    shadow = recipe.trust.privacy.shadow_steps * recipe.tuning.rows_a_step / max(1, num_in_shadow)
    return Passes(shadow, num_taken / max(1, num_rows))


def _accuracy_by_group(recipe: Recipe, warehouse: Warehouse) -> list[Any]:
    answers = warehouse.read_table("evaluation").filter((pl.col("model") == "tuned") & (pl.col("suite") == "taxonomy"))
    asked = answers.join(warehouse.read_table("benchmark_questions"), on="benchmark_question_id", suffix="_asked")
    texts = asked.select(pl.concat_str(pl.col("context").fill_null(""), "question", separator="\n")).to_series()
    return estimate_accuracy(
        dict(recipe.trust.groups), texts.to_list(), asked["benchmark_question_id"].to_list(), asked["is_right"].to_list(),
        confidence=recipe.trust.confidence,
    )  # fmt: skip
