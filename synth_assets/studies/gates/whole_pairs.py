"""Good tables of preference pairs, and of a student that is aligned on them, with random content: what a recipe with
`PREFERENCES` and `ALIGNMENT` makes."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from synth_assets.recipe import AlignmentSection, AlignmentStage, PreferencesSection
from synth_assets.records import Checkpoint, DecidedBy, PreferencePair, RejectedSample, StageCounts
from synth_assets.studies.gates.random_text import random_text

PREFERENCES = PreferencesSection(num_samples=3, temperature=0.8, max_new_tokens=20, margin=0.1, judges=True)
_DPO = AlignmentStage(name="dpo", loss="dpo", beta=0.3, learning_rate=1e-4, num_epochs=2, batch_size=2)
_RPO = AlignmentStage(name="rpo", loss="rpo", beta=0.3, eta=1.0, learning_rate=1e-4, max_steps=5, iterations=2)
ALIGNMENT = AlignmentSection(stages=(_DPO, _RPO))
_STAGE = "preferences"
_DECIDED_BY: tuple[DecidedBy, ...] = ("ground_truth", "judge", "judge", "reward", "reward", "reward")


def tables_of_pairs(rng: Random) -> dict[str, list[Any]]:
    """With the counts and the rejected prompts of their stage."""
    pairs = [_pair(n, decided_by, rng) for n, decided_by in enumerate(_DECIDED_BY)]
    ended = ("near_identical", "near_identical", "judge_inconsistent")
    num = len(pairs) + len(ended)
    return {
        "preference_pairs": pairs,
        "aligned_checkpoint": [
            _checkpoint(n, phase, stage.max_steps or len(pairs), rng)
            for n, (phase, stage) in enumerate(ALIGNMENT.stages_to_run)
        ],
        "rejected_samples": [
            RejectedSample(f"{_STAGE}{n}", "skills/a", _STAGE, "rejected", reason, "", "q", "", 0)
            for n, reason in enumerate(ended)
        ],
        "stage_counts": [StageCounts(_STAGE, "skills/a", num, len(pairs), len(ended), 0)],
    }


def _pair(number: int, decided_by: DecidedBy, rng: Random) -> PreferencePair:
    asked = json.dumps([{"role": "user", "content": random_text(rng)}])
    margin = PREFERENCES.margin + rng.random()
    return PreferencePair(
        f"pair{number}", f"prompt{number}", "skills/a", asked, f"{random_text(rng)} yes", f"{random_text(rng)} no",
        1 + margin, 1.0, margin, decided_by, (), (), f"c{number}", f"r{number}", "m", "m", 2, 0.0,
    )  # fmt: skip


def _checkpoint(position: int, phase: str, num_steps: int, rng: Random) -> Checkpoint:
    """Of six pairs, two in a step, twice: six steps."""
    return Checkpoint(
        f"a{position}", "s", phase, position, "p", f"{position}" * 64, num_steps, len(_DECIDED_BY), 0.69,
        0.6 * rng.random(), 0.5, None, True,
    )  # fmt: skip
