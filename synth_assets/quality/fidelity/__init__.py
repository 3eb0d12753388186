"""How near synthetic rows come to real ones: columns, pairs of columns, whole tables."""

from synth_assets.quality.fidelity.compare import HOLDOUT_MARGIN, MEASURES, SHAPE_FLOOR, compare_features

__all__ = ["HOLDOUT_MARGIN", "MEASURES", "SHAPE_FLOOR", "compare_features"]
