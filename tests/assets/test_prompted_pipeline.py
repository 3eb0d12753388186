"""Prompts from topics through Dagster: rows, counts, checks, currency, traces; and a recipe without them has none of it."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from pydantic import ValidationError

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import material_of_files, plan_run
from synth_assets.assets.display import escape
from synth_assets.assets.made_of import code_version
from synth_assets.assets.resources import Engines
from synth_assets.assets.run_report import render_report
from synth_assets.assets.status import read_status, status_text
from synth_assets.definitions import assets_of
from synth_assets.errors import EngineError, TaxonomyError
from synth_assets.export import dataset_splits
from synth_assets.export.cards import dataset_card
from synth_assets.plan_text import plan_text
from synth_assets.planning import plan_recipe
from synth_assets.prompts.conversations import turns_of_prompt
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.records import GENERATED_BRANCH, PROMPT_KINDS, is_generated
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult
from synth_assets.storage import Warehouse
from synth_assets.summary import LastRun, closing_summary
from synth_assets.trace import find_sample, trace_sample, trace_text
from tests.assets.test_judged_pipeline import MadeJudge, judged_recipe
from tests.made_pipeline import TO_THE_MIX, made_recipe, materialize, open_made_reward_model
from tests.prompted_pipeline import (
    COUNTS,
    PROMPT_ASSETS,
    PROMPTING_ENGINES,
    TO_THE_PROMPTED_MIX,
    PromptingTeacher,
    prompted_recipe,
    with_prompts,
)

STAGES = ["generation", "prompt_topics", "prompt_synthesis", "answering", "scoring", "prompted_scoring", "filter"]
Made = tuple[Recipe, Warehouse, dg.DagsterInstance, dg.ExecuteInProcessResult]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One run up to the mix."""
    folder = tmp_path_factory.mktemp("prompted")
    recipe, warehouse = prompted_recipe(folder), Warehouse(folder / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        yield (
            recipe,
            warehouse,
            instance,
            materialize(recipe, warehouse, instance, TO_THE_PROMPTED_MIX, engines=PROMPTING_ENGINES),
        )


def stale(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, *retry: Any) -> list[str]:
    return plan_run(assets_of(recipe), check_keys(recipe), recipe, warehouse, instance, retry).assets


def test_both_ways_end_in_the_mix_and_every_row_is_counted(made: Made) -> None:
    recipe, warehouse, instance, result = made
    failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert result.success and not failed, failed
    topics, leaves, prompts, samples = (
        warehouse.read_table(name)
        for name in ("prompt_topics", "generated_leaf_nodes", "synthetic_prompts", "prompted_samples")
    )
    assert set(topics["area"]) == {"general", "maths", "coding", "documents"}
    assert set(leaves["leaf_path"]) == set(topics["leaf_path"]) and all(map(is_generated, leaves["leaf_path"]))
    by_kind = dict(prompts.group_by("kind").len().iter_rows())
    assert by_kind == COUNTS | {"instruction_following": 6}
    assert set(samples["kind"]) == set(PROMPT_KINDS) and set(samples["generation_depth"]) == {1}
    counts = warehouse.read_table("stage_counts")
    assert counts["stage"].unique(maintain_order=True).to_list() == STAGES
    of = {
        str(key[0]): rows.drop("stage", "leaf_path").sum().row(0)
        for key, rows in counts.partition_by("stage", as_dict=True).items()
    }
    assert of["prompt_topics"][1] == topics.height
    assert of["prompt_synthesis"][1] == prompts.height == of["answering"][0]
    assert of["answering"][1] == samples.height == of["prompted_scoring"][0]
    assert of["filter"][0] == of["scoring"][1] + of["prompted_scoring"][1]
    rejected = warehouse.read_table("rejected_samples")
    assert dict(rejected.group_by("stage").len().iter_rows()) == {s: n[2] + n[3] for s, n in of.items() if n[2] + n[3]}
    broken = rejected.filter(pl.col("rejection_reason") == "breaks_constraints")
    assert set(broken["stage"]) == {"answering"} and 0 < broken.height < 6
    kept = warehouse.read_table("reward_filtered_set")
    assert {*samples["synthetic_sample_id"]} & {*kept["synthetic_sample_id"]}
    assert {*warehouse.read_table("synthetic_samples")["synthetic_sample_id"]} & {*kept["synthetic_sample_id"]}
    assert not set(stale(recipe, warehouse, instance)) & set(TO_THE_PROMPTED_MIX)


def test_conversations_are_turns_in_the_mix(made: Made) -> None:
    _, warehouse, *_ = made
    kinds = warehouse.read_table("prompted_samples").select("synthetic_sample_id", "kind")
    mix = warehouse.read_table("training_mix").join(kinds, on="synthetic_sample_id")
    num_turns = {"two_turn": 3, "dialogue": 3}
    for kind, path, prompt in mix.select("kind", "leaf_path", "prompt").iter_rows():
        assert len(turns_of_prompt(path, prompt)) == num_turns.get(kind, 1)
    assert set(mix["kind"]) >= {"two_turn", "dialogue"}


def test_traces_go_back_to_topic_prompt_and_calls(made: Made) -> None:
    recipe, warehouse, *_ = made
    kept = warehouse.read_table("reward_filtered_set")
    samples = warehouse.read_table("prompted_samples").join(kept, on="synthetic_sample_id", how="semi")

    def traced(kind: str) -> dict[str, Any]:
        sample_id = samples.filter(pl.col("kind") == kind)["synthetic_sample_id"][0]
        return trace_sample(recipe, warehouse, find_sample(warehouse, sample_id))

    two = traced("two_turn")
    assert [call["step"] for call in two["calls"]][-3:] == ["assistant", "user", "response"]
    assert len(two["prompts"]) == 2 and two["leaf_node"]["leaf_path"] == two["topic"]["leaf_path"]
    assert [decision["stage"] for decision in two["decisions"]] == ["answering", "prompted_scoring", "filter"]
    assert two["reward"] and two["training"] and two["seed_examples"] == []
    text = trace_text(two)
    assert "persona a hurried baker" in text and "prompt for the response" in text and "(generated)" in text
    constrained = traced("instruction_following")
    assert constrained["calls"][-1]["step"] == "response" and '"kind"' in trace_text(constrained)
    assert traced("closed_question")["document_chunk"] and "(documents, document)" in trace_text(traced("closed_question"))
    rejected = warehouse.read_table("rejected_samples")
    broken = rejected.filter(pl.col("rejection_reason") == "breaks_constraints").row(0, named=True)
    text = trace_text(trace_sample(recipe, warehouse, broken["synthetic_sample_id"]))
    assert "answering   rejected: breaks_constraints" in text and "constraint  {" in text
    seeded = warehouse.read_table("synthetic_samples")["synthetic_sample_id"][0]
    assert "topic" not in trace_sample(recipe, warehouse, seeded)


def test_the_plan_the_status_and_the_summary_know_them(made: Made, tmp_path: Path) -> None:
    recipe, warehouse, instance, result = made
    calls = {row.purpose: row for row in plan_recipe(recipe).calls}
    assert calls["topics"].num_calls_least == 4 and calls["topics"].num_calls_most == 8
    assert (calls["prompts from topics"].num_calls_least, calls["prompts from topics"].num_calls_most) == (54, 108)
    assert calls["responses to prompts"].num_calls_least == calls["responses to prompts"].num_calls_most == 32
    assert calls["reward of prompts"].num_calls_least == 36 and "from topics" in plan_text(plan_recipe(recipe))
    status = read_status(assets_of(recipe), recipe, warehouse, instance)
    states = {each.asset: (each.state, each.num_rows) for each in status.assets}
    assert {states[name][0] for name in PROMPT_ASSETS} == {"current"} and states["synthetic_prompts"][1] == 36
    assert all(not is_generated(leaf.leaf_path) for leaf in status.leaves)
    with dg.DagsterInstance.ephemeral() as fresh:
        waiting = read_status(assets_of(recipe), recipe, Warehouse(tmp_path), fresh)
        assert waiting.next_run.num_teacher_calls == 3 * 8 * 2 + 4 + 54 + 32
        assert waiting.next_run.num_reward_calls == 3 * 8 + 36
        assert "3 of 3 leaf nodes and prompts from topics: about" in status_text(waiting)
    text = closing_summary(recipe, warehouse, LastRun(made=["taxonomy"]))
    assert "  prompt_synthesis " in text and "breaks_constraints (answering)" in text
    widths = {line.index("=") for line in text.splitlines() if " = " in line}
    assert len(widths) == 1, "columns stand below one another"
    page = render_report(recipe, warehouse, instance, result.run_id)
    assert f"{GENERATED_BRANCH}/general" in page and "of them from topics" in page


def test_a_comment_in_the_taxonomy_takes_no_prompt_away(tmp_path: Path) -> None:
    recipe, warehouse = prompted_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_PROMPTED_MIX, engines=PROMPTING_ENGINES).success
        before = {name: warehouse.table_path(name).read_bytes() for name in warehouse.table_names()}
        leaf = tmp_path / "taxonomy/compositional_skills/naming/qna.yaml"
        leaf.write_text(f"# a comment\n{leaf.read_text()}", encoding="utf-8")
        assert materialize(recipe, warehouse, instance, ["taxonomy"], engines=PROMPTING_ENGINES).success
        assert {name: warehouse.table_path(name).read_bytes() for name in warehouse.table_names()} == before
        assert not set(stale(recipe, warehouse, instance)) & set(PROMPT_ASSETS)
        plain = recipe.model_copy(update={"prompt_synthesis": None})
        assert set(stale(plain, warehouse, instance)) >= {"reward_filtered_set", "training_mix"}
        assert not set(stale(plain, warehouse, instance)) & {"synthetic_samples", "scored_samples"}
        assert materialize(plain, warehouse, instance, ["reward_filtered_set", "training_mix"]).success
        assert not any(map(is_generated, warehouse.read_table("reward_filtered_set")["leaf_path"]))
        assert "prompt" not in closing_summary(plain, warehouse, LastRun(made=["taxonomy"]))


