"""What a study writes: one row a figure, with its interval, in the form of DESIGN's `data/studies/NAME.json`."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
from numpy.typing import NDArray

from synth_assets.intervals import wilson_interval

Floats = NDArray[np.float64]


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


def mean_share(metric: str, arm: str, subject: str, counts: Sequence[tuple[int, int]]) -> StudyRow:
    """The mean of several leaves' shares, (right, n) each; `n` is their sum.

    The interval is put together from the leaves' Wilson intervals (method of variance estimates recovery: Zou and
    Donner 2008, Stat. Med. 27:1693): it speaks of samples drawn anew within the same leaves, and has a width at 0 and 1.
    """
    shares = [num_right / n for num_right, n in counts]
    bounds = [wilson_interval(num_right, n, 0.95) for num_right, n in counts]
    down = math.hypot(*(value - low for value, (low, _) in zip(shares, bounds, strict=True))) / len(counts)
    up = math.hypot(*(high - value for value, (_, high) in zip(shares, bounds, strict=True))) / len(counts)
    centre = mean(shares)
    return StudyRow(metric, arm, subject, centre, centre - down, centre + up, sum(n for _, n in counts))


def mean_over_seeds(
    metric: str, arm: str, subject: str, values: Sequence[float], bounds: tuple[float, float] = (0.0, 1.0)
) -> StudyRow:
    """A mean over seeds with Student's t interval (two-sided 95 %, within `bounds`); `n`: how many seeds."""
    from scipy.stats import t

    centre = float(mean(values))
    if len(values) < 2:
        return StudyRow(metric, arm, subject, centre, None, None, len(values))
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / math.sqrt(len(values))
    low, high = max(bounds[0], centre - half), min(bounds[1], centre + half)
    return StudyRow(metric, arm, subject, centre, low, high, len(values))


def write_study(
    folder: Path, name: str, rows: Sequence[StudyRow], seeds: Sequence[int], seconds: float, made_with: Mapping[str, str]
) -> Path:
    """Write `folder`/NAME.json: figures rounded to 4 digits, so that a repetition shows its real differences.

    `made_with`: recipe, scale, and the fingerprint of each model.
    """
    document = {
        "study": name, "command": f"make study-{name}", "seeds": list(seeds),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}", "minutes": round(seconds / 60, 1),
        "made_with": dict(made_with),
        "rows": [{k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows],
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document, indent=1) + "\n")
    return file


def roc_auc(right: Sequence[float] | Floats, wrong: Sequence[float] | Floats) -> float:
    """Probability that a right answer scores above a wrong one, ties half (Mann and Whitney's U over the pairs)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([right, wrong]))
    rank_sum = float(ranks[: len(right)].sum())
    return (rank_sum - len(right) * (len(right) + 1) / 2) / (len(right) * len(wrong))
