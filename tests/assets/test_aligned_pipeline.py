"""Preference pairs and alignment through Dagster: who responds and decides, what is counted, whose place is taken."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from made_pipeline import MADE_ENGINES, TO_THE_MIX, TO_THE_STUDENT, MadeTeacher, made_recipe, materialize

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import plan_run
from synth_assets.assets.resources import Engines
from synth_assets.assets.tuning import load_student, load_tuned, tuned_student_folder
from synth_assets.assets.verdicts import open_gates_of_data, open_gates_of_pairs, open_gates_of_student
from synth_assets.definitions import assets_of
from synth_assets.export import OpenGates, export, model_card
from synth_assets.frames import to_frame
from synth_assets.inference import open_reward_model
from synth_assets.judging import write_judgement
from synth_assets.model_folder import read_lineage
from synth_assets.quality import judge_stage, suites_of
from synth_assets.quality.preference_suites import inconsistent_share
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.records import (
    Checkpoint,
    DocumentChunk,
    KeptSample,
    PreferencePair,
    RejectedSample,
    SeedExample,
    StageCounts,
)
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary
from synth_assets.trace import trace_sample, trace_text
from tests.assets.test_judged_pipeline import MadeJudge

PAIRS, ALIGNED = "preference_pairs", "aligned_checkpoint"
AFTER = ["evaluation", "student_report", "run_report"]
DPO = {"name": "dpo", "loss": "dpo", "beta": 0.3, "learning_rate": 1e-3, "max_steps": 2, "batch_size": 4}
RPO = {"name": "rpo", "loss": "rpo", "beta": 0.3, "eta": 1.0, "learning_rate": 1e-3, "max_steps": 1, "iterations": 2}


def aligned_recipe(folder: Path, student: Path, *, stages: Sequence[Any] = (DPO, RPO), **preferences: Any) -> Recipe:
    said = made_recipe(folder, student).model_dump(mode="json")
    said["preferences"] = {"num_samples": 3, "temperature": 0.8, "max_new_tokens": 8, "margin": 0.1} | preferences
    if stages:
        said["alignment"] = {"stages": list(stages)}
    if preferences.get("judges"):
        bound = {"value": 0.5, "reason": "for the tests, of this length"}
        said["judges"] = {"min_true_positive_rate": bound, "max_false_positive_rate": bound}
        said |= {"reward_model": None, "reward": {"cut": {"mode": "absolute", "value": 0.5}}}
    said["quality"]["max_failed_share"]["value"] = 1.0
    return Recipe.model_validate_json(json.dumps(said))


def stale(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> list[str]:
    return plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance).assets


@pytest.mark.slow
def test_the_aligned_student_takes_the_place_of_the_tuned_one(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = aligned_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    names = [*TO_THE_STUDENT, PAIRS, ALIGNED, *AFTER]
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, names)
        blocked = [c for c in result.get_asset_check_evaluations() if not c.passed and c.blocking]
        assert result.success and not blocked, blocked
        assert stale(recipe, warehouse, instance) == []  # reports too, though rejected prompts came after them
        (made,) = result.asset_materializations_for_node(PAIRS)
        said = {name: value.value for name, value in made.metadata.items()}
        gates = OpenGates(*(of(recipe, warehouse, instance) for of in (
            open_gates_of_data, open_gates_of_student, open_gates_of_pairs,
        )))  # fmt: skip
        again = materialize(recipe, warehouse, instance, [PAIRS])
        (served,) = again.asset_materializations_for_node(PAIRS)
        assert served.metadata["num_calls_made"].value == 0
        other = aligned_recipe(tmp_path, tiny_teacher, stages=[DPO | {"beta": 0.5}, RPO])
        assert stale(other, warehouse, instance) == [ALIGNED, *AFTER]
        other = aligned_recipe(tmp_path, tiny_teacher, margin=0.2)
        assert stale(other, warehouse, instance) == [PAIRS, ALIGNED, *AFTER]
        stricter = {"value": 0.99, "reason": "for the tests, of this length"}
        assert stale(aligned_recipe(tmp_path, tiny_teacher, min_pair_share=stricter), warehouse, instance) == []

    pairs, mix = warehouse.read_table(PAIRS), warehouse.read_table("training_mix")
    asked = mix.filter((pl.col("split") == "train") & (pl.col("source") == "synthetic"))["synthetic_sample_id"]
    counts = warehouse.read_table("stage_counts").filter(pl.col("stage") == "preferences")
    assert counts["num_in"].sum() == asked.n_unique() == counts["num_kept"].sum() + counts["num_rejected"].sum()
    assert pairs["prompt_id"].n_unique() == counts["num_kept"].sum() and set(pairs["prompt_id"]) <= set(asked)
    assert set(pairs["decided_by"]) == {"reward"} and pairs["margin"].min() >= 0.1
    assert set(pairs["generation_depth"]) == {2}  # the student's rows have depth 1
    assert said["num_calls_made"] == (3 + 3) * asked.n_unique(), "three responses, and the reward of each"

    aligned, tuned = load_student(warehouse, recipe), load_tuned(warehouse)
    assert warehouse.read_table(ALIGNED)["phase"].to_list() == ["dpo", "rpo_1", "rpo_2"]
    assert aligned.adapter_sha256 != tuned.adapter_sha256 and aligned.phase_position == tuned.phase_position + 3
    lineage = read_lineage(tuned_student_folder(warehouse, recipe, aligned))
    assert (
        lineage.generation_depth == 2 and read_lineage(tuned_student_folder(warehouse, recipe, tuned)).generation_depth == 1
    )
    assert aligned.adapter_path in closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    assert "preferences" in closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    assert "| rpo_2 | 1 |" in model_card(recipe, warehouse) and f"`{aligned.checkpoint_id}`" in model_card(recipe, warehouse)
    traced = trace_sample(recipe, warehouse, pairs["prompt_id"][0])
    assert traced["checkpoint"]["checkpoint_id"] == aligned.checkpoint_id and "preferences kept" in trace_text(traced)
    written = export(recipe, warehouse, tmp_path / "export", gates, despite_failed_checks=True)
    assert [folder.name for folder in written] == ["dataset", "preferences", "adapter"]
    assert not gates.of_pairs


class Responder(MadeJudge):
    """As a student it says what the test plants, by the prompt; as a judge it likes what has the higher last number."""

    def __init__(self, plant: Callable[[str], str]) -> None:
        self.plant = plant

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = super().generate(requests)
        for position, request in enumerate(requests):
            if self.plant(request.messages[-1].content) == "error":
                results[position] = GenerationResult("", "error", error="the engine is out to lunch")
        for position, result in enumerate(results if on_result else ()):
            on_result(position, result)
        return results

    def _text(self, request: GenerationRequest) -> str:
        return f"{super()._text(request)} {self.plant(request.messages[-1].content)}".strip()

    def _judge(self, request: GenerationRequest) -> str:
        lines = request.messages[0].content.splitlines()
        shown = [next((line[3:] for line in lines if line.startswith(f"{side}: ")), "") for side in "AB"]
        if not all(shown):
            return super()._judge(request)
        first, second = (int(text.split()[3]) for text in shown)
        return write_judgement("comparison", "it is higher", "A" if first > second or (first + second) % 3 == 0 else "B")


def planted(plant: Callable[[str], str] = lambda prompt: "") -> Engines:
    """Where a folder stands in for the recipe's, the student speaks."""

    @contextmanager
    def opened(spec: ModelSpec, folder: Path | None = None) -> Iterator[MadeTeacher]:
        yield Responder(plant if folder else lambda prompt: "")

    return replace(MADE_ENGINES, open_text_model=opened)


