"""Two clouds of embeddings: do they differ, does one cover the other, how many different texts are there in effect."""

from synth_assets.quality.embeddings.clouds import Clouds
from synth_assets.quality.embeddings.discrepancy import estimate_discrepancy, mmd_squared
from synth_assets.quality.embeddings.manifold import estimate_coverage, manifold_overlap
from synth_assets.quality.embeddings.vendi import estimate_vendi, vendi_score

__all__ = [
    "Clouds",
    "estimate_coverage",
    "estimate_discrepancy",
    "estimate_vendi",
    "manifold_overlap",
    "mmd_squared",
    "vendi_score",
]
