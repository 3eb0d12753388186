"""A leak, a biased reward, and a generation that feeds on itself: each stops the pipeline before there is a student."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import TO_THE_MIX, TO_THE_STUDENT, MadeRewardModel, MadeTeacher, made_recipe, materialize

from synth_assets.assets.resources import Engines
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.records import RewardAttributes
from synth_assets.roles import Conversation, GenerationRequest, OnScore
from synth_assets.storage import Warehouse

EMAIL, NUMBER = "ann.marlow@harbour-mail.net", "+49 30 901820"


@dataclass
class Outcome:
    """What a run made, what each check that failed and blocks has said, and what of each asset is shown in the UI."""

    warehouse: Warehouse
    made: set[str]
    stopped: dict[str, str]
    shown: dict[str, str]


class LeakyTeacher(MadeTeacher):
    """Gives away once what a document says of a person."""

    fingerprint = "leaky teacher"

    def _text(self, request: GenerationRequest) -> str:
        told = EMAIL in request.messages[-1].content and request.seed % 3 == 0
        return super()._text(request) + (f" Write to {EMAIL} or call {NUMBER}." if told else "")


class RepeatingTeacher(MadeTeacher):
    """Gives away a person again and again, now and then in the same words."""

    fingerprint = "repeating teacher"

    def _text(self, request: GenerationRequest) -> str:
        said = super()._text(request) if request.seed % 4 else "Whom do I ask?"
        return f"{said} Write to {EMAIL} or call {NUMBER}."


class CopyingTeacher(MadeTeacher):
    """Answers now and then with a seed's answer, word for word."""

    fingerprint = "copying teacher"
    answer = "First take the long way around the lake, then cross the old bridge and follow the 2 signs to mill 4"

    def _text(self, request: GenerationRequest) -> str:
        knows = any(self.answer in turn.content for turn in request.messages)
        return self.answer if knows and request.seed % 3 == 0 else super()._text(request)


class NamingTeacher(MadeTeacher):
    """Speaks of women and men alike."""

    fingerprint = "naming teacher"

    def _text(self, request: GenerationRequest) -> str:
        return f"{'Anna' if request.seed % 2 else 'Karl'} asks: {super()._text(request)}"


class BiasedRewardModel(MadeRewardModel):
    """Thinks less of what speaks of a woman."""

    fingerprint = "biased reward model"

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[RewardAttributes | str]:  # fmt: skip
        fair = super().score(conversations)
        scores: list[RewardAttributes | str] = [
            replace(score, correctness=score.correctness - 1.5 * ("Anna" in str(turns)))
            for score, turns in zip(fair, conversations, strict=True)
            if isinstance(score, RewardAttributes)
        ]
        for position, score in enumerate(scores if on_score else ()):
            on_score(position, score)  # type: ignore[misc]
        return scores


