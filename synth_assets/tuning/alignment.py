"""The tuned student, aligned: stages of preference training that go on with its adapter, one after the other.

Each iteration of a stage is a course like a phase: resumable to the byte, with candidates, of which one is chosen. Its
policy and its reference both start as the result of the course before, as in Nemotron-4 340B (arXiv 2406.11704, section
3.3.2); all stages see the same pairs. LoRA's dropout is off: the policy is to differ from its reference by what it has
learned alone. Pairs are not packed, and not private: nothing here counts a budget.

RPO needs to know by how much a response is better. Pairs without both rewards, and those on which the reward model
contradicts who decided, have no such gap: they are left out of RPO, and told; DPO takes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from synth_assets.errors import TuningError, Where
from synth_assets.model_folder import check_model_folder, model_fingerprint
from synth_assets.recipe import AlignmentSection, AlignmentStage, TuningSection
from synth_assets.records import Checkpoint, PreferencePair, content_id
from synth_assets.tuning.course import CHECKPOINT_FILE, CURVE_FILE, Course, ScoreAdapter, naming, run_courses
from synth_assets.tuning.encoding import Report, open_tokenizer, pad_token_of
from synth_assets.tuning.pairs import EncodedPair, encode_pair, split_pairs

if TYPE_CHECKING:
    from synth_assets.tuning.lora import Keep

_OF_TUNING = {
    "warmup_ratio", "warmup_steps", "batch_size", "gradient_accumulation", "lr_schedule", "max_tokens", "validation_share",
}  # fmt: skip


class _Rows(NamedTuple):
    pad_token_id: int
    train: list[EncodedPair]
    validation: list[EncodedPair]


@dataclass(frozen=True)
class AlignmentIteration(Course):
    """`settings`: those of tuning, with what the stage says in their place; `parent` is the reference."""

    stage: AlignmentStage
    pairs: Sequence[PreferencePair]

    @cached_property
    def num_steps(self) -> int:
        if self.stage.max_steps:
            return self.stage.max_steps
        return math.ceil(len(self._rows.train) / self.settings.rows_a_step) * (self.stage.num_epochs or 0)

    @property
    def num_examples(self) -> int:
        return len(self._rows.train)

    @cached_property
    def course_id(self) -> str:
        rows = [(pair.leaf_path, pair.prompt, pair.chosen, pair.rejected, pair.margin) for pair in self.pairs]
        said = self.stage.model_dump(mode="json", exclude={"name", "iterations"})
        of_tuning = self.settings.model_dump(mode="json", include=_OF_TUNING)
        start = self.parent.checkpoint_id if self.parent else None
        return content_id("alignment", self.student, rows, said, of_tuning, self.seed, start)

    def train(self, keep_at: set[int], keep: Keep) -> None:
        from synth_assets.tuning.lora import Training, train_lora
        from synth_assets.tuning.preference_objective import PreferenceObjective

        rows = self._with_reference
        training = Training(
            self.student_folder, self.earlier, rows.train, rows.pad_token_id, self.num_steps, self.stage.learning_rate,
            "cosine" if self.settings.lr_schedule == "cosine" else "constant_with_warmup", self.seed, self.work,
            objective=PreferenceObjective(self.stage), said_in=f"alignment.stages, {self.stage.name}: ",
        )  # fmt: skip
        train_lora(training, self.settings, keep_at, keep, self.report)

    def validation_loss(self, model: Any) -> float | None:
        """The stage's own loss, nats a pair."""
        from synth_assets.tuning.preference_objective import PreferenceObjective, mean_pair_loss

        rows, objective = self._with_reference, PreferenceObjective(self.stage)
        if not rows.validation:
            return None
        return mean_pair_loss(model, rows.validation, objective, rows.pad_token_id, self.settings.batch_size)

    @cached_property
    def _rows(self) -> _Rows:
        tokenizer, most = open_tokenizer(self.student_folder, self.settings.max_tokens)
        split = split_pairs(self.pairs, self.settings.validation_share)
        train, validation = (
            _fitting(tokenizer, _with_gap(split[name], self.stage, self.report), most, self.report)
            for name in ("train", "validation")
        )
        if not train:
            raise TuningError(
                f"no pair to train on in {self.name}: of {len(self.pairs)} pairs none fits {most} tokens"
                + (" and has a gap above 0 between its rewards" if self.stage.loss == "rpo" else ""),
                remedy="look at preference_pairs; rpo needs a reward_model, max_new_tokens must leave room for the prompt",
            )
        return _Rows(pad_token_of(tokenizer), train, validation)

    @cached_property
    def _with_reference(self) -> _Rows:
        from synth_assets.tuning.preference_objective import add_reference

        rows = self._rows
        assert self.earlier is not None
        self.work.mkdir(parents=True, exist_ok=True)
        every, file = [*rows.train, *rows.validation], self.work / "reference.json"
        if self.report and not file.is_file():
            self.report(f"what the reference gives the responses of {len(every)} pairs", None)
        pairs = add_reference(
            every, self.student_folder, self.earlier, rows.pad_token_id, self.settings.batch_size, file
        )  # fmt: skip
        return rows._replace(train=pairs[: len(rows.train)], validation=pairs[len(rows.train) :])


