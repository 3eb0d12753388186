"""Public tasks as an asset: base and tuned student in the lm-evaluation-harness. Only recipes that declare tasks have it."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.alignment import aligned_checkpoint
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import table
from synth_assets.assets.evaluation import GROUP, evaluation
from synth_assets.assets.leasing import making
from synth_assets.assets.storing import store
from synth_assets.assets.tuning import load_student, lora_checkpoint, tuned_student_folder
from synth_assets.errors import HarnessError
from synth_assets.evaluation import caveats, compare, read_benchmark, run_harness, write_tasks
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import ModelArm
from synth_assets.storage import Warehouse


@dg.asset(
    deps=[lora_checkpoint, aligned_checkpoint, evaluation],
    group_name=GROUP,
    kinds={"python", "pytorch", "huggingface"},
    metadata=column_schema("harness_scores"),
)
def harness_scores(
    context: dg.AssetExecutionContext, recipe: dg.ResourceParam[Recipe], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult[Any]:
    """Figures of the base and of the tuned student in the tasks that the recipe names, by the lm-evaluation-harness.

    The recipe's own benchmark is among the tasks that can be named; there the figure is that of `evaluation`.
    """
    with making(context, recipe, warehouse) as made_of:
        declared = recipe.evaluation.harness
        if declared is None:
            raise HarnessError("the recipe declares no evaluation.harness", remedy="declare its tasks")
        folder = warehouse.artefact_dir("harness_tasks", recipe.name)
        questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
        write_tasks(folder, questions, recipe.evaluation, recipe.generation.prompts)
        tuned = tuned_student_folder(warehouse, recipe, load_student(warehouse, recipe))
        models: dict[ModelArm, Path] = {"base": resolve_path(recipe.student.path), "tuned": tuned}
        scores = run_harness(declared, recipe.student, models, folder, context.log.info)
        metadata = {
            "comparison_in_percent": table(pl.DataFrame(compare(scores, declared))),
            "before_comparing": " ".join(caveats(scores, declared)) or "nothing to be said",
            "harness": f"lm-eval {version('lm_eval')}",
            "tasks": dg.MetadataValue.path(str(folder)),
        }
        return store(context, recipe, warehouse, made_of, scores, metadata)
