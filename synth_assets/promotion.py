"""`synth-assets promote`: the tuned student becomes the next teacher, if it beats the present one beyond doubt.

Teacher and tuned student are asked the same questions in the same way: greedy, without examples, with the recipe's prompt
and length. Both stand behind the journal, so that asking twice costs nothing. The questions are those of
`tuning.checkpoint_choice` where the recipe has such, so that what is reported (`evaluation.benchmark`) chooses nothing; a
choice among several checkpoints by the same questions flatters the student a little, and the text says so. What came of it,
a refusal as well, is a row of the table `generations`.

Limits: one number decides, right answers to what is taught. Whether the next teacher writes good *instructions* is not
asked here: its samples go through filters and gates like any others.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from synth_assets.assets.descent import OPTED_IN
from synth_assets.assets.journaling import journaled_text_model
from synth_assets.assets.recipe_parts import lineage_of
from synth_assets.assets.resources import Engines
from synth_assets.assets.tuning import load_student, tuned_student_folder
from synth_assets.errors import ModelError, Where
from synth_assets.evaluation import (
    PairedDifference,
    against_teacher,
    answer_benchmark,
    is_better,
    questions_that_decide,
    read_benchmark,
)
from synth_assets.frames import from_frame, to_frame
from synth_assets.inference import fingerprint_of
from synth_assets.model_folder import (
    LINEAGE_FILE,
    MERGED_FILE,
    Lineage,
    chat_template_of,
    check_model_folder,
    model_fingerprint,
    read_lineage,
)
from synth_assets.recipe import ModelSpec, Recipe, project_root, resolve_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion, Generation, ModelArm, content_id
from synth_assets.storage import FileLock, Warehouse

TABLE = "generations"
_AGAIN = "materialize lora_checkpoint again, or aligned_checkpoint where the recipe aligns"


def promote_student(recipe: Recipe, warehouse: Warehouse, engines: Engines) -> Generation:
    """Hold the tuned student against the recipe's teacher, and record what came of it, once.

    Raises ModelError for a student that does not fit, WarehouseError where there is none, BenchmarkError and EngineError
    where the questions cannot be asked.
    """
    folder = tuned_student_folder(warehouse, recipe, load_student(warehouse, recipe))
    lineage = check_fit(recipe, folder)
    place = deciding_folder(recipe)
    questions = questions_that_decide(read_benchmark(resolve_path(place)), place)
    teacher = _answers(recipe, warehouse, engines, questions, recipe.teacher, None)
    student = _answers(recipe, warehouse, engines, questions, recipe.student, folder)
    found = against_teacher(teacher, student, recipe.evaluation.confidence)
    generation = _generation(recipe, warehouse, folder, lineage, place, questions, found)
    if generation.is_promoted:
        _keep_mix(recipe, warehouse, generation)
    _record(warehouse, generation)
    return generation


def deciding_folder(recipe: Recipe) -> str:
    """The folder of the questions that decide: those of the choice of checkpoints, else the benchmark."""
    return recipe.tuning.checkpoint_choice.folder or recipe.evaluation.benchmark


def check_fit(recipe: Recipe, folder: Path) -> Lineage:
    """What the merged student says of its descent, once it is whole, and made of the recipe's student.

    Raises ModelError for a missing file, another base than the recipe's, or another chat template than the base's.
    """
    try:
        check_model_folder(folder, "ForCausalLM")
    except ModelError as error:
        what = f"the tuned student cannot be a teacher: {error.what}"
        raise ModelError(what, value=error.value, where=error.where, remedy=_AGAIN) from error
    for name in (LINEAGE_FILE, MERGED_FILE):
        if not (folder / name).is_file():
            raise ModelError(f"the tuned student's folder holds no {name}", value=str(folder), remedy=_AGAIN)
    base = resolve_path(recipe.student.path)
    tuned_from = json.loads((folder / MERGED_FILE).read_text(encoding="utf-8")).get("student")
    if tuned_from != fingerprint_of(recipe.student):
        raise ModelError(
            "the tuned student was made of another base than the recipe's student", value=tuned_from,
            where=Where(str(folder / MERGED_FILE)), remedy=_AGAIN,
        )  # fmt: skip
    if chat_template_of(folder) is None or chat_template_of(folder) != chat_template_of(base):
        raise ModelError(
            "the tuned student has another chat template than the one that it was tuned with",
            value=chat_template_of(folder), where=Where(str(folder)), remedy=_AGAIN,
        )  # fmt: skip
    return read_lineage(folder)


def promotion_text(recipe: Recipe, warehouse: Warehouse, generation: Generation) -> str:
    """What came of it, for people: the figures of both, and what to write into the next recipe."""
    row, said = generation, recipe.evaluation
    lines = [
        f"asked: {row.num_questions:,} questions of {row.benchmark} ({_about_questions(recipe)})",
        f"  teacher  {row.teacher_exact:>6.1%} right  {row.parent}  {row.parent_path}",
        f"  student  {row.student_exact:>6.1%} right  {row.fingerprint}  {row.model_path}",
        f"  gain     {100 * row.gain:+.1f} points ({said.confidence:.0%} interval {100 * row.ci_low:+.1f} to "
        f"{100 * row.ci_high:+.1f}), paired by question",
    ]
    if not row.is_promoted:
        why = "it is worse" if row.ci_high < 0 else "the interval does not lie above zero"
        return "\n".join([*lines, f"refused: the student is not the next teacher, {why}; the present teacher stays"])
    half = recipe.trust.gate("real_share_from_depth_2").value
    return "\n".join([
        *lines,
        f"promoted: the student is generation {row.generation}, of depth {row.generation_depth}. In the next recipe the "
        "section teacher\nis these lines alone; those of trust are added to what stands there, the gate to trust.gates:\n",
        next_recipe_lines(recipe, warehouse, row),
        f"\nFrom depth {OPTED_IN} on {half:.0%} of the rows must be real (trust.gates.real_share_from_depth_2): raise "
        "tuning.replay_share,\nor train on data sets of yours (taxonomy.data_sets).",
    ])  # fmt: skip


def next_recipe_lines(recipe: Recipe, warehouse: Warehouse, generation: Generation) -> str:
    """The section `teacher`, with all that the student's says otherwise than by default, and what is added to `trust`."""
    student, folder = recipe.student, warehouse.folder / generation.model_path
    depth = max(OPTED_IN, generation.generation_depth + 1)
    reason = f"generation {generation.generation} of our own students was better than its teacher"
    window = min(recipe.teacher.max_model_len, student.max_model_len)
    said_above = {"path", "engine", "dtype", "max_model_len"}
    own = student.model_dump(mode="json", exclude=said_above, exclude_defaults=True)
    of_pairs = (
        f'  max_depth: {{value: {depth + 1}, reason: "responses of a student that is tuned on rows of depth {depth}"}}'
    )
    return "\n".join([
        "teacher:",
        f"  path: {_shown(folder)}",
        f"  engine: {student.engine}",
        f"  dtype: {student.dtype}",
        f"  max_model_len: {window}",
        *(f"  {name}: {json.dumps(value)}" for name, value in own.items()),
        "trust:  # add to what stands there",
        "  gates:  # likewise: other gates stay",
        f'    max_depth: {{value: {depth}, severity: block, reason: "{reason}"}}',
        f"  previous_student: {_shown(folder)}",
        f"  previous_mix: {_shown(_mix_file(recipe, warehouse, generation))}",
        *(["preferences:  # likewise", of_pairs] if recipe.preferences else []),
    ])  # fmt: skip


