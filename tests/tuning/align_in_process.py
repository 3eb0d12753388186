"""An alignment in a process of its own, which a test may kill: arguments STUDENT FOLDER."""

import json
import sys
from pathlib import Path

from train_in_process import SETTINGS, examples, phases

from synth_assets.recipe import AlignmentSection, TuningSection
from synth_assets.records import Checkpoint, PreferencePair
from synth_assets.tuning import align_student, tune_student

TUNING: TuningSection = SETTINGS.model_copy(
    update={"phases": phases(3), "lora_dropout": 0.1, "batch_size": 4, "checkpoint_every": 5, "validation_share": 0.2}
)
STAGES = AlignmentSection.model_validate_json(
    json.dumps({"stages": [
        {"name": "dpo", "loss": "dpo", "beta": 0.5, "sft_weight": 0.01, "learning_rate": 1e-3, "max_steps": 8},
        {"name": "rpo", "loss": "rpo", "beta": 0.5, "eta": 1.0, "learning_rate": 1e-3, "max_steps": 12, "iterations": 2},
    ]})
)  # fmt: skip


def pair(number: int, margin: float | None = 1.0, prompt: str = "", chosen: str = "", rejected: str = "") -> PreferencePair:
    """The right answer repeats the number, the wrong one says fish."""
    prompt = prompt or json.dumps([{"role": "user", "content": f"Repeat {'book ' * (number % 5)}{number}"}])
    chosen, rejected = chosen or f"book {number}", rejected or f"fish {number}"
    rewards = (margin, 0.0, margin) if margin is not None else (None, None, None)
    return PreferencePair(
        f"pair{number}", f"prompt{number}", "skills/a", prompt, chosen, rejected, *rewards, "reward", (), (), "c", "r", "m",
        "m", 2, 0.0,
    )  # fmt: skip


PAIRS = [pair(number) for number in range(30)]


def start(student: Path, folder: Path) -> Checkpoint:
    """An adapter to be aligned."""
    (checkpoint,) = tune_student(student, examples(), TUNING, 7, folder)
    return checkpoint


def main(student: str, folder: str) -> None:
    earlier = start(Path(student), Path(folder))
    found = align_student(
        Path(student), earlier, PAIRS, STAGES, TUNING, 7, Path(folder), lambda line, share: print(line, flush=True)
    )
    for each in found:
        print("sha256", each.phase, each.adapter_sha256, each.train_loss_last, each.validation_loss, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
