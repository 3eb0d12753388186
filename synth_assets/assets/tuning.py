"""Stage 4 as assets: kept samples become a training mix, and the mix an adapter."""

from pathlib import Path
from typing import Any

import dagster as dg

from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, curves, sample_rows
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.reward import reward_filtered_set
from synth_assets.assets.storing import load, num_by, store
from synth_assets.frames import to_frame
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import Checkpoint, KeptSample, TrainingExample
from synth_assets.storage import Warehouse
from synth_assets.tuning import merge_adapter, mix_phase, read_loss_curve, read_replay_buffer, tune_student

GROUP = "stage_4_tuning"


@dg.asset(
    deps=[reward_filtered_set],
    group_name=GROUP,
    kinds={"python", "parquet"},
    metadata=column_schema("training_mix"),
)
def training_mix(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """What the student is trained on: the kept samples, and a share of what it knew before, in training order.

    The replayed rows keep tuning from wiping out what the base student can do. Validation rows are never trained on.
    """
    with making(context, recipe, warehouse) as made_of:
        buffer = recipe.tuning.replay_buffer if recipe.tuning.replay_share else None
        replay = read_replay_buffer(resolve_path(buffer)) if buffer else []
        kept = load(warehouse, KeptSample)
        mix = mix_phase(kept, replay, recipe.tuning, recipe.seed, recipe.generation.prompts)
        rows = to_frame(mix, TrainingExample)
        metadata = {
            "examples": sample_rows(rows, ["split", "source", "leaf_path", "prompt", "response"]),
            "rows_by_source": bars(num_by(rows, "source"), "Where the rows come from", "rows"),
            "rows_per_leaf": bars(num_by(rows, "leaf_path"), "Rows of each leaf node", "rows"),
        }
        return store(context, recipe, warehouse, made_of, mix, metadata)


@dg.asset(
    deps=[training_mix],
    group_name=GROUP,
    kinds={"python", "pytorch", "huggingface"},
    metadata=column_schema("lora_checkpoint"),
)
def lora_checkpoint(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
) -> dg.MaterializeResult[Any]:
    """The tuned student: a LoRA adapter in PEFT's format, trained on the answers only.

    Training that was broken off goes on from its last saved state. The adapter merged into its student lies beside it,
    as a plain model folder.
    """
    with making(context, recipe, warehouse) as made_of:
        mix = load(warehouse, TrainingExample)
        student, folder = resolve_path(recipe.student.path), warehouse.artefact_dir("adapters", recipe.name)
        checkpoint = tune_student(
            student, mix, recipe.tuning, recipe.seed, folder, Progress(context, "steps").tell,
            relative_to=warehouse.folder,
        )  # fmt: skip
        tuned = tuned_student_folder(warehouse, recipe, checkpoint)
        merge_adapter(student, warehouse.folder / checkpoint.adapter_path, tuned)
        return store(context, recipe, warehouse, made_of, [checkpoint], _training_metadata(warehouse, checkpoint, tuned))


def tuned_student_folder(warehouse: Warehouse, recipe: Recipe, checkpoint: Checkpoint) -> Path:
    """Where the student lies with its adapter merged in."""
    return warehouse.artefact_dir("tuned_students", recipe.name) / checkpoint.checkpoint_id


def _training_metadata(warehouse: Warehouse, checkpoint: Checkpoint, tuned: Path) -> dict[str, Any]:
    adapter = warehouse.folder / checkpoint.adapter_path
    curve = read_loss_curve(adapter)
    points = list(zip(curve["step"].to_list(), curve["loss"].to_list(), strict=True))
    end = [] if checkpoint.validation_loss is None else [(points[-1][0], checkpoint.validation_loss)]
    lines = {"training": points, "validation, at the end": end}
    return {
        "adapter": dg.MetadataValue.path(str(adapter)),
        "tuned_student": dg.MetadataValue.path(str(tuned)),
        "loss_curve": curves(lines, "Loss while training", "step", "nats per response token"),
        "train_loss_last": checkpoint.train_loss_last,
        "validation_loss": checkpoint.validation_loss if checkpoint.validation_loss is not None else "not measured",
        "num_steps": checkpoint.num_steps,
        "num_examples": checkpoint.num_examples,
    }
