"""`synth-assets train-embedded STAGE`: make the embedded models anew, stage after stage, or all of them.

    bundle    data/taxonomy, data/documents, data/benchmark, the replay buffer
    base      the student base
    teacher   the teacher, from the base
    answers   the teacher's own answers to training questions, through the recipe's engine
    reward    the reward model, from the teacher: first on its own answers, then mostly on fresh ones
    judge     the judge, from the teacher, on its answers and others
    install   the four models into data/models
    cards     the model cards, from training.json and data/studies

A stage that was broken off goes on where its last state was saved; `--folder` holds states, logs and models.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from synth_assets.roles import TextModel

STAGES = ("bundle", "base", "teacher", "answers", "reward", "judge", "install", "cards")
#: The training runs of a stage, one after the other.
RUNS = {"base": ("base",), "teacher": ("teacher",), "reward": ("reward_own", "reward"),
        "judge": ("judge_first", "judge_second", "judge")}  # fmt: skip
SEEDS = {"base": 0, "teacher": 1, "reward_own": 2, "reward": 3, "judge_first": 4, "judge_second": 5, "judge": 6}
DEFAULT_STEPS = {
    "base": 1200,
    "teacher": 1500,
    "reward_own": 3000,
    "reward": 1000,
    "judge_first": 2000,
    "judge_second": 1200,
    "judge": 700,
}
LEARNING_RATES = {
    "base": 4e-3,
    "teacher": 4e-3,
    "reward_own": 2e-3,
    "reward": 1e-3,
    "judge_first": 2e-3,
    "judge_second": 1e-3,
    "judge": 1e-3,
}
WHOLE_POOLS = {"reward_own": 1_000, "reward": 20_000}
NUM_ANSWERS = 60_000
FOLDERS = {"base": "student_base", "teacher": "teacher", "reward": "reward_model", "judge": "judge"}
OpenTextModel = Callable[[Path], AbstractContextManager[TextModel]]


def run_stage(
    stage: str,
    folder: Path,
    data: Path,
    open_teacher: OpenTextModel,
    steps: int | None = None,
    processes: int = 2,
) -> None:
    """Run one stage of `STAGES`; `open_teacher` opens a model folder with the recipe's engine."""
    if stage == "bundle":
        from synth_assets.embedded.bundle import write_bundle

        write_bundle(data)
    elif stage == "answers":
        from synth_assets.embedded.sampling import sample_answers

        with open_teacher(folder / "teacher") as teacher:
            sample_answers(teacher, NUM_ANSWERS, 0, folder / "answers.parquet", lambda done: print(f"{done} answers"))
    elif stage == "install":
        install_models(folder, data / "models")
    elif stage == "cards":
        from synth_assets.embedded.cards import write_model_cards

        write_model_cards(data / "models", data / "studies")
    else:
        for run in RUNS[stage]:
            _train(run, folder, steps or DEFAULT_STEPS[run], processes)


def _train(run: str, folder: Path, steps: int, processes: int) -> None:
    from synth_assets.embedded.language_models import train_language_model
    from synth_assets.embedded.reward_models import train_reward_model
    from synth_assets.embedded.trainer import TrainingPlan

    plan = TrainingPlan(run, folder, num_steps=steps, seed=SEEDS[run], learning_rate=LEARNING_RATES[run])
    if run in WHOLE_POOLS:
        begin = folder / ("teacher" if run == "reward_own" else "reward_own")
        train_reward_model(plan, processes, begin, folder / "answers.parquet", WHOLE_POOLS[run])
    else:
        starts = {"teacher": "base", "judge_first": "teacher", "judge_second": "judge_first", "judge": "judge_second"}
        start = folder / starts[run] if run in starts else None
        sampled = folder / "answers.parquet" if run in RUNS["judge"] else None
        train_language_model(run, plan, processes, start, sampled)


def install_models(folder: Path, models: Path) -> None:
    """Copy the trained folders to data/models, each with a training.json that its card reads."""
    for stage, name in FOLDERS.items():
        target = models / name
        target.mkdir(parents=True, exist_ok=True)
        for file in (folder / stage).iterdir():
            shutil.copyfile(file, target / file.name)
        logs = [folder / f"{run}.log.jsonl" for run in RUNS[stage]]
        training = training_record(stage, folder / stage, logs)
        (target / "training.json").write_text(json.dumps(training, indent=2) + "\n")


def training_record(stage: str, model: Path, logs: Sequence[Path]) -> dict[str, Any]:
    """What the training runs of a stage cost, from their logs: tokens, minutes (without pauses), machine, last loss."""
    from safetensors.torch import load_file

    starts, rows = [], []
    for log in logs:
        written = [json.loads(line) for line in log.read_text().splitlines()]
        starts.append(next(row for row in written if "machine" in row))
        rows += list({row["step"]: row for row in written if "tokens" in row}.values())  # a resumed run repeats steps
    start, seconds = starts[0], sum(row["tokens"] / row["tokens_per_s"] for row in rows)
    config = json.loads((model / "config.json").read_text())
    return {
        "command": stage, "architecture": config["architectures"][0], "steps": sum(each["num_steps"] for each in starts),
        "num_parameters": sum(t.numel() for t in load_file(model / "model.safetensors").values()),
        "num_tokens": sum(row["tokens"] for row in rows), "minutes": round(seconds / 60),
        "machine": start["machine"], "seed": start["seed"], "processes": start["processes"],
        "learning_rate": start["learning_rate"], "last_loss": rows[-1]["loss"],
    }  # fmt: skip
