"""The gates: one check a stage's expectation, each by its name, judged by Great Expectations.

A check is a step of its own: it reads the stored tables again, so no verdict is computed inside the asset that it
judges, and what is judged is what the next stage will read. An expectation that could not be judged has failed. Where
going on would be wrong a check blocks: what comes after is not made in the same run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.quality import ExpectationResult, Suite, judge_stage, suite_id, suites_of, write_data_docs
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse

DATA_DOCS = "data_docs"
_EVALUATED = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
_NUM_RUNS_AT_ONCE = 10


def check_keys(recipe: Recipe, *, only_blocking: bool = False) -> dict[str, list[dg.AssetCheckKey]]:
    """The keys of all checks, or of those that block, by asset, in pipeline order."""
    return {
        name: [
            dg.AssetCheckKey(dg.AssetKey(name), expectation.name)
            for expectation in suite.expectations
            if expectation.is_blocking or not only_blocking
        ]
        for name, suite in _suites(recipe).items()
    }


def last_verdict(key: dg.AssetCheckKey, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation | None:
    """What the check said of what was made last of all that it has judged; None if it has never run.

    Dagster's own latest record may be that of a run that has only planned the check, and perhaps was killed before it.
    """
    storage = instance.event_log_storage
    records = storage.get_asset_check_execution_history(key, limit=_NUM_RUNS_AT_ONCE, status=_EVALUATED)
    found = [record.evaluation for record in records if record.evaluation]
    return max(found, key=_position_judged, default=None)  # of equals the first, which is the latest


def _position_judged(evaluation: dg.AssetCheckEvaluation) -> int:
    judged = evaluation.target_materialization_data
    return judged.storage_id if judged else -1


def stops(verdict: dg.AssetCheckEvaluation | None) -> bool:
    """Whether it is that of a check that blocks and has failed."""
    return verdict is not None and bool(verdict.blocking) and not verdict.passed


def stage_checks(recipe: Recipe) -> list[dg.AssetChecksDefinition]:
    """One step a stage, one check an expectation."""
    return [_checks_of(suite) for suite in _suites(recipe).values()]


def _suites(recipe: Recipe) -> dict[str, Suite]:
    """Those of the assets that the recipe has."""
    return {name: suite for name, suite in suites_of(recipe).items() if INGREDIENTS[name].is_declared(recipe)}


def data_docs_folder(warehouse: Warehouse) -> Path:
    return warehouse.artefact_dir(DATA_DOCS, "all_stages")


def _checks_of(suite: Suite) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(
            expectation.name,
            asset=suite.name,
            description=f"{expectation.expected}. Why: {expectation.reason}.",
            blocking=expectation.is_blocking,
        )
        for expectation in suite.expectations
    ]

    @dg.multi_asset_check(name=f"{suite.name}_checks", specs=specs)
    def checks(recipe: dg.ResourceParam[Recipe], warehouse: dg.ResourceParam[Warehouse]) -> Iterator[dg.AssetCheckResult]:
        tables = {name: warehouse.read_table(name) for name in suite.tables}
        results = judge_stage(suite, tables, recipe)
        index = write_data_docs(suite.name, results, data_docs_folder(warehouse))
        judged_by = suite_id(suite, recipe)
        for result in results:
            yield _result(suite.name, result, index, judged_by)

    return checks


def _result(asset: str, result: ExpectationResult, index: Path, suite: str) -> dg.AssetCheckResult:
    severity = dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {
        "observed": result.observed,
        "expected": result.expected,
        "data_docs": dg.MetadataValue.path(str(index)),
        "suite_id": suite,
    }
    if result.error:
        metadata["could_not_be_judged"] = result.error
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=result.name,
        passed=result.is_passed,
        severity=severity,
        metadata=metadata,
        description=f"{result.error or result.observed} ({result.reason})",
    )
