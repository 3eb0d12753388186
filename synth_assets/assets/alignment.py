"""Stage 4, its end: the tuned student is aligned on preference pairs."""

from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.descent import lineage_of_aligned
from synth_assets.assets.display import curves, table
from synth_assets.assets.leasing import making
from synth_assets.assets.preferences import preference_pairs
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.selection import candidate_exam
from synth_assets.assets.storing import load, store
from synth_assets.assets.tuning import CANDIDATES, GROUP, load_tuned, lora_checkpoint, publish_student, training_mix
from synth_assets.frames import to_frame
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import Checkpoint, PreferencePair, TrainingExample
from synth_assets.storage import Warehouse
from synth_assets.tuning import align_student, read_preference_curve, tuned_student


@dg.asset(
    deps=[
        training_mix, lora_checkpoint, preference_pairs,
        "fidelity_report", "privacy_report", "diversity_report", "collapse_report",
    ],
    group_name=GROUP,
    kinds={"python", "pytorch", "huggingface"},
    metadata=column_schema("aligned_checkpoint"),
)  # fmt: skip
def aligned_checkpoint(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """The tuned student, aligned: its adapter trained further on preference pairs, one row a candidate of each iteration.

    Training that was broken off goes on from its last saved state. Where a recipe aligns, this is the student that is
    examined, reported on and exported. Merged into its base it lies beside the adapter, as a plain model folder.
    """
    with making(context, recipe, warehouse) as made_of:
        assert recipe.alignment is not None
        exam, pairs = candidate_exam(context, recipe, warehouse, engines), load(warehouse, PreferencePair)
        checkpoints = align_student(
            resolve_path(recipe.student.path), load_tuned(warehouse), pairs, recipe.alignment, recipe.tuning, recipe.seed,
            warehouse.artefact_dir("adapters", recipe.name), Progress(context, "steps").tell,
            relative_to=warehouse.folder, score_adapter=exam.score if exam else None,
        )  # fmt: skip
        lineage = lineage_of_aligned(recipe, load(warehouse, TrainingExample), pairs)
        aligned = publish_student(recipe, warehouse, tuned_student(checkpoints), lineage)
        metadata = {"aligned_student": dg.MetadataValue.path(str(aligned))} | _metadata(warehouse, checkpoints)
        return store(context, recipe, warehouse, made_of, checkpoints, metadata | (exam.calls if exam else {}))


def _metadata(warehouse: Warehouse, checkpoints: list[Checkpoint]) -> dict[str, Any]:
    final = tuned_student(checkpoints)
    curve = _curves(warehouse, checkpoints)
    return {
        "adapter": dg.MetadataValue.path(str(warehouse.folder / final.adapter_path)),
        "candidates": table(to_frame(checkpoints, Checkpoint).select(CANDIDATES)),
        "loss_curve": curves({"training": _over_steps(curve, "loss")}, "Loss of all iterations", "step", "nats a pair"),
        "preference_accuracy": curves(
            {"training": _over_steps(curve, "preference_accuracy")},
            "Pairs of which the chosen response has gained more on the reference", "step", "share of a step's pairs",
        ),
        "train_loss_last": final.train_loss_last,
        "validation_loss": final.validation_loss if final.validation_loss is not None else "not measured",
        "num_steps": sum(each.num_steps for each in checkpoints if each.is_chosen),
        "num_pairs": final.num_examples,
    }  # fmt: skip


def _curves(warehouse: Warehouse, checkpoints: list[Checkpoint]) -> list[pl.DataFrame]:
    """Of each iteration up to its last candidate."""
    last = {each.phase_position: each for each in checkpoints}
    return [read_preference_curve(warehouse.folder / last[position].adapter_path) for position in sorted(last)]


def _over_steps(frames: list[pl.DataFrame], column: str) -> list[tuple[float, float]]:
    values = [value for frame in frames for value in frame[column].to_list()]
    return [(float(step), value) for step, value in enumerate(values, 1) if value is not None]