def with_tuned_student(recipe: Recipe, warehouse: Warehouse, model: Path) -> None:
    """As lora_checkpoint would leave it, without any training."""
    row = Checkpoint("made", "student", "stacked", 0, "made", "0" * 64, 1, 1, 2.0, 1.0, None, None, True)
    warehouse.write_table("lora_checkpoint", to_frame([row], Checkpoint))
    shutil.copytree(model, tuned_student_folder(warehouse, recipe, row))


def reasons(warehouse: Warehouse) -> dict[tuple[str, str], int]:
    rejected = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "preferences")
    return {row[:2]: row[2] for row in rejected.group_by("outcome", "rejection_reason").len().iter_rows()}


def test_what_is_held_out_or_gives_somebody_away_is_no_pair_and_a_failed_call_is_told(
    tmp_path: Path, tiny_teacher: Path
) -> None:  # fmt: skip
    def plant(prompt: str) -> str:
        if "mayor" in prompt or "river" in prompt:
            return "taxonomy 1 of foundational_skills/counting?"
        digit = int(next(letter for letter in prompt if letter.isdigit()))
        return "error" if digit < 2 else "Write to jo.planted@mailbox.org" if digit < 5 else ""

    said = aligned_recipe(tmp_path, tiny_teacher, stages=()).model_dump(mode="json")
    said["filter"]["overlap_ngram"] = 5
    recipe, warehouse = Recipe.model_validate_json(json.dumps(said)), Warehouse(tmp_path / "warehouse")
    with_tuned_student(recipe, warehouse, tiny_teacher)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, PAIRS], engines=planted(plant))
        assert result.success
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        keys, made = check_keys(recipe), [each for each in assets_of(recipe) if each.key.path[-1] in (*TO_THE_MIX, PAIRS)]
        assert plan_run(made, keys, recipe, warehouse, instance).assets == []
        assert plan_run(made, keys, recipe, warehouse, instance, ["failed"]).assets == [PAIRS]
    assert "few_prompts_failed" not in failed, "the test allows it"
    ended = reasons(warehouse)
    assert (
        ended["rejected", "benchmark_overlap"] and ended["rejected", "personal_data"] and ended["failed", "response_error"]
    )
    rejected = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "preferences")
    overlaps = rejected.filter(pl.col("rejection_reason") == "benchmark_overlap")
    assert set(overlaps["leaf_path"]) == {"knowledge/towns"}
    assert "knowledge/towns" not in warehouse.read_table(PAIRS)["leaf_path"].to_list()
    told = warehouse.table_path(PAIRS).read_bytes() + warehouse.table_path("rejected_samples").read_bytes()
    assert b"jo.planted" not in told and warehouse.read_table(PAIRS).height
    counts = warehouse.read_table("stage_counts").filter(pl.col("stage") == "preferences")
    assert counts.select("num_rejected", "num_failed").sum().row(0) == (
        sum(num for (outcome, _), num in ended.items() if outcome == "rejected"), ended["failed", "response_error"],
    )  # fmt: skip


