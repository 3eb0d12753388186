"""How many at a time, how many a minute, how long to wait, when to stop: the rules alone, and rates over the wire."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from misbehaving_server import MODEL, MisbehavingServer
from pydantic import ValidationError

from synth_assets.inference import open_text_model
from synth_assets.inference.server.answers import MAX_WORDS, cut, words_of
from synth_assets.inference.server.concurrency import Concurrency
from synth_assets.inference.server.failures import FailureShare
from synth_assets.inference.server.queues import queue_in
from synth_assets.inference.server.rates import Bucket
from synth_assets.inference.server.retries import backoff_s, is_retried, retry_after_s
from synth_assets.recipe import ModelSpec, ServerSection
from synth_assets.roles import GenerationRequest, Message


def rounds(window: Concurrency, latency_s: float, num: int) -> None:
    for _ in range(num):
        for _ in range(window.limit):
            window.note_answer(latency_s, window.limit)


def test_the_window_widens_while_latency_stays() -> None:
    window = Concurrency(most=500)
    assert window.limit == 64
    rounds(window, 0.2, 2)
    assert window.limit == 256
    rounds(window, 0.2, 3)
    assert window.limit == 500


def test_the_window_narrows_when_latency_grows_and_widens_again() -> None:
    window = Concurrency(most=256)
    rounds(window, 0.2, 10)
    rounds(window, 0.8, 4)
    narrow = window.limit
    assert narrow < 128
    rounds(window, 0.2, 20)
    assert window.limit > 2 * narrow


def test_refusals_halve_the_window_and_a_few_do_not() -> None:
    window = Concurrency(most=64)
    rounds(window, 0.1, 2)
    for number in range(64):
        window.note_refusal() if number < 5 else window.note_answer(0.1, 64)
    assert window.limit == 64
    for _ in range(64 + 32 + 16 + 8 + 4 + 2 + 1 + 1):
        window.note_refusal()
    assert window.limit == 1


def test_what_waits_in_a_vllm_is_taken_off() -> None:
    window = Concurrency(most=256)
    rounds(window, 0.1, 5)
    window.note_queue(num_waiting=3, num_running=253, num_ours=256)
    assert window.limit == 256
    window.note_queue(num_waiting=192, num_running=64, num_ours=256)
    assert window.limit == 68
    window.note_queue(num_waiting=100, num_running=100, num_ours=20)  # others fill it: only our share
    assert window.limit == 14


def test_an_idle_window_learns_nothing() -> None:
    window = Concurrency(most=256)
    for _ in range(100):
        window.note_answer(0.1, 2)
    assert window.limit <= 64


def test_queue_of_a_vllm_is_read() -> None:
    text = (
        "# TYPE vllm:num_requests_waiting gauge\n"
        'vllm:num_requests_waiting{engine="0",model_name="m"} 3.0\n'
        'vllm:num_requests_waiting{engine="1",model_name="m"} 4.0\n'
        'vllm:num_requests_waiting_by_reason{reason="capacity"} 9.0\nvllm:num_requests_running{engine="0"} 8.0\n'
    )
    assert queue_in(text) == (7.0, 8.0)
    assert queue_in("process_cpu_seconds_total 1.0\n") is None


def test_a_queue_that_grows_narrows_the_window() -> None:
    with MisbehavingServer(latency_s=0.4) as server:
        server.owned_by, server.num_waiting = "vllm", 30
        with open_text_model(spec_of(server, max_in_flight=32)) as model:
            model.generate(requests(200))
            narrowed = model._window._dispatcher._concurrency.limit  # type: ignore[attr-defined]
    assert narrowed < 32


def test_a_bucket_lets_through_so_many_a_minute() -> None:
    bucket, now, num = Bucket(per_minute=600, now=0.0), 0.0, 0
    while now < 60:
        if wait := bucket.wait_s(1, now):
            now += wait
        else:
            bucket.take(1)
            num += 1
    assert 600 <= num <= 620
    wide = Bucket(per_minute=60, now=0.0)
    assert wide.wait_s(50, 0.0) == 0.0  # more than the bucket holds: goes when it is full, and leaves a debt
    wide.take(50)
    assert wide.wait_s(1, 0.0) == pytest.approx(49.0)
    wide.take(-20)
    assert wide.wait_s(1, 0.0) == pytest.approx(29.0)


def test_rates_over_the_wire() -> None:
    with MisbehavingServer(latency_s=0.0) as server:
        start = time.monotonic()
        with open_text_model(spec_of(server, requests_per_minute=1200.0)) as model:
            model.generate(requests(80))  # 40 from the full bucket, 40 at 20 a second
        assert 1.8 <= time.monotonic() - start < 15
        start = time.monotonic()
        with open_text_model(spec_of(server, tokens_per_minute=6000.0)) as model:
            model.generate(requests(40))  # each uses 10 tokens of the 100 a second
        assert 1.0 <= time.monotonic() - start < 15


def test_which_status_is_tried_again() -> None:
    again = {status for status in range(400, 600) if is_retried(status)}
    assert again == {408, 409, 429, *range(500, 600)}


def test_jitter_is_full_and_the_same_each_time() -> None:
    waits = [backoff_s(b"%d" % number, 3) for number in range(400)]
    assert waits == [backoff_s(b"%d" % number, 3) for number in range(400)]
    assert 0 <= min(waits) < 0.1 and 1.9 < max(waits) <= 2.0 and 0.9 < sum(waits) / 400 < 1.1
    assert max(backoff_s(b"%d" % number, 99) for number in range(50)) <= 30


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    until = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert retry_after_s({"Date": format_datetime(now, usegmt=True), "Retry-After": until}) == 90
    assert retry_after_s({"Retry-After": until}) > 90  # by our own clock, which is years behind
    assert retry_after_s({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    waits = {said: retry_after_s({"Retry-After": said}) for said in ("7", "1.5", "-3", "soon", "nan", "inf", "")}
    assert waits == {"7": 7, "1.5": 1.5, "-3": 0, "soon": 0, "nan": 0, "inf": 0, "": 0}
    assert retry_after_s({}) == 0


def test_failures_are_looked_at_by_the_hundred() -> None:
    failures = FailureShare(0.5)
    assert not any(failures.note(True) for _ in range(99))
    assert failures.note(True)
    fresh = FailureShare(0.5)
    assert not any(fresh.note(number % 2 == 0) for number in range(1000))
    fresh.note(True)
    assert all(fresh.note(True) for _ in range(10))
    assert not any(FailureShare(1.0).note(True) for _ in range(500))


@pytest.mark.parametrize("body", [
    '{"error": {"message": "too long"}}', '{"error": "too long"}', '{"detail": "too long"}', '{"message": "too long"}',
    '{"object": "error", "message": "too long", "code": 400}', "too long",
])  # fmt: skip
def test_a_servers_words_are_found(body: str) -> None:
    assert words_of(body.encode()) == "too long"


def test_words_are_cut() -> None:
    assert len(cut("word " * 1000)) == MAX_WORDS and cut(" a\n b ") == "a b"


@pytest.mark.parametrize(("key", "value"), [
    ("base_urls", ("http://me:secretword@host/v1",)), ("base_urls", ("https://host/v1?api_key=secretword",)),
    ("api_key_env", "sk-secretword"), ("api_key_env", "nvapi-secretword"), ("api_key_env", "AKIA0123456789ABCDEF"),
])  # fmt: skip
def test_what_looks_like_a_secret_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as error:
        ServerSection(**{"base_urls": ("http://host/v1",), "model": "m", key: value})  # type: ignore[arg-type]
    (fault,) = error.value.errors()
    assert fault["type"] == "secret_value" and "secretword" not in fault["msg"] and "AKIA" not in fault["msg"]


def spec_of(server: MisbehavingServer, **limits: object) -> ModelSpec:
    section = ServerSection(base_urls=(server.base_url,), model=MODEL, **limits)  # type: ignore[arg-type]
    return ModelSpec(engine="server", max_model_len=64, server=section)


def requests(num: int) -> list[GenerationRequest]:
    return [GenerationRequest((Message("user", f"fine {number}"),), 3, 0.0, 1) for number in range(num)]
