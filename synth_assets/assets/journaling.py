"""Models that never answer a call twice: the journal serves what it holds, the rest is asked and written down.

A call is known by all that its answer depends on: engine, number format, the model's fingerprint, the conversation,
and for generation the parameters and the request's own seed; of a server neither its address nor its limits. So the journal
is a cache as well: a changed threshold costs nothing, a changed seed file costs what depends on it. The engine is started
at the first call that is not in the journal, and not at all if there is none; a server is asked which model it serves.

A call that failed, or whose answer was cut off, is as finished as any other; `retry` names those to be asked again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import dagster as dg

from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines, Retry
from synth_assets.errors import EngineError
from synth_assets.inference import NOTICES, check_model
from synth_assets.judging import Panel
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.records import Reward, RewardAttributes, ScalarReward, content_id
from synth_assets.roles import (
    Conversation,
    GenerationRequest,
    GenerationResult,
    OnResult,
    OnScore,
    RewardModel,
    TextModel,
)
from synth_assets.storage import Journal, Warehouse, open_journal

FINISH_REASON_OF: Mapping[Retry, str] = {"failed": "error", "truncated": "length"}
JOURNAL = "journal"

AnswerT = TypeVar("AnswerT")
OnAnswer = Callable[[int, AnswerT], None]
ModelT = TypeVar("ModelT")
ServedT = TypeVar("ServedT", TextModel, RewardModel)


@dataclass
class JournaledCalls(Generic[AnswerT]):
    """What stands between a model and those who ask it. Counts the calls served and those that had to be made.

    Threads may share it, if the model allows them to; a call that two of them make at a time is made twice.
    """

    journal: Journal
    write: Callable[[AnswerT], Mapping[str, Any]]
    read: Callable[[Mapping[str, Any]], AnswerT]
    is_asked_again: Callable[[AnswerT], bool]
    progress: Progress | None = None
    num_served: int = 0
    num_made: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(
        self, keys: Sequence[str], ask: Callable[[list[int], OnAnswer[AnswerT]], object],
        on_answer: OnAnswer[AnswerT] | None,
    ) -> list[AnswerT]:  # fmt: skip
        """One answer a key, in their order. `ask` makes the calls at the given positions and is told where to put each."""
        answers: dict[int, AnswerT] = {}

        def take(position: int, answer: AnswerT) -> None:
            answers[position] = answer
            if on_answer:
                on_answer(position, answer)

        found = {key: self.read(value) for key, value in self.journal.find(keys).items()}
        for position, key in enumerate(keys):
            if key in found and not self.is_asked_again(found[key]):
                take(position, found[key])
        missing = [position for position in range(len(keys)) if position not in answers]

        def note(number: int, answer: AnswerT) -> None:
            self.journal.append(keys[missing[number]], self.write(answer))
            take(missing[number], answer)
            if self.progress:
                self.progress.advance()

        with self.lock:
            self.num_served += len(answers)
            self.num_made += len(missing)
        if missing:
            if self.progress:
                self.progress.begin(len(keys), len(answers))
            with _telling(self.progress):
                ask(missing, note)
            self.journal.commit()
            if self.progress:
                self.progress.end()
        return [answers[position] for position in range(len(keys))]


@dataclass
class _Journaled(Generic[ModelT, AnswerT]):
    """A model before which the journal stands. Raises what the model raises, and WarehouseError on a full disk."""

    spec: ModelSpec
    fingerprint: str
    calls: JournaledCalls[AnswerT]
    open_model: Callable[[], ModelT]


def call_key(kind: Literal["generation", "reward"], spec: ModelSpec, fingerprint: str, asked: object) -> str:
    """By what the journal knows a call; `fingerprint` is that of the model's folder, or of what its server says."""
    number_format: object = spec.dtype
    if spec.server:  # which chooses it; what a reward model is asked for is ours to choose
        number_format = spec.server.reward_api if kind == "reward" else ""
    return content_id(kind, (spec.engine, number_format, fingerprint), asked)


def generation_key(spec: ModelSpec, fingerprint: str, request: GenerationRequest) -> str:
    """As `call_key`; a request without a schema is what it was before there were schemas."""
    asked = {name: value for name, value in vars(request).items() if value or name != "schema"}
    return call_key("generation", spec, fingerprint, asked)


class JournaledTextModel(_Journaled[TextModel, GenerationResult]):
    """A TextModel."""

    def generate(
        self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
    ) -> list[GenerationResult]:  # fmt: skip
        def ask(positions: list[int], note: OnResult) -> None:
            self.open_model().generate([requests[position] for position in positions], note)

        keys = [generation_key(self.spec, self.fingerprint, request) for request in requests]
        return self.calls.answer(keys, ask, on_result)


