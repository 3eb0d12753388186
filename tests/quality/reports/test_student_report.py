"""Perplexities of real rows against the base, and against the student of the generation before where there is one."""

import math
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from synth_assets.quality import hold_all
from synth_assets.quality.privacy.canaries import Canary
from synth_assets.quality.reports import Pair, Passes, measure_canaries, measure_perplexities
from synth_assets.recipe import ModelSpec, TrustSection
from synth_assets.roles import Conversation, TokenLogprobs

TRUST = TrustSection(min_reference_rows=100, bootstrap_draws=100)


class MadeLikelihood:
    """Gives each word of an answer the same probability; its tokens are numbers of words, from `first` on."""

    fingerprint = "made"

    def __init__(self, loss: float, first: int = 0) -> None:
        self.loss, self.first = loss, first

    def token_logprobs(self, conversations: Sequence[Conversation]) -> list[TokenLogprobs | str]:
        answers = [conversation[-1].content.split() for conversation in conversations]
        return [
            TokenLogprobs(
                tuple(self.first + len(word) for word in words), tuple(-self.loss - len(word) / 50 for word in words)
            )
            for words in answers
        ]

    def text_logprobs(self, texts: Sequence[str]) -> list[TokenLogprobs | str]:
        raise NotImplementedError


def real_rows(num: int) -> pl.DataFrame:
    said = [("a " * (1 + n % 4) + "word " * 9 + "extraordinary").strip() for n in range(num)]
    columns = {"leaf_path": [f"leaf{n % 8}" for n in range(num)], "context": [None] * num, "instruction": ["Say."] * num}
    return pl.DataFrame({**columns, "response": said}, schema_overrides={"context": pl.String})


def measured(pair: Pair) -> dict[tuple[str, str], tuple[float | None, str, str]]:
    estimates = measure_perplexities(pair, real_rows(120), real_rows(120), "brief", TRUST, 0)
    held = hold_all("student_report", estimates, TRUST)
    return {
        (each.measure, each.subject): (each.value, each.verdict, each.detail) for each in held if "ratio" in each.measure
    }


def test_a_decay_that_the_base_does_not_show_shows_against_the_student_before() -> None:
    base, before, now = MadeLikelihood(2.0), MadeLikelihood(1.0), MadeLikelihood(1.0 + math.log(1.2))
    found = measured(Pair(base, now, before))
    value, verdict, _ = found["perplexity_ratio", "base"]
    assert value == pytest.approx(1.2 / math.e) and verdict == "passed"
    for measure in ("perplexity_ratio", "rare_perplexity_ratio"):
        assert found[measure, "previous student"][0] == pytest.approx(1.2)
    assert found["perplexity_ratio", "previous student"][1] == "failed"
    same = measured(Pair(base, now, now))
    assert same["perplexity_ratio", "previous student"][:2] == (pytest.approx(1.0), "passed")


def test_without_a_student_before_the_report_says_that_only_the_base_was_compared() -> None:
    found = measured(Pair(MadeLikelihood(2.0), MadeLikelihood(1.0)))
    assert found["perplexity_ratio", "base"][1] == "passed"
    for measure in ("perplexity_ratio", "rare_perplexity_ratio"):
        value, verdict, words = found[measure, "previous student"]
        assert (value, verdict) == (None, "not_assessed") and "trust.previous_student" in words


def test_a_student_of_other_tokens_cannot_be_compared_and_that_is_no_pass() -> None:
    found = measured(Pair(MadeLikelihood(2.0), MadeLikelihood(1.0), MadeLikelihood(1.0, first=7)))
    value, verdict, words = found["perplexity_ratio", "previous student"]
    assert (value, verdict) == (None, "not_computable") and "same base" in words


def test_a_shadow_that_has_not_seen_all_of_its_rows_is_no_evidence(tiny_student: Path) -> None:
    """The same figures pass once it has."""
    from synth_assets.inference import open_likelihood_model

    spec = ModelSpec(path=str(tiny_student), engine="transformers", dtype="float32", max_model_len=64)
    canaries = [Canary("city", "Which city?", "It is {number}.", 7, num) for num in (0, 1, 1, 1)]
    with open_likelihood_model(spec) as shadow:
        early, whole = (
            hold_all("student_report", measure_canaries(shadow, canaries, TRUST, 1, Passes(passes, 3.0)), TRUST)
            for passes in (0.9, 1.0)
        )
    before, after = ({row.measure: row for row in rows}["canary_exposure"] for rows in (early, whole))
    assert before.value == after.value and "0.90 passes" in before.detail and "3.00" in before.detail
    assert before.verdict == "insufficient_reference" and "raise trust.privacy.shadow_steps" in before.detail
    assert after.verdict in ("passed", "failed") and "1.00 passes" in after.detail
