"""What cannot work in the section on trust is refused when the recipe is read, with key, value, and what would be right."""

from pathlib import Path

import pytest
import yaml

from synth_assets.errors import Fault, RecipeError
from synth_assets.recipe import GATES, Recipe, TrustSection, read_recipe

EMBEDDED = Path(__file__).parent.parent / "data/recipes/embedded.yaml"
GENDER = {"groups": {"women": ["she", "Mrs Smith"], "men": ["he", "Mr Smith"]}, "swaps": [["she", "he"]]}


def recipe_with(tmp_path: Path, trust: object) -> Path:
    said = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**said, "trust": trust}, sort_keys=False), encoding="utf-8")
    return tmp_path / "recipe.yaml"


def fault_of(tmp_path: Path, trust: object) -> Fault:
    with pytest.raises(RecipeError) as caught:
        read_recipe(recipe_with(tmp_path, trust))
    (fault,) = caught.value.faults
    assert fault.line
    return fault


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"groups": {"women": ["she"], "men": ["he", "SHE"]}, "swaps": []}, "groups", "'SHE' belongs to women and to men"),
        ({"groups": {"women": ["she"], "men": []}, "swaps": []}, "groups", "men has []"),
        ({"groups": {"women": ["she"], "men": [" "]}, "swaps": []}, "groups", "men has [' ']"),
        ({"groups": {"women": ["she"]}, "swaps": []}, "groups", "at least two groups"),
        ({"swaps": [["she", "he"], ["Mrs Smith", "HE"]]}, "swaps", "'HE' stands in two"),
        ({"swaps": [["she", "him"]]}, "swaps", "'him' belongs to none of women, men"),
        ({"swaps": [["she", "mrs  smith"]]}, "swaps", "both belong to women"),
    ],
)
def test_groups_that_cannot_be_told_apart_are_refused(
    tmp_path: Path, changes: dict[str, object], key: str, told: str
) -> None:
    fault = fault_of(tmp_path, {"groups": {"gender": {**GENDER, **changes}}})
    assert fault.key == f"trust.groups.gender.{key}" and told in fault.expected


def test_a_value_that_is_no_pattern_is_refused(tmp_path: Path) -> None:
    fault = fault_of(tmp_path, {"privacy": {"allowed_values": ["help@example.org", "(help"]}})
    assert fault.key == "trust.privacy.allowed_values[1]" and "(help" in fault.value
    assert "regular expression" in fault.expected and "subpattern" in fault.expected


@pytest.mark.parametrize(
    ("measure", "gate", "told"),
    [
        ("category", {"value": 1.5}, "category.value 1.5: between 0 and 1"),
        ("copied_share", {"value": 1.5}, "copied_share.value 1.5: between 0 and 1"),
        ("mean_shift", {"value": -0.1}, "mean_shift.value -0.1: 0 or more"),
        ("real_share_below_depth_2", {"value": 0.2, "warn": 25.0}, "real_share_below_depth_2.warn 25: between 0 and 1"),
        ("real_share_below_depth_2", {"value": 0.3, "warn": 0.2}, "real_share_below_depth_2.warn 0.2: above the value 0.3"),
        ("perplexity_ratio", {"value": 1.1, "warn": 1.2}, "perplexity_ratio.warn 1.2: below the value 1.1"),
        ("pepper", {"value": 1.0}, "'pepper' is no measure with a gate"),
    ],
)
def test_a_gate_that_no_figure_could_meet_or_miss_is_refused(
    tmp_path: Path, measure: str, gate: dict[str, float], told: str
) -> None:
    fault = fault_of(tmp_path, {"gates": {measure: {**gate, "severity": "block", "reason": "for the tests alone"}}})
    assert fault.key == "trust.gates" and told in fault.expected


def test_what_can_work_is_read(tmp_path: Path) -> None:
    gates = {
        name: {"value": value, "warn": warn, "severity": "warn", "reason": "for the tests alone"}
        for name, value, warn in (("recall", 1.2, 1.3), ("category", 1.0, 1.0), ("correlation", 0.0, 0.0))
    }
    attribute = {**GENDER, "swaps": [["SHE", "he"], ["mrs smith", "Mr  Smith"]]}
    recipe: Recipe = read_recipe(recipe_with(tmp_path, {"gates": gates, "groups": {"gender": attribute}}))
    assert recipe.trust.gate("recall").warn == 1.3
    assert TrustSection(gates={measure: declared.gate for measure, declared in GATES.items()}).gate("recall").value == 0.8
