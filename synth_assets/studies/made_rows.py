"""Rows and texts of made words, so that what two of them share is known: for tests and benchmarks of what rows give away."""

from __future__ import annotations

from random import Random

from synth_assets.records import SyntheticSample

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["".join(Random(number).choices(_LETTERS, k=4 + number % 6)) for number in range(5_000)]


def make_text(rng: Random, num_words: int) -> str:
    """So many words of the vocabulary."""
    return " ".join(rng.choices(VOCABULARY, k=num_words))


def make_sample(
    name: str, instruction: str, response: str, context: str | None = None, leaf: str = "foundational_skills/x"
) -> SyntheticSample:
    """A sample with these texts and this id, of a teacher that there is not."""
    return SyntheticSample(
        synthetic_sample_id=name, leaf_node_id="l", leaf_path=leaf, branch="foundational_skills", context=context,
        instruction=instruction, response=response, seed_example_ids=(), document_chunk_id=None, instruction_prompt="",
        response_prompt="", teacher="t", candidate_index=0, request_seed=0, num_prompt_tokens=1, num_response_tokens=1,
        response_logprob=-1.0,
    )  # fmt: skip