def test_a_judge_decides_in_both_orders_and_teacher_and_student_may_both_respond(
    tmp_path: Path, tiny_teacher: Path
) -> None:  # fmt: skip
    recipe = aligned_recipe(
        tmp_path, tiny_teacher, stages=(), judges=True, num_samples=1, responders=["student", "teacher"], max_prompts=9
    )  # fmt: skip
    warehouse = Warehouse(tmp_path / "warehouse")
    with_tuned_student(recipe, warehouse, tiny_teacher)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, PAIRS], engines=planted())
        assert result.success
        checks = {check.check_name for check in result.get_asset_check_evaluations()}
    pairs, ended = warehouse.read_table(PAIRS), reasons(warehouse)
    assert "judge_is_consistent_on_pairs" in checks and set(pairs["decided_by"]) == {"judge"}
    assert pairs["prompt_id"].n_unique() + sum(ended.values()) == 9 and ended["rejected", "judge_inconsistent"]
    higher = [int(one.split()[3]) > int(other.split()[3]) for one, other in pairs.select("chosen", "rejected").iter_rows()]
    assert all(higher) and pairs["margin"].null_count() == pairs.height


@pytest.mark.slow
def test_a_scalar_reward_turns_no_sample_away_and_decides_within_a_prompt(
    tmp_path: Path, tiny_teacher: Path, tiny_scalar_reward_model: Path
) -> None:  # fmt: skip
    said = aligned_recipe(tmp_path, tiny_teacher, stages=(), margin=0.001, max_prompts=9).model_dump(mode="json")
    model = {"path": str(tiny_scalar_reward_model), "engine": "transformers", "max_model_len": 512, "reward_outputs": 1}
    said |= {"reward_model": model, "reward": {"cut": {"mode": "none"}}}
    recipe, warehouse = Recipe.model_validate_json(json.dumps(said)), Warehouse(tmp_path / "warehouse")
    with_tuned_student(recipe, warehouse, tiny_teacher)
    engines = replace(planted(), open_reward_model=open_reward_model)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, [*TO_THE_MIX, PAIRS], engines=engines)
        assert result.success
    scored, pairs = warehouse.read_table("scored_samples"), warehouse.read_table(PAIRS)
    assert scored["helpfulness"].null_count() == scored.height and scored["reward"].n_unique() > 2
    assert "low_reward" not in warehouse.read_table("rejected_samples")["rejection_reason"].to_list()
    assert set(pairs["decided_by"]) == {"reward"} and pairs["margin"].min() >= 0.001


