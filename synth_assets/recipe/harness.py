"""Which tasks of the lm-evaluation-harness base and tuned student are put to, and what others have published for them.

Shots and metric of the tasks in the LAB paper's table (arXiv 2403.01081) are known by name, as are those of the recipe's
own benchmark as a task; any other task must name both. Whether the harness knows a task is judged where it is installed.
"""

from __future__ import annotations

import typing
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from synth_assets.recipe.value_types import Count, Section, Text
from synth_assets.records import Suite

#: The recipe's benchmark as tasks: name -> suite.
LOCAL_TASKS: dict[str, Suite] = {f"synth_assets_{suite}": suite for suite in typing.get_args(Suite)}
#: Name -> (num_fewshot, metric) where the recipe does not say.
KNOWN_TASKS: dict[str, tuple[int, str]] = {
    "mmlu": (5, "acc"),
    "arc_challenge": (25, "acc_norm"),
    "hellaswag": (10, "acc_norm"),
    "winogrande": (5, "acc"),
    "gsm8k": (5, "exact_match"),
    **dict.fromkeys(LOCAL_TASKS, (0, "exact_match")),
}


class HarnessTask(Section):
    name: Text
    """A task or group of the harness, or the recipe's own benchmark: synth_assets_taxonomy, synth_assets_retained."""
    num_fewshot: Annotated[int, Field(ge=0)]
    """Solved examples in front of each question."""
    metric: Text
    """As the harness calls it; after a comma the filter, where a task has several (exact_match,strict-match)."""
    published: dict[Text, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)
    """Model -> what was published for it: a share from 0 to 1, as all figures here."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, said: Any) -> Any:
        """Fills in what goes without saying."""
        name = said.get("name") if isinstance(said, dict) else None
        if not isinstance(name, str) or name not in KNOWN_TASKS:
            return said
        num_fewshot, metric = KNOWN_TASKS[name]
        return {"num_fewshot": num_fewshot, "metric": metric, **said}

    @field_validator("num_fewshot")
    @classmethod
    def _own_benchmark_has_no_examples(cls, value: int, info: Any) -> int:
        if value and info.data.get("name") in LOCAL_TASKS:
            raise ValueError("0: the recipe's own benchmark is put without examples, as the evaluation puts it")
        return value

    @field_validator("published")
    @classmethod
    def _are_shares(cls, value: dict[str, float]) -> dict[str, float]:
        if not all(0 <= figure <= 1 for figure in value.values()):
            raise ValueError("shares from 0 to 1, as all figures here: 0.5889 for 58.89 %")
        return value


class HarnessSection(Section):
    tasks: tuple[HarnessTask, ...]
    batch_size: Count = 16
    limit: Count | None = None
    """Only so many questions of each task, the first ones; such figures compare with no published one."""

    @field_validator("tasks")
    @classmethod
    def _once_each(cls, tasks: tuple[HarnessTask, ...]) -> tuple[HarnessTask, ...]:
        if not tasks or len({task.name for task in tasks}) < len(tasks):
            raise ValueError("at least one task, each once")
        return tasks
