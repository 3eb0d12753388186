"""Stage 5 as an asset: base and tuned student sit the same examination."""

from collections import Counter
from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.alignment import aligned_checkpoint
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import interval_bars, sample_rows, table
from synth_assets.assets.journaling import calls_metadata, journaled_text_model
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import store
from synth_assets.assets.tuning import load_student, load_tuned, lora_checkpoint, tuned_student_folder
from synth_assets.evaluation import accuracy_table, answer_benchmark, read_benchmark
from synth_assets.evaluation.accuracy import ALL_LEAVES
from synth_assets.frames import to_frame
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import BenchmarkAnswer, BenchmarkQuestion
from synth_assets.storage import Warehouse

GROUP = "stage_5_evaluation"


@dg.asset(
    deps=[lora_checkpoint, aligned_checkpoint],
    group_name=GROUP,
    kinds={"python", "vllm", "huggingface"},
    metadata=column_schema("evaluation"),
)
def evaluation(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """The answers of the base and of the tuned student to questions that neither was trained on.

    The suite `taxonomy` asks what was taught, the suite `retained` what the base knew before. Where a recipe
    aligns, the tuned student is the aligned one.
    """
    with making(context, recipe, warehouse) as made_of:
        questions = read_benchmark(resolve_path(recipe.evaluation.benchmark))
        warehouse.write_table("benchmark_questions", to_frame(questions, BenchmarkQuestion))
        folders = {"base": None, "tuned": tuned_student_folder(warehouse, recipe, load_student(warehouse, recipe))}
        answers: list[BenchmarkAnswer] = []
        calls: Counter[str] = Counter()
        for arm in ("base", "tuned"):
            context.log.info(f"the {arm} student answers {len(questions)} questions")
            with journaled_text_model(engines, warehouse, recipe.student, folders[arm], Progress(context)) as student:
                answers += answer_benchmark(student, questions, arm, recipe.evaluation, recipe.generation.prompts)
                calls.update(calls_metadata(context, student.calls))
        before = _before_alignment(context, recipe, warehouse, engines, questions, calls) if recipe.alignment else {}
        metadata = _metadata(answers, questions, recipe) | before | calls
        return store(context, recipe, warehouse, made_of, answers, metadata)


def _before_alignment(
    context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse, engines: Engines,
    questions: list[BenchmarkQuestion], calls: Counter[str],
) -> dict[str, Any]:  # fmt: skip
    """For show: the accuracy of the tuned student as it was before it was aligned. Adds to `calls`."""
    folder = tuned_student_folder(warehouse, recipe, load_tuned(warehouse))
    with journaled_text_model(engines, warehouse, recipe.student, folder, Progress(context)) as student:
        answers = answer_benchmark(student, questions, "tuned", recipe.evaluation, recipe.generation.prompts)
        calls.update(calls_metadata(context, student.calls))
    accuracy = accuracy_table(answers, recipe.evaluation.confidence).filter(pl.col("leaf_path") == ALL_LEAVES)
    return {"accuracy_before_alignment": table(accuracy)}


def _metadata(answers: list[BenchmarkAnswer], questions: list[BenchmarkQuestion], recipe: Recipe) -> dict[str, Any]:
    accuracy = accuracy_table(answers, recipe.evaluation.confidence)
    right = to_frame(questions, BenchmarkQuestion).select("benchmark_question_id", "context", "question", right="answer")
    tuned = to_frame(answers, BenchmarkAnswer).filter(pl.col("model") == "tuned").join(right, "benchmark_question_id")
    shown = ["leaf_path", "context", "question", "right", "answer", "is_right"]
    by_suite = {
        f"accuracy_{suite}": accuracy_bars(accuracy.filter(pl.col("suite") == suite), suite)
        for suite in ("taxonomy", "retained")
    }
    return {
        "accuracy": table(accuracy.filter(pl.col("leaf_path") == ALL_LEAVES)),
        **by_suite,
        "accuracy_by_leaf": table(accuracy.filter(pl.col("leaf_path") != ALL_LEAVES)),
        "answers_of_the_tuned_student": sample_rows(tuned, shown, 12, hide=recipe.trust.privacy),
    }


def accuracy_bars(accuracy: pl.DataFrame, suite: str) -> dg.MarkdownMetadataValue:
    """One suite's rows of an accuracy table, base beside tuned for each leaf."""
    leaves = accuracy["leaf_path"].unique(maintain_order=True).to_list()
    arms = {
        arm: list(accuracy.filter(pl.col("model") == arm).select("accuracy", "ci_low", "ci_high").iter_rows())
        for arm in ("base", "tuned")
    }
    return interval_bars(leaves, arms, f"Right answers, suite {suite}", "share of right answers")
