"""A training mix and a student's folder -> the candidates of every phase, and among them the tuned student."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from synth_assets.errors import TuningError
from synth_assets.model_folder import check_model_folder, model_fingerprint
from synth_assets.recipe import PhaseSpec, TuningSection
from synth_assets.records import Checkpoint, TrainingExample
from synth_assets.tuning.course import CURVE_FILE, ScoreAdapter, naming, run_courses
from synth_assets.tuning.encoding import Report
from synth_assets.tuning.phase import Phase


def tune_student(
    student_folder: Path, examples: Sequence[TrainingExample], settings: TuningSection, seed: int, folder: Path,
    report: Report | None = None, *, relative_to: Path | None = None, score_adapter: ScoreAdapter | None = None,
) -> list[Checkpoint]:  # fmt: skip
    """Train LoRA adapters on the `train` rows, phase by phase, and measure their losses on the `validation` rows.

    All candidates, by phase and step; `tuned_student` is the result. An adapter lies in `folder/<checkpoint_id>`, in
    PEFT's format, always on the original student; `adapter_path` is that path relative to `relative_to` (default:
    `folder`). `train_loss_first` is the loss of a phase's first step, `train_loss_last` the mean over the last tenth of the
    steps up to the candidate. `report` is given a line of text and the share of a phase done at each step. Runs in this
    process, on all its cores or its GPU. `score_adapter` is needed where checkpoints are chosen by benchmark.

    Raises ModelError if the student's folder is none, and TuningError if there is nothing to train on, the loss
    is no number, memory is short, or the disk does not take the result; what was there before is untouched.
    """
    check_model_folder(student_folder, "ForCausalLM")
    student = model_fingerprint(student_folder)
    specs = _phases_with_rows(examples, settings)

    def phase(number: int, parent: Checkpoint | None) -> Phase:
        spec = specs[number]
        told = naming(spec.name, report) if len(specs) > 1 else report
        rows = [row for row in examples if row.phase == spec.name]
        return Phase(
            spec.name, number, settings.of_phase(spec), seed, student_folder, student, parent, folder, told, spec,
            number == len(specs) - 1, rows,
        )  # fmt: skip

    return run_courses(len(specs), phase, None, folder, score_adapter, relative_to)


def read_loss_curve(adapter_folder: Path) -> pl.DataFrame:
    """step, loss (nats per response token), learning_rate: one row a step of the adapter's own phase."""
    rows = json.loads((adapter_folder / CURVE_FILE).read_text(encoding="utf-8"))
    return pl.DataFrame(rows, schema={"step": pl.Int64, "loss": pl.Float64, "learning_rate": pl.Float64}, strict=False)


def _phases_with_rows(examples: Sequence[TrainingExample], settings: TuningSection) -> list[PhaseSpec]:
    names = [spec.name for spec in settings.phases_to_run]
    if unknown := sorted({row.phase for row in examples} - set(names)):
        raise TuningError(
            f"rows of the phase {', '.join(unknown)}, and the recipe runs {', '.join(names)}",
            remedy="materialize training_mix again",
        )
    trained = {row.phase for row in examples if row.split == "train"}
    if not trained:
        raise TuningError(
            f"no training row: {len(examples)} examples, none of which is of split train",
            remedy="look at training_mix, and at reward_filtered_set before it",
        )
    return [spec for spec in settings.phases_to_run if spec.name in trained]
