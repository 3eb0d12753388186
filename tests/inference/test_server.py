"""A server that misbehaves: all that can succeed does, and each failed call is a result with its reason."""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from misbehaving_server import MODEL, MisbehavingServer

from synth_assets.errors import EngineError, ModelError
from synth_assets.inference import NOTICES, open_text_model
from synth_assets.inference.server import server_fingerprint
from synth_assets.recipe import ModelSpec
from synth_assets.roles import GenerationRequest, GenerationResult, Message


def spec_of(*servers: MisbehavingServer, structured: bool = False, **limits: Any) -> ModelSpec:
    server = {"base_urls": tuple(each.base_url for each in servers), "model": MODEL, **limits}
    return ModelSpec(engine="server", max_model_len=256, server=server, structured_outputs=structured)  # type: ignore[arg-type]


def requests_of(*texts: str, temperature: float = 1.0, schema: str = "") -> list[GenerationRequest]:
    return [GenerationRequest((Message("user", text),), 8, temperature, 11, schema) for text in texts]


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


def test_all_that_can_succeed_does(server: MisbehavingServer) -> None:
    """2,000 requests, and in mid-run the server is killed and started again."""
    kinds = ["bad"] * 40 + ["shaky"] * 100 + ["busy"] * 20 + ["hang"] * 20 + ["cut"] * 20 + ["garbled"] * 20 + ["empty"] * 20
    texts = [f"{kinds[number] if number < len(kinds) else 'fine'} {number}" for number in range(2000)]
    texts = [texts[number * 1237 % 2000] for number in range(2000)]
    told: dict[int, GenerationResult] = {}

    def tell(position: int, result: GenerationResult) -> None:
        assert position not in told
        told[position] = result
        if len(told) == 700:
            server.stop()
            threading.Timer(0.5, server.start).start()

    with open_text_model(spec_of(server, request_timeout_s=1.5, deadline_s=60.0)) as model:
        results = model.generate(requests_of(*texts), tell)
    assert [told[position] for position in range(2000)] == results
    lost = {text for text in texts if text.startswith("bad") and server.asked[text] == 2}
    for text, result in zip(texts, results, strict=True):
        if text.startswith("bad"):
            assert (result.finish_reason, result.text) == ("error", "") and "HTTP 400: bad words" in result.error
            assert server.asked[text] == 1 or text in lost, "a 400 is not asked again, unless the kill took it from the wire"
        else:
            assert (result.finish_reason, result.text, result.mean_logprob) == ("stop", text.upper(), -0.5), result
            assert (result.num_prompt_tokens, result.num_new_tokens) == (7, 3)
    assert sum(server.asked.values()) > 2000
    cut_off = lost | {text for text, num in server.num_answered.items() if num > 1}
    assert len(cut_off) <= 64, "asked again after an answer, beyond those that the kill took from the wire"


def test_what_is_asked(server: MisbehavingServer) -> None:
    schema = '{"type": "object", "properties": {"verdict": {"type": "string"}}}'
    with open_text_model(spec_of(server, structured=True)) as model:
        model.generate([*requests_of("hot", schema=schema), *requests_of("cold", temperature=0.0)])
    hot, cold = sorted(server.bodies, key=lambda body: -body["temperature"])
    assert hot == {
        "model": MODEL, "messages": [{"role": "user", "content": "hot"}], "max_tokens": 8, "temperature": 1.0, "seed": 11,
        "logprobs": True,
        "response_format": {"type": "json_schema", "json_schema": {
            "name": "answer",
            "schema": {"type": "object", "properties": {"verdict": {"type": "string"}}},
        }},
    }  # fmt: skip
    assert "seed" not in cold and "response_format" not in cold and "skip_special_tokens" not in cold
    server.owned_by = "vllm"
    with open_text_model(spec_of(server, logprobs=False, request_timeout_s=9.0)) as model:
        model.generate(requests_of("warm"))
    assert server.bodies[-1]["skip_special_tokens"] is False and "logprobs" not in server.bodies[-1]


def test_answers_that_the_server_ended_or_left_empty_are_failed_rows(server: MisbehavingServer) -> None:
    with open_text_model(spec_of(server)) as model:
        fine, filtered = model.generate(requests_of("fine", "filtered 1"))
        assert fine.prompt == "[user]\nfine" and filtered.error == "the server ended the answer: content_filter: FILTERED 1"
        server.fixed = 200, {"choices": [{"message": {"content": None}, "finish_reason": "stop"}]}
        assert "no text (content: null)" in model.generate(requests_of("fine"))[0].error
        server.fixed = 200, {"choices": [{"message": {"content": " hm "}, "finish_reason": "length"}]}
        (bare,) = model.generate(requests_of("fine"))
        assert (bare.text, bare.finish_reason, bare.mean_logprob, bare.num_new_tokens) == ("hm", "length", 0.0, 0)
        assert model.generate([]) == []


