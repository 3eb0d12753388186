"""Our figures in the harness's tasks beside those that others have published, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.recipe import HarnessSection
from synth_assets.records import HarnessScore

TASK, MEASURED = "task", "measured as"


def compare(scores: Sequence[HarnessScore], declared: HarnessSection) -> list[dict[str, str]]:
    """One row a declared task, in its order: base and tuned +- one standard error, then what was published; in percent.

    A column for each model that the recipe cites. What was not measured, or not published for a task, is a dash.
    """
    cited = list(dict.fromkeys(model for task in declared.tasks for model in task.published))
    found = {(score.task, score.model): score for score in scores}
    rows = []
    for task in declared.tasks:
        base, tuned = found.get((task.name, "base")), found.get((task.name, "tuned"))
        known = tuned or base
        shots = f"{task.num_fewshot} shot{'' if task.num_fewshot == 1 else 's'}"
        row = {
            TASK: task.name,
            MEASURED: f"{known.metric}, {shots}, {known.num_questions:,} questions" if known else f"{task.metric}, {shots}",
            "base": _figure(base),
            "tuned": _figure(tuned),
        }
        published = {model: f"{100 * figure:.2f}" for model, figure in task.published.items()}
        rows.append(row | {model: published.get(model, "-") for model in cited})
    return rows


def caveats(scores: Sequence[HarnessScore], declared: HarnessSection) -> list[str]:
    """What a reader must know before comparing; empty if there is nothing."""
    said = []
    if declared.limit:
        said.append(
            f"Only the first {declared.limit:,} questions of each task were asked: no published figure is like that."
        )
    if cut := list(dict.fromkeys(score.task for score in scores if score.is_truncated)):
        said.append(f"Questions of {', '.join(cut)} were longer than the student can read, and lost their beginning.")
    return said


def _figure(score: HarnessScore | None) -> str:
    if score is None:
        return "-"
    value = f"{100 * score.value:.1f}"
    return value if score.stderr is None else f"{value} ± {100 * score.stderr:.1f}"
