"""The sections `preferences` and `alignment`: what is inherited, and what is refused with its key and value."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from synth_assets.recipe import AlignmentSection, PreferencesSection

DPO = {"name": "dpo", "loss": "dpo", "beta": 3e-3, "sft_weight": 1e-3, "learning_rate": 3e-7, "num_epochs": 1}
RPO = {"name": "rpo", "loss": "rpo", "iterations": 3, "beta": 0.1, "eta": 1, "learning_rate": 3e-7, "num_epochs": 1}
SAMPLED = {"num_samples": 4, "temperature": 0.8, "max_new_tokens": 64, "margin": 0.5}


def _alignment(*stages: dict[str, Any]) -> AlignmentSection:
    return AlignmentSection.model_validate_json(json.dumps({"stages": stages}))


def test_the_stages_of_nemotron_4_can_be_declared() -> None:
    section = _alignment(DPO | {"batch_size": 256}, RPO | {"sft_weight": 1e-5})
    assert [name for name, _ in section.stages_to_run] == ["dpo", "rpo_1", "rpo_2", "rpo_3"]
    dpo, rpo = section.stages
    assert (dpo.batch_size, dpo.eta, rpo.batch_size, rpo.eta, rpo.lr_schedule) == (256, None, None, 1.0, None)


@pytest.mark.parametrize(
    ("stages", "key", "said"),
    [
        ([RPO | {"eta": None}], "eta", "since loss is rpo"),
        ([DPO | {"eta": 2}], "eta", "2 would change nothing"),
        ([DPO | {"max_steps": 5}], None, "found max_steps 5 and num_epochs 1"),
        ([DPO | {"num_epochs": None}], None, "found none"),
        ([DPO | {"loss": "ipo"}], "loss", "'dpo' or 'rpo'"),
        ([DPO | {"beta": 0}], "beta", "greater than 0"),
        ([DPO | {"sft_weight": -1}], "sft_weight", "greater than or equal to 0"),
        ([DPO | {"betta": 1}], "betta", "Extra inputs"),
        ([DPO, DPO], "stages", "dpo stands more than once"),
        ([DPO | {"name": "rpo_2"}, RPO], "stages", "rpo_2 stands more than once"),
        ([], "stages", "at least 1"),
    ],
)
def test_stages_that_contradict_themselves_are_refused(stages: list[Any], key: str | None, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _alignment(*stages)
    error, *_ = caught.value.errors()  # a stage that is wrong is missing as well
    assert said in error["msg"] and (key or 0) == error["loc"][-1]


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"temperature": 0}, "temperature", "above 0, since num_samples is 4"),
        ({"margin": -0.1}, "margin", "greater than or equal to 0"),
        ({"num_samples": 0}, "num_samples", "greater than or equal to 1"),
        ({"max_rouge_l": 1.5}, "max_rouge_l", "less than or equal to 1"),
    ],
)
def test_preferences_that_cannot_be_are_refused(changes: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PreferencesSection.model_validate_json(json.dumps(SAMPLED | changes))
    (error,) = caught.value.errors()
    assert said in error["msg"] and error["loc"] == (key,)


def test_one_greedy_response_of_each_of_several_models_is_enough() -> None:
    section = PreferencesSection.model_validate_json(json.dumps(SAMPLED | {"temperature": 0, "num_samples": 1}))
    assert section.max_pairs == 1 and not section.judges
