"""Student base, teacher and judge: sizes, training runs, and the folders that transformers, vLLM and peft load."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from synth_assets.embedded.episodes import Episode, base_episodes, teacher_episodes
from synth_assets.embedded.judge_world import SHARES, judge_episodes
from synth_assets.embedded.network import CausalModel, load_trunk_state
from synth_assets.embedded.packing import encode_episodes, packed_batches
from synth_assets.embedded.reward_world import read_sampled
from synth_assets.embedded.tokenizer import MAX_POSITIONS, build_tokenizer, world_words
from synth_assets.embedded.trainer import TrainingPlan, load_trained, rank, run_processes, train

if TYPE_CHECKING:
    from transformers import LlamaConfig

WORLDS: dict[str, Callable[[int, list[str]], Iterator[Episode]]] = {
    "base": base_episodes,
    "teacher": teacher_episodes,
}


def embedded_config(**overrides: Any) -> "LlamaConfig":
    """The configuration that all embedded models share (2.5M parameters)."""
    from transformers import LlamaConfig

    tokenizer = build_tokenizer()
    settings: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 192, "num_hidden_layers": 5, "num_attention_heads": 6,
        "num_key_value_heads": 6, "intermediate_size": 512, "max_position_embeddings": MAX_POSITIONS,
        "rms_norm_eps": 1e-5, "tie_word_embeddings": True, "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None, "attention_bias": False,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    }  # fmt: skip
    return LlamaConfig(**(settings | overrides))


def train_language_model(
    world: str, plan: TrainingPlan, num_processes: int, start_folder: Path | None = None, sampled: Path | None = None
) -> Path:
    """Train `base`, `teacher` or a run of the judge (from the weights in `start_folder`); returns the Hugging Face folder.

    `sampled`: the teacher's answers, which the judge learns to judge.
    """
    run_processes(_train_one, num_processes, world, plan, start_folder, sampled)
    target = plan.folder / plan.name
    save_model_folder(load_trained(CausalModel(embedded_config()), plan), target, "LlamaForCausalLM", embedded_config())
    return target


def save_model_folder(model: nn.Module, folder: Path, architecture: str, config: "LlamaConfig") -> None:
    """Write weights (bf16 safetensors), configuration, tokenizer and chat template."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.to(torch.bfloat16).contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config.architectures = [architecture]
    config.dtype = "bfloat16"
    config.save_pretrained(folder)
    build_tokenizer().save_pretrained(str(folder))
    if architecture.endswith("CausalLM"):
        generation = {"eos_token_id": config.eos_token_id, "pad_token_id": config.pad_token_id}
        (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n")


def load_weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    weights: dict[str, torch.Tensor] = load_file(folder / "model.safetensors")
    return weights


def _train_one(world: str, plan: TrainingPlan, start_folder: Path | None, sampled: Path | None) -> None:
    torch.manual_seed(plan.seed)
    model = CausalModel(embedded_config())
    if start_folder:
        load_trunk_state(model, load_weights(start_folder))
    seed, words = plan.seed * 1000 + rank(), world_words()
    judged = judge_episodes(seed, read_sampled(sampled), words, SHARES[world]) if sampled else None
    episodes = judged or WORLDS[world](seed, words)
    tokenizer = build_tokenizer()
    batches = packed_batches(episodes, lambda drawn: encode_episodes(tokenizer, drawn), plan.num_rows, plan.length)
    train(model, batches, plan)
