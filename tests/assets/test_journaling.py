"""Models behind the journal: no finished call is made twice, and no engine is started for nothing."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from synth_assets.assets.journaling import JournaledTextModel, journaled_reward_model, journaled_text_model
from synth_assets.assets.resources import Engines, Retry
from synth_assets.errors import EngineError
from synth_assets.recipe import ModelSpec
from synth_assets.records import RewardAttributes
from synth_assets.roles import (
    Conversation,
    GenerationRequest,
    GenerationResult,
    Message,
    OnResult,
    OnScore,
    RewardModel,
    TextModel,
)
from synth_assets.storage import Warehouse


class CountingEngines:
    """Engines that count what they are asked; the text model dies after `dies_after` answers."""

    def __init__(self, dies_after: int = 10**9) -> None:
        self.asked: list[str] = []
        self.num_opened = 0
        self.dies_after = dies_after
        self.fingerprint = "of the engine"

    def engines(self, *retry: Retry) -> Engines:
        return Engines(self.open_text, self.open_reward, retry)

    @contextmanager
    def open_text(self, spec: ModelSpec, folder: Path | None = None) -> Iterator[TextModel]:
        self.num_opened += 1
        yield self

    @contextmanager
    def open_reward(self, spec: ModelSpec) -> Iterator[RewardModel]:
        self.num_opened += 1
        yield self

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = [self._result(request) for request in requests]
        for position in reversed(range(len(results))):  # any order
            if len(self.asked) >= self.dies_after:
                raise EngineError("the engine died")
            self.asked.append(requests[position].messages[0].content)
            if on_result:
                on_result(position, results[position])
        return results

    def _result(self, request: GenerationRequest) -> GenerationResult:
        text = request.messages[0].content
        if "bad" in text:
            return GenerationResult("", "error", error="too long")
        return GenerationResult(text.upper(), "length" if "long" in text else "stop", text, 3, 2, -0.25)

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[RewardAttributes | str]:  # fmt: skip
        scores: list[RewardAttributes | str] = []
        for position, conversation in enumerate(conversations):
            text = conversation[-1].content
            self.asked.append(text)
            scores.append("too long" if "bad" in text else RewardAttributes(1.5, 2.0, 3.0, 0.0, float(len(text))))
            if on_score:
                on_score(position, scores[-1])
        return scores


def requests(*texts: str, seed: int = 1) -> list[GenerationRequest]:
    return [GenerationRequest((Message("user", text),), 8, 1.0, seed) for text in texts]


@pytest.fixture
def spec(tiny_teacher: Path) -> ModelSpec:
    return ModelSpec(path=str(tiny_teacher), max_model_len=64)


def ask(
    counting: CountingEngines, folder: Path, spec: ModelSpec, asked: Sequence[GenerationRequest], *retry: Retry
) -> tuple[list[GenerationResult], JournaledTextModel]:
    with journaled_text_model(counting.engines(*retry), Warehouse(folder), spec) as model:
        return model.generate(asked), model


def test_what_was_answered_is_served_without_an_engine(tmp_path: Path, spec: ModelSpec) -> None:
    first, again = CountingEngines(), CountingEngines()
    asked = requests("one", "two", "bad", "three")
    results, model = ask(first, tmp_path, spec, asked)
    assert [result.text for result in results] == ["ONE", "TWO", "", "THREE"]
    assert (model.calls.num_made, model.calls.num_served, first.num_opened) == (4, 0, 1)
    served, model = ask(again, tmp_path, spec, asked)
    assert served == results and (model.calls.num_made, model.calls.num_served, again.num_opened) == (0, 4, 0)


def test_only_what_differs_is_asked(tmp_path: Path, spec: ModelSpec) -> None:
    ask(CountingEngines(), tmp_path, spec, requests("one", "two"))
    counting = CountingEngines()
    results, _ = ask(counting, tmp_path, spec, requests("two", "three", "one"))
    assert counting.asked == ["three"] and [result.text for result in results] == ["TWO", "THREE", "ONE"]
    ask(counting, tmp_path, spec, requests("one", seed=2))
    ask(counting, tmp_path, spec.model_copy(update={"engine": "transformers"}), requests("two"))
    assert counting.asked == ["three", "one", "two"]


def test_a_crash_costs_only_what_was_in_flight(tmp_path: Path, spec: ModelSpec) -> None:
    asked = requests(*(f"number {n}" for n in range(10)))
    broken, after = CountingEngines(dies_after=6), CountingEngines()
    with pytest.raises(EngineError):
        ask(broken, tmp_path, spec, asked)
    results, _ = ask(after, tmp_path, spec, asked)
    assert not set(broken.asked) & set(after.asked) and len(after.asked) == 4
    assert [result.text for result in results] == [f"NUMBER {n}" for n in range(10)]


@pytest.mark.parametrize(("retry", "again"), [((), []), (("failed",), ["bad"]), (("failed", "truncated"), ["long", "bad"])])
def test_failed_and_truncated_answers_are_asked_again_on_demand(
    tmp_path: Path, spec: ModelSpec, retry: tuple[Retry, ...], again: list[str]
) -> None:
    ask(CountingEngines(), tmp_path, spec, requests("one", "bad", "long"))
    counting = CountingEngines()
    ask(counting, tmp_path, spec, requests("one", "bad", "long"), *retry)
    assert counting.asked == again


def test_results_are_told_as_they_come_served_ones_first(tmp_path: Path, spec: ModelSpec) -> None:
    ask(CountingEngines(), tmp_path, spec, requests("two"))
    told: list[tuple[int, str]] = []
    with journaled_text_model(CountingEngines().engines(), Warehouse(tmp_path), spec) as model:
        model.generate(requests("one", "two"), lambda position, result: told.append((position, result.text)))
    assert told == [(1, "TWO"), (0, "ONE")]


def test_rewards_are_journaled_as_well(tmp_path: Path, tiny_reward_model: Path) -> None:
    spec = ModelSpec(path=str(tiny_reward_model), max_model_len=64)
    conversations = [(Message("user", "q"), Message("assistant", text)) for text in ("fine", "bad", "good")]
    first, again, retried = CountingEngines(), CountingEngines(), CountingEngines()
    scores = []
    for engines in (first.engines(), again.engines(), retried.engines("failed")):
        with journaled_reward_model(engines, Warehouse(tmp_path), spec) as model:
            scores.append(model.score(conversations))
    assert scores[0] == scores[1] == scores[2] and scores[0][1] == "too long"
    assert (len(first.asked), len(again.asked), retried.asked, again.num_opened) == (3, 0, ["bad"], 0)
