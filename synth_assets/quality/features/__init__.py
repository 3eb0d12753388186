"""Numbers that stand for a text row, so that mean, variance and correlation mean something."""

from synth_assets.quality.features.embedding import (
    NUM_COMPONENTS,
    Components,
    LeafCentroids,
    embedding_features,
    fit_components,
    fit_leaf_centroids,
)
from synth_assets.quality.features.text import TEXT_FEATURES, text_features, text_of_rows
from synth_assets.quality.features.words import count_syllables, mtld

__all__ = [
    "NUM_COMPONENTS",
    "TEXT_FEATURES",
    "Components",
    "LeafCentroids",
    "count_syllables",
    "embedding_features",
    "fit_components",
    "fit_leaf_centroids",
    "mtld",
    "text_features",
    "text_of_rows",
]