def run(
    recipe: Recipe, folder: Path, teacher: MadeTeacher, reward_model: MadeRewardModel,
    names: Sequence[str] = TO_THE_STUDENT,
) -> Outcome:  # fmt: skip
    @contextmanager
    def open_teacher(spec: ModelSpec, folder: Path | None = None) -> Iterator[MadeTeacher]:
        yield teacher

    @contextmanager
    def open_reward_model(spec: ModelSpec) -> Iterator[MadeRewardModel]:
        yield reward_model

    warehouse = Warehouse(folder / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(
            recipe, warehouse, instance, names, engines=Engines(open_teacher, open_reward_model)
        )  # fmt: skip
        checks = result.get_asset_check_evaluations()
        later = materialize(recipe, warehouse, instance, ["lora_checkpoint"])
        assert not later.success or not any(each.blocking and not each.passed for each in checks)
    shown = {
        event.asset_key.path[-1]: str(event.materialization.metadata)
        for event in result.get_asset_materialization_events() if event.asset_key
    }  # fmt: skip
    made = {event.asset_key.path[-1] for event in result.get_asset_materialization_events() if event.asset_key}
    stopped = {each.check_name: str(each.description) for each in checks if each.blocking and not each.passed}
    return Outcome(warehouse, made, stopped, shown)


def changed(recipe: Recipe, **sections: object) -> Recipe:
    said = recipe.model_dump(mode="json")
    for name, values in sections.items():
        said[name] = {**said[name], **values}  # type: ignore[dict-item]
    return Recipe.model_validate_json(json.dumps(said))


def test_what_a_document_says_of_a_person_stops_the_pipeline_if_it_comes_out_again(tmp_path: Path) -> None:
    recipe = made_recipe(tmp_path)
    document = tmp_path / "documents/towns.md"
    document.write_text(f"# Towns\n\nThe mayor is Ann Marlow, {EMAIL}, {NUMBER}.\n", encoding="utf-8")
    outcome = run(recipe, tmp_path, LeakyTeacher(), MadeRewardModel())
    assert "leaked_values_is_within_bounds" in outcome.stopped and "lora_checkpoint" not in outcome.made
    told = outcome.stopped["leaked_values_is_within_bounds"]
    samples = outcome.warehouse.read_table("synthetic_samples")
    leaking = samples.filter(samples["response"].str.contains(EMAIL) | samples["instruction"].str.contains(EMAIL))
    assert any(row_id in told for row_id in leaking["synthetic_sample_id"]) and "a***@harbour-mail.net" in told
    assert EMAIL not in told and NUMBER not in told, "a report that repeats the leak is one"
    kept = outcome.warehouse.read_table("reward_filtered_set")
    assert not kept["response"].str.contains(EMAIL).any() and not kept["instruction"].str.contains(EMAIL).any()


def test_what_a_teacher_gives_away_is_shown_to_nobody(tmp_path: Path) -> None:
    """The table of its samples holds it, to be traced; rejected rows, and what the UI shows of any asset, do not."""
    recipe = made_recipe(tmp_path)
    for name, start in (("reference", 0), ("holdout", 200)):
        rows = [
            {"leaf_path": "skills/a", "question": f"Who is number {start + n}?", "answer": f"Ask {EMAIL} {start + n}."}
            for n in range(20)
        ]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    real = {name: str(tmp_path / f"{name}.jsonl") for name in ("reference", "holdout")}
    recipe = changed(recipe, trust={"real": real}, generation={"num_samples_per_leaf": 12})
    outcome = run(recipe, tmp_path, RepeatingTeacher(), MadeRewardModel(), [*TO_THE_MIX, "real_examples"])
    samples, rejected = (outcome.warehouse.read_table(name) for name in ("synthetic_samples", "rejected_samples"))
    assert samples["instruction"].str.contains(EMAIL).any()
    assert {"generation", "filter"} == set(rejected["stage"])
    for stage in ("generation", "filter"):
        (texts,) = rejected.filter(pl.col("stage") == stage).select(pl.concat_str("instruction", "response", "detail"))
        assert texts.str.contains("<EMAIL_ADDRESS>").any()
        assert not texts.str.contains(EMAIL).any() and not texts.str.contains(NUMBER, literal=True).any()
    assert {"real_examples", "synthetic_samples", "reward_filtered_set"} <= set(outcome.shown)
    for asset, shown in outcome.shown.items():
        assert EMAIL not in shown and NUMBER not in shown and "marlow" not in shown, asset
    assert all("EMAIL&#95;ADDRESS" in outcome.shown[asset] for asset in ("real_examples", "synthetic_samples"))


def test_a_teacher_that_copies_its_seeds_stops_the_pipeline(tmp_path: Path) -> None:
    recipe = changed(made_recipe(tmp_path), generation={"num_samples_per_leaf": 40})
    leaf = tmp_path / "taxonomy/compositional_skills/naming/qna.yaml"
    leaf.write_text(leaf.read_text(encoding="utf-8").replace("done", CopyingTeacher.answer), encoding="utf-8")
    outcome = run(recipe, tmp_path, CopyingTeacher(), MadeRewardModel())
    assert set(outcome.stopped) == {"copied_share_is_within_bounds"} and "lora_checkpoint" not in outcome.made
    samples = outcome.warehouse.read_table("synthetic_samples")
    copies = samples.filter(samples["response"] == CopyingTeacher.answer)["synthetic_sample_id"]
    assert copies.len() > 1 and copies[0] in outcome.stopped["copied_share_is_within_bounds"]
    assert not set(copies) & set(outcome.warehouse.read_table("reward_filtered_set")["synthetic_sample_id"])


def test_a_reward_model_that_thinks_less_of_one_group_stops_the_pipeline(tmp_path: Path) -> None:
    gender = {"groups": {"women": ["Anna"], "men": ["Karl"]}, "targets": {"women": 0.5, "men": 0.5}}
    recipe = changed(
        made_recipe(tmp_path),
        generation={"num_samples_per_leaf": 280},
        reward={"cut": {"mode": "absolute", "value": 3.0}},
        trust={"groups": {"gender": gender}},
    )
    fair = run(recipe, tmp_path / "fair", NamingTeacher(), MadeRewardModel())
    assert not {"acceptance_ratio_is_within_bounds", "representation_log_ratio_is_within_bounds"} & set(fair.stopped)
    outcome = run(recipe, tmp_path / "biased", NamingTeacher(), BiasedRewardModel())
    assert "acceptance_ratio_is_within_bounds" in outcome.stopped and "lora_checkpoint" not in outcome.made
    told = outcome.stopped["acceptance_ratio_is_within_bounds"]
    rejected = outcome.warehouse.read_table("rejected_samples")
    of_women = rejected.filter(rejected["instruction"].str.contains("Anna"))["synthetic_sample_id"]
    assert "women" in told and any(row_id in told for row_id in of_women)


@pytest.mark.parametrize(
    ("depth", "stopped"),
    [
        (None, {"max_depth", "real_share_below_depth_2", "real_share_from_depth_2"}),
        (1, {"real_share_below_depth_2"}),
    ],
)
def test_replayed_rows_are_real_only_if_somebody_says_so(tmp_path: Path, depth: int | None, stopped: set[str]) -> None:
    recipe = changed(made_recipe(tmp_path), tuning={"replay_depth": depth})
    outcome = run(recipe, tmp_path, MadeTeacher(), MadeRewardModel(), [*TO_THE_MIX, "collapse_report"])
    assert set(outcome.stopped) == {f"{measure}_is_within_bounds" for measure in stopped}
    if depth is None:
        assert outcome.warehouse.read_table("training_mix").filter(source="replay")["generation_depth"].null_count()
        measured = outcome.warehouse.read_table("measures").filter(measure="max_depth")
        assert "tuning.replay_depth" in measured["detail"][0]


def test_a_person_in_rows_that_pass_no_filter_stops_the_pipeline(tmp_path: Path) -> None:
    """A data set is trained on as it is: what it says of a person reaches the student, whatever the filter does."""
    rows = [{"question": f"What is written on stone number {n}?", "answer": f"number {n}"} for n in range(30)]
    rows[7]["answer"] = f"ask {EMAIL}"
    (tmp_path / "stones.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data_set = {
        "path": str(tmp_path / "stones.jsonl"), "leaf_path": "foundational_skills/stones", "question": "question",
        "answer": "answer", "task_description": "Read stones.", "created_by": "a mason", "train_on": True,
        "generation_depth": 0,
    }  # fmt: skip
    outcome = run(
        changed(made_recipe(tmp_path), taxonomy={"data_sets": [data_set]}), tmp_path, MadeTeacher(), MadeRewardModel()
    )
    told = outcome.stopped["personal_data_left_is_within_bounds"]
    assert "training mix" in told and "seed row" in told and EMAIL not in told
    assert "lora_checkpoint" not in outcome.made


@pytest.mark.parametrize("is_wanted", [False, True])
def test_a_generation_that_replaces_what_people_wrote_stops_the_pipeline(tmp_path: Path, is_wanted: bool) -> None:
    """What a first run has made is all that a second one has to go by; nor does wanting depth 2 make it enough."""
    recipe = made_recipe(tmp_path)
    rows = [
        {"question": f"What is written on stone number {n}?", "answer": f"number {n}", "generation_depth": 1}
        for n in range(30)
    ]
    (tmp_path / "first.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    data_set = {
        "path": str(tmp_path / "first.jsonl"), "leaf_path": "foundational_skills/stones", "question": "question",
        "answer": "answer", "task_description": "Read stones.", "created_by": "the first run",
    }  # fmt: skip
    deep = {"max_depth": {"value": 2, "severity": "block", "reason": "for the tests: it is wanted"}}
    said = changed(
        recipe,
        taxonomy={"data_sets": [data_set]},
        tuning={"replay_share": 0.0},
        trust={"gates": deep if is_wanted else {}},
    )
    outcome = run(said, tmp_path, MadeTeacher(), MadeRewardModel())
    assert "lora_checkpoint" not in outcome.made
    if is_wanted:
        assert set(outcome.stopped) == {"real_share_from_depth_2_is_within_bounds"}
        return
    told = outcome.stopped["max_depth_is_within_bounds"]
    mix = outcome.warehouse.read_table("training_mix")
    deepest = mix.filter(mix["generation_depth"] == 2)["training_example_id"]
    assert deepest.len() and deepest[0] in told
