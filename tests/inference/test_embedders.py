"""What places texts: paraphrases lie close and others far, the same bytes each time, and no code of a folder runs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from synth_assets.errors import ModelError
from synth_assets.inference import open_embedder
from synth_assets.inference.opening import bundled_sentence_transformer
from synth_assets.model_folder import model_fingerprint
from synth_assets.roles import Embedder

PARAPHRASES = [
    ("How much do two apples cost?", "What is the price of two apples?"),
    ("Write a polite request to a colleague.", "Ask a co-worker for something in a courteous way."),
    ("Sort these numbers from small to large.", "Put the following figures into ascending order."),
    ("Which river flows through the town?", "What is the name of the river in this city?"),
    ("The meeting was moved to Friday.", "We have postponed our appointment until Friday."),
]


@pytest.fixture(scope="module")
def sentences() -> Embedder:
    return open_embedder()


def test_paraphrases_are_close_and_others_far(sentences: Embedder) -> None:
    left, right = (sentences.embed([pair[side] for pair in PARAPHRASES]) for side in (0, 1))
    assert left.shape == (5, 384) and left.dtype == np.float32
    assert np.allclose(np.linalg.norm(left, axis=1), 1, atol=1e-6)
    cosines = left @ right.T
    assert np.diag(cosines).min() > 0.4 and np.diag(cosines).mean() > 0.6
    assert cosines[~np.eye(5, dtype=bool)].max() < 0.3


def test_the_bundled_model_is_the_published_one(sentences: Embedder) -> None:
    """The figures of the Hugging Face documentation's example for all-MiniLM-L6-v2."""
    texts = ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"]
    vectors = sentences.embed(texts)
    assert vectors[1:] @ vectors[0] == pytest.approx([0.6946, 0.9429, 0.2569], abs=1e-3)


def test_the_same_texts_give_the_same_bytes(sentences: Embedder) -> None:
    texts = [text for pair in PARAPHRASES for text in pair] * 5
    first, again = sentences.embed(texts), open_embedder().embed(texts)
    assert first.tobytes() == again.tobytes()
    assert np.allclose(sentences.embed(texts[3:4])[0], first[3], atol=1e-6)
    assert sentences.embed([]).shape == (0, 384)
    assert sentences.fingerprint == open_embedder(bundled_sentence_transformer()).fingerprint


def test_hidden_states_are_averaged_over_the_text_alone(tiny_teacher: Path) -> None:
    embedder = open_embedder(tiny_teacher)
    texts = ["city noun", "polite list green apple river town seven water house garden", "", "city noun"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, 64) and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], embedder.embed(texts[:1])[0], atol=1e-6)  # padding beside a longer text counts nothing
    assert np.allclose(vectors[0], vectors[3], atol=1e-6) and not np.allclose(vectors[0], vectors[1], atol=0.05)
    assert embedder.embed([]).shape == (0, 64)
    assert embedder.fingerprint == model_fingerprint(tiny_teacher)
    assert embedder.embed(["city " * 9000]).shape == (1, 64)


def test_hidden_states_by_transformers_own_words(tiny_teacher: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(tiny_teacher)("green apple river", return_tensors="pt")
    model = AutoModelForCausalLM.from_pretrained(tiny_teacher, dtype=torch.float32)
    with torch.inference_mode():
        mean = model(**tokens, output_hidden_states=True).hidden_states[-1][0].mean(dim=0).numpy()
    assert np.allclose(open_embedder(tiny_teacher).embed(["green apple river"])[0], mean / np.linalg.norm(mean), atol=1e-5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundled_sentence_transformer(), tmp_path / "model"))


def test_a_module_of_another_package_is_refused(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules[0]["type"] = "custom_code.Transformer"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelError, match="not sentence-transformers' own"):
        open_embedder(folder)


def test_code_and_pickles_are_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "own.Model"}}))
    with pytest.raises(ModelError, match="auto_map"):
        open_embedder(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="pickles"):
        open_embedder(folder)
    with pytest.raises(ModelError, match="does not exist"):
        open_embedder(tmp_path / "nowhere")


def test_another_pooling_is_another_embedder(folder: Path) -> None:
    before = model_fingerprint(folder)
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace('"pooling_mode_cls_token": false', '"pooling_mode_cls_token": true'))
    assert model_fingerprint(folder) != before
