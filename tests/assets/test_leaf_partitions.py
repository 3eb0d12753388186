"""Leaves as partitions: what is changed is made again, and nothing else."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from made_pipeline import ASSETS_TO_THE_MIX, MADE_ENGINES, TO_THE_MIX, MadeTeacher, made_recipe, materialize

from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import Plan, plan_run
from synth_assets.assets.leaf_partitions import LEAF_NODES, MAX_SLUG, bring_up_to_date, partition_key
from synth_assets.assets.resources import Engines
from synth_assets.errors import EngineError
from synth_assets.recipe import Recipe, Threshold
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult, TextModel
from synth_assets.storage import Warehouse, read_journal

COUNTING, NAMING, TOWNS = "foundational_skills/counting", "compositional_skills/naming", "knowledge/towns"
MADE = ASSETS_TO_THE_MIX
NEXT = ["reward_filtered_set", "training_mix"]


class Made:
    """A pipeline that was made once, to be changed."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.recipe: Recipe = made_recipe(folder)
        self.warehouse = Warehouse(folder / "warehouse")
        self.instance = instance
        self.taxonomy = folder / "taxonomy"
        assert materialize(self.recipe, self.warehouse, instance).success
        assert self.plan() == Plan([], [], [NAMING, COUNTING, TOWNS], [], [])

    def plan(self) -> Plan:
        return plan_run(MADE, check_keys(self.recipe), self.recipe, self.warehouse, self.instance)

    def make_what_is_stale(self) -> dg.ExecuteInProcessResult:
        plan = self.plan()
        return materialize(self.recipe, self.warehouse, self.instance, plan.assets, plan.leaf_paths)

    def rows(self, table: str = "synthetic_samples") -> dict[str, list[str]]:
        frame = self.warehouse.read_table(table).select("leaf_path", "synthetic_sample_id")
        return {
            str(key[0]): part["synthetic_sample_id"].to_list()
            for key, part in frame.partition_by("leaf_path", as_dict=True).items()
        }

    def num_calls(self) -> int:
        return sum(1 for _ in read_journal(self.warehouse.folder / "journal"))


@pytest.fixture
def made(tmp_path: Path) -> "Made":  # type: ignore[misc]
    with dg.DagsterInstance.ephemeral() as instance:
        yield Made(tmp_path, instance)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_only_calls_that_failed_are_asked_again(tmp_path: Path) -> None:
    """With `retry` the leaf of a failed answer is made again, at the price of that answer and its reward."""
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    lenient = {"max_failed_share": Threshold(value=0.5, reason="this test makes one fail")}
    recipe = recipe.model_copy(update={"quality": recipe.quality.model_copy(update=lenient)})
    failed: list[GenerationRequest] = []

    class Stumbling(MadeTeacher):
        def generate(
            self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None
        ) -> list[GenerationResult]:
            results = super().generate(requests)
            for position, request in enumerate(requests):
                if not failed and len(request.messages) > 1 and "Count" in request.messages[0].content:
                    failed.append(request)
                    results[position] = GenerationResult("", "error", error="the line is dead")
                if on_result:
                    on_result(position, results[position])
            return results

    engines = replace(MADE_ENGINES, open_text_model=lambda spec, folder=None: nullcontext(Stumbling()))
    keys = check_keys(recipe)

    def calls() -> int:
        return sum(1 for _ in read_journal(warehouse.folder / "journal"))

    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, engines=engines).success
        ended = warehouse.read_table("rejected_samples").filter(pl.col("outcome") == "failed")
        assert ended["leaf_path"].to_list() == [COUNTING]
        assert plan_run(MADE, keys, recipe, warehouse, instance, ["truncated"]).assets == []
        plan = plan_run(MADE, keys, recipe, warehouse, instance, ["failed"])
        assert plan.leaf_paths == [COUNTING] and plan.assets == list(TO_THE_MIX[3:])
        before = calls()
        again = replace(engines, retry=("failed",))
        assert materialize(recipe, warehouse, instance, plan.assets, plan.leaf_paths, again).success
        assert plan_run(MADE, keys, recipe, warehouse, instance, ["failed"]).assets == []
    assert calls() - before == 2  # the answer that had failed, and its reward
    assert warehouse.read_table("rejected_samples").filter(pl.col("outcome") == "failed").is_empty()


def test_an_edited_leaf_is_made_again_and_no_other(made: Made) -> None:
    before, scores, calls = made.rows(), made.rows("scored_samples"), made.num_calls()
    change(made.taxonomy / COUNTING / "qna.yaml", "Count to", "Count up to")
    plan = made.plan()
    assert plan.leaf_paths == [COUNTING] and plan.assets == list(TO_THE_MIX)
    result = made.make_what_is_stale()
    assert result.success
    for name in ("synthetic_samples", "scored_samples"):
        events = result.asset_materializations_for_node(name)
        assert [event.partition for event in events] == [partition_key(COUNTING)]
        assert events[0].metadata["leaf_path"].value == COUNTING
    after = made.rows()
    assert {path for path in before if before[path] != after[path]} == {COUNTING}
    assert {path for path in scores if scores[path] != made.rows("scored_samples")[path]} == {COUNTING}
    assert made.num_calls() - calls == 8 * 2  # instructions and responses of its eight samples
    assert made.plan().assets == []


