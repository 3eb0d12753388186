"""Are the declared leaves all there, and about equally so?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from synth_assets.quality.estimates import Estimate, not_assessed

_NUM_NAMED = 5


def estimate_leaf_coverage(leaf_paths: Sequence[str], declared: Sequence[str], num_least: int) -> list[Estimate]:
    """`leaf_coverage`: share of the declared leaves with at least `num_least` rows; at_least 1 where all must be there.

    `leaf_paths`: one a row. Rows of leaves that nobody declared count for nothing.
    """
    if not declared:
        return [not_assessed("leaf_coverage", "all", "the taxonomy declares no leaf")]
    counts = Counter(leaf_paths)
    short = [f"{leaf} ({counts[leaf]})" for leaf in sorted(set(declared)) if counts[leaf] < num_least]
    words = f"fewer than {num_least} rows: {_some(short)}" if short else ""
    share = 1 - len(short) / len(set(declared))
    return [Estimate("leaf_coverage", "all", share, num_synthetic=len(leaf_paths), words=words)]


def estimate_leaf_entropy(leaf_paths: Sequence[str], declared: Sequence[str]) -> list[Estimate]:
    """`leaf_entropy`: -sum p ln p over the declared leaves, over ln L: 1 where all have equally many rows, 0 with one alone.

    Of one declared leaf, and without rows, there is none.
    """
    leaves = set(declared)
    if len(leaves) < 2:
        return [not_assessed("leaf_entropy", "all", f"{len(leaves)} declared leaves have no spread")]
    counts = Counter(leaf for leaf in leaf_paths if leaf in leaves)
    total = counts.total()
    entropy = -sum(n / total * math.log(n / total) for n in counts.values()) / math.log(len(leaves)) if total else math.nan
    most = ", ".join(f"{leaf} ({num})" for leaf, num in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3])
    return [Estimate("leaf_entropy", "all", entropy + 0.0, num_synthetic=len(leaf_paths), words=f"most rows: {most}")]


def _some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + rest
