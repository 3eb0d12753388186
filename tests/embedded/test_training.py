"""The lean network is transformers' Llama, and a training that is broken off goes on as if it had not been."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from synth_assets.embedded.commands import training_record
from synth_assets.embedded.episodes import base_episodes
from synth_assets.embedded.language_models import embedded_config, load_weights, save_model_folder, train_language_model
from synth_assets.embedded.network import CausalModel, RewardNetwork
from synth_assets.embedded.packing import encode_episodes, packed_batches
from synth_assets.embedded.tokenizer import build_tokenizer, world_words
from synth_assets.embedded.trainer import TrainingPlan, learning_rate_share, train
from synth_assets.errors import TuningError


def _batches(seed: int = 0):
    tokenizer = build_tokenizer()
    return packed_batches(base_episodes(seed, world_words()), lambda e: encode_episodes(tokenizer, e), 2, 128)


def test_the_lean_network_gives_the_logits_of_transformers(tmp_path: Path) -> None:
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    model = CausalModel(embedded_config())
    save_model_folder(model, tmp_path, "LlamaForCausalLM", embedded_config())
    reference = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    lean = CausalModel(embedded_config())
    lean.load_state_dict({name: w.float() for name, w in load_weights(tmp_path).items()})
    token_ids = torch.randint(4, 1000, (2, 40))
    positions, numbers = torch.arange(40).repeat(2, 1), torch.zeros(2, 40, dtype=torch.long)
    hidden = lean.model(token_ids, positions, numbers)
    logits = hidden @ lean.model.embed_tokens.weight.t()
    assert torch.allclose(logits, reference(token_ids).logits, atol=1e-4)


def test_an_episode_does_not_see_its_neighbour_in_the_row() -> None:
    torch.manual_seed(0)
    trunk = CausalModel(embedded_config()).model
    token_ids = torch.randint(4, 1000, (1, 20))
    numbers = torch.tensor([[0] * 10 + [1] * 10])
    positions = torch.tensor([[*range(10), *range(10)]])
    together = trunk(token_ids, positions, numbers)[:, 10:]
    alone = trunk(token_ids[:, 10:], positions[:, 10:], numbers[:, 10:])
    assert torch.allclose(together, alone, atol=1e-5)


def test_reward_targets_without_a_value_bear_no_loss() -> None:
    torch.manual_seed(0)
    model = RewardNetwork(embedded_config())
    token_ids = torch.randint(4, 1000, (1, 6))
    positions, numbers = torch.arange(6)[None], torch.zeros(1, 6, dtype=torch.long)
    targets = torch.full((1, 6, 6), -1.0)
    targets[0, 5, :5] = torch.tensor([4.0, 4.0, 4.0, 1.0, 2.0])
    targets[0, 3, 1], targets[0, 3, 5] = 4.0, 17.0
    loss = model(token_ids, targets, positions, numbers)
    hidden = model.model(token_ids, positions, numbers)[0, 3]
    language_loss = -torch.log_softmax(hidden @ model.model.embed_tokens.weight.t(), 0)[17].item()
    assert loss.item() == pytest.approx((16 * 4 + 1 + 4) / 6 + language_loss, rel=1e-4)  # the head starts at zero


def test_a_broken_off_training_ends_with_the_same_weights(tmp_path: Path) -> None:
    plan = TrainingPlan("whole", tmp_path, num_steps=6, num_rows=2, length=128, warmup_steps=2)

    class BrokenOff(Exception):
        pass

    def cut(batches, after: int):
        for number, batch in enumerate(batches):
            if number == after:
                raise BrokenOff
            yield batch

    def fresh() -> CausalModel:
        torch.manual_seed(1)
        return CausalModel(embedded_config())

    whole = fresh()
    train(whole, _batches(), plan)
    broken_plan = replace(plan, name="broken", save_every_s=0.0)
    with pytest.raises(BrokenOff):
        train(fresh(), cut(_batches(), 4), broken_plan)
    resumed = fresh()
    train(resumed, _batches(), broken_plan)
    for left, right in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(left, right)


def test_two_processes_train_a_folder_that_loads_and_the_record_counts_a_resumed_step_once(
    tmp_path: Path,
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    plan = TrainingPlan("base", tmp_path, num_steps=50, num_rows=1, length=64, warmup_steps=5)
    folder = train_language_model("base", plan, 2)
    rows = [json.loads(line) for line in (tmp_path / "base.log.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 50 and rows[-1]["tokens"] == 50 * 64 * 2
    assert AutoModelForCausalLM.from_pretrained(folder).config.vocab_size == len(AutoTokenizer.from_pretrained(folder))
    log = tmp_path / "base.log.jsonl"
    start, row = log.read_text().splitlines()
    log.write_text("\n".join([start, row, start, row]) + "\n")  # as a training leaves it that went on where it was
    record = training_record("base", folder, [log])
    assert (record["num_tokens"], record["steps"], record["processes"], record["seed"]) == (50 * 64 * 2, 50, 2, 0)


def test_the_learning_rate_warms_up_stays_and_falls() -> None:
    plan = TrainingPlan("x", Path(), num_steps=100, warmup_steps=10)
    shares = [learning_rate_share(step, plan) for step in range(100)]
    assert shares[0] == 0.1 and shares[9] == 1.0 and shares[39] == 1.0
    assert shares[99] < 0.07 and all(a >= b for a, b in pairwise(shares[40:]))


def test_a_state_of_another_plan_is_not_gone_on_from(tmp_path: Path) -> None:
    plan = TrainingPlan("whole", tmp_path, num_steps=1, num_rows=2, length=128)
    train(CausalModel(embedded_config()), _batches(), plan)
    with pytest.raises(TuningError, match="another plan"):
        train(CausalModel(embedded_config()), _batches(), replace(plan, seed=5))
