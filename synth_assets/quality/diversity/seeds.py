"""How many instructions are not the seeds over again: ROUGE-L against the seeds of the same leaf (and context).

Generation turns such rows away where the recipe says so (`max_rouge_l`); this looks again at what was kept, also where it
does not say so. Seeds of other leaves are not looked at.
"""

from __future__ import annotations

import polars as pl

from synth_assets.quality.estimates import Estimate
from synth_assets.sketches import NoveltyIndex

LIMIT = 0.7
_NUM_NAMED = 5


def estimate_novelty(samples: pl.DataFrame, seeds: pl.DataFrame, *, limit: float = LIMIT) -> list[Estimate]:
    """`rouge_l_novelty`: share of instructions whose ROUGE-L to every seed question of their leaf is at most `limit`.

    samples: synthetic_sample_id, leaf_path, context (nullable), instruction. seeds: leaf_path, context (nullable), question.
    Names up to 5 of the others. NaN without samples.
    """
    indices: dict[str, NoveltyIndex] = {}
    for leaf, context, question in seeds.select("leaf_path", "context", "question").iter_rows():
        indices.setdefault(leaf, NoveltyIndex(limit)).add(context or "", question)
    close = []
    for name, leaf, context, instruction in samples.select(
        "synthetic_sample_id", "leaf_path", "context", "instruction"
    ).iter_rows():  # fmt: skip
        found = indices[leaf].nearest(context or "", instruction) if leaf in indices else None
        if found:
            close.append(f"{name} ({found[0]:.2f})")
    share = 1 - len(close) / samples.height if samples.height else float("nan")
    words = f"{len(close)} close to a seed: {', '.join(close[:_NUM_NAMED])}" if close else ""
    return [Estimate("rouge_l_novelty", "all", share, num_reference=seeds.height, num_synthetic=samples.height, words=words)]
