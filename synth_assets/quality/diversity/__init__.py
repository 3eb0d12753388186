"""Is the whole taxonomy there, and are the rows different from the seeds and from one another?"""

from synth_assets.quality.diversity.leaves import estimate_leaf_coverage, estimate_leaf_entropy
from synth_assets.quality.diversity.ngrams import estimate_self_bleu, self_bleu, sentence_bleu
from synth_assets.quality.diversity.seeds import estimate_novelty

__all__ = [
    "estimate_leaf_coverage",
    "estimate_leaf_entropy",
    "estimate_novelty",
    "estimate_self_bleu",
    "self_bleu",
    "sentence_bleu",
]
