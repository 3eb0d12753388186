"""How good an adapter is, for the stage that trains them: it may know neither engine nor benchmark."""

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from synth_assets.assets.journaling import calls_metadata, journaled_text_model
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.errors import BenchmarkError
from synth_assets.evaluation import answer_benchmark, read_benchmark
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import BenchmarkQuestion
from synth_assets.storage import Warehouse
from synth_assets.tuning import merge_adapter


@dataclass(frozen=True)
class CandidateExam:
    """The questions of `tuning.checkpoint_choice`, put to the student with a candidate merged in, behind the journal.

    `calls` counts the model calls.
    """

    context: dg.AssetExecutionContext
    recipe: Recipe
    warehouse: Warehouse
    engines: Engines
    questions: Sequence[BenchmarkQuestion]
    calls: Counter[str] = field(default_factory=Counter)

    def score(self, adapter: Path) -> float:
        """Share of exactly right answers. The merged student is a whole model, and is not kept."""
        recipe, questions = self.recipe, self.questions
        place = self.warehouse.artefact_dir("candidates", recipe.name) / adapter.name
        merged = merge_adapter(resolve_path(recipe.student.path), adapter, place)
        self.context.log.info(f"candidate {adapter.name} answers {len(questions)} questions")
        with journaled_text_model(self.engines, self.warehouse, recipe.student, merged, Progress(self.context)) as student:
            answers = answer_benchmark(student, questions, "tuned", recipe.evaluation, recipe.generation.prompts)
            self.calls.update(calls_metadata(self.context, student.calls))
        shutil.rmtree(place, ignore_errors=True)
        return sum(answer.is_right for answer in answers) / len(answers)


def candidate_exam(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines
) -> CandidateExam | None:
    """The recipe's exam; None where it chooses without one. Raises BenchmarkError if there is nothing to ask."""
    folder = recipe.tuning.checkpoint_choice.folder
    if folder is None:
        return None
    questions = [each for each in read_benchmark(resolve_path(folder)) if each.suite == "taxonomy"]
    if not questions:
        remedy = "name a folder with questions of suite taxonomy in tuning.checkpoint_choice.benchmark"
        raise BenchmarkError("there is no question to choose checkpoints by", value=folder, remedy=remedy)
    return CandidateExam(context, recipe, warehouse, engines, questions)
