"""A course of training: rows and an earlier adapter -> its candidates, each a published adapter. Several courses in turn.

A phase on conversations is one, an iteration of an alignment stage on pairs another.

A candidate is named by all that its weights depend on: student, the course's rows and settings, seed, the adapter that it
started from, and its step. So the same work is done once: a second call finds it, a call after a crash goes on, another
recipe lies beside it. It is published by a rename, so that an adapter that can be seen is whole.

Each course starts from the chosen candidate of the one before. The choice is made by a score that whoever calls brings
along: this stage neither runs engines nor knows a benchmark. Of equal scores the earlier candidate is taken, as in LAB:
less training for as much.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth_assets.errors import SynthAssetsError, TuningError, Where
from synth_assets.recipe import CheckpointChoice, TuningSection
from synth_assets.records import Checkpoint, content_id
from synth_assets.tuning.encoding import Report

if TYPE_CHECKING:
    from synth_assets.tuning.lora import Keep

CHECKPOINT_FILE, CURVE_FILE = "checkpoint.json", "loss_curve.json"
#: The folder of an adapter -> how good it is.
ScoreAdapter = Callable[[Path], float]
_WRITE_MARKS = ("no space", "os error", "file write failed", "failed writing", "unexpected pos", "quota", "i/o error")
_MEMORY_MARKS = ("out of memory", "can't allocate memory", "cannot allocate memory")


@dataclass(frozen=True)
class Course(ABC):
    """`student` is the fingerprint of the folder, `parent` the chosen adapter of the course before; all lie in `folder`."""

    name: str
    position: int
    settings: TuningSection
    seed: int
    student_folder: Path
    student: str
    parent: Checkpoint | None
    folder: Path
    report: Report | None

    @property
    @abstractmethod
    def course_id(self) -> str:
        """Content hash of all that the weights at each step depend on."""

    @property
    @abstractmethod
    def num_steps(self) -> int: ...

    @property
    @abstractmethod
    def num_examples(self) -> int:
        """Rows that are trained on."""

    @abstractmethod
    def train(self, keep_at: set[int], keep: Keep) -> None:
        """Train, and give the model to `keep` after each of these steps; states go to `work`."""

    @abstractmethod
    def validation_loss(self, model: Any) -> float | None:
        """On rows that are not trained on; None without such rows."""

    @property
    def epsilon(self) -> float | None:
        """What is spent of a privacy budget by the end of the course."""
        return None

    def candidates(self) -> list[Checkpoint]:
        """Those of the course, by step; what is not there yet is trained. Their `adapter_path` is empty."""
        steps = candidate_steps(self.num_steps, self.settings.checkpoint_choice)
        missing = {step for step in steps if not (self._place(step) / CHECKPOINT_FILE).is_file()}
        if missing and self.settings.privacy and not self.work.is_dir():
            missing = set(steps)  # candidates of two noises would spend the budget twice
        if missing:
            self.train(missing, lambda *found: self._publish(self.work / "adapter", *found))
        elif self.report:
            self.report("trained already", None)
        shutil.rmtree(self.work, ignore_errors=True)
        return [self._found(step) for step in steps]

    @property
    def work(self) -> Path:
        return self.folder / f"{self.course_id}.work"

    @property
    def earlier(self) -> Path | None:
        """The folder of the adapter that it starts from."""
        return self.folder / self.parent.checkpoint_id if self.parent else None

    def _place(self, step: int) -> Path:
        return self.folder / self._candidate_id(step)

    def _candidate_id(self, step: int) -> str:
        return content_id("checkpoint", self.course_id, step)

    def _found(self, step: int) -> Checkpoint:
        """Under this course's name: who trained it first may have called it otherwise."""
        said = json.loads((self._place(step) / CHECKPOINT_FILE).read_text(encoding="utf-8"))
        return Checkpoint(**said | {"phase": self.name, "phase_position": self.position})

    def _publish(self, unfinished: Path, model: Any, step: int, curve: list[dict[str, float]]) -> None:
        from synth_assets.tuning.adapters import ADAPTER_FILE, save_adapter

        losses = [row["loss"] for row in curve]
        last = losses[-max(1, len(losses) // 10) :]
        validation = self.validation_loss(model)
        shutil.rmtree(unfinished, ignore_errors=True)
        save_adapter(model, unfinished, self.earlier if self.settings.between_phases == "merge" else None)
        checkpoint = Checkpoint(
            checkpoint_id=self._candidate_id(step), student=self.student, phase=self.name,
            phase_position=self.position, adapter_path="",
            adapter_sha256=hashlib.sha256((unfinished / ADAPTER_FILE).read_bytes()).hexdigest(),
            num_steps=step, num_examples=self.num_examples, train_loss_first=losses[0],
            train_loss_last=sum(last) / len(last), validation_loss=validation, selection_score=None, is_chosen=False,
            epsilon=self.epsilon, delta=self.settings.privacy.delta if self.settings.privacy else None,
        )  # fmt: skip
        (unfinished / CURVE_FILE).write_text(json.dumps(curve) + "\n", encoding="utf-8")
        (unfinished / CHECKPOINT_FILE).write_text(json.dumps(asdict(checkpoint), indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(self._place(step), ignore_errors=True)
        unfinished.rename(self._place(step))


def run_courses(
    num_courses: int, course_at: Callable[[int, Checkpoint | None], Course], start: Checkpoint | None, folder: Path,
    score_adapter: ScoreAdapter | None, relative_to: Path | None,
) -> list[Checkpoint]:  # fmt: skip
    """Candidates of all courses, each from the chosen one of the course before, the first from `start`.

    `course_at`: a course's number, from 0, and what it starts from. `adapter_path` is relative to `relative_to` (default:
    `folder`). Raises TuningError where memory or the disk is short; what was there before is untouched.
    """
    checkpoints: list[Checkpoint] = []
    try:
        for number in range(num_courses):
            course = course_at(number, tuned_student(checkpoints) if checkpoints else start)
            checkpoints += _choose(course.candidates(), course.settings.checkpoint_choice, folder, score_adapter)
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


def candidate_steps(num_steps: int, choice: CheckpointChoice) -> list[int]:
    """Steps after which an adapter is kept: evenly spaced, the last one among them."""
    num = choice.num_candidates if choice.by == "benchmark" else 1
    return sorted({math.ceil(number * num_steps / num) for number in range(1, num + 1)})


def _choose(
    candidates: Sequence[Checkpoint], choice: CheckpointChoice, folder: Path, score_adapter: ScoreAdapter | None
) -> list[Checkpoint]:  # fmt: skip
    """The same, one of them chosen; with their scores, where they are chosen by score."""
    if choice.by == "last":
        return [replace(each, is_chosen=each is candidates[-1]) for each in candidates]
    if score_adapter is None:
        raise TuningError("checkpoints are chosen by benchmark, and nobody scores them", remedy="give `score_adapter`")
    scores = [score_adapter(folder / each.checkpoint_id) for each in candidates]
    best = scores.index(max(scores))  # of equals the first
    return [
        replace(each, selection_score=score, is_chosen=number == best)
        for number, (each, score) in enumerate(zip(candidates, scores, strict=True))
    ]


def naming(course: str, report: Report | None) -> Report | None:
    """A report that says which of several courses speaks."""
    return (lambda text, share: report(f"phase {course}: {text}", share)) if report else None


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
