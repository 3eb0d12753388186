"""What leaves the warehouse: data set and adapter in the forms that Hugging Face's libraries load, with their cards."""

from synth_assets.export.cards import dataset_card, model_card
from synth_assets.export.dataset import SPLITS, dataset_splits
from synth_assets.export.writing import OpenGates, export

__all__ = ["SPLITS", "OpenGates", "dataset_card", "dataset_splits", "export", "model_card"]
