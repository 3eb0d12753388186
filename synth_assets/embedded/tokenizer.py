"""The tokenizer of the embedded models: every word of the closed world is one token, single digits, bytes for the rest.

A Unigram model over byte-level characters in which each known word has the same score: a text is cut into the
fewest pieces. It is built from the world's own declaration, not trained, so it is the same on every machine. Words
of a user's own taxonomy fall back to bytes, which the models have seen only in copying exercises.
"""

import re
import string
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synth_assets.embedded.leaf_kinds import LeafKind
from synth_assets.embedded.leaves import TAUGHT, UNSEEN
from synth_assets.embedded.primitives import PRIMITIVES
from synth_assets.embedded.vocabulary import COMPARATIVES, COUNT_WORDS, PLURALS, SLOTS, TOWN_HEADS, TOWN_TAILS, VERBS
from synth_assets.prompts import PROMPT_FOLDER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, USER, ASSISTANT, END = SPECIAL_TOKENS = ("<|pad|>", "<|user|>", "<|assistant|>", "<|end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
MAX_POSITIONS = 512
#: The prompts whose words are tokens; those of the judge came later and are spelled out.
TEACHER_PROMPTS = ("context", "instruction", "question")
_PIECE = re.compile(r"[^\W\d_]+(?:'[a-z]+)?")


def world_words() -> list[str]:
    """Every word of the world, sorted: of templates, slot values, answers and prompts."""
    texts: list[str] = [*COUNT_WORDS, *PLURALS.values(), *COMPARATIVES]
    texts += [form for forms in VERBS.values() for form in forms]
    texts += [value for slot, values in SLOTS.items() if slot != "town" for value in values]
    for kind in (*TAUGHT, *UNSEEN, *PRIMITIVES):
        texts += [_without_slots(template) for template in _templates(kind)]
        texts += [value for values in kind.extra_slots.values() for value in values]
    prompts = [PROMPT_FOLDER / "brief" / f"{name}.j2" for name in TEACHER_PROMPTS]
    texts += [re.sub(r"{[{%].*?[}%]}", " ", path.read_text()) for path in prompts]
    texts += [superlative for superlative, _ in COMPARATIVES.values()]
    texts += ["dollars", "kilos", "days", "years", "people", "founded", "born", "letters"]
    return sorted({word for text in texts for word in _PIECE.findall(text)})


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer with its chat template, ready for `save_pretrained`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = world_words()
    pieces = [f"Ġ{word}" for word in words] + [word for word in words if word[0].isupper() and word not in SLOTS["name"]]
    pieces += [f"Ġ{head}" for head in TOWN_HEADS] + list(TOWN_TAILS) + [f"Ġ{digit}" for digit in string.digits]
    pieces += ["Ġ+", "Ġ-", "Ġx", "Ġ=", "ĊĠ", "Ċ-", "Ġ;"]
    scores = dict.fromkeys(SPECIAL_TOKENS, 0.0)
    scores |= dict.fromkeys(sorted(pre_tokenizers.ByteLevel.alphabet()), -10.0)
    scores |= dict.fromkeys(string.digits, -2.0)
    for piece in pieces:
        scores[piece] = -1.0
    tokenizer = Tokenizer(models.Unigram(list(scores.items()), unk_id=None, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_POSITIONS, additional_special_tokens=[USER, ASSISTANT], clean_up_tokenization_spaces=False,
    )  # fmt: skip


def save_tokenizer(folder: Path) -> None:
    build_tokenizer().save_pretrained(str(folder))


def _templates(kind: LeafKind) -> Iterable[str]:
    yield from (*kind.questions, *kind.contexts)
    if isinstance(kind.answer, str):
        yield kind.answer


def _without_slots(template: str) -> str:
    return " ".join(text for text, _, _, _ in string.Formatter().parse(template))


def encode_texts(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """Token ids of each text, as a chat turn's content is tokenized (a space before the first word)."""
    return [encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)]
