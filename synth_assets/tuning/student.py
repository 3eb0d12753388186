"""A training mix and a student's folder -> the candidates of every phase, and among them the tuned student.

Each phase starts from the chosen candidate of the phase before. The choice is made by a score that whoever calls brings
along: this stage neither runs engines nor knows a benchmark. Of equal scores the earlier candidate is taken, as in LAB:
less training for as much.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from synth_assets.errors import SynthAssetsError, TuningError, Where
from synth_assets.model_folder import check_model_folder, model_fingerprint
from synth_assets.recipe import PhaseSpec, TuningSection
from synth_assets.records import Checkpoint, TrainingExample
from synth_assets.tuning.encoding import Report
from synth_assets.tuning.phase import CURVE_FILE, Phase

#: The folder of an adapter -> how good it is.
ScoreAdapter = Callable[[Path], float]
_WRITE_MARKS = ("no space", "os error", "file write failed", "failed writing", "unexpected pos", "quota", "i/o error")
_MEMORY_MARKS = ("out of memory", "can't allocate memory", "cannot allocate memory")


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
    checkpoints: list[Checkpoint] = []
    try:
        for position, spec in enumerate(specs):
            parent = tuned_student(checkpoints) if checkpoints else None
            phase = Phase(
                spec, position, position == len(specs) - 1, settings, seed, student_folder, student, parent,
                [row for row in examples if row.phase == spec.name], folder,
                _naming(spec.name, report) if report and len(specs) > 1 else report,
            )  # fmt: skip
            checkpoints += _choose(phase.candidates(), settings, folder, score_adapter)
    except SynthAssetsError:
        raise
    except Exception as error:
        if known := known_failure(error, folder):
            raise known from error
        raise
    place = relative_to or folder
    return [replace(each, adapter_path=os.path.relpath(folder / each.checkpoint_id, place)) for each in checkpoints]


def tuned_student(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """The chosen candidate of the last phase."""
    return max((each for each in checkpoints if each.is_chosen), key=lambda each: each.phase_position)


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


def _naming(phase: str, report: Report) -> Report:
    return lambda text, share: report(f"phase {phase}: {text}", share)


def _choose(
    candidates: Sequence[Checkpoint], settings: TuningSection, folder: Path, score_adapter: ScoreAdapter | None
) -> list[Checkpoint]:  # fmt: skip
    """The same, one of them chosen; with their scores, where they are chosen by score."""
    if settings.checkpoint_choice.by == "last":
        return [replace(each, is_chosen=each is candidates[-1]) for each in candidates]
    if score_adapter is None:
        raise TuningError("checkpoints are chosen by benchmark, and nobody scores them", remedy="give tune_student a score")
    scores = [score_adapter(folder / each.checkpoint_id) for each in candidates]
    best = scores.index(max(scores))  # of equals the first
    return [
        replace(each, selection_score=score, is_chosen=number == best)
        for number, (each, score) in enumerate(zip(candidates, scores, strict=True))
    ]


def known_failure(error: Exception, folder: Path) -> TuningError | None:
    """What the libraries below say of a full disk or memory, in our words; they have no type for it."""
    text = str(error).lower()
    if any(mark in text for mark in _MEMORY_MARKS):
        return TuningError(f"memory is short: {error}", remedy="lower tuning.batch_size, or take a smaller student")
    if isinstance(error, OSError) or any(mark in text for mark in _WRITE_MARKS):
        return TuningError(
            f"the training state cannot be written or read: {error}", where=Where(str(folder)),
            remedy="free some space or make the folder writable, and run again: training goes on from its last state",
        )  # fmt: skip
    return None
