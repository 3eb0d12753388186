"""Episodes, tokenizer and packing: nothing held out is trained on, loss lies where it should, episodes are apart."""

from itertools import islice
from random import Random

import numpy as np
import pytest

from synth_assets.embedded.episodes import base_episodes, conversation, teacher_episodes
from synth_assets.embedded.leaves import TAUGHT, UNSEEN
from synth_assets.embedded.packing import IGNORED, encode_episodes, packed_batches
from synth_assets.embedded.tokenizer import ASSISTANT, END, build_tokenizer, encode_texts, world_words


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


def test_words_of_the_world_are_one_token(tokenizer) -> None:
    for word, ids in zip(world_words(), encode_texts(tokenizer, world_words()), strict=True):
        assert len(ids) == 1, word


@pytest.mark.parametrize("text", ["Ruth has 34 apples.", "Ünïcödé 漢字 \U0001f600 tabs\tand\nlines", "x" * 50])
def test_any_text_survives_the_tokenizer(tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == " " + text


def test_markers_in_a_text_are_the_only_special_tokens(tokenizer) -> None:
    messages = [{"role": "user", "content": "Say"}, {"role": "assistant", "content": "Ruth"}]
    ids = tokenizer.apply_chat_template(messages, tokenize=True)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[-3:] == [ASSISTANT, "ĠRuth", END]


def test_training_never_sees_held_out_or_unseen_kinds() -> None:
    words = world_words()
    for episode in islice(teacher_episodes(1, words), 3000):
        for turn in episode:
            for line in turn.text.split("\n"):
                text = line.removeprefix("- ")
                assert not any(kind.read(text) for kind in UNSEEN), text
                for kind in TAUGHT:
                    instance = None if kind.is_grounded else kind.read(text)
                    assert instance is None or not instance.is_held_out


def test_the_base_never_sees_a_task_of_the_taxonomy() -> None:
    freeform = [kind for kind in TAUGHT if not kind.is_grounded]
    for episode in islice(base_episodes(1, world_words()), 3000):
        assert not any(kind.read(turn.text) for kind in freeform for turn in episode)


def test_labels_are_the_answers_and_their_end(tokenizer) -> None:
    instance = TAUGHT[0].draw_where(Random(0), held_out=False)
    token_ids, labels = encode_episodes(tokenizer, [conversation([instance])])[0]
    answered = [label for label in labels if label != IGNORED]
    assert tokenizer.decode(answered) == f" {instance.answer}{END}"
    assert labels[-1] == IGNORED and len(labels) == len(token_ids)


def test_packing_keeps_episodes_apart_and_loses_little(tokenizer) -> None:
    episodes = teacher_episodes(2, world_words())
    batch = next(packed_batches(episodes, lambda e: encode_episodes(tokenizer, e), 8, 256))
    assert (batch.episode_numbers >= 0).mean() > 0.95
    for row in range(8):
        for number in range(batch.episode_numbers[row].max() + 1):
            inside = batch.episode_numbers[row] == number
            assert (batch.positions[row][inside] == np.arange(inside.sum())).all()
            assert batch.labels[row][inside][-1] == IGNORED