class DyingTeacher(PromptingTeacher):
    """Dies at its call number `dies_at`, of all that were ever made."""

    dies_at = 10**9

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = []
        for position, request in enumerate(requests):
            if type(self).num_calls == type(self).dies_at:
                raise EngineError("killed")
            results.append(super().generate([request])[0])
            if on_result:
                on_result(position, results[-1])
        return results


@contextmanager
def open_dying_teacher(spec: ModelSpec, folder: Path | None = None) -> Iterator[DyingTeacher]:
    yield DyingTeacher()


@pytest.mark.parametrize(("dies_at", "asset"), [(3, "prompt_topics"), (40, "synthetic_prompts"), (80, "prompted_samples")])
def test_a_killed_run_repeats_no_finished_call(
    made: Made, tmp_path: Path, dies_at: int, asset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_whole = made[1]
    recipe, warehouse = prompted_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    engines = Engines(open_dying_teacher, open_made_reward_model)
    names = ["taxonomy", "seed_examples", "document_chunks", *PROMPT_ASSETS]
    monkeypatch.setattr(DyingTeacher, "num_calls", 0)
    monkeypatch.setattr(DyingTeacher, "dies_at", dies_at)
    with dg.DagsterInstance.ephemeral() as instance:
        killed = materialize(recipe, warehouse, instance, names, engines=engines)
        assert not killed.success and DyingTeacher.num_calls == dies_at and not warehouse.has_table(asset)
        monkeypatch.setattr(DyingTeacher, "dies_at", 10**9)
        assert materialize(recipe, warehouse, instance, names, engines=engines).success
    for name in PROMPT_ASSETS:
        assert warehouse.table_path(name).read_bytes() == of_whole.table_path(name).read_bytes()
    synthesis = sum(_calls_made(made[3], name) for name in PROMPT_ASSETS[:3])
    assert DyingTeacher.num_calls == synthesis


def _calls_made(result: dg.ExecuteInProcessResult, name: str) -> int:
    (made,) = result.asset_materializations_for_node(name)
    return int(str(made.metadata["num_calls_made"].value))


def test_what_makes_which_asset_anew(made: Made) -> None:
    recipe, warehouse, instance, _ = made
    follows = {"prompted_samples", "scored_prompted_samples", "reward_filtered_set", "training_mix"}

    def changed(**section: Any) -> set[str]:
        return set(stale(with_prompts(recipe, **section), warehouse, instance)) & set(TO_THE_PROMPTED_MIX)

    threshold = {"value": 0.9, "reason": "for the tests, of this length"}
    assert changed(min_constraint_share=threshold) == set()
    assert changed(prompt_temperature=0.7) == {"synthetic_prompts", *follows}
    assert changed(topic_temperature=0.7) == {"prompt_topics", "synthetic_prompts", *follows}
    assert changed(max_new_tokens={"topics": 41, "prompt": 31, "turn": 22}) == {"synthetic_prompts", *follows}
    answers = recipe.generation.model_copy(update={"response_temperature": 0.3})
    assert set(PROMPT_ASSETS[2:]) <= set(stale(recipe.model_copy(update={"generation": answers}), warehouse, instance))
    assert "prompt_topics" not in stale(recipe.model_copy(update={"generation": answers}), warehouse, instance)


def test_leaf_nodes_that_are_lost_or_changed_are_made_again(made: Made) -> None:
    recipe, warehouse, instance, result = made
    assert result.success
    leaves, file = warehouse.read_table("generated_leaf_nodes"), warehouse.table_path("generated_leaf_nodes")
    before = file.read_bytes()
    assert not set(stale(recipe, warehouse, instance)) & set(TO_THE_PROMPTED_MIX)
    try:
        warehouse.write_table("generated_leaf_nodes", leaves.head(2))
        assert "prompt_topics" in stale(recipe, warehouse, instance)
        file.unlink()
        assert "prompt_topics" in stale(recipe, warehouse, instance)
        assert materialize(recipe, warehouse, instance, ["prompt_topics"], engines=PROMPTING_ENGINES).success
        assert file.read_bytes() == before
    finally:
        file.write_bytes(before)
    assert not set(stale(recipe, warehouse, instance)) & set(TO_THE_PROMPTED_MIX)


def test_failed_calls_are_asked_again_on_demand(tmp_path: Path) -> None:
    class Failing(PromptingTeacher):
        is_broken = True

        def generate(
            self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
        ) -> list[GenerationResult]:
            results = super().generate(requests)
            for position, request in enumerate(requests):
                if Failing.is_broken and request.max_new_tokens == 31 and request.seed % 3 == 0:
                    results[position] = GenerationResult("", "error", error="too long")
                if on_result:
                    on_result(position, results[position])
            return results

    @contextmanager
    def open_failing(spec: ModelSpec, folder: Path | None = None) -> Iterator[Failing]:
        yield Failing()

    recipe, warehouse = prompted_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    names = ["taxonomy", "seed_examples", "document_chunks", "prompt_topics", "synthetic_prompts"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, names, engines=Engines(open_failing))
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        assert failed == {"few_prompts_failed"} and not result.success  # which blocks what follows
        rows = warehouse.read_table("rejected_samples").filter(pl.col("outcome") == "failed")
        assert set(rows["stage"]) == {"prompt_synthesis"} and set(rows["rejection_reason"]) == {"engine_error"}
        assert {"synthetic_prompts"} <= set(stale(recipe, warehouse, instance, "failed")) - {"prompt_topics"}
        Failing.is_broken = False
        assert materialize(recipe, warehouse, instance, names, engines=Engines(open_failing, retry=("failed",))).success
        assert warehouse.read_table("rejected_samples").filter(pl.col("outcome") == "failed").is_empty()


def test_a_teacher_that_says_nothing_of_use_warns_and_the_seeds_go_on(tmp_path: Path) -> None:
    class Mute(PromptingTeacher):
        def _text(self, request: GenerationRequest) -> str:
            return "I'm sorry, but I can't help." if request.max_new_tokens in (41, 31, 21) else super()._text(request)

    @contextmanager
    def open_mute(spec: ModelSpec, folder: Path | None = None) -> Iterator[Mute]:
        yield Mute()

    recipe, warehouse = prompted_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        engines = Engines(open_mute, open_made_reward_model)
        result = materialize(recipe, warehouse, instance, TO_THE_PROMPTED_MIX, engines=engines)
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert result.success, failed
    assert failed == {
        "topic_lists_are_full", "prompt_quotas_are_met", "synthetic_prompts_has_rows", "prompted_samples_has_rows",
        "scored_prompted_samples_has_rows", "constraints_are_followed",
    }  # fmt: skip
    assert set(
        warehouse.read_table("rejected_samples").filter(pl.col("stage") == "prompt_synthesis")["rejection_reason"]
    ) == {"refusal"}


def test_a_leaf_in_the_generated_branch_is_left_aside_with_its_fault(tmp_path: Path) -> None:
    """Else its rows would be read as a teacher's, whether or not the recipe has prompts from topics."""
    recipe = prompted_recipe(tmp_path)
    leaf = tmp_path / "taxonomy/foundational_skills/counting/qna.yaml"
    other = tmp_path / f"taxonomy/{GENERATED_BRANCH}/mine/qna.yaml"
    other.parent.mkdir(parents=True)
    other.write_text(leaf.read_text(encoding="utf-8"), encoding="utf-8")
    for each in (recipe, recipe.model_copy(update={"prompt_synthesis": None})):
        (fault,) = material_of_files(each).faults
        assert (fault.file, fault.line, fault.value) == (str(other), 1, f"{GENERATED_BRANCH}/mine")
        assert "kept for topics of prompt_synthesis" in fault.message and "another folder" in fault.expected
        assert f"{GENERATED_BRANCH}/mine" not in {leaf.leaf_path for leaf in material_of_files(each).leaf_nodes}
        strict = each.model_copy(update={"taxonomy": each.taxonomy.model_copy(update={"strict": True})})
        with pytest.raises(TaxonomyError, match="kept for topics"):
            material_of_files(strict)
    said = recipe.model_dump(mode="json")
    said["taxonomy"]["data_sets"] = [{
        "path": "a.jsonl", "leaf_path": f"{GENERATED_BRANCH}/maths/sums", "question": "q", "answer": "a",
        "task_description": "Add.", "created_by": "me",
    }]  # fmt: skip
    with pytest.raises(ValidationError, match="another path: foundational_skills/generated is kept for topics"):
        Recipe.model_validate_json(json.dumps(said))


def test_a_recipe_without_the_section_has_nothing_of_it(tmp_path: Path) -> None:
    plain, prompted = made_recipe(tmp_path), prompted_recipe(tmp_path)
    names = [asset.key.path[-1] for asset in assets_of(plain)]
    assert not set(names) & set(PROMPT_ASSETS) and not set(check_keys(plain)) & set(PROMPT_ASSETS)
    assert {asset.key.path[-1] for asset in assets_of(prompted)} == {*names, *PROMPT_ASSETS}
    for name in TO_THE_MIX:
        is_other = name == "training_mix"  # which holds topics out by area
        assert (code_version(name, plain) != code_version(name, prompted)) == is_other
    assert "prompt_synthesis" not in plain.model_dump(exclude_none=True) and plain.fingerprint() != prompted.fingerprint()


def test_judges_decide_over_prompts_as_over_other_samples(tmp_path: Path) -> None:
    """Without a reward model their verdicts are the reward, and what they refuse is a row with their words."""

    class JudgingTeacher(MadeJudge, PromptingTeacher):
        pass

    @contextmanager
    def open_judging(spec: ModelSpec, folder: Path | None = None) -> Iterator[JudgingTeacher]:
        yield JudgingTeacher()

    recipe, warehouse = with_prompts(judged_recipe(tmp_path)), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, TO_THE_PROMPTED_MIX, engines=Engines(open_judging))
        assert result.success
    scored = warehouse.read_table("scored_prompted_samples")
    assert scored.height and set(scored["reward_model"]) == {""} and set(scored["reward"]) == {1.0}
    verdicts = warehouse.read_table("prompted_samples").select("kind", pl.col("verdicts").list.len()).unique()
    assert set(verdicts.rows()) <= {(kind, 3 if kind == "closed_question" else 2) for kind in PROMPT_KINDS}
    ended = warehouse.read_table("rejected_samples").filter(pl.col("stage") == "answering")
    assert {"off_task", "low_pair_score"} & set(ended["rejection_reason"])


