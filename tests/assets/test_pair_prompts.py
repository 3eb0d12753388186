"""Which rows of a warehouse are asked for pairs, and whose answers are known; tables are written as assets leave them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from made_pipeline import made_recipe

from synth_assets.assets.pair_prompts import ground_truth, preference_prompts
from synth_assets.assets.pair_refusals import PairRefusals
from synth_assets.frames import to_frame
from synth_assets.recipe import Recipe
from synth_assets.records import (
    TABLES,
    KeptSample,
    PromptedSample,
    RejectedSample,
    SeedExample,
    SyntheticPrompt,
    Topic,
    TrainingExample,
)
from synth_assets.reward import SampledResponse
from synth_assets.storage import Warehouse

AREA = "foundational_skills/generated/general/towns"
DATA_SET = {
    "path": "stones.jsonl", "leaf_path": "foundational_skills/stones", "question": "question", "answer": "answer",
    "task_description": "Read stones.", "created_by": "a mason", "train_on": True,
}  # fmt: skip
SYNTHESIS = {
    "num_macro_topics": 2, "num_subtopics": 2, "num_topics_a_request": 2, "num_prompts": {"open_question": 3},
    "topic_temperature": 0.9, "prompt_temperature": 0.8, "max_new_tokens": {"topics": 9, "prompt": 9, "turn": 9},
    "budget_factor": 2.0,
}  # fmt: skip


def _recipe(tmp_path: Path, **sections: Any) -> Recipe:
    said = made_recipe(tmp_path).model_dump(mode="json")
    said["taxonomy"]["data_sets"] = [DATA_SET]
    return Recipe.model_validate_json(json.dumps(said | sections))


def _warehouse(tmp_path: Path, **tables: list[Any]) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse")
    for name in ("seed_examples", "training_mix", "reward_filtered_set", "prompted_samples", "synthetic_prompts",
                 "prompt_topics", "rejected_samples"):  # fmt: skip
        warehouse.write_table(name, to_frame(tables.get(name, []), TABLES[name]))
    return warehouse


def _row(sample: str | None, prompt: str, response: str, split: str = "train") -> TrainingExample:
    source = "synthetic" if sample else "seed"
    return TrainingExample(f"t{prompt}", sample, "a/b", split, "one", source, 0, prompt, response, 1)  # type: ignore[arg-type]


def test_rows_of_a_data_set_are_asked_and_their_answer_is_ground_truth(tmp_path: Path) -> None:
    leaf = DATA_SET["leaf_path"]
    answer = "nine stones lie there in a ring of old moss"
    seeds = [
        SeedExample("stone", "l", str(leaf), 0, None, "How many stones are there?", answer),
        SeedExample("other", "l", "foundational_skills/counting", 0, None, "How many?", "two"),
    ]
    kept = KeptSample("kept", "l", "a/b", "knowledge", None, "Why?", "so", 1.0)
    mix = [_row("kept", "Why?", "so"), *(_row(None, seed.question, seed.answer) for seed in seeds)]
    recipe = _recipe(tmp_path)
    warehouse = _warehouse(tmp_path, seed_examples=seeds, training_mix=mix, reward_filtered_set=[kept])
    asked = preference_prompts(recipe, warehouse)
    assert [prompt.prompt_id for prompt in asked] == ["kept", "stone"]
    verify = ground_truth(recipe, warehouse)
    assert verify(asked[1], seeds[0].answer) is True and verify(asked[1], "two") is False and verify(asked[0], "so") is None
    right = SampledResponse("right", "stone", "m", seeds[0].answer, "stop", "", 2)
    assert PairRefusals(recipe, seeds, []).of_responses(asked, [right]) == {}, "the student is to know what it is trained on"
    copied = replace(right, response_id="copied", prompt_id="kept")
    untrained = [replace(seeds[0], leaf_path="foundational_skills/counting")]
    refused = PairRefusals(recipe, untrained, []).of_responses(asked, [copied])
    assert refused["copied"].reason == "copies_source"


def test_prompts_that_a_judge_refused_and_relatives_of_validation_rows_are_not_asked(tmp_path: Path) -> None:
    def prompt(name: str, parent: str | None = None) -> SyntheticPrompt:
        return SyntheticPrompt(
            name, "open_question", AREA, "topic", "Towns", f"{name}?", (f"{name}?",), None, None, "", "", (), parent, "m", 0,
            (), 1,
        )  # fmt: skip

    def rejected(name: str, step: str) -> RejectedSample:
        detail = f"open_question {step}: judge skill: so"
        return RejectedSample(name, AREA, "answering", "rejected", "unclear", detail, "i", "", 0)

    made = PromptedSample(
        "s", "l", AREA, "foundational_skills", None, "parent?", "so", (), None, "", "", "m", 0, 1, 1, 1, -1.0,
        synthetic_prompt_id="parent",
    )  # fmt: skip
    warehouse = _warehouse(
        tmp_path, training_mix=[_row("s", "parent?", "so", "validation")], prompted_samples=[made],
        prompt_topics=[Topic("topic", AREA, "general", "Towns", None, "model", "m", (), 1)],
        synthetic_prompts=[prompt("parent"), prompt("child", "parent"), prompt("refused"), prompt("answer"), prompt("fine")],
        rejected_samples=[rejected("refused", "instruction"), rejected("answer", "response")],
    )  # fmt: skip
    asked = preference_prompts(_recipe(tmp_path, prompt_synthesis=SYNTHESIS), warehouse)
    assert [each.prompt_id for each in asked] == ["answer", "fine"]
    assert {each.synthetic_ancestry for each in asked} == {1.0}, "a model has named their topic"
