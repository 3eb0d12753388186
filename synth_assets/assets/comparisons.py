"""Open answers of base and tuned student, compared by the recipe's judge, as an asset."""

from typing import Any

import dagster as dg
import polars as pl

from synth_assets.assets.alignment import aligned_checkpoint
from synth_assets.assets.columns import column_schema
from synth_assets.assets.display import bars, sample_rows, table
from synth_assets.assets.evaluation import GROUP
from synth_assets.assets.journaling import calls_metadata, journaled_judge, journaled_text_model, panel_of
from synth_assets.assets.leasing import making
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import num_by, store
from synth_assets.assets.tuning import load_student, lora_checkpoint, tuned_student_folder
from synth_assets.evaluation import answer_open_questions, compare_answers, read_open_questions
from synth_assets.frames import to_frame
from synth_assets.intervals import wilson_interval
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import Comparison
from synth_assets.storage import Warehouse


@dg.asset(
    deps=[lora_checkpoint, aligned_checkpoint],
    group_name=GROUP,
    kinds={"python", "vllm", "huggingface"},
    metadata=column_schema("comparisons"),
)
def comparisons(
    context: dg.AssetExecutionContext,
    recipe: dg.ResourceParam[Recipe],
    warehouse: dg.ResourceParam[Warehouse],
    engines: dg.ResourceParam[Engines],
) -> dg.MaterializeResult[Any]:
    """Which of two open answers a judge prefers, the base student's or the tuned one's, asked in both orders.

    Where the two orders contradict each other, nobody has won (`inconsistent`).
    """
    with making(context, recipe, warehouse) as made_of:
        assert recipe.evaluation.open_questions is not None
        questions = read_open_questions(resolve_path(recipe.evaluation.open_questions))
        folders = (None, tuned_student_folder(warehouse, recipe, load_student(warehouse, recipe)))
        answers, calls = [], []
        for folder in folders:
            with journaled_text_model(engines, warehouse, recipe.student, folder, Progress(context)) as student:
                max_new_tokens, style = recipe.evaluation.max_new_tokens, recipe.generation.prompts
                answers.append(answer_open_questions(student, questions, max_new_tokens, style))
                calls.append(student.calls)
        with journaled_judge(engines, warehouse, recipe, progress=Progress(context)) as judge:
            assert judge is not None
            rows = compare_answers(questions, answers[0], answers[1], panel_of(recipe, judge))
            calls.append(judge.calls)
        metadata = _metadata(to_frame(rows, Comparison), recipe)
        return store(context, recipe, warehouse, made_of, rows, metadata | calls_metadata(context, *calls))


def wins(frame: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Each outcome: how many, and its share of all comparisons with a Wilson interval."""
    if frame.is_empty():
        return pl.DataFrame()
    rows = []
    for outcome in ("tuned", "base", "tie", "inconsistent", "no_verdict"):
        num = frame.filter(pl.col("outcome") == outcome).height
        low, high = wilson_interval(num, frame.height, confidence)
        rows.append((outcome, num, f"{num / frame.height:.1%} ({low:.1%} to {high:.1%})"))
    return pl.DataFrame(rows, schema=["preferred", "questions", "share"], orient="row")


def _metadata(frame: pl.DataFrame, recipe: Recipe) -> dict[str, Any]:
    shown = ["leaf_path", "question", "base_answer", "tuned_answer", "outcome", "reasons_base_first"]
    return {
        "preferred": table(wins(frame, recipe.evaluation.confidence)),
        "outcomes": bars(num_by(frame, "outcome"), "Which answer the judge prefers in both orders", "questions"),
        "examples": sample_rows(frame, shown, 12, hide=recipe.trust.privacy),
    }