@pytest.mark.slow
def test_reports_student_and_export_take_both_kinds(tmp_path: Path, tiny_teacher: Path) -> None:
    recipe, warehouse = prompted_recipe(tmp_path, tiny_teacher), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        names = [asset.key.path[-1] for asset in assets_of(recipe)]
        result = materialize(recipe, warehouse, instance, names, engines=PROMPTING_ENGINES)
        assert result.success, [c.check_name for c in result.get_asset_check_evaluations() if not c.passed and c.blocking]
        assert stale(recipe, warehouse, instance) == []
        two = warehouse.read_table("prompted_samples").filter(pl.col("kind") == "two_turn")["synthetic_sample_id"]
        trained = warehouse.read_table("training_mix").filter(pl.col("synthetic_sample_id").is_in(two.implode()))
        traced = trace_sample(recipe, warehouse, trained["synthetic_sample_id"][0], PROMPTING_ENGINES)
        assert traced["student_answers"] and traced["checkpoint"]
        page = (warehouse.folder / f"artefacts/reports/{result.run_id}/trust.html").read_text(encoding="utf-8")
        assert "from topics that it named or was given" in page
    measures = dict(warehouse.read_table("measures").select("measure", "value").iter_rows())
    assert measures["leaf_coverage"] == 1 and measures["max_depth"] == 1
    splits = dataset_splits(recipe, warehouse)
    rows = pl.concat([splits["train"], splits["validation"]])
    turns = rows.filter(pl.col("leaf_path").str.starts_with(GENERATED_BRANCH))["messages"]
    assert {len(each) for each in turns} == {2, 4} and rows["teacher"].null_count() == 0
    assert [turn["role"] for turn in max(turns, key=len)] == ["user", "assistant"] * 2
    card = dataset_card(recipe, warehouse, splits)
    assert "answer prompts that the teacher made up" in card and escape(f"{GENERATED_BRANCH}/general") in card
