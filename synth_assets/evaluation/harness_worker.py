"""The harness's process: `python -m synth_assets.evaluation.harness_worker`, one JSON line in, JSON lines out.

In: {tasks, folder, models, dtype, max_model_len, batch_size, limit}. Out: {progress}, {score} for each model and task,
and {done} or {error}. It is a process of its own because the harness and what its tasks load change the process in
which they run. Nothing is fetched: it works offline, with the data that are on the machine.

Every task is loaded, data and all, before the first model is. The public ones are put as plain text, as those did whose
figures are published; the recipe's own with the model's chat template and without further special tokens, as the
evaluation does.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

from synth_assets.errors import HarnessError, SynthAssetsError
from synth_assets.machine import end_when_closed
from synth_assets.recipe import LOCAL_TASKS

_ENVIRONMENT = {
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
_SEED = 1234  # the harness's own, for the choice of examples: another one would give figures that compare with nobody's

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.readline())
    end_when_closed(0)
    os.environ.update(_ENVIRONMENT)

    def say(message: dict[str, Any]) -> None:
        replies.write(json.dumps(message).encode() + b"\n")
        replies.flush()

    try:
        _run(order, say)
        say({"done": True})
    except SynthAssetsError as error:
        say({"error": {"what": error.what, "value": error.value, "remedy": error.remedy}})
    except ModuleNotFoundError as error:
        what = f"a task of the harness needs the package {error.name}, which is not installed"
        remedy = f"pip install 'synth_assets[harness]'; if it still lacks, pip install {error.name}"
        say({"error": {"what": what, "value": None, "remedy": remedy}})
    except Exception as error:
        traceback.print_exc()
        say({"error": {"what": f"the harness: {type(error).__name__}: {error}", "value": None, "remedy": None}})
    sys.stderr.flush()
    os._exit(0)  # an orderly end would wait for the thread that reads


def _run(order: Mapping[str, Any], say: Say) -> None:
    loaded = _load_tasks(order)
    for arm, folder in order["models"].items():
        model = _open_model(folder, order)
        for task in order["tasks"]:
            say({"progress": f"the {arm} student is put to {task['name']}"})
            say({"score": {"model": arm, **_score(model, task, loaded[task["name"]], order["limit"])}})


def _load_tasks(order: Mapping[str, Any]) -> dict[str, Any]:
    """By name, what `TaskManager.load` gives. Raises HarnessError for what cannot be put as the recipe says."""
    from lm_eval.tasks import TaskManager

    has_public = any(task["name"] not in LOCAL_TASKS for task in order["tasks"])
    manager = TaskManager(include_path=order["folder"], include_defaults=has_public)
    loaded = {}
    for task in order["tasks"]:
        if task["name"] in LOCAL_TASKS and task["name"] not in manager.all_tasks:
            raise HarnessError(
                f"the benchmark has no question for the task {task['name']}", remedy="take it out of evaluation.harness"
            )
        try:
            loaded[task["name"]] = manager.load([task["name"]])
        except ModuleNotFoundError:
            raise
        except Exception as error:
            raise _not_loaded(task["name"], error) from error
        _check(task, loaded[task["name"]])
    return loaded


def _not_loaded(name: str, error: Exception) -> HarnessError:
    said = f"{type(error).__name__}: {error}"
    if name in LOCAL_TASKS or not (isinstance(error, ConnectionError | FileNotFoundError) or "cache" in str(error)):
        return HarnessError(f"the task {name} of the harness cannot be loaded: {said}", remedy="take it out of the recipe")
    return HarnessError(
        f"the data of the task {name} are not on this machine, and nothing is downloaded behind your back ({said})",
        remedy=f"fetch them once, where there is a network: `lm-eval run --model dummy --tasks {name} --limit 1`; they then "
        "lie in ~/.cache/huggingface (or $HF_HOME), which may be copied here; or take the task out of the recipe",
    )


def _check(task: Mapping[str, Any], loaded: Mapping[str, Any]) -> None:
    name, leaves = task["name"], loaded["tasks"].values()
    if any(getattr(leaf, "UNSAFE_CODE", False) for leaf in leaves):
        raise HarnessError(
            f"the task {name} of the harness runs what the model writes as a program", remedy="take it out of the recipe"
        )
    metrics = {metric for leaf in leaves for metric in leaf.aggregation()}
    if name in loaded["groups"]:
        metrics = {part.metric for part in loaded["groups"][name].aggregate_metric_list or ()}
    if task["metric"].split(",")[0] not in metrics:
        raise HarnessError(
            f"the task {name} of the harness has no metric {task['metric']}",
            remedy=f"use {' or '.join(sorted(metrics))}" if metrics else "declare the tasks of this group one by one",
        )
    if task["num_fewshot"] and any(leaf.get_config("num_fewshot") == 0 for leaf in leaves):
        raise HarnessError(
            f"the task {name} of the harness takes no further examples", value=task["num_fewshot"],
            remedy="set its num_fewshot to 0",
        )  # fmt: skip


def _open_model(folder: str, order: Mapping[str, Any]) -> Any:
    import torch
    from lm_eval.models.huggingface import HFLM

    return HFLM(
        pretrained=folder,
        dtype=order["dtype"],
        max_length=order["max_model_len"],
        batch_size=order["batch_size"],
        device="cuda" if torch.cuda.is_available() else "cpu",
        trust_remote_code=False,
        use_safetensors=True,
        local_files_only=True,
    )


def _score(model: Any, task: Mapping[str, Any], loaded: Mapping[str, Any], limit: int | None) -> dict[str, Any]:
    import numpy
    import torch
    from lm_eval import evaluate

    name, is_local = task["name"], task["name"] in LOCAL_TASKS
    for leaf in loaded["tasks"].values():
        leaf.set_config("num_fewshot", task["num_fewshot"])
        leaf.set_fewshot_seed(_SEED)
    random.seed(0)
    numpy.random.seed(_SEED)
    torch.manual_seed(_SEED)
    model.add_bos_token = False if is_local else None
    with _truncations() as truncated:
        results = evaluate(model, dict(loaded), limit=limit, apply_chat_template=is_local, log_samples=False)
    found = {**results["results"], **results.get("groups", {})}[name]
    key = _key(name, task["metric"], found)
    stderr = found.get(key.replace(",", "_stderr,", 1))
    return {
        "task": name,
        "num_fewshot": task["num_fewshot"],
        "metric": key.removesuffix(",none"),
        "value": float(found[key]),
        "stderr": float(stderr) if isinstance(stderr, int | float) and isfinite(stderr) else None,
        "num_questions": sum(results["n-samples"][leaf]["effective"] for leaf in loaded["tasks"]),
        "is_truncated": bool(truncated),
    }


def _key(name: str, metric: str, found: Mapping[str, Any]) -> str:
    """The result `METRIC,FILTER`; the task's first filter if the metric names none."""
    keys = [key for key in found if key == metric or key.split(",")[0] == metric]
    if not keys:
        known = sorted(key for key in found if "," in key and "_stderr," not in key)
        raise HarnessError(
            f"the task {name} of the harness gave no {metric}", remedy=f"use {' or '.join(known)}"
        )  # fmt: skip
    return keys[0]


@contextmanager
def _truncations() -> Iterator[list[str]]:
    """What the harness says of questions that were too long: it goes on without their beginning, with but a warning."""
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "runcat" in (said := record.getMessage()):
                heard.append(said)

    listener, logger = Listener(), logging.getLogger("lm_eval")
    logger.addHandler(listener)
    try:
        yield heard
    finally:
        logger.removeHandler(listener)


if __name__ == "__main__":
    main()
