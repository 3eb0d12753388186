"""What a study writes: one row a figure, with its interval, in the form of DESIGN's `data/studies/NAME.json`."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

from synth_assets.evaluation import wilson_interval


@dataclass(frozen=True)
class StudyRow:
    """`arm` is what is compared, `subject` what it is measured on (a leaf path, or `all`). Intervals are 95 %."""

    metric: str
    arm: str
    subject: str
    value: float
    ci_low: float | None
    ci_high: float | None
    n: int


def share(metric: str, arm: str, subject: str, num_right: int, n: int) -> StudyRow:
    """A proportion with its Wilson interval."""
    low, high = wilson_interval(num_right, n, 0.95)
    return StudyRow(metric, arm, subject, num_right / n if n else math.nan, low, high, n)


def mean_over(metric: str, arm: str, subject: str, values: Sequence[float]) -> StudyRow:
    """A mean of shares over leaves or seeds with Student's t interval (two-sided 95 %, within 0 and 1); `n`: how many."""
    from scipy.stats import t

    centre = mean(values)
    if len(values) < 2:
        return StudyRow(metric, arm, subject, centre, None, None, len(values))
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    return StudyRow(metric, arm, subject, centre, max(0.0, centre - half), min(1.0, centre + half), len(values))


def write_study(folder: Path, name: str, rows: Sequence[StudyRow], seeds: Sequence[int], seconds: float) -> Path:
    """Write `folder`/NAME.json: figures rounded to 4 digits, so that a repetition shows its real differences."""
    document = {
        "study": name, "command": f"make study-{name}", "seeds": list(seeds),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}", "minutes": round(seconds / 60, 1),
        "rows": [{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


def roc_auc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """Probability that a right answer scores above a wrong one, ties half (Mann and Whitney's U over the pairs)."""
    from scipy.stats import rankdata

    ranks = rankdata([*right, *wrong])
    rank_sum = float(ranks[: len(right)].sum())
    return (rank_sum - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))