def align_student(
    student_folder: Path, earlier: Checkpoint, pairs: Sequence[PreferencePair], alignment: AlignmentSection,
    tuning: TuningSection, seed: int, folder: Path, report: Report | None = None, *, relative_to: Path | None = None,
    score_adapter: ScoreAdapter | None = None,
) -> list[Checkpoint]:  # fmt: skip
    """Train the adapter `earlier`, which lies in `folder`, further on the pairs, stage by stage.

    All candidates, by iteration and step; `tuned_student` is the result, and may be asked of these and the earlier ones
    together: `phase` is the iteration's name, and `phase_position` goes on counting. Losses are the stage's own, nats a
    pair. Everything else is as of `tune_student`.

    Raises ModelError if the student's folder is none, and TuningError if there is no pair to train on, the adapter is not
    there or belongs to another student, a privacy budget is asked for, the loss is no number, memory is short, or the disk
    does not take the result; what was there before is untouched.
    """
    check_model_folder(student_folder, "ForCausalLM")
    student = model_fingerprint(student_folder)
    _check_start(student, earlier, pairs, tuning, folder)
    stages = alignment.stages_to_run

    def iteration(number: int, parent: Checkpoint | None) -> AlignmentIteration:
        name, stage = stages[number]
        of_iteration = int(content_id("alignment_seed", seed, number), 16) >> 1
        return AlignmentIteration(
            name, earlier.phase_position + 1 + number, _settings(stage, tuning), of_iteration, student_folder, student,
            parent, folder, naming(name, report), stage, pairs,
        )  # fmt: skip

    return run_courses(len(stages), iteration, earlier, folder, score_adapter, relative_to)


def read_preference_curve(adapter_folder: Path) -> pl.DataFrame:
    """step, loss (nats a pair), learning_rate, implied_gap (mean over the step's pairs), preference_accuracy."""
    rows = json.loads((adapter_folder / CURVE_FILE).read_text(encoding="utf-8"))
    names = ("loss", "learning_rate", "implied_gap", "preference_accuracy")
    return pl.DataFrame(rows, schema={"step": pl.Int64, **dict.fromkeys(names, pl.Float64)}, strict=False)


def _settings(stage: AlignmentStage, tuning: TuningSection) -> TuningSection:
    said = stage.model_dump(include={"lr_schedule", "batch_size", "gradient_accumulation"}, exclude_none=True)
    return tuning.model_copy(update=said | {"packing": False, "between_phases": "continue"})


def _check_start(
    student: str, earlier: Checkpoint, pairs: Sequence[PreferencePair], tuning: TuningSection, folder: Path
) -> None:  # fmt: skip
    if tuning.privacy:
        raise TuningError(
            "alignment counts no privacy budget: what its pairs give away would not be bounded",
            value=f"tuning.privacy.epsilon {tuning.privacy.epsilon:g}",
            remedy="leave out the section alignment, or tuning.privacy",
        )
    if earlier.student != student:
        raise TuningError(
            f"the adapter to be aligned belongs to another student, {earlier.student}", value=student,
            remedy="materialize lora_checkpoint again",
        )  # fmt: skip
    if not (folder / earlier.checkpoint_id / CHECKPOINT_FILE).is_file():
        where = Where(str(folder / earlier.checkpoint_id))
        raise TuningError("the adapter to be aligned is not there", where=where, remedy="materialize lora_checkpoint again")
    if not pairs:
        raise TuningError("there is no preference pair to align on", remedy="look at rejected_samples, stage preferences")


def _with_gap(pairs: Sequence[PreferencePair], stage: AlignmentStage, report: Report | None) -> list[PreferencePair]:
    """Those that the stage's loss can take."""
    if stage.loss == "dpo":
        return list(pairs)
    taken = [pair for pair in pairs if pair.margin is not None and pair.margin > 0]
    if report and len(taken) < len(pairs):
        report(f"{len(pairs) - len(taken)} pairs without a reward gap above 0 are left out", None)
    return taken


def _fitting(
    tokenizer: Any, pairs: Sequence[PreferencePair], max_tokens: int, report: Report | None
) -> list[EncodedPair]:  # fmt: skip
    """A pair of which one response is too long is left out: a cut one would be another."""
    encoded = [encode_pair(tokenizer, pair) for pair in pairs]
    fitting = [pair for pair in encoded if max(len(pair.chosen.token_ids), len(pair.rejected.token_ids)) <= max_tokens]
    if report and len(fitting) < len(pairs):
        report(f"{len(pairs) - len(fitting)} pairs are longer than {max_tokens} tokens and left out", None)
    return fitting
