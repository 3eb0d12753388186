"""Fixtures of more than one folder: tiny random models in the project's own format."""

import os
from pathlib import Path

import pytest
from made_taxonomy import public_or_like_it

TINY = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2,
        "intermediate_size": 128}  # fmt: skip


def pytest_configure() -> None:
    """Workers side by side have cores of their own: threads of two of them on the same cores take five times as long.

    `make` names the Dagster instance of the demo: no test may write into it, or what the demo made would count as stale.
    """
    os.environ.pop("DAGSTER_HOME", None)
    worker, num_workers = os.environ.get("PYTEST_XDIST_WORKER", ""), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[int(worker.removeprefix("gw")) :: num_workers] or cores)


@pytest.fixture
def public_taxonomy(tmp_path: Path) -> Path:
    return public_or_like_it(tmp_path / "public_taxonomy")


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LlamaForCausalLM with the embedded models' tokenizer and random weights: it talks, but says nothing."""
    return _tiny_language_model(tmp_path_factory.mktemp("tiny") / "teacher", seed=11)


@pytest.fixture(scope="session")
def tiny_student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Like `tiny_teacher`, but able to learn: its frozen, tied head has vectors long enough to be sure of a token."""
    return _tiny_language_model(tmp_path_factory.mktemp("tiny") / "student", seed=13, embedding_std=0.3)


@pytest.fixture(scope="session")
def tiny_reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LlamaForSequenceClassification with five outputs and random weights."""
    return _tiny_classifier(tmp_path_factory.mktemp("tiny") / "reward_model", num_outputs=5)


@pytest.fixture(scope="session")
def tiny_scalar_reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one output."""
    return _tiny_classifier(tmp_path_factory.mktemp("tiny") / "scalar_reward_model", num_outputs=1)


def _tiny_classifier(folder: Path, num_outputs: int) -> Path:
    import torch
    from transformers import LlamaForSequenceClassification

    from synth_assets.embedded.language_models import embedded_config, save_model_folder

    config = embedded_config(**TINY, num_labels=num_outputs)
    torch.manual_seed(12)
    model = LlamaForSequenceClassification(config)
    torch.nn.init.normal_(model.score.weight, std=1.0)
    save_model_folder(model, folder, "LlamaForSequenceClassification", config)
    return folder


def _tiny_language_model(folder: Path, seed: int, embedding_std: float | None = None) -> Path:
    import torch
    from transformers import LlamaForCausalLM

    from synth_assets.embedded.language_models import embedded_config, save_model_folder

    config = embedded_config(**TINY)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    if embedding_std:
        torch.nn.init.normal_(model.model.embed_tokens.weight, std=embedding_std)
    del model.lm_head  # tied
    save_model_folder(model, folder, "LlamaForCausalLM", config)
    return folder
