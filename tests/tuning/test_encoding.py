"""Loss on the answer and its end only; batches that are planned."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synth_assets.records import GENERATED_BRANCH, TrainingExample
from synth_assets.tuning.encoding import (
    IGNORED_LABEL,
    EncodedExample,
    encode_conversation,
    encode_example,
    pad_batch,
    plan_batches,
)


@pytest.fixture(scope="module")
def tokenizer(tiny_student: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_student, local_files_only=True)


def _labelled(tokenizer: Any, example: EncodedExample) -> str:
    return str(tokenizer.decode([label for label in example.labels if label != IGNORED_LABEL]))


def test_only_the_answer_and_its_end_bear_loss(tokenizer: Any) -> None:
    example = encode_conversation(tokenizer, "What is 17 + 25?", "The sum is 42.")
    assert _labelled(tokenizer, example).replace(" ", "") == "Thesumis42.<|end|>"
    text = tokenizer.decode(example.token_ids)
    assert text.startswith("<|user|>") and text.count("<|end|>") == 2 and text.endswith("<|end|>")
    split = example.labels.index(next(label for label in example.labels if label >= 0))
    assert set(example.labels[:split]) == {IGNORED_LABEL} and example.labels[split:] == example.token_ids[split:]
    assert tokenizer.convert_ids_to_tokens(example.token_ids[split - 1]) == "<|assistant|>"


def test_a_conversation_from_topics_is_encoded_turn_by_turn(tokenizer: Any) -> None:
    prompt = "User: What is 17 + 25?\n\nAssistant: 42.\n\nUser: And 1 more?"
    row = TrainingExample(
        "e", "s", f"{GENERATED_BRANCH}/maths/sums", "train", "all", "synthetic", 0, prompt, "The sum is 43."
    )
    example = encode_example(tokenizer, row)
    assert _labelled(tokenizer, example).replace(" ", "") == "Thesumis43.<|end|>"
    text = tokenizer.decode(example.token_ids)
    assert text.count("<|user|>") == text.count("<|assistant|>") == 2 and "Assistant:" not in text
    plain = replace(row, leaf_path="foundational_skills/sums")
    assert encode_example(tokenizer, plain) == encode_conversation(tokenizer, prompt, row.response)


TEMPLATES = {
    "chatml": (
        "{% for m in messages %}<|user|>{{ m['role'] }} {{ m['content'] }}<|end|>; {% endfor %}"
        "{% if add_generation_prompt %}<|user|>assistant{% endif %}",
        "42.<|end|>;",
    ),
    "no end token": (
        "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }} {% endfor %}"
        "{% if add_generation_prompt %}assistant:{% endif %}",
        "42.<|end|>",
    ),
    "prompt that opens a thought": (
        "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>think{% endif %}",
        "42.<|end|>",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_other_chat_templates_are_masked_up_to_the_answer(tiny_student: Path, name: str) -> None:
    from transformers import AutoTokenizer

    other = AutoTokenizer.from_pretrained(tiny_student, local_files_only=True)
    other.chat_template, expected = TEMPLATES[name]
    example = encode_conversation(other, "What is 17 + 25?", "42.")
    assert _labelled(other, example).replace(" ", "") == expected
    assert len(example.token_ids) == len(example.labels)


def test_every_epoch_takes_every_row_once_in_an_order_of_its_own() -> None:
    batches = plan_batches(100, 8, 26, seed=3)
    assert len(batches) == 26 and Counter(row for batch in batches[:13] for row in batch) == dict.fromkeys(range(100), 1)
    assert batches == plan_batches(100, 8, 26, seed=3) != plan_batches(100, 8, 26, seed=4)
    assert batches[:13] != batches[13:]
    assert plan_batches(3, 16, 2, seed=1) != [] and all(len(batch) == 3 for batch in plan_batches(3, 16, 2, seed=1))


def test_padding_bears_no_loss_and_is_not_seen() -> None:
    batch = pad_batch([EncodedExample([5, 6, 7], [-100, 6, 7]), EncodedExample([5], [5])], pad_token_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [5, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [5, -100, -100]]