def test_tries_are_counted_and_the_words_kept(server: MisbehavingServer) -> None:
    server.fixed = 500, {"error": {"message": "out of memory " * 100}}
    with open_text_model(spec_of(server, max_attempts=3)) as model:
        (result,) = model.generate(requests_of("one"))
    assert result.error.startswith("HTTP 500: out of memory") and result.error.endswith("after 3 tries (max_attempts)")
    assert len(result.error) < 600 and server.asked["one"] == 3


def test_a_wait_beyond_the_deadline_is_not_waited(server: MisbehavingServer) -> None:
    server.retry_after = "3600"
    with open_text_model(spec_of(server, deadline_s=5.0)) as model:
        start = time.monotonic()
        (result,) = model.generate(requests_of("busy 1"))
    assert "HTTP 429: too many; given up" in result.error and "deadline_s = 5" in result.error
    assert time.monotonic() - start < 15


def test_retry_after_is_obeyed(server: MisbehavingServer) -> None:
    server.retry_after = "1"
    with open_text_model(spec_of(server, max_attempts=1)) as model:  # a refusal is no attempt
        start = time.monotonic()
        results = model.generate(requests_of("busy 1", "busy 2"))
    assert [result.text for result in results] == ["BUSY 1", "BUSY 2"]
    assert 1.0 <= time.monotonic() - start < 15


def test_callers_share_one_window(server: MisbehavingServer) -> None:
    """A short batch does not wait for a long one that came before it, and both together keep to the limit."""
    server.latency_s = 0.02
    done: dict[str, float] = {}
    with open_text_model(spec_of(server, max_in_flight=8)) as model, ThreadPoolExecutor(2) as threads:

        def ask(name: str, num: int) -> None:
            results = model.generate(requests_of(*(f"{name} {number}" for number in range(num))))
            assert [result.text for result in results] == [f"{name} {number}".upper() for number in range(num)]
            done[name] = time.monotonic()

        long = threads.submit(ask, "long", 400)
        time.sleep(0.2)
        threads.submit(ask, "short", 10).result()
        assert not long.done()
        long.result()
    assert done["short"] < done["long"] and server.most_in_flight == 8


def test_an_error_of_the_caller_ends_its_batch_alone(server: MisbehavingServer) -> None:
    def fail(position: int, result: GenerationResult) -> None:
        raise OSError("the disk is full")

    with open_text_model(spec_of(server, max_in_flight=4)) as model:
        with pytest.raises(OSError, match="the disk is full"):
            model.generate(requests_of(*(f"one {number}" for number in range(500))), fail)
        assert model.generate(requests_of("two"))[0].text == "TWO"
    assert sum(server.asked.values()) < 100


def test_too_many_failures_stop_the_run(server: MisbehavingServer) -> None:
    told: list[int] = []
    with open_text_model(spec_of(server, failure_share=0.25)) as model:
        texts = [f"{'bad' if number % 2 else 'fine'} {number}" for number in range(1000)]
        with pytest.raises(EngineError, match=r"of the last 100 finished calls more than failure_share = 0.25") as error:
            model.generate(requests_of(*texts), lambda position, _: told.append(position))
    assert "HTTP 400: bad words" in error.value.what and "--retry failed" in (error.value.remedy or "")
    assert 100 <= len(told) <= 200 and sum(server.asked.values()) < 250


def test_a_dead_server_pauses_and_then_ends_the_run(server: MisbehavingServer, caplog: pytest.LogCaptureFixture) -> None:
    told: list[int] = []

    def tell(position: int, _: object) -> None:
        told.append(position)
        if len(told) == 50:
            server.stop()

    with open_text_model(spec_of(server, deadline_s=1.5)) as model, caplog.at_level(logging.WARNING, NOTICES):
        with pytest.raises(EngineError, match=r"no server of made-model has answered for 1.5 s \(deadline_s\)") as error:
            model.generate(requests_of(*(f"fine {number}" for number in range(500))), tell)
        with pytest.raises(EngineError):
            model.generate(requests_of("more"))
    assert "run the same command again" in (error.value.remedy or "") and 50 <= len(told) < 500
    assert any("waiting for one, up to 2 s" in message for message in caplog.messages)


