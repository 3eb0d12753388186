"""Model collapse: how deep rows descend from models, how much of a mix is real, and what a generation has lost.

Three kinds of measure. Lineage counts (`lineage`), diversity against the previous generation (`diversity`), and perplexity
on a frozen real holdout (`perplexity`). The right comparisons for a student are two. Against its own base, on a real holdout
of the taught leaves, tuning should *lower* perplexity, so a ratio above 1 says that the rows teach something else than the
real ones. Against the student of the generation before (or generation 0's) a ratio above 1 is forgetting: collapse as in
Shumailov et al. 2024, Nature 631:755. `make study-collapse` repeats that paper's experiment with these measures.
"""

from synth_assets.quality.collapse.diversity import diversity_against
from synth_assets.quality.collapse.lineage import (
    depth_measures,
    distinct_training_rows,
    dropped_real_rows,
    holdout_digest,
    holdout_measures,
    real_share,
    real_share_measures,
)
from synth_assets.quality.collapse.perplexity import perplexity, perplexity_ratio, rare_token_perplexity_ratio, rare_tokens

__all__ = [
    "depth_measures",
    "distinct_training_rows",
    "diversity_against",
    "dropped_real_rows",
    "holdout_digest",
    "holdout_measures",
    "perplexity",
    "perplexity_ratio",
    "rare_token_perplexity_ratio",
    "rare_tokens",
    "real_share",
    "real_share_measures",
]
