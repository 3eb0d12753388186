"""A recipe with judges and without a reward model, through Dagster: calibration, refusals, rewards, traces, currency."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from synth_assets.assets import recipe_parts
from synth_assets.assets.checks import check_keys
from synth_assets.assets.currency import plan_run
from synth_assets.assets.resources import Engines
from synth_assets.assets.status import read_status, status_text
from synth_assets.definitions import assets_of
from synth_assets.judging import JUDGES, write_judgement
from synth_assets.recipe import ModelSpec, Recipe
from synth_assets.roles import GenerationRequest, GenerationResult, OnResult
from synth_assets.storage import Warehouse
from synth_assets.trace import trace_sample, trace_text
from tests.made_pipeline import TO_THE_MIX, MadeTeacher, made_recipe, materialize

MADE = (*TO_THE_MIX, "judge_calibration")


class MadeJudge(MadeTeacher):
    """A teacher that judges too: seeds and half of what it wrote itself are good, by the length of the prompt."""

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = super().generate(requests)
        for position, request in enumerate(requests):
            if request.schema:
                prompt = request.messages[0].content
                results[position] = GenerationResult(self._judge(request), "stop", prompt, 5, 3, -0.5)
        for position, result in enumerate(results if on_result else ()):
            on_result(position, result)
        return results

    def _judge(self, request: GenerationRequest) -> str:
        prompt = request.messages[0].content
        verdicts = json.loads(request.schema)["properties"]["verdict"]["enum"]
        is_quoting = "say so?" in prompt
        judge = next(each for each in JUDGES.values() if [*each.verdicts] == verdicts and each.quotes_span == is_quoting)
        digits = [letter for letter in prompt if letter.isdigit()]
        is_good = "What are" not in prompt or (int(digits[-1]) % 2 == 0 and self._likes(prompt))
        span = prompt.split("Text: ")[1].split("\n")[0] if judge.quotes_span else None
        return write_judgement(judge.name, "so it seems", judge.verdicts[-1 if is_good else 0], span)

    def _likes(self, prompt: str) -> bool:
        return True


class NamingJudge(MadeJudge):
    """Writes of women and men alike, and judges them alike."""

    def _text(self, request: GenerationRequest) -> str:
        return f"{'Anna' if request.seed // 10 % 2 else 'Karl'} asks: {super()._text(request)}"


class BiasedJudge(NamingJudge):
    """Refuses two in three of what speaks of a woman."""

    def _likes(self, prompt: str) -> bool:
        return "Anna" not in prompt or (len(prompt) % 3 == 0 and prompt.count("0") % 2 == 0)


@contextmanager
def open_judge(spec: ModelSpec, folder: Path | None = None) -> Iterator[MadeJudge]:
    yield MadeJudge()


ENGINES = Engines(open_judge)


def judged_recipe(folder: Path, **changes: Any) -> Recipe:
    said = made_recipe(folder).model_dump(mode="json")
    bound = {"value": 0.5, "reason": "for the tests, of this length"}
    said["judges"] = {"min_true_positive_rate": bound, "max_false_positive_rate": bound} | changes
    said["reward_model"] = None
    said["reward"] = {"cut": {"mode": "absolute", "value": 0.5}}
    return Recipe.model_validate_json(json.dumps(said))


def test_judges_decide_and_their_verdicts_are_the_reward(tmp_path: Path) -> None:
    recipe, warehouse = judged_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, MADE, engines=ENGINES)
        assert result.success
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        assert "judges_refuse_bad_cases" in failed and "judges_accept_good_cases" not in failed  # seeds are all good to it
        samples, rejected = (warehouse.read_table(name) for name in ("synthetic_samples", "rejected_samples"))
        assert set(samples["verdicts"].list.len()) == {2, 3}
        by_reason = dict(rejected.group_by("rejection_reason").len().iter_rows())
        assert by_reason["off_task"] and by_reason["low_pair_score"] and by_reason["not_answerable"]
        scored = warehouse.read_table("scored_samples")
        assert scored["helpfulness"].null_count() == scored.height == samples.height
        assert set(scored["reward"]) == {1.0} and set(scored["reward_model"]) == {""}
        assert set(warehouse.read_table("judge_calibration")["spoiled_by"]) > {"none", "half_a_question"}
        assert plan_run(_assets(recipe), check_keys(recipe), recipe, warehouse, instance).assets == []


@pytest.mark.parametrize("judge", [NamingJudge(), BiasedJudge()])
def test_a_judge_that_refuses_one_group_stops_the_pipeline(tmp_path: Path, judge: NamingJudge) -> None:
    """All that it lets pass has the same reward: the cut of rewards would see nothing."""

    @contextmanager
    def open_this_judge(spec: ModelSpec, folder: Path | None = None) -> Iterator[MadeJudge]:
        yield judge

    said = judged_recipe(tmp_path).model_dump(mode="json")
    said["generation"] |= {"num_samples_per_leaf": 40, "budget_factor": 8}
    groups = {"gender": {"groups": {"women": ["Anna"], "men": ["Karl"]}}}
    said["trust"] = {"groups": groups, "min_reference_rows": 10}
    recipe, warehouse = Recipe.model_validate_json(json.dumps(said)), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(
            recipe, warehouse, instance, [*TO_THE_MIX, "diversity_report"], engines=Engines(open_this_judge)
        )
    measured = warehouse.read_table("measures").filter(pl.col("measure") == "acceptance_ratio")
    refused = warehouse.read_table("rejected_samples").filter(pl.col("rejection_reason") == "off_task")
    assert refused.height and not warehouse.read_table("rejected_samples")["rejection_reason"].is_in(["low_reward"]).any()
    is_biased = isinstance(judge, BiasedJudge)
    assert measured["verdict"].to_list() == ["failed" if is_biased else "insufficient_reference"]
    stopped = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed and check.blocking}
    assert ("acceptance_ratio_is_within_bounds" in stopped) == is_biased
    if is_biased:
        assert measured["subject"].to_list() == ["gender/women"]
        assert any(row_id in measured["detail"][0] for row_id in refused["synthetic_sample_id"])


def test_a_trace_shows_what_the_judges_were_asked_and_said(tmp_path: Path) -> None:
    recipe, warehouse = judged_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, TO_THE_MIX[:4], engines=ENGINES).success
    sample = warehouse.read_table("synthetic_samples").filter(pl.col("branch") == "knowledge").row(0, named=True)
    steps = [call["step"] for call in trace_sample(recipe, warehouse, sample["synthetic_sample_id"])["calls"]]
    assert steps == ["instruction", "judge of question", "response", "judge of faithfulness", "judge of relevance"]
    rejected = warehouse.read_table("rejected_samples")
    refused = rejected.filter(pl.col("rejection_reason") == "low_pair_score").row(0, named=True)
    traced = trace_sample(recipe, warehouse, refused["synthetic_sample_id"])
    assert [call["step"] for call in traced["calls"]] == ["instruction", "judge of instruction", "response", "judge of pair"]
    assert '"verdict": "1"' in trace_text(traced) and "Judge the response from 1 to 3." in trace_text(traced)


def test_other_judges_or_prompts_make_samples_anew_and_other_thresholds_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, warehouse = judged_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        assert "of the judges" in status_text(read_status(_assets(recipe), recipe, warehouse, instance))
        assert materialize(recipe, warehouse, instance, MADE, engines=ENGINES).success

        def stale(**changes: Any) -> list[str]:
            other = judged_recipe(tmp_path, **changes)
            return plan_run(_assets(other), check_keys(other), other, warehouse, instance).assets

        assert stale() == []
        assert stale(min_true_positive_rate={"value": 0.9, "reason": "for the tests, of this length"}) == []
        monkeypatch.setattr(recipe_parts, "prompts_id", lambda style, of_judges=False: f"other {of_judges}")
        assert {"synthetic_samples", "judge_calibration", "scored_samples"} <= set(stale())
        monkeypatch.undo()
        for change in ({"temperature": 0.5}, {"asked": ["instruction", "pair", "question"]}, {"max_new_tokens": 99}):
            assert {"synthetic_samples", "judge_calibration", "training_mix"} <= set(stale(**change)), change
        assert "judge_calibration" not in [asset.key.path[-1] for asset in assets_of(made_recipe(tmp_path))]


def _assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [asset for asset in assets_of(recipe) if asset.key.path[-1] in MADE]