def test_a_pair_that_is_none_stops_what_comes_after(tmp_path: Path, tiny_teacher: Path) -> None:
    """Planted into the stored table, as the checks read it."""
    recipe = aligned_recipe(tmp_path, tiny_teacher, stages=())
    row = PreferencePair(
        "pair", "prompt", "skills/a", json.dumps([{"role": "user", "content": "Who?"}]), "It is jo.planted@mailbox.org",
        "no", 1.0, 0.95, 0.05, "reward", (), (), "c", "r", "m", "m", 2, 0.0,
    )  # fmt: skip
    equal = replace(row, preference_pair_id="equal", chosen="no", margin=1.0)
    seed = SeedExample(
        "s",
        "l",
        "skills/a",
        0,
        None,
        "Who keeps it?",
        "the old miller of the town keeps it under a stone: jo.real@mailbox.org",
    )
    leak = replace(row, preference_pair_id="leak", chosen="Write to jo.real@mailbox.org", margin=1.0)
    recited = replace(
        row,
        preference_pair_id="recited",
        rejected="the old miller of the town keeps it under a stone",
        chosen="yes",
        margin=1.0,
    )
    said = {
        "seed_examples": to_frame([seed], SeedExample), "document_chunks": to_frame([], DocumentChunk),
        "reward_filtered_set": to_frame([], KeptSample), "rejected_samples": to_frame([], RejectedSample),
        "stage_counts": to_frame([StageCounts("preferences", "skills/a", 3, 1, 2, 0)], StageCounts),
    }  # fmt: skip

    def blocking(*rows: PreferencePair) -> set[str]:
        results = judge_stage(suites_of(recipe)[PAIRS], said | {PAIRS: to_frame(rows, PreferencePair)}, recipe)
        return {each.name for each in results if not each.is_passed and each.is_blocking}

    assert blocking(row, equal) == {
        "responses_of_a_pair_differ", "rewards_are_a_margin_apart", "pairs_give_nobody_away", "preference_counts_add_up",
    }  # fmt: skip
    assert blocking(leak) >= {"pairs_give_nobody_away", "pairs_leak_no_value"}
    assert blocking(recited) == {"pairs_copy_no_source", "preference_counts_add_up"}
    fine = replace(equal, rejected="yes")
    assert blocking(fine) == {"preference_counts_add_up"}
    for depth in (3, None):
        deep = replace(fine, preference_pair_id="deep", generation_depth=depth)
        assert blocking(fine, deep) == {"pair_depth_is_within_bounds", "preference_counts_add_up"}


def test_a_judge_that_is_split_is_counted_also_where_the_reward_model_decides_in_its_place() -> None:
    row = PreferencePair("a", "a", "s", "[]", "x", "y", 1.0, 0.0, 1.0, "judge", (), (), "c", "r", "m", "m", 2, 0.0)
    split = replace(row, prompt_id="b", decided_by="reward", agreement=("judge",), disagreement=("judge",))
    silent = replace(row, prompt_id="c", decided_by="reward")
    verified = replace(row, prompt_id="d", decided_by="ground_truth", agreement=("reward",))
    ended = RejectedSample("e", "s", "preferences", "rejected", "judge_inconsistent", "so", "i", "", 0)
    pairs, rejected = to_frame([row, split, silent, verified], PreferencePair), to_frame([ended], RejectedSample)
    assert inconsistent_share(pairs, rejected) == 0.5
