"""vLLM against transformers on a tiny model: the same tokens, the same scores; seeds and lengths; no orphans."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synth_assets.errors import EngineError, ModelError
from synth_assets.inference import open_reward_model, open_text_model
from synth_assets.inference.vllm_models import VllmTextModel
from synth_assets.inference.worker_process import WORKER_MODULE
from synth_assets.recipe import ModelSpec
from synth_assets.records import REWARD_ATTRIBUTES, ScalarReward
from synth_assets.roles import Conversation, GenerationRequest, Message, RewardModel, TextModel

pytestmark = pytest.mark.slow
WORDS = "city noun polite list green apple river town seven water house garden".split()


def spec_of(folder: Path, engine: str) -> ModelSpec:
    return ModelSpec(
        path=str(folder), engine=engine, dtype="float32", max_model_len=256, max_num_seqs=8, max_num_batched_tokens=256,
        kv_cache_mib=32,
    )  # type: ignore[arg-type]  # fmt: skip


def text(number: int, num_words: int = 40) -> str:
    return " ".join(WORDS[(number * 7 + place * (number + 3)) % len(WORDS)] for place in range(num_words))


def request(number: int, temperature: float = 0.0, num_words: int = 40, max_new_tokens: int = 24) -> GenerationRequest:
    messages = (Message("user", text(0)), Message("assistant", "A shared shot."), Message("user", text(number, num_words)))
    return GenerationRequest(messages, max_new_tokens, temperature, seed=2**62 + number)


@pytest.fixture(scope="module")
def folder(tiny_teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that ends its turns often: by the tokenizer's end, or by one of many in its generation_config."""
    folder = Path(shutil.copytree(tiny_teacher, tmp_path_factory.mktemp("engines") / "model"))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": list(range(400, 460))}))
    return folder


@pytest.fixture(scope="module")
def vllm_model(folder: Path) -> Iterator[TextModel]:
    with open_text_model(spec_of(folder, "vllm")) as model:
        yield model


@pytest.fixture(scope="module")
def reference(folder: Path) -> Iterator[TextModel]:
    with open_text_model(spec_of(folder, "transformers")) as model:
        yield model


def test_greedy_parity(vllm_model: TextModel, reference: TextModel) -> None:
    requests = [request(number, num_words=10 + number) for number in range(24)]
    found, expected = vllm_model.generate(requests), reference.generate(requests)
    assert vllm_model.fingerprint == reference.fingerprint
    for one, other in zip(found, expected, strict=True):
        assert one.mean_logprob == pytest.approx(other.mean_logprob, rel=1.1e-2)
        assert one.mean_logprob < 0
        assert (one.text, one.prompt, one.num_prompt_tokens, one.num_new_tokens, one.finish_reason) == (
            other.text, other.prompt, other.num_prompt_tokens, other.num_new_tokens, other.finish_reason,
        )  # fmt: skip
        assert one.prompt.endswith("<|assistant|>")


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_seed_decides_not_the_batch(engine: str, vllm_model: TextModel, reference: TextModel) -> None:
    """More prompt tokens wait than one step takes in: with chunked prefill this would kill the CPU engine."""
    model = vllm_model if engine == "vllm" else reference
    requests = [request(number, temperature=1.0) for number in range(60)]
    first = model.generate(requests)
    assert sum(result.num_prompt_tokens for result in first) > 10 * 256
    assert len({result.text for result in first}) > 50
    ended = [result for result in first if result.finish_reason == "stop"]
    assert 5 < len(ended) < 60
    assert not any(result.text for result in ended if result.num_new_tokens == 1)  # the end is counted, not shown
    backwards = model.generate(requests[::-1])[::-1]
    assert [result.text for result in backwards] == [result.text for result in first]
    assert [model.generate([requests[number]])[0].text for number in (0, 31)] == [first[0].text, first[31].text]


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_what_does_not_fit_fails_alone(engine: str, vllm_model: TextModel, reference: TextModel) -> None:
    model = vllm_model if engine == "vllm" else reference
    fits, too_long, no_room = model.generate([request(1), request(2, num_words=400), request(3, max_new_tokens=250)])
    assert fits.finish_reason != "error"
    assert too_long.finish_reason == no_room.finish_reason == "error"
    assert re.search(r"\d+ prompt tokens and 24 new tokens .* max_model_len = 256", too_long.error)
    assert "250 new tokens" in no_room.error
    assert model.generate([]) == []


