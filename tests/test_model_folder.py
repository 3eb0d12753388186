"""Each thing that can be wrong with a model folder has its own words, before any engine starts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from synth_assets.errors import ModelError
from synth_assets.inference import open_reward_model, open_text_model
from synth_assets.model_folder import check_model_folder, model_fingerprint
from synth_assets.recipe import ModelSpec


@pytest.fixture
def folder(tiny_teacher: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_teacher, tmp_path / "model"))


def edit_json(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def lfs_pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])


def missing_shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


FAULTS: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no folder": (shutil.rmtree, "does not exist", "train-embedded"),
    "no config": (lambda f: (f / "config.json").unlink(), "holds no config.json", "recipe"),
    "config no JSON": (lambda f: (f / "config.json").write_text("{"), "not readable as JSON", "restore"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "no *.safetensors", "train-embedded"),
    "only a pickle": (only_pickle, "run code when they are read", "safe_serialization"),
    "an LFS pointer": (lfs_pointer, "Git LFS pointer", "git lfs pull"),
    "cut off": (cut_off, "cut off", "fetch it again"),
    "a missing shard": (missing_shard, "model-00002.safetensors", "download"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer", "tokenizer.json"),
    "remote code": (lambda f: edit_json(f / "config.json", auto_map={"AutoModel": "evil.py"}), "auto_map", "architecture"),
    "remote tokenizer": (lambda f: edit_json(f / "tokenizer_config.json", auto_map={"x": "y"}), "auto_map", "architecture"),
    "another architecture": (
        lambda f: edit_json(f / "config.json", architectures=["BertForMaskedLM"]), "BertForMaskedLM", "another model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_told_with_what_to_do(folder: Path, name: str) -> None:
    spoil, words, remedy = FAULTS[name]
    spoil(folder)
    spec = ModelSpec(path=str(folder), max_model_len=64)
    with pytest.raises(ModelError) as error, open_text_model(spec):
        pass
    assert words in str(error.value)
    assert remedy in (error.value.remedy or "")


def test_good_folder_passes(tiny_teacher: Path, tiny_reward_model: Path) -> None:
    assert check_model_folder(tiny_teacher, "ForCausalLM")["model_type"] == "llama"
    assert check_model_folder(tiny_reward_model, "ForSequenceClassification")["model_type"] == "llama"


def test_a_reward_model_has_five_outputs_unless_its_recipe_says_one(tiny_reward_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_reward_model, tmp_path / "model"))
    edit_json(folder / "config.json", id2label={"0": "good"})
    one = ModelSpec(path=str(folder), max_model_len=64)
    with pytest.raises(ModelError, match="five outputs") as error, open_reward_model(one):
        pass
    assert error.value.value == 1 and "declare reward_outputs: 1" in (error.value.remedy or "")
    assert check_model_folder(folder, "ForSequenceClassification", one.model_copy(update={"reward_outputs": 1}).num_rewards)
    edit_json(folder / "config.json", id2label={"0": "good", "1": "bad"})
    with pytest.raises(ModelError, match="five outputs"), open_reward_model(ModelSpec(path=str(folder), max_model_len=64)):
        pass


def test_a_reward_model_has_the_outputs_that_the_recipe_declares(
    tiny_reward_model: Path, tiny_scalar_reward_model: Path
) -> None:  # fmt: skip
    assert check_model_folder(tiny_scalar_reward_model, "ForSequenceClassification", 1)
    with pytest.raises(ModelError, match="five outputs") as error:
        check_model_folder(tiny_scalar_reward_model, "ForSequenceClassification")
    assert "declare reward_outputs: 1" in (error.value.remedy or "")
    with pytest.raises(ModelError, match="declares one output"):
        check_model_folder(tiny_reward_model, "ForSequenceClassification", 1)


def test_fingerprint_is_the_content_not_the_place(folder: Path, tiny_teacher: Path) -> None:
    assert model_fingerprint(folder) == model_fingerprint(tiny_teacher)
    assert len(model_fingerprint(folder)) == 16
    (folder / "README.md").write_text("a card is no part of the model")
    assert model_fingerprint(folder) == model_fingerprint(tiny_teacher)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert model_fingerprint(folder) != model_fingerprint(tiny_teacher)


@pytest.mark.slow
def test_tokenizer_without_chat_template(folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    spec = ModelSpec(path=str(folder), engine="transformers", max_model_len=64)
    with pytest.raises(ModelError, match="no chat template"), open_text_model(spec):
        pass
