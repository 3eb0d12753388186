"""What the sections on rewards, preference pairs and alignment ask of one another, and what stays as it was without them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from synth_assets.assets.made_of import code_version
from synth_assets.errors import Fault, RecipeError
from synth_assets.recipe import Recipe, read_recipe

ROOT = Path(__file__).parent.parent
PREFERENCES = {"num_samples": 4, "temperature": 0.8, "max_new_tokens": 64, "margin": 0.5}
DPO = {"name": "dpo", "loss": "dpo", "beta": 0.3, "learning_rate": 1e-4, "max_steps": 2}
RPO = {"name": "rpo", "loss": "rpo", "beta": 0.3, "eta": 1.0, "learning_rate": 1e-4, "max_steps": 2}
Change = Callable[[dict[str, Any]], object]


def _recipe(tmp_path: Path, *changes: Change, name: str = "embedded") -> Recipe:
    said = yaml.safe_load((ROOT / f"data/recipes/{name}.yaml").read_text(encoding="utf-8"))
    for change in changes:
        change(said)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    return read_recipe(file)


def _fault(tmp_path: Path, *changes: Change, name: str = "embedded") -> Fault:
    with pytest.raises(RecipeError) as caught:
        _recipe(tmp_path, *changes, name=name)
    (fault,) = caught.value.faults
    return fault


def preferences(**values: Any) -> Change:
    return lambda said: said.update(preferences=PREFERENCES | values)


def alignment(*stages: dict[str, Any]) -> Change:
    return lambda said: said.update(alignment={"stages": list(stages)})


def without_a_reward_model(said: dict[str, Any]) -> None:
    said["reward_model"] = None
    said["reward"] = {"cut": {"mode": "absolute", "value": 0.5}}


def scalar(**reward: Any) -> Change:
    def change(said: dict[str, Any]) -> None:
        said["reward_model"]["reward_outputs"] = 1
        said["reward"] = reward or {"cut": {"mode": "none"}}

    return change


def test_a_recipe_may_declare_pairs_and_stages(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, preferences(responders=["student", "teacher"], max_prompts=9), alignment(DPO, RPO))
    assert recipe.preferences and recipe.preferences.num_responses == 8 and recipe.preferences.max_prompts == 9
    assert recipe.alignment and [name for name, _ in recipe.alignment.stages_to_run] == ["dpo", "rpo"]
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe


def test_what_a_recipe_does_not_say_is_not_in_its_record(tmp_path: Path) -> None:
    recipe = read_recipe(ROOT / "data/recipes/embedded.yaml")
    said = recipe.model_dump(mode="json")
    assert not {"preferences", "alignment"} & set(said) and "reward_outputs" not in said["reward_model"]
    assert not {"batch_size", "gradient_accumulation"} & set(said["tuning"]["phases"][0])
    assert "leaves" not in said["tuning"]["phases"][0]["takes"][0]
    aligned = _recipe(tmp_path, preferences(), alignment(DPO))
    assert recipe.fingerprint() != aligned.fingerprint()
    for asset in ("synthetic_samples", "reward_filtered_set", "training_mix", "lora_checkpoint", "evaluation"):
        assert code_version(asset, recipe) == code_version(asset, aligned), asset


@pytest.mark.parametrize(
    ("changes", "key", "right"),
    [
        ([alignment(DPO)], "alignment", "a section preferences"),
        ([preferences(judges=True)], "preferences", "a section judges"),
        ([preferences(num_samples=1)], "preferences", "num_samples 2 or more, or a second of responders"),
        ([preferences(responders=["student", "student"])], "preferences.responders", "at most once"),
        ([preferences(), alignment(DPO), lambda said: said["tuning"].update(
            strategy="stacked", privacy={"epsilon": 8.0, "delta": 1e-6}, upsample=False)], "alignment", "no privacy budget"),
    ],
)  # fmt: skip
def test_sections_that_contradict_one_another_are_refused(
    tmp_path: Path, changes: list[Change], key: str, right: str
) -> None:  # fmt: skip
    fault = _fault(tmp_path, *changes)
    assert fault.key == key and right in fault.expected + fault.message


def test_without_a_reward_model_a_judge_decides_and_rpo_is_refused(tmp_path: Path) -> None:
    lab = {"name": "embedded_lab"}
    assert _recipe(tmp_path, without_a_reward_model, preferences(judges=True), alignment(DPO), **lab).alignment
    fault = _fault(tmp_path, without_a_reward_model, preferences(), **lab)
    assert fault.key == "preferences" and "nobody would decide" in fault.expected + fault.message
    fault = _fault(tmp_path, without_a_reward_model, preferences(judges=True), alignment(DPO, RPO), **lab)
    assert fault.key == "alignment" and "the loss of rpo is rpo" in fault.expected + fault.message


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ({"cut": {"mode": "absolute", "value": 1.0}}, "an absolute cut holds rewards of different prompts"),
        ({"cut": {"mode": "leaf_quantile", "value": 0.5}}, "a quantile of a leaf ranks rewards of different prompts"),
    ],
)
def test_a_scalar_reward_holds_no_cut_across_prompts(tmp_path: Path, reward: dict[str, Any], said: str) -> None:
    fault = _fault(tmp_path, scalar(**reward), preferences())
    words = fault.expected + fault.message
    assert fault.key == "reward" and said in words and "in preferences" in words and "mode: none" in words


def test_a_scalar_reward_model_has_no_weights_and_decides_over_pairs(tmp_path: Path) -> None:
    recipe = _recipe(tmp_path, scalar(), preferences())
    assert recipe.reward_model and recipe.reward_model.num_rewards == 1 and not recipe.reward.weights
    weights = read_recipe(ROOT / "data/recipes/embedded.yaml").reward.weights
    fault = _fault(tmp_path, scalar(cut={"mode": "none"}, weights=dict(weights)), preferences())
    assert fault.key == "reward" and "no attributes to weigh" in fault.expected + fault.message
    fault = _fault(tmp_path, scalar())
    assert fault.key == "preferences" and "its rewards decide nothing" in fault.expected + fault.message


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        ({"mode": "none", "value": 1.0}, "no value with mode none"),
        ({"mode": "absolute"}, "a number, since mode is absolute"),
        ({"mode": "leaf_quantile", "value": 1.0}, "a share from 0 to below 1"),
    ],
)
def test_a_cut_has_the_value_of_its_mode(tmp_path: Path, cut: dict[str, Any], said: str) -> None:
    fault = _fault(tmp_path, lambda recipe: recipe["reward"].update(cut=cut))
    assert fault.key == "reward.cut.value" and said in fault.expected + fault.message


def test_the_number_of_rewards_of_a_served_model_stands_with_its_server(tmp_path: Path) -> None:
    server = {"base_urls": ["http://127.0.0.1:1/v1"], "model": "m", "reward_outputs": 1}

    def served(said: dict[str, Any], **spec: Any) -> None:
        said["reward_model"] = {"engine": "server", "max_model_len": 512, "server": server} | spec
        said["reward"] = {"cut": {"mode": "none"}}

    assert _recipe(tmp_path, served, preferences()).reward_model
    fault = _fault(tmp_path, lambda said: served(said, reward_outputs=1), preferences())
    assert fault.key == "reward_model" and "in the section server" in fault.expected + fault.message
