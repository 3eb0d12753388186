"""Pairs as token ids, held-out prompts, and the same loss as TRL's on the same pairs."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from align_in_process import PAIRS, pair

from synth_assets.recipe import AlignmentStage
from synth_assets.records import GENERATED_BRANCH, area_path
from synth_assets.tuning.encoding import IGNORED_LABEL, EncodedExample
from synth_assets.tuning.pairs import EncodedPair, encode_pair, pad_pairs, split_pairs

BETA = 0.02


@pytest.fixture(scope="module")
def tokenizer(tiny_student: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_student, local_files_only=True)


def test_all_pairs_of_a_prompt_are_on_one_side_whatever_the_order() -> None:
    pairs = [replace(each, leaf_path=leaf) for leaf in "ab" for each in PAIRS for _ in range(3)]
    split = split_pairs(pairs, 0.2)
    sides = [{(each.leaf_path, each.prompt) for each in split[name]} for name in ("train", "validation")]
    assert not sides[0] & sides[1] and len(sides[1]) == 12 and len(split["validation"]) == 36
    again = split_pairs(pairs[::-1], 0.2)
    assert {each.prompt for each in again["validation"]} == {each.prompt for each in split["validation"]}
    assert split_pairs(PAIRS[:1], 0.9) == {"train": PAIRS[:1], "validation": []}
    assert split_pairs(PAIRS, 0.0) == {"train": PAIRS, "validation": []}


def test_pairs_of_topics_are_held_out_by_area() -> None:
    general = [replace(pair(n), leaf_path=f"{GENERATED_BRANCH}/general/topic_{n}") for n in range(20)]
    maths = [replace(pair(n), leaf_path=f"{GENERATED_BRANCH}/maths/topic_{n}") for n in range(20, 30)]
    split = split_pairs([*general, *maths], 0.1)
    assert Counter(area_path(each.leaf_path) for each in split["validation"]) == {
        f"{GENERATED_BRANCH}/general": 2, f"{GENERATED_BRANCH}/maths": 1,
    }  # fmt: skip
    assert len(split["train"]) == 27


def test_loss_is_on_the_two_responses_of_a_conversation_of_several_turns(tokenizer: Any) -> None:
    turns = [("user", "Name a fruit"), ("assistant", "apple"), ("user", "Another")]
    prompt = json.dumps([{"role": role, "content": content} for role, content in turns])
    encoded = encode_pair(tokenizer, pair(1, margin=0.5, prompt=prompt, chosen="pear", rejected="stone"))
    assert encoded.reward_gap == 0.5
    texts = [
        tokenizer.decode([label for label in example.labels if label != IGNORED_LABEL]).replace(" ", "")
        for example in (encoded.chosen, encoded.rejected)
    ]
    assert texts == ["pear<|end|>", "stone<|end|>"]
    assert "apple" in tokenizer.decode(encoded.chosen.token_ids)


def test_a_batch_holds_the_chosen_responses_and_then_the_rejected_ones() -> None:
    def example(*ids: int) -> EncodedExample:
        return EncodedExample(list(ids), [IGNORED_LABEL, *ids[1:]])

    one = EncodedPair(example(1, 2), example(3, 4, 5), 0.5, -1.0, -2.0)
    other = EncodedPair(example(6, 7), example(8, 9), 0.0, -3.0, -4.0)
    batch = pad_pairs([one, other], 0)
    assert batch["input_ids"].tolist() == [[1, 2, 0], [6, 7, 0], [3, 4, 5], [8, 9, 0]]
    assert batch["reference"].tolist() == [-1.0, -3.0, -2.0, -4.0] and batch["reward_gap"].tolist() == [0.5, 0.0]


def _stage(**changes: Any) -> AlignmentStage:
    said = {"name": "s", "loss": "dpo", "beta": BETA, "learning_rate": 1e-3, "max_steps": 1}
    return AlignmentStage.model_validate_json(json.dumps(said | changes))


@pytest.mark.slow
@pytest.mark.parametrize("num_pairs", [1, 4])
def test_the_loss_is_trls_on_the_same_pairs(
    tiny_student: Path, tiny_teacher: Path, tokenizer: Any, tmp_path: Path, num_pairs: int
) -> None:
    """DPO over several pairs; with the loss on the chosen response of one, since TRL's mean is over all of their tokens."""
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    from synth_assets.tuning.encoding import response_losses
    from synth_assets.tuning.preference_objective import PreferenceObjective

    weight = 0.2 if num_pairs == 1 else 0.0
    policy, reference = (
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for folder in (tiny_student, tiny_teacher)
    )
    pairs = [encode_pair(tokenizer, each) for each in PAIRS[3 : 3 + num_pairs]]
    batch = pad_pairs(pairs, 0)
    with torch.no_grad():
        batch["reference"] = -response_losses(reference, batch)[0]
        ours = PreferenceObjective(_stage(sft_weight=weight)).compute(policy, batch)
    turns = {
        "prompt": [json.loads(each.prompt) for each in PAIRS[3 : 3 + num_pairs]],
        "chosen": [[{"role": "assistant", "content": each.chosen}] for each in PAIRS[3 : 3 + num_pairs]],
        "rejected": [[{"role": "assistant", "content": each.rejected}] for each in PAIRS[3 : 3 + num_pairs]],
    }
    settings = DPOConfig(
        output_dir=str(tmp_path), beta=BETA, report_to=[], use_cpu=True, bf16=False, per_device_train_batch_size=num_pairs,
        loss_type=["sigmoid", "sft"], loss_weights=[1.0, weight],
    )  # fmt: skip
    trainer = DPOTrainer(policy, reference, settings, train_dataset=Dataset.from_dict(turns), processing_class=tokenizer)
    with torch.no_grad():
        theirs = trainer.compute_loss(trainer.model, next(iter(trainer.get_train_dataloader())))
    assert float(ours.losses.mean()) == pytest.approx(float(theirs), rel=1e-5)
    assert ours.gaps.abs().min() > 0.1 and ours.gaps.abs().max() < 5, (
        "far from the reference, yet not where the loss is flat"
    )


def test_the_gap_of_the_rewards_is_what_rpo_alone_looks_at(tiny_student: Path, tokenizer: Any) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from synth_assets.tuning.encoding import response_losses
    from synth_assets.tuning.preference_losses import dpo_loss, rpo_loss
    from synth_assets.tuning.preference_objective import PreferenceObjective

    model = AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32)
    pairs = [encode_pair(tokenizer, pair(number, margin=number / 2)) for number in range(1, 4)]
    batch = pad_pairs(pairs, 0)
    with torch.no_grad():
        sums, num_tokens = response_losses(model, batch)
        batch["reference"] = -sums - torch.tensor([1.0, 2.0, 0.0, 0.0, 1.0, 2.0])
        gaps = BETA * torch.tensor([1.0, 1.0, -2.0])
        found = PreferenceObjective(_stage(loss="rpo", eta=2.0, sft_weight=0.5)).compute(model, batch)
        torch.testing.assert_close(found.gaps, gaps, atol=1e-5, rtol=1e-4)
        of_chosen = 0.5 * (sums / num_tokens)[:3]
        expected = rpo_loss(gaps, torch.tensor([0.5, 1.0, 1.5]), 2.0) + of_chosen
        torch.testing.assert_close(found.losses, expected, atol=1e-5, rtol=1e-5)
        found = PreferenceObjective(_stage()).compute(model, batch)
        torch.testing.assert_close(found.losses, dpo_loss(gaps), atol=1e-5, rtol=1e-5)
