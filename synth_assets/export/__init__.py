"""What leaves the warehouse: data set, preference pairs and adapter as Hugging Face's libraries load them, with cards."""

from synth_assets.export.cards import dataset_card, model_card, preferences_card
from synth_assets.export.dataset import SPLITS, dataset_splits
from synth_assets.export.preferences import preference_rows
from synth_assets.export.writing import OpenGates, export

__all__ = [
    "SPLITS",
    "OpenGates",
    "dataset_card",
    "dataset_splits",
    "export",
    "model_card",
    "preference_rows",
    "preferences_card",
]
