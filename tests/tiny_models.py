"""Tiny models with random weights of the architectures of published systems, with chat templates of the same form.

Their tokenizer knows some fifty characters and no line break, so that a random model ends its turn now and then and
writes on one line: some of what it writes passes the rules of form, as with a real teacher.
"""

import string
from pathlib import Path
from typing import Any

CHARACTERS = [*string.ascii_lowercase, *string.digits, *' .?"{}:,']
MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + message['content'] + eos_token }}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
LAB_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
NEMOTRON_TEMPLATE = (
    "{{ '<extra_id_0>System\n\n' }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '<extra_id_1>User\n' + message['content'] + '\n' }}{% elif message['role'] == 'assistant' %}"
    "{{ '<extra_id_1>Assistant\n' + message['content'] + eos_token }}{% else %}{{ message['content'] + '\n' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<extra_id_1>Assistant\n' }}{% endif %}"
)
_SHAPE = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
    "max_position_embeddings": 4096, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip


def tiny_mixtral(folder: Path, seed: int = 0) -> Path:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(vocab_size=_num_tokens(), num_local_experts=4, num_experts_per_tok=2, **_SHAPE)
    return _save(MixtralForCausalLM, config, MISTRAL_TEMPLATE, folder, seed)


def tiny_mistral(folder: Path, seed: int = 1) -> Path:
    from transformers import MistralConfig, MistralForCausalLM

    return _save(MistralForCausalLM, MistralConfig(vocab_size=_num_tokens(), **_SHAPE), LAB_TEMPLATE, folder, seed)


def tiny_llama(folder: Path, seed: int = 2) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM

    return _save(LlamaForCausalLM, LlamaConfig(vocab_size=_num_tokens(), **_SHAPE), LAB_TEMPLATE, folder, seed)


def tiny_nemotron(folder: Path, seed: int = 3) -> Path:
    """Nemotron-4's architecture: squared ReLU without a gate, LayerNorm1P, half of each head rotated."""
    from transformers import NemotronConfig, NemotronForCausalLM

    return _save(NemotronForCausalLM, NemotronConfig(vocab_size=_num_tokens(), **_SHAPE), NEMOTRON_TEMPLATE, folder, seed)


def tiny_nemotron_reward(folder: Path, seed: int = 4) -> Path:
    """The same with a linear layer of five outputs on the last token, as its reward model has."""
    from transformers import NemotronConfig, NemotronForSequenceClassification

    config = NemotronConfig(vocab_size=_num_tokens(), num_labels=5, initializer_range=0.2, **_SHAPE)
    return _save(NemotronForSequenceClassification, config, NEMOTRON_TEMPLATE, folder, seed)


def _num_tokens() -> int:
    return len(_tokenizer(LAB_TEMPLATE))


def _save(architecture: Any, config: Any, template: str, folder: Path, seed: int) -> Path:
    import torch

    torch.manual_seed(seed)
    architecture(config).save_pretrained(folder)
    _tokenizer(template).save_pretrained(folder)
    return folder


def _tokenizer(template: str) -> Any:
    """A byte-level BPE without merges, but for characters that nobody needs."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<begin>", "<end>", "<unk>"]  # none of those that a rule takes for a lost role
    as_byte = {chr(byte): shown for byte, shown in _bytes_to_unicode().items()}
    vocabulary = {token: number for number, token in enumerate([*special, *(as_byte[each] for each in CHARACTERS)])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<begin>", eos_token="<end>", unk_token="<unk>",
        chat_template=template, model_max_length=4096, clean_up_tokenization_spaces=False,
    )  # fmt: skip


def _bytes_to_unicode() -> dict[int, str]:
    """How byte-level BPE writes bytes that are no printable character: shifted by 256."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + number) for number, byte in enumerate(rest)}


def save_tagger(folder: Path, labels: tuple[str, ...]) -> None:
    """A tiny random model for token classification, with a tokenizer of a few words."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate("[PAD] [UNK] Anna met Ben in Rome anna".split())}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, id2label=dict(enumerate(labels)), label2id={name: at for at, name in enumerate(labels)},
        initializer_range=2.0,
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)
