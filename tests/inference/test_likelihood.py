"""Likelihoods of given texts: against a forward pass by hand, against tuning's own loss, whatever the batch."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synth_assets.errors import ModelError
from synth_assets.inference import open_likelihood_model
from synth_assets.recipe import ModelSpec
from synth_assets.roles import Conversation, LikelihoodModel, Message, TokenLogprobs

pytestmark = pytest.mark.slow
PAIRS = [(f"Name {'one city ' * (n % 6)}{n}", f"apple {'river house ' * (n % 5)}{n}") for n in range(23)]


def spec_of(folder: Path, **more: Any) -> ModelSpec:
    said = {"max_model_len": 128, "max_num_seqs": 4, "max_num_batched_tokens": 256} | more
    return ModelSpec(path=str(folder), engine="transformers", dtype="float32", **said)  # type: ignore[arg-type]


def conversation(prompt: str, response: str) -> Conversation:
    return Message("user", prompt), Message("assistant", response)


def found(results: list[TokenLogprobs | str]) -> list[TokenLogprobs]:
    assert not [each for each in results if isinstance(each, str)]
    return [each for each in results if not isinstance(each, str)]


@pytest.fixture(scope="module")
def model(tiny_student: Path) -> Iterator[LikelihoodModel]:
    with open_likelihood_model(spec_of(tiny_student)) as opened:
        yield opened


def test_each_token_as_by_hand(tiny_student: Path, model: LikelihoodModel) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    plain = AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32).eval()
    results = found(model.token_logprobs([conversation(*pair) for pair in PAIRS]))
    for (prompt, response), result in zip(PAIRS, results, strict=True):
        before = tokenizer(f"<|user|>{prompt}<|end|><|assistant|>")["input_ids"]
        answer = tokenizer(f"{response}<|end|>")["input_ids"]
        assert list(result.token_ids) == answer and answer[-1] == tokenizer.eos_token_id
        with torch.no_grad():
            logits = plain(torch.tensor([before + answer])).logits[0].double()
        by_hand = [
            float(logits[len(before) + n - 1].log_softmax(-1)[token]) for n, token in enumerate(answer)
        ]  # fmt: skip
        assert result.logprobs == pytest.approx(by_hand, abs=1e-4)
        assert max(result.logprobs) < 0


def test_the_mean_is_the_loss_of_tuning(tiny_student: Path, model: LikelihoodModel) -> None:
    from transformers import AutoTokenizer

    from synth_assets.tuning.adapters import load_student
    from synth_assets.tuning.encoding import encode_conversation
    from synth_assets.tuning.lora import mean_loss

    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    encoded = [encode_conversation(tokenizer, *pair) for pair in PAIRS]
    results = found(model.token_logprobs([conversation(*pair) for pair in PAIRS]))
    logprobs = [each for result in results for each in result.logprobs]
    loss = mean_loss(load_student(tiny_student), encoded, tokenizer.pad_token_id, 4)
    assert -sum(logprobs) / len(logprobs) == pytest.approx(loss, rel=1e-5)
    assert results[3].mean_loss == pytest.approx(-sum(results[3].logprobs) / len(results[3].logprobs))
    for example, result in zip(encoded, results, strict=True):
        assert [label for label in example.labels if label >= 0] == list(result.token_ids)


def test_order_and_batch_change_nothing(tiny_student: Path, model: LikelihoodModel) -> None:
    rows = [conversation(*pair) for pair in PAIRS]
    together = found(model.token_logprobs(rows))
    backwards = found(model.token_logprobs(rows[::-1]))[::-1]
    with open_likelihood_model(spec_of(tiny_student, max_num_seqs=1)) as one_by_one:
        alone = found(one_by_one.token_logprobs(rows))
        assert one_by_one.fingerprint == model.fingerprint
    for a, b, c in zip(together, backwards, alone, strict=True):
        assert a.token_ids == b.token_ids == c.token_ids
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-5) and a.logprobs == pytest.approx(c.logprobs, abs=1e-5)


def test_earlier_turns_are_given_not_asked_about(model: LikelihoodModel) -> None:
    last = conversation("Name a city", "river")
    longer = (Message("user", "apple"), Message("assistant", "house"), *last)
    (short,), (long,) = found(model.token_logprobs([last])), found(model.token_logprobs([longer]))
    assert short.token_ids == long.token_ids and short.logprobs != long.logprobs


def test_plain_texts(tiny_student: Path, model: LikelihoodModel) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_student)
    plain = AutoModelForCausalLM.from_pretrained(tiny_student, dtype=torch.float32).eval()
    texts = ["The river runs by the town.", "apple " * 30]
    for text, result in zip(texts, found(model.text_logprobs(texts)), strict=True):
        token_ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            loss = float(plain(torch.tensor([token_ids]), labels=torch.tensor([token_ids])).loss)
        assert list(result.token_ids) == token_ids[1:] and result.mean_loss == pytest.approx(loss, rel=1e-5)


def test_what_cannot_be_asked_is_told_and_the_others_go_on(model: LikelihoodModel) -> None:
    rows = [
        conversation(*PAIRS[0]),
        conversation("apple " * 200, "river"),
        (Message("user", "Name a city"),),
        (Message("assistant", "Berlin"),),
    ]
    fine, too_long, unanswered, alone = model.token_logprobs(rows)
    assert isinstance(fine, TokenLogprobs) and all(math.isfinite(each) for each in fine.logprobs)
    assert isinstance(too_long, str) and "more than the 128" in too_long
    assert unanswered == alone == "the conversation does not end with an assistant turn after another one"
    assert model.text_logprobs(["", "apple"]) == ["there is no token to be asked about"] * 2
    assert model.token_logprobs([]) == model.text_logprobs([]) == []


def test_a_folder_that_is_none_is_refused(tiny_student: Path, tmp_path: Path) -> None:
    with (
        pytest.raises(ModelError, match="does not exist"),
        open_likelihood_model(spec_of(tiny_student), tmp_path / "nowhere"),
    ):
        pass
