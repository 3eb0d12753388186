"""Served models behind the journal, and in the assets: what is answered is kept, wherever the server is; the key is not."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from made_pipeline import MADE_ENGINES, made_recipe
from misbehaving_server import MODEL, MisbehavingServer

from synth_assets.assets.currency import material_of_files, plan_run
from synth_assets.assets.journaling import journaled_reward_model, journaled_text_model
from synth_assets.assets.leaf_partitions import bring_up_to_date, range_tags
from synth_assets.assets.progress import Progress
from synth_assets.assets.resources import Engines, resources
from synth_assets.definitions import ASSETS
from synth_assets.doctor import models_found
from synth_assets.errors import EngineError
from synth_assets.inference import open_text_model
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.records import ScalarReward
from synth_assets.roles import GenerationRequest, GenerationResult, Message
from synth_assets.storage import Warehouse

UP_TO_SAMPLES = ("taxonomy", "seed_examples", "document_chunks", "synthetic_samples")
KEY = "nvapi-made-0123456789-ABCDEFGH"


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    with MisbehavingServer() as server:
        yield server


def spec_of(server: MisbehavingServer, **limits: Any) -> ModelSpec:
    section = {"base_urls": (server.base_url,), "model": MODEL, **limits}
    return ModelSpec(engine="server", max_model_len=256, server=section)  # type: ignore[arg-type]


def requests_of(*texts: str) -> list[GenerationRequest]:
    return [GenerationRequest((Message("user", text),), 8, 1.0, 11) for text in texts]


def ask(folder: Path, spec: ModelSpec, *texts: str) -> tuple[list[GenerationResult], int]:
    with journaled_text_model(Engines(), Warehouse(folder), spec) as model:
        return model.generate(requests_of(*texts)), model.calls.num_made


def test_what_one_server_answered_is_served_wherever_the_next_is(server: MisbehavingServer, tmp_path: Path) -> None:
    texts = ["fine", "bad words", "shaky"]
    first, num_made = ask(tmp_path, spec_of(server), *texts)
    assert num_made == 3 and [result.finish_reason for result in first] == ["stop", "error", "stop"]
    with MisbehavingServer() as other, MisbehavingServer(root="made/other") as another:
        moved = spec_of(other, max_in_flight=2, failure_share=0.9, api_key_env=None)
        assert ask(tmp_path, moved, *texts) == (first, 0) and not other.asked
        assert ask(tmp_path, spec_of(another), *texts)[1] == 3


def test_a_run_goes_on_from_where_the_server_died(server: MisbehavingServer, tmp_path: Path) -> None:
    texts = [f"fine {number}" for number in range(300)]
    server.dies_after = 100
    with pytest.raises(EngineError, match="no server of made-model has answered"):
        ask(tmp_path, spec_of(server, max_in_flight=16, deadline_s=1.0), *texts)
    num_answered = sum(server.num_answered.values())
    assert 100 <= num_answered < 130
    server.dies_after = 0
    server.start()
    results, num_made = ask(tmp_path, spec_of(server), *texts)
    assert [result.text for result in results] == [text.upper() for text in texts]
    assert num_made <= 300 - num_answered + 16 and sum(num > 1 for num in server.num_answered.values()) <= 16


def test_threads_share_window_and_journal(server: MisbehavingServer, tmp_path: Path) -> None:
    server.latency_s = 0.002
    texts = [f"fine {number}" for number in range(1600)]
    with journaled_text_model(Engines(), Warehouse(tmp_path), spec_of(server)) as model, ThreadPoolExecutor(8) as threads:
        parts = [texts[number::8] for number in range(8)]
        answers = list(threads.map(lambda part: model.generate(requests_of(*part)), parts))
    assert [[result.text for result in results] for results in answers] == [
        [text.upper() for text in part] for part in parts
    ]
    assert model.calls.num_made == 1600 == sum(server.asked.values())
    assert ask(tmp_path, spec_of(server), *texts)[1] == 0


def test_scalar_rewards_come_back_from_the_journal(server: MisbehavingServer, tmp_path: Path) -> None:
    server.fixed = 200, {"choices": [{"message": [{"content": "reward:-3.265625"}], "logprobs": None}]}
    spec = spec_of(server, reward_outputs=1)
    conversation = Message("user", "What is blue?"), Message("assistant", "The sky.")
    for num_made in (1, 0):
        with journaled_reward_model(Engines(), Warehouse(tmp_path), spec) as model:
            assert model.score([conversation]) == [ScalarReward(-3.27)]
            assert model.calls.num_made == num_made


def with_teacher(recipe: Recipe, spec: ModelSpec) -> Recipe:
    said = recipe.model_dump(mode="json") | {"teacher": spec.model_dump(mode="json")}
    return Recipe.model_validate_json(json.dumps(said))


def test_assets_are_made_by_a_served_teacher_and_hold_no_key(
    server: MisbehavingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Tables, journal, Dagster's own records and all that is printed; the server repeats the key in its words."""
    monkeypatch.setenv("MADE_KEY", KEY)
    server.key = KEY
    numbers = iter(range(10**6))

    def say(body: dict[str, Any]) -> str:
        number = f"{body['seed'] % 10**12:012d}"
        return f"What are {number[:4]}, {number[4:8]} and {number[8:]} called, number {next(numbers)}?"

    server.say = say
    recipe = with_teacher(made_recipe(tmp_path / "files"), spec_of(server, api_key_env="MADE_KEY", generation_depth=0))
    warehouse = Warehouse(tmp_path / "warehouse")
    engines = replace(MADE_ENGINES, open_text_model=open_text_model)
    assets = [asset for asset in ASSETS if asset.key.path[-1] in UP_TO_SAMPLES]
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        leaves = [leaf.leaf_path for leaf in material_of_files(recipe).leaf_nodes]
        bring_up_to_date(instance, leaves)
        tags, given = range_tags(instance, leaves), resources(recipe, warehouse, engines)
        made = dg.materialize(assets, resources=given, instance=instance, tags=tags)
        samples = warehouse.read_table("synthetic_samples")
        assert samples.height > 0 and made.asset_materializations_for_node("synthetic_samples")
        assert samples["instruction_prompt"][0].startswith("[") and samples["response_logprob"].max() == -0.5
        with MisbehavingServer(key=KEY) as elsewhere:
            moved = with_teacher(recipe, spec_of(elsewhere, api_key_env="MADE_KEY", generation_depth=0, max_in_flight=7))
            assert plan_run(assets, {}, moved, warehouse, instance).assets == []
            (found, *_) = (finding for finding in models_found(moved) if finding.what == "teacher")
            assert found.is_ok and elsewhere.base_url in found.found
        server.key = "another"
        locked_out = with_teacher(recipe, spec_of(server, api_key_env="MADE_KEY", generation_depth=0, max_in_flight=9))
        (lost, *_) = (finding for finding in models_found(locked_out) if finding.what == "teacher")
        assert not lost.is_ok and "refuses the key in MADE_KEY" in str(lost)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any("journal" in str(file) for file in written)
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    printed = capfd.readouterr()
    assert KEY not in printed.out + printed.err + str(lost)


def test_a_run_says_that_its_server_is_gone(server: MisbehavingServer, tmp_path: Path) -> None:
    @dg.asset
    def asked(context: dg.AssetExecutionContext) -> None:
        progress = Progress(context)
        with journaled_text_model(Engines(), Warehouse(tmp_path), spec_of(server), progress=progress) as model:
            model.generate(requests_of("fine"))
            server.stop()
            threading.Timer(0.5, server.start).start()
            assert model.generate(requests_of("more"))[0].text == "MORE"

    with dg.DagsterInstance.ephemeral() as instance:
        run = dg.materialize([asked], instance=instance)
        told = [entry.user_message for entry in instance.all_logs(run.run_id)]
    assert any("no server of made-model is left: waiting for one" in text for text in told)
    assert any("is back after" in text for text in told)
