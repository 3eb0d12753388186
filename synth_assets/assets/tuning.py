"""Stage 4 as assets: kept samples become a training mix, and the mix an adapter."""

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.columns import column_schema
from synth_assets.assets.descent import lineage_of_student
from synth_assets.assets.display import bars, curves, sample_rows, table
from synth_assets.assets.held_out import without_held_out
from synth_assets.assets.ingredients import student_asset
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.recipe_parts import trained_sets
from synth_assets.assets.resources import Engines
from synth_assets.assets.reward import reward_filtered_set
from synth_assets.assets.selection import candidate_exam
from synth_assets.assets.storing import load, num_by, store
from synth_assets.assets.taxonomy import seed_examples
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.frames import from_frame, to_frame
from synth_assets.model_folder import Lineage, write_lineage
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import Checkpoint, KeptSample, SeedExample, TrainingExample
from synth_assets.storage import Warehouse
from synth_assets.tuning import (
    merge_adapter,
    mix_phases,
    read_loss_curve,
    read_replay_buffer,
    tune_student,
    tuned_student,
)

GROUP = "stage_4_tuning"
#: What is shown of them.
CANDIDATES = ("phase", "num_steps", "train_loss_last", "validation_loss", "selection_score", "is_chosen", "checkpoint_id")


@dg.asset(
    deps=[seed_examples, reward_filtered_set],
    group_name=GROUP,
    kinds={"python", "parquet"},
    metadata=column_schema("training_mix"),
)
def training_mix(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """What the student is trained on, phase by phase, in training order: the kept samples, and a share of what it knew.

    Rows of the recipe's own data sets stand in it too, where the recipe wants them. The replayed rows keep a phase from
    wiping out what the base student can do and what earlier phases have taught.
    Validation rows are never trained on.
    """
    with making(context, recipe, warehouse) as made_of:
        check_trust_files(recipe, warehouse)
        buffer = recipe.tuning.replay_buffer if recipe.tuning.replay_share else None
        replay = read_replay_buffer(resolve_path(buffer)) if buffer else []
        kept = load(warehouse, KeptSample)
        trained = {spec.leaf_path for spec in trained_sets(recipe)}
        seeds = [seed for seed in load(warehouse, SeedExample) if seed.leaf_path in trained]
        given = without_held_out(seeds, replay, recipe)
        for row, what in given.left_out.items():
            context.log.warning(f"{row} is not trained on: it {what}")
        mix = mix_phases(kept, given.replay, recipe.tuning, recipe.seed, recipe.generation.prompts, seeds=given.seeds)
        rows = to_frame(mix, TrainingExample)
        metadata = {
            "examples": sample_rows(
                rows, ["phase", "split", "source", "leaf_path", "prompt", "response"], hide=recipe.trust.privacy
            ),
            "rows_by_phase": bars(num_by(rows, "phase"), "Rows of each phase", "rows"),
            "rows_by_source": bars(num_by(rows, "source"), "Where the rows come from", "rows"),
            "rows_per_leaf": bars(num_by(rows, "leaf_path"), "Rows of each leaf node", "rows"),
            "not_trained_on": table(pl.DataFrame({"row": list(given.left_out), "it": list(given.left_out.values())})),
        }
        return store(context, recipe, warehouse, made_of, mix, metadata)


@dg.asset(
    deps=[training_mix, "fidelity_report", "privacy_report", "diversity_report", "collapse_report"],
    group_name=GROUP,
    kinds={"python", "pytorch", "huggingface"},
    metadata=column_schema("lora_checkpoint"),
)
def lora_checkpoint(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """The tuned student: a LoRA adapter in PEFT's format, trained on the answers only. One row a candidate of each phase.

    Training that was broken off goes on from its last saved state. The adapter merged into its student lies beside it,
    as a plain model folder.
    """
    with making(context, recipe, warehouse) as made_of:
        student, exam = resolve_path(recipe.student.path), candidate_exam(context, recipe, warehouse, engines)
        mix = load(warehouse, TrainingExample)
        checkpoints = tune_student(
            student, mix, recipe.tuning, recipe.seed,
            warehouse.artefact_dir("adapters", recipe.name), Progress(context, "steps").tell,
            relative_to=warehouse.folder, score_adapter=exam.score if exam else None,
        )  # fmt: skip
        tuned = publish_student(recipe, warehouse, tuned_student(checkpoints), lineage_of_student(recipe, mix))
        metadata = _training_metadata(warehouse, checkpoints, tuned) | (exam.calls if exam else {})
        return store(context, recipe, warehouse, made_of, checkpoints, metadata)


def load_tuned(warehouse: Warehouse) -> Checkpoint:
    """The adapter of the tuned student, before it is aligned. Raises WarehouseError if there is none yet."""
    return tuned_student(load(warehouse, Checkpoint))


def load_student(warehouse: Warehouse, recipe: Recipe) -> Checkpoint:
    """The adapter of the student that the recipe ends with. Raises WarehouseError if there is none yet."""
    return tuned_student(from_frame(warehouse.read_table(student_asset(recipe)), Checkpoint))


def publish_student(recipe: Recipe, warehouse: Warehouse, checkpoint: Checkpoint, lineage: Lineage) -> Path:
    """Merge the adapter into its student, with a word on whom it descends from; returns the folder."""
    folder = tuned_student_folder(warehouse, recipe, checkpoint)
    merge_adapter(resolve_path(recipe.student.path), warehouse.folder / checkpoint.adapter_path, folder)
    write_lineage(folder, lineage)
    return folder


def tuned_student_folder(warehouse: Warehouse, recipe: Recipe, checkpoint: Checkpoint) -> Path:
    """Where the student lies with its adapter merged in."""
    return warehouse.artefact_dir("tuned_students", recipe.name) / checkpoint.checkpoint_id


def _training_metadata(warehouse: Warehouse, checkpoints: list[Checkpoint], tuned: Path) -> dict[str, Any]:
    final = tuned_student(checkpoints)
    return {
        "adapter": dg.MetadataValue.path(str(warehouse.folder / final.adapter_path)),
        "tuned_student": dg.MetadataValue.path(str(tuned)),
        "candidates": table(to_frame(checkpoints, Checkpoint).select(CANDIDATES)),
        "loss_curve": curves(
            _losses(warehouse, checkpoints), "Loss while training, phase after phase", "step", "nats per response token"
        ),
        "train_loss_last": final.train_loss_last,
        "validation_loss": final.validation_loss if final.validation_loss is not None else "not measured",
        "num_steps": sum(each.num_steps for each in checkpoints if each.is_chosen),
        "num_examples": sum(each.num_examples for each in checkpoints if each.is_chosen),
    }


def _losses(warehouse: Warehouse, checkpoints: list[Checkpoint]) -> dict[str, list[tuple[float, float]]]:
    """The training's loss over all steps, one phase after the other, and the validation loss of each candidate."""
    training: list[tuple[float, float]] = []
    validation: list[tuple[float, float]] = []
    for position in sorted({each.phase_position for each in checkpoints}):
        of_phase = [each for each in checkpoints if each.phase_position == position]
        curve, before = read_loss_curve(warehouse.folder / of_phase[-1].adapter_path), len(training)
        losses = [(each.num_steps, each.validation_loss) for each in of_phase if each.validation_loss is not None]
        training += [(before + step, loss) for step, loss in curve.select("step", "loss").iter_rows()]
        validation += [(before + step, loss) for step, loss in losses]
    return {"training": training, "validation, the phase's own rows": validation}