def test_vllm_refuses_a_temperature_and_lives_on(vllm_model: TextModel) -> None:
    hot, fine = vllm_model.generate([request(1, temperature=3.0), request(1)])
    assert hot.error == "vLLM takes temperatures up to 2, not 3"
    assert fine.finish_reason != "error"


def conversation(number: int) -> Conversation:
    return Message("user", text(number)), Message("assistant", text(number + 50, 5 + number))


@pytest.fixture(scope="module")
def reward_models(tiny_reward_model: Path) -> Iterator[tuple[RewardModel, RewardModel]]:
    with (
        open_reward_model(spec_of(tiny_reward_model, "vllm")) as model,
        open_reward_model(spec_of(tiny_reward_model, "transformers")) as reference,
    ):
        yield model, reference


def test_reward_parity(reward_models: tuple[RewardModel, RewardModel]) -> None:
    conversations = [conversation(number) for number in range(30)]
    conversations.insert(3, (Message("user", text(1, 400)), Message("assistant", "Too long.")))
    found, expected = (model.score(conversations) for model in reward_models)
    assert isinstance(found[3], str) and "max_model_len = 256" in found[3] and found[3] == expected[3]
    values = []
    for one, other in zip(found, expected, strict=True):
        if not isinstance(one, str) and not isinstance(other, str):
            for name in REWARD_ATTRIBUTES:
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1.1e-2)
                values.append(getattr(one, name))
    assert min(values) < 0 < max(values)  # raw outputs: an activation would have squeezed them into 0..1
    assert len(values) == 150


def test_reward_parity_of_a_single_output(tiny_scalar_reward_model: Path) -> None:
    conversations = [conversation(number) for number in range(12)]
    scores = []
    for engine in ("transformers", "vllm"):
        with open_reward_model(spec_of(tiny_scalar_reward_model, engine)) as model:
            scores.append([each.value for each in model.score(conversations) if isinstance(each, ScalarReward)])
    assert scores[1] == pytest.approx(scores[0], rel=1.1e-2) and len(scores[0]) == 12
    assert min(scores[0]) < 0 or max(scores[0]) > 1  # no sigmoid has squeezed them


def test_killed_worker_is_an_engine_error(tiny_teacher: Path) -> None:
    with open_text_model(spec_of(tiny_teacher, "vllm")) as model:
        assert isinstance(model, VllmTextModel)
        pid = model.worker.pid
        assert os.getpgid(pid) == pid
        threading.Timer(0.5, os.kill, (pid, signal.SIGKILL)).start()
        with pytest.raises(EngineError, match=r"SIGKILL, 3000 requests under way") as error:
            model.generate([request(number, temperature=1.0, max_new_tokens=64) for number in range(3000)])
        assert "engine: transformers" in (error.value.remedy or "")
        with pytest.raises(EngineError):
            model.generate([request(1)])
    assert not group_is_alive(pid)


def test_worker_dies_with_its_killed_parent(tiny_teacher: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from synth_assets.recipe import ModelSpec\n"
        "from synth_assets.inference import open_text_model\n"
        "with open_text_model(ModelSpec.model_validate_json(sys.argv[1])) as model:\n"
        "    print(model.worker.pid, flush=True); time.sleep(600)"
    )
    spec = spec_of(tiny_teacher, "vllm").model_dump_json()
    parent = subprocess.Popen([sys.executable, "-c", script, spec], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    pid = int(parent.stdout.readline())
    assert group_is_alive(pid)
    parent.kill()
    parent.communicate()
    wait_until(lambda: not group_is_alive(pid), 20)


def test_worker_ends_with_its_input_and_without_its_parent() -> None:
    command = [sys.executable, "-m", WORKER_MODULE]
    ended = subprocess.run([*command, str(os.getpid())], stdin=subprocess.DEVNULL, start_new_session=True, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    orphan = subprocess.run([*command, "1"], stdin=subprocess.DEVNULL, capture_output=True, start_new_session=True)
    assert b"the parent is gone" in orphan.stderr


def test_start_that_fails_says_why(tiny_teacher: Path, tmp_path: Path) -> None:
    """The worker's own words reach us: here a tokenizer that cannot be loaded."""
    folder = Path(shutil.copytree(tiny_teacher, tmp_path / "model"))
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="tokenizer cannot be loaded"), open_text_model(spec_of(folder, "vllm")):
        pass


def group_is_alive(pid: int) -> bool:
    """Whether any process of the group runs; a zombie that waits for its parent does not."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = entry.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == pid and state != "Z":
            return True
    return False


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)