def test_a_comment_makes_no_leaf_anew(made: Made) -> None:
    before, calls = made.rows(), made.num_calls()
    file = made.taxonomy / COUNTING / "qna.yaml"
    file.write_text("# reviewed\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert made.plan().leaf_paths == [] and made.plan().assets == ["taxonomy", "seed_examples", "document_chunks"]
    assert made.make_what_is_stale().success
    assert (made.rows(), made.num_calls(), made.plan().assets) == (before, calls, [])


def test_a_new_leaf_is_made_and_no_other(made: Made) -> None:
    before = made.rows()
    new = made.taxonomy / "compositional_skills/new one, with a comma/qna.yaml"
    new.parent.mkdir()
    new.write_text((made.taxonomy / NAMING / "qna.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    path = "compositional_skills/new one, with a comma"
    assert made.plan().leaf_paths == [path]
    assert made.make_what_is_stale().success
    after = made.rows()
    assert len(after.pop(path)) == 8 and after == before


def test_a_removed_leaf_is_retired(made: Made) -> None:
    before, calls = made.rows(), made.num_calls()
    (made.taxonomy / COUNTING / "qna.yaml").unlink()
    plan = made.plan()
    assert plan.retired == [COUNTING] and plan.leaf_paths == []
    assert plan.assets == ["taxonomy", "seed_examples", "document_chunks", *NEXT]
    result = made.make_what_is_stale()
    assert result.success, [c for c in result.get_asset_check_evaluations() if not c.passed]
    (event,) = result.asset_materializations_for_node("taxonomy")
    assert "counting | 8" in str(event.metadata["retired_leaf_nodes"].value)
    del before[COUNTING]
    assert made.rows() == made.rows("scored_samples") == before
    assert COUNTING not in {*made.rows("reward_filtered_set"), *made.rows("rejected_samples")}
    assert COUNTING not in made.warehouse.read_table("stage_counts")["leaf_path"].to_list()
    assert partition_key(COUNTING) not in made.instance.get_dynamic_partitions(str(LEAF_NODES.name))
    assert made.num_calls() == calls and made.plan().assets == []


def test_a_leaf_whose_rows_were_lost_is_made_from_the_journal(made: Made) -> None:
    before, calls = made.rows(), made.num_calls()
    samples = made.warehouse.read_table("synthetic_samples")
    made.warehouse.write_table("synthetic_samples", samples.filter(samples["leaf_path"] != TOWNS))
    assert TOWNS in made.plan().leaf_paths
    assert made.make_what_is_stale().success
    assert (made.rows(), made.num_calls()) == (before, calls)


def test_a_run_that_was_broken_off_leaves_only_its_own_leaves_to_make(made: Made) -> None:
    @contextmanager
    def broken(*_: object, **__: object) -> Iterator[TextModel]:
        raise EngineError("the engine has died")
        yield

    change(made.taxonomy / COUNTING / "qna.yaml", "Count to", "Count up to")
    plan = made.plan()
    engines = Engines(broken, broken)  # type: ignore[arg-type]
    names, leaves = plan.assets, plan.leaf_paths
    assert not materialize(made.recipe, made.warehouse, made.instance, names, leaves, engines).success
    assert made.plan().leaf_paths == [COUNTING]
    assert made.make_what_is_stale().success and made.plan().assets == []


def test_a_leaf_that_cannot_be_read_any_more_is_named_and_comes_back_for_nothing(made: Made) -> None:
    before, calls = made.rows(), made.num_calls()
    file = made.taxonomy / COUNTING / "qna.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text("version: [3\n" + text, encoding="utf-8")
    plan = made.plan()
    assert plan.retired == [COUNTING] and len(plan.faults) == 1 and "qna.yaml:" in plan.faults[0]
    assert made.make_what_is_stale().success and COUNTING not in made.rows()
    file.write_text(text, encoding="utf-8")
    assert made.plan().leaf_paths == [COUNTING]
    assert made.make_what_is_stale().success
    assert (made.rows(), made.num_calls()) == (before, calls)


def test_keys_are_plain_short_and_never_the_same() -> None:
    paths = ["a/b", "a.b", "a b", "a,b", "a/ü", "a/ö", "a" * 300, "a" * 301, "a/b/c", "../x"]
    keys = [partition_key(path) for path in paths]
    assert keys[0] == "a.b" and len(set(keys)) == len(keys)
    assert all(len(key) <= MAX_SLUG + 9 and not set(key) & set(", /[]") for key in keys)


def test_keys_follow_the_taxonomy() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert bring_up_to_date(instance, ["b", "a"]) == []
        assert bring_up_to_date(instance, ["b", "c"]) == ["a"]
        assert sorted(instance.get_dynamic_partitions("leaf_nodes")) == ["b", "c"]
