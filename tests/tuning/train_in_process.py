"""A training in a process of its own, which a test may kill: arguments STUDENT FOLDER [MAX_FILE_BYTES [STRATEGY]]."""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path

from synth_assets.errors import TuningError
from synth_assets.recipe import PhaseSpec, PhaseTake, read_recipe
from synth_assets.records import BRANCHES, Branch, TrainingExample
from synth_assets.tuning import tune_student


def phases(*num_steps: int) -> tuple[PhaseSpec, ...]:
    """As many as there are numbers of steps, named a, b, ...; the last takes what the others do not."""
    branches: list[Branch] = list(BRANCHES)
    takes = [[branch] for branch in branches[: len(num_steps) - 1]] + [branches[len(num_steps) - 1 :]]
    return tuple(
        PhaseSpec(name="abc"[number], takes=tuple(PhaseTake(branch=branch) for branch in taken), max_steps=steps)
        for number, (taken, steps) in enumerate(zip(takes, num_steps, strict=True))
    )


SETTINGS = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml").tuning.model_copy(
    update={"lora_dropout": 0.1, "phases": phases(40), "batch_size": 4, "checkpoint_every": 5}
)


def examples(count: int = 40, names: Sequence[str] = ("stacked",)) -> list[TrainingExample]:
    """Dealt out to the phases in turn."""
    return [
        TrainingExample(
            str(n), None, "skills/a", "validation" if n % 10 == 0 else "train", names[n % len(names)], "synthetic", n,
            f"Repeat {'book ' * (n % 7)}{n}", f"book {n}",
        )
        for n in range(count)
    ]  # fmt: skip


def main(student: str, folder: str, max_file_bytes: str = "", strategy: str = "stacked") -> None:
    if max_file_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(max_file_bytes), int(max_file_bytes)))
    settings, rows = SETTINGS, examples()
    if strategy == "phased":
        settings = settings.model_copy(update={"strategy": "phased", "phases": phases(10, 15)})
        rows = examples(names=("a", "b"))
    try:
        *_, checkpoint = tune_student(
            Path(student), rows, settings, 7, Path(folder), lambda line, share: print(line, flush=True)
        )
    except TuningError as error:
        sys.exit(f"TuningError: {error}")
    print("sha256", checkpoint.adapter_sha256, checkpoint.train_loss_last, checkpoint.validation_loss, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
