"""Names of people and places, found by a model of token classification on this machine.

The recipe names it (`trust.privacy.ner_model`); what it finds is personal data like any other, to the filter and to the
report. Without such a model names are not looked for, and the report says so (`NAMES_NOT_CHECKED`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from synth_assets.errors import ModelError
from synth_assets.quality.privacy.findings import Finding

_KIND_OF = {
    "PER": "PERSON",
    "PERSON": "PERSON",
    "NAME": "PERSON",
    "LOC": "LOCATION",
    "LOCATION": "LOCATION",
    "ADDRESS": "LOCATION",
}
NAME_KINDS = frozenset(_KIND_OF.values())
_REMEDY = "name a folder with config.json, tokenizer.json and safetensors of a model for token classification"
_STRIDE = 32  # tokens that two windows of a long text share
_LONGEST = 512


def find_names(texts: Sequence[str], folder: Path, least_score: float = 0.5) -> list[list[Finding]]:
    """People and places in each text, in its order; other entities of the model are left aside.

    Labels PER, PERSON, NAME, LOC, LOCATION and ADDRESS count, with or without B- and I-. Raises ModelError where the folder
    holds no such model. Time: a model's forward pass a text.
    """
    tagger = _tagger(folder)
    return [
        [
            Finding(_KIND_OF[each["entity_group"].upper()], each["start"], each["end"], text[each["start"] : each["end"]])
            for each in (tagger(text) if text.strip() else ())
            if each["entity_group"].upper() in _KIND_OF and each["score"] >= least_score
        ]
        for text in texts
    ]


@lru_cache(maxsize=1)
def _tagger(folder: Path) -> Any:
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    if not folder.is_dir():
        raise ModelError("the folder of the model that finds names does not exist", value=str(folder), remedy=_REMEDY)
    try:
        model = AutoModelForTokenClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(f"the model that finds names cannot be read: {error}", value=str(folder), remedy=_REMEDY) from error
    if not {label.rpartition("-")[2].upper() for label in model.config.id2label.values()} & set(_KIND_OF):
        labels = sorted(model.config.id2label.values())
        raise ModelError("the model has no label of people or places", value=labels, remedy=_REMEDY)
    tokenizer.model_max_length = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", _LONGEST))
    return pipeline(
        "token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="simple", device="cpu", stride=_STRIDE
    )