class JournaledRewardModel(_Journaled[RewardModel, Reward | str]):
    """A RewardModel."""

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[Reward | str]:  # fmt: skip
        def ask(positions: list[int], note: OnScore) -> None:
            self.open_model().score([conversations[position] for position in positions], note)

        keys = [call_key("reward", self.spec, self.fingerprint, conversation) for conversation in conversations]
        return self.calls.answer(keys, ask, on_score)


@contextmanager
def journaled_text_model(
    engines: Engines, warehouse: Warehouse, spec: ModelSpec, folder: Path | None = None, progress: Progress | None = None,
) -> Iterator[JournaledTextModel]:  # fmt: skip
    """A teacher or student behind the journal of this warehouse; `folder` stands in for `spec.path`."""
    place = folder and folder.absolute()
    fingerprint = check_model(spec, "ForCausalLM", place)
    again = {FINISH_REASON_OF[name] for name in engines.retry}
    with open_journal(warehouse.folder / JOURNAL) as journal, ExitStack() as stack:
        calls = JournaledCalls(
            journal, vars, lambda said: GenerationResult(**said), lambda result: result.finish_reason in again, progress
        )
        opened = once(lambda: _same(stack.enter_context(engines.open_text_model(spec, place)), spec, fingerprint))
        yield JournaledTextModel(spec, fingerprint, calls, opened)


@contextmanager
def journaled_judge(
    engines: Engines, warehouse: Warehouse, recipe: Recipe, teacher: JournaledTextModel | None = None,
    progress: Progress | None = None,
) -> Iterator[JournaledTextModel | None]:  # fmt: skip
    """The model in the role of the judges: the teacher itself where it judges its own work; None without judges."""
    if recipe.judges is None:
        yield None
    elif teacher and recipe.judges.model is None:
        calls = replace(teacher.calls, num_served=0, num_made=0)
        yield JournaledTextModel(teacher.spec, teacher.fingerprint, calls, teacher.open_model)
    else:
        with journaled_text_model(engines, warehouse, recipe.judge_model, progress=progress) as judge:
            yield judge


def panel_of(recipe: Recipe, judge: TextModel) -> Panel:
    """The judges of a recipe that has some, played by this model."""
    assert recipe.judges is not None
    return Panel(judge, recipe.judges)


@contextmanager
def journaled_reward_model(
    engines: Engines, warehouse: Warehouse, spec: ModelSpec, progress: Progress | None = None
) -> Iterator[JournaledRewardModel]:
    """A reward model behind the journal of this warehouse."""
    fingerprint = check_model(spec, "ForSequenceClassification")
    with open_journal(warehouse.folder / JOURNAL) as journal, ExitStack() as stack:
        calls = JournaledCalls(
            journal, _write_score, _read_score, lambda score: isinstance(score, str) and "failed" in engines.retry, progress
        )
        opened = once(lambda: _same(stack.enter_context(engines.open_reward_model(spec)), spec, fingerprint))
        yield JournaledRewardModel(spec, fingerprint, calls, opened)


def calls_metadata(context: dg.AssetExecutionContext, *calls: JournaledCalls[Any]) -> dict[str, Any]:
    """How many calls were made and how many the journal served; what it had to mend goes into the run's log."""
    for repair in dict.fromkeys(repair for each in calls for repair in each.journal.repairs):
        context.log.warning(repair)
    num_made, num_served = sum(each.num_made for each in calls), sum(each.num_served for each in calls)
    return {"num_calls_made": num_made, "num_calls_served_from_journal": num_served}


def _same(model: ServedT, spec: ModelSpec, fingerprint: str) -> ServedT:
    """The model, if a server has not changed it since its fingerprint was taken. Raises EngineError if it has."""
    if spec.server and model.fingerprint != fingerprint:
        raise EngineError(
            f"another model stands behind {spec.name} than when this began", value=model.fingerprint,
            remedy="run the same command again: its calls are then made by the model that is there now",
        )  # fmt: skip
    return model


@contextmanager
def _telling(progress: Progress | None) -> Iterator[None]:
    """What servers are said to be up to (gone, back) goes into the run's log as well."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert progress
            progress.tell(record.getMessage(), None)

    listener, logger = Listener(), logging.getLogger(NOTICES)
    if progress:
        logger.addHandler(listener)
    try:
        yield
    finally:
        logger.removeHandler(listener)


def once(open_model: Callable[[], ModelT]) -> Callable[[], ModelT]:
    """A model that is opened when it is asked for first, by whatever thread."""
    opened: list[ModelT] = []
    lock = threading.Lock()

    def get() -> ModelT:
        with lock:
            if not opened:
                opened.append(open_model())
        return opened[0]

    return get


def _write_score(score: Reward | str) -> Mapping[str, Any]:
    return {"error": score} if isinstance(score, str) else asdict(score)


def _read_score(said: Mapping[str, Any]) -> Reward | str:
    if "error" in said:
        return str(said["error"])
    return ScalarReward(**said) if "value" in said else RewardAttributes(**said)
