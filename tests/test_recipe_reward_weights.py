"""A published vector of weights by its name is the same recipe as its numbers written out; a name of none is refused."""

from pathlib import Path

import pytest
import yaml

from synth_assets.assets.made_of import code_version
from synth_assets.errors import RecipeError
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.recipe.reward_weights import PUBLISHED_WEIGHTS
from synth_assets.records import REWARD_ATTRIBUTES, RewardAttributes

EMBEDDED = Path(__file__).parent.parent / "data/recipes/embedded.yaml"


def _with_weights(folder: Path, weights: object) -> Recipe:
    said = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))
    said["reward"]["weights"] = weights
    file = folder / "recipe.yaml"
    file.write_text(yaml.safe_dump(said), encoding="utf-8")
    return read_recipe(file)


@pytest.mark.parametrize("name", PUBLISHED_WEIGHTS)
def test_a_name_is_its_numbers_down_to_the_hashes(tmp_path: Path, name: str) -> None:
    written_out = dict(zip(REWARD_ATTRIBUTES, PUBLISHED_WEIGHTS[name], strict=True))
    named, numbers = _with_weights(tmp_path, name), _with_weights(tmp_path, dict(reversed(written_out.items())))
    assert named.reward.weights == written_out and named.fingerprint() == numbers.fingerprint()
    assert code_version("scored_samples", named) == code_version("scored_samples", numbers)


def test_the_published_vectors_are_those_of_the_model_cards() -> None:
    ones = RewardAttributes(1.0, 1.0, 1.0, 1.0, 1.0)
    sums = {
        name: ones.weighted_sum(dict(zip(REWARD_ATTRIBUTES, weights, strict=True)))
        for name, weights in PUBLISHED_WEIGHTS.items()
    }
    assert sums == pytest.approx({"nemotron-4-340b-reward": 1.64, "llama3-70b-steerlm-rm": 2.05})
    assert all(weights[REWARD_ATTRIBUTES.index("verbosity")] < 0 for weights in PUBLISHED_WEIGHTS.values())


@pytest.mark.parametrize("said", ["nemotron-4-340b", "helpsteer", 3, ["helpfulness"]])
def test_what_is_no_vector_is_refused_with_its_line(tmp_path: Path, said: object) -> None:
    with pytest.raises(RecipeError) as caught:
        _with_weights(tmp_path, said)
    (fault,) = caught.value.faults
    assert fault.key == "reward.weights" and fault.line
    if isinstance(said, str):
        assert said in fault.value and all(name in fault.expected for name in PUBLISHED_WEIGHTS)
