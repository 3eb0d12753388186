"""Our figures in the harness's tasks beside those that others have published, as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from synth_assets.recipe import HarnessSection
from synth_assets.records import HarnessScore

TASK, MEASURED, QUESTIONS = "task", "measured as", "questions"


def compare(scores: Sequence[HarnessScore], declared: HarnessSection) -> list[dict[str, str]]:
    """One row a declared task, in its order: base and tuned in percent +- one standard error, then the published figures.

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
            MEASURED: f"{known.metric if known else task.metric}, {shots}",
            QUESTIONS: f"{known.num_questions:,}" if known else "-",
            "base": _figure(base),
            "tuned": _figure(tuned),
        }
        rows.append(row | {model: _percent(task.published.get(model)) for model in cited})
    return rows


def caveats(scores: Sequence[HarnessScore], declared: HarnessSection) -> list[str]:
    """What a reader must know before comparing; empty if there is nothing."""
    said = []
    if declared.limit:
        said.append(
            f"At most the first {declared.limit:,} questions of each task were asked: not to be held against others."
        )
    if cut := list(dict.fromkeys(score.task for score in scores if score.is_truncated)):
        said.append(f"Longer than the student can read, and put without their beginning: questions of {', '.join(cut)}.")
    return said


def _figure(score: HarnessScore | None) -> str:
    if score is None:
        return "-"
    return _percent(score.value) if score.stderr is None else f"{_percent(score.value)} ± {100 * score.stderr:.1f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"
