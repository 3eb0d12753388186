"""Every shape in which a reward model is known to answer is read, and what is none of them says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from misbehaving_server import MODEL, MisbehavingServer

from synth_assets.inference import open_reward_model
from synth_assets.inference.server.answers import UnfitAnswer, UnreadableAnswer
from synth_assets.inference.server.reward_answers import read_reward
from synth_assets.recipe import ModelSpec, ServerSection
from synth_assets.records import Reward, RewardAttributes, ScalarReward
from synth_assets.roles import Message

SHAPES = sorted((Path(__file__).parent / "reward_shapes").glob("*.json"))


def section(shape: dict[str, Any], base_url: str = "http://127.0.0.1:1/v1") -> ServerSection:
    said = {name: shape[name] for name in ("reward_api", "reward_outputs")}
    return ServerSection(base_urls=(base_url,), model=MODEL, **said)


@pytest.mark.parametrize("file", SHAPES, ids=lambda file: file.stem)
def test_shapes(file: Path) -> None:
    shape = json.loads(file.read_text())
    if "fault" in shape:
        with pytest.raises((UnfitAnswer, UnreadableAnswer), match=shape["fault"]):
            read_reward(shape["response"], section(shape))
    else:
        assert read_reward(shape["response"], section(shape)).value == reward_of(shape)


def reward_of(shape: dict[str, Any]) -> Reward:
    said = shape["reward"]
    return RewardAttributes(*said) if isinstance(said, list) else ScalarReward(said)


def test_the_shapes_that_the_field_is_known_to_use_are_all_here() -> None:
    shapes = [json.loads(file.read_text()) for file in SHAPES]
    kinds = {(shape["reward_api"], shape["reward_outputs"]) for shape in shapes if "reward" in shape}
    assert kinds == {(api, num) for api in ("chat", "classify", "pooling") for num in (1, 5)}


@pytest.mark.parametrize("name", ["hosted_message_is_a_list", "vllm_classify_five", "vllm_pooling_one", "fault_prose"])
def test_scores_over_the_wire(name: str) -> None:
    shape = json.loads((Path(__file__).parent / "reward_shapes" / f"{name}.json").read_text())
    conversation = Message("user", "What is blue?"), Message("assistant", "The sky.")
    told: dict[int, Reward | str] = {}
    with MisbehavingServer() as server:
        server.fixed = 200, shape["response"]
        spec = ModelSpec(engine="server", max_model_len=64, server=section(shape, server.base_url))
        with open_reward_model(spec) as model:
            scores = model.score([conversation, conversation], lambda position, score: told.update({position: score}))
    assert told == dict(enumerate(scores)) and scores[0] == scores[1]
    if "fault" in shape:
        assert isinstance(scores[0], str) and shape["fault"] in scores[0]
    else:
        assert scores[0] == reward_of(shape)
    body = server.bodies[0]
    assert body["model"] == MODEL and [turn["role"] for turn in body["messages"]] == ["user", "assistant"]
    assert body.get("use_activation") is (None if shape["reward_api"] == "chat" else False)