def test_a_server_that_loads_again_is_waited_for(server: MisbehavingServer, caplog: pytest.LogCaptureFixture) -> None:
    """HTTP 503 from a gateway while the model is loaded: no call uses up its tries."""
    with open_text_model(spec_of(server, max_attempts=4)) as model, caplog.at_level(logging.WARNING, NOTICES):
        server.is_refusing = True
        threading.Timer(1.5, lambda: setattr(server, "is_refusing", False)).start()
        results = model.generate(requests_of(*(f"fine {number}" for number in range(100))))
    assert {result.finish_reason for result in results} == {"stop"}
    assert any("is back" in message for message in caplog.messages)


def test_replicas_share_the_calls_and_a_dead_one_is_left_out(server: MisbehavingServer) -> None:
    with MisbehavingServer() as other:
        spec = spec_of(server, other)
        with open_text_model(spec) as model:
            model.generate(requests_of(*(f"fine {number}" for number in range(200))))
            assert min(sum(each.asked.values()) for each in (server, other)) > 60
            other.stop()
            results = model.generate(requests_of(*(f"more {number}" for number in range(200))))
            assert {result.finish_reason for result in results} == {"stop"}
            other.start()
            num_before, end = sum(other.asked.values()), time.monotonic() + 8
            while sum(other.asked.values()) == num_before and time.monotonic() < end:
                model.generate(requests_of(*(f"again {number} {time.monotonic()}" for number in range(20))))
            assert sum(other.asked.values()) > num_before


def test_another_model_behind_the_name_is_not_asked(server: MisbehavingServer, caplog: pytest.LogCaptureFixture) -> None:
    with open_text_model(spec_of(server, deadline_s=1.0)) as model, caplog.at_level(logging.WARNING, NOTICES):
        model.generate(requests_of("fine"))
        server.stop()
        server.root = "made/other"
        server.start()
        server.is_refusing = True
        threading.Timer(0.3, lambda: setattr(server, "is_refusing", False)).start()
        with pytest.raises(EngineError, match="has answered for 1 s"):
            model.generate(requests_of("more"))
    assert server.num_answered["more"] == 0
    assert any("503" in message or "another model now: made/other" in message for message in caplog.messages)


def test_the_fingerprint_is_the_model_not_the_address(server: MisbehavingServer) -> None:
    assert (first := spec_of(server).server) is not None
    with MisbehavingServer() as same, MisbehavingServer(root="made/other") as other:
        fingerprints = [server_fingerprint(spec.server) for spec in map(spec_of, (same, other)) if spec.server]
        assert server_fingerprint(first) == fingerprints[0] != fingerprints[1]
        assert server_fingerprint(first, "of a folder") not in fingerprints
        with pytest.raises(EngineError, match="serve different models"), open_text_model(spec_of(server, other)):
            pass


def test_what_is_wrong_is_told_before_the_first_call(server: MisbehavingServer) -> None:
    with (
        pytest.raises(EngineError, match="does not serve this model; it serves made-model"),
        open_text_model(spec_of(server, model="no-such-model")),
    ):
        pass
    with pytest.raises(ModelError, match="no folder can stand in"), open_text_model(spec_of(server), Path("tuned")):
        pass
    server.stop()
    with (
        pytest.raises(EngineError, match=r"no server of made-model answers: .*127\.0\.0\.1") as error,
        open_text_model(spec_of(server, max_in_flight=3)),
    ):
        pass
    assert "synth-assets serve" in (error.value.remedy or "")
    server.start()


KEY = "sk-made/up+0123456789abcdefghij"


def test_the_key_is_nowhere(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server repeats it in every error; we never do."""
    server.key = KEY
    spec = spec_of(server, api_key_env="MADE_KEY")
    with (
        pytest.raises(EngineError, match="MADE_KEY, which is to hold the key of made-model, is not set"),
        open_text_model(spec),
    ):
        pass
    seen: list[str] = []
    with caplog.at_level(logging.DEBUG):
        monkeypatch.setenv("MADE_KEY", f" {KEY}x\n")
        with pytest.raises(EngineError, match="refuses the key in MADE_KEY: HTTP 401") as refused, open_text_model(spec):
            pass
        monkeypatch.setenv("MADE_KEY", f"two\n{KEY}")
        with pytest.raises(EngineError, match="MADE_KEY holds line ends") as broken, open_text_model(spec):
            pass
        monkeypatch.setenv("MADE_KEY", KEY)
        with open_text_model(spec) as model:
            results = model.generate(requests_of("bad 1", "fine"))
            seen += [repr(model), repr(vars(model)), repr(vars(model._window))]  # type: ignore[attr-defined]
    assert "Bearer ***" in results[0].error and results[1].text == "FINE"
    seen += [str(refused.value), str(broken.value), repr(results), spec.model_dump_json(), repr(spec), caplog.text]
    assert not any(KEY in text for text in seen)