def recorded_generations(warehouse: Warehouse) -> list[Generation]:
    """All that were judged in this warehouse, in that order."""
    return from_frame(warehouse.read_table(TABLE), Generation) if warehouse.has_table(TABLE) else []


def _answers(
    recipe: Recipe, warehouse: Warehouse, engines: Engines, questions: Sequence[BenchmarkQuestion], spec: ModelSpec,
    folder: Path | None,
) -> list[BenchmarkAnswer]:  # fmt: skip
    arm: ModelArm = "tuned" if folder else "teacher"
    with journaled_text_model(engines, warehouse, spec, folder) as model:
        return answer_benchmark(model, questions, arm, recipe.evaluation, recipe.generation.prompts)


def _generation(
    recipe: Recipe, warehouse: Warehouse, folder: Path, lineage: Lineage, place: str,
    questions: Sequence[BenchmarkQuestion], found: PairedDifference,
) -> Generation:  # fmt: skip
    fingerprint, parent = model_fingerprint(folder), fingerprint_of(recipe.teacher)
    asked = [question.benchmark_question_id for question in questions]
    return Generation(
        content_id("generation", fingerprint, parent, asked, recipe.evaluation.confidence),
        1 + _generation_of(parent, recipe, warehouse), folder.relative_to(warehouse.folder).as_posix(), fingerprint,
        parent, recipe.teacher.name, lineage.generation_depth, lineage.ancestors, place, found.num_questions,
        found.base, found.tuned, found.difference, found.ci_low, found.ci_high, is_better(found),
    )  # fmt: skip


def _generation_of(fingerprint: str, recipe: Recipe, warehouse: Warehouse) -> int:
    """Of a teacher that was promoted here, what was recorded then; of any other its depth."""
    known = {row.fingerprint: row.generation for row in recorded_generations(warehouse) if row.is_promoted}
    return known.get(fingerprint, lineage_of(recipe.teacher).generation_depth)


def _record(warehouse: Warehouse, generation: Generation) -> None:
    """The same two models on the same questions are one row, however often they are judged."""
    warehouse.folder.mkdir(parents=True, exist_ok=True)
    with FileLock(warehouse.folder / f"{TABLE}.lock").hold():
        rows = {row.generation_id: row for row in recorded_generations(warehouse)} | {generation.generation_id: generation}
        frame = to_frame(rows.values(), Generation)
        if not warehouse.has_table(TABLE) or not frame.equals(warehouse.read_table(TABLE)):
            warehouse.write_table(TABLE, frame)


def _keep_mix(recipe: Recipe, warehouse: Warehouse, generation: Generation) -> None:
    """The mix that the student was tuned on: the next run in this warehouse writes another in its place."""
    kept = _mix_file(recipe, warehouse, generation)
    kept.parent.mkdir(parents=True, exist_ok=True)
    beside = kept.with_suffix(".unfinished")
    shutil.copyfile(warehouse.table_path("training_mix"), beside)
    beside.replace(kept)


def _mix_file(recipe: Recipe, warehouse: Warehouse, generation: Generation) -> Path:
    return warehouse.artefact_dir(TABLE, recipe.name) / f"training_mix_{generation.fingerprint}.parquet"


def _about_questions(recipe: Recipe) -> str:
    if recipe.tuning.checkpoint_choice.folder is None:
        return "evaluation.benchmark: what is reported of the student was used to choose it"
    if recipe.tuning.checkpoint_choice.num_candidates == 1:
        return "tuning.checkpoint_choice; those of evaluation.benchmark choose nothing"
    return "tuning.checkpoint_choice, which also chose among the student's checkpoints and so flatters it a little"


def _shown(path: Path) -> str:
    """As a recipe names it: below the project's root relative to it."""
    root = project_root()
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
