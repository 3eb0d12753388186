"""vLLM's own server, started by us: the same answers as in our own engine, and nothing is left of it, however we end."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from synth_assets.errors import EngineError, ModelError
from synth_assets.inference import fingerprint_of, open_reward_model, open_text_model
from synth_assets.inference.serving import recipe_lines, serving
from synth_assets.machine import family
from synth_assets.model_folder import model_fingerprint
from synth_assets.recipe import ModelSpec
from synth_assets.records import REWARD_ATTRIBUTES, RewardAttributes
from synth_assets.roles import GenerationRequest, Message
from tests.processes import is_alive

WORDS = "city noun polite list green apple river town seven water house garden".split()


def spec_of(folder: Path) -> ModelSpec:
    return ModelSpec(
        path=str(folder), dtype="float32", max_model_len=256, max_num_seqs=8, max_num_batched_tokens=256, kv_cache_mib=32
    )


def served(spec: ModelSpec, base_url: str, model: str, **limits: object) -> ModelSpec:
    server = {"base_urls": (base_url,), "model": model, **limits}
    return ModelSpec(path=spec.path, engine="server", max_model_len=256, server=server)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_same_answers_as_in_our_own_engine(tiny_teacher: Path) -> None:
    """Greedily; the server renders by its own template. Drawn ones by their seeds alone."""
    spec = spec_of(tiny_teacher)
    texts = [" ".join(WORDS[number % 7 : 3 + number % 9]) for number in range(20)]
    greedy, drawn = (
        [GenerationRequest((Message("user", text),), 12, temperature, 2**40 + number) for number, text in enumerate(texts)]
        for temperature in (0.0, 1.0)
    )
    with serving(spec, "text") as server:
        assert f"  base_urls: [{server.base_url}]\n    model: {tiny_teacher.name}" in recipe_lines(server, spec, "teacher")
        behind = served(spec, server.base_url, server.name)
        assert fingerprint_of(behind) != model_fingerprint(tiny_teacher)
        with open_text_model(behind) as model:
            found = model.generate(greedy)
            once, again = model.generate(drawn), model.generate(drawn[::-1])[::-1]
            (failed,) = model.generate([GenerationRequest((Message("user", "green " * 300),), 12, 0.0, 1)])
        started = family(server.pid)
    assert len(started) > 1 and not any(map(is_alive, started))
    assert [result.text for result in once] == [result.text for result in again]
    assert len({result.text for result in once}) > 15
    assert failed.finish_reason == "error" and "HTTP 400" in failed.error and "256" in failed.error
    with open_text_model(spec.model_copy(update={"engine": "transformers"})) as model:
        expected = model.generate(greedy)
    for one, other in zip(found, expected, strict=True):
        assert one.text == other.text.rstrip("\ufffd")  # a server leaves out half a letter at the end
        assert (one.finish_reason, one.num_prompt_tokens, one.num_new_tokens) == (
            other.finish_reason, other.num_prompt_tokens, other.num_new_tokens,
        )  # fmt: skip
        assert one.mean_logprob == pytest.approx(other.mean_logprob, rel=2e-2)


@pytest.mark.slow
def test_the_same_rewards_as_in_our_own_engine(tiny_reward_model: Path) -> None:
    spec = spec_of(tiny_reward_model)
    conversations = [(Message("user", WORDS[number]), Message("assistant", WORDS[-number])) for number in range(10)]
    found = {}
    with serving(spec, "reward") as server:
        for api in ("classify", "pooling"):
            with open_reward_model(served(spec, server.base_url, server.name, reward_api=api)) as model:
                found[api] = model.score(conversations)
    with open_reward_model(spec.model_copy(update={"engine": "transformers"})) as model:
        expected = model.score(conversations)
    for scores in found.values():
        for one, other in zip(scores, expected, strict=True):
            assert isinstance(one, RewardAttributes) and isinstance(other, RewardAttributes)
            for name in REWARD_ATTRIBUTES:
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_command(number: signal.Signals, tiny_teacher: Path) -> None:
    """Ended while vLLM starts, which is when it is easiest to leave something behind."""
    script = (
        "import sys; from synth_assets.inference.serving import serving; from synth_assets.recipe import ModelSpec\n"
        "with serving(ModelSpec.model_validate_json(sys.argv[1]), 'text') as server: server.wait()"
    )
    command = subprocess.Popen(
        [sys.executable, "-c", script, spec_of(tiny_teacher).model_dump_json()], preexec_fn=_hear_all_signals
    )
    end = time.monotonic() + 60
    while len(family(command.pid)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(3)  # it imports
    started = family(command.pid) - {command.pid}
    assert started
    command.send_signal(number)
    command.wait(timeout=30)
    end = time.monotonic() + 20
    while any(map(is_alive, started)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [each for each in started if is_alive(each)]


def _hear_all_signals() -> None:
    """As from a terminal: whoever runs the tests may have blocked or ignored some, and children inherit that."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def test_what_cannot_be_served_is_told_at_once(tiny_teacher: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"port {port} cannot be used"), serving(spec_of(tiny_teacher), "text", port):
            pass
    elsewhere = spec_of(tiny_teacher).model_copy(update={"path": ""})
    with pytest.raises(ModelError, match="whose folder is here"), serving(elsewhere, "text"):
        pass
