"""Plain expectations -> verdicts of Great Expectations, which is imported late, here and for the Data Docs.

What Great Expectations (1.24) would let pass is caught before it is asked: it takes NaN for null and leaves nulls out,
and it passes an empty table. What it reports in a hidden place is looked for: an error inside an expectation comes
back as a mere failure, with the exception under the id of a metric. Both become failures with words of their own.

Frames go in as pandas, since Polars frames are not understood.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import polars as pl

from synth_assets.quality.expectations import MEASURES_TABLE, Expectation, ExpectationResult, Suite
from synth_assets.quality.measures import measure_stage
from synth_assets.recipe import Recipe

Frames = Mapping[str, pl.DataFrame]
_NUM_SHOWN = 3


def judge_stage(suite: Suite, tables: Frames, recipe: Recipe) -> list[ExpectationResult]:
    """Measure the stored tables of a stage (`suite.tables`) and run its suite on them: one result an expectation."""
    try:
        frames = {**tables, MEASURES_TABLE: measure_stage(suite.name, tables, recipe)}
    except Exception as error:
        return run_suite(suite, tables, f"the measures cannot be computed: {type(error).__name__}: {error}")
    return run_suite(suite, frames)


def run_suite(suite: Suite, frames: Frames, measures_error: str = "") -> list[ExpectationResult]:
    """One result for each expectation, in order. What cannot be judged has failed, and `error` says why."""
    results = []
    batches: dict[tuple[object, ...], Any] = {}
    for expectation in suite.expectations:
        frame = frames.get(expectation.table)
        if frame is None:
            missing = measures_error if expectation.table == MEASURES_TABLE else ""
            results.append(_failed(expectation, missing or f"table {expectation.table} was not given"))
            continue
        try:
            for column, value in expectation.where:
                frame = frame.filter(pl.col(column) == value)
            if words := _why_not_assessed(expectation, frame):
                results.append(_result(expectation, True, words))
                continue
            frame = _assessed(expectation, frame)
            if error := _obstacle(expectation, frame):
                results.append(_failed(expectation, error))
            elif not frame.height and expectation.may_be_empty:
                results.append(_result(expectation, True, "no rows, which is allowed"))
            else:
                key = (expectation.table, expectation.where)
                if key not in batches:
                    batches[key] = _batch(expectation, frame)
                results.append(_judged(expectation, batches[key], frame))
        except Exception as problem:
            results.append(_failed(expectation, f"{type(problem).__name__}: {problem}"))
    return results


def _why_not_assessed(expectation: Expectation, frame: pl.DataFrame) -> str:
    """In words, of a measure that has no figure for any subject."""
    if expectation.table != MEASURES_TABLE or not frame.height or frame["value"].null_count() < frame.height:
        return ""
    reasons = frame["words"].unique(maintain_order=True).head(_NUM_SHOWN)
    return "not assessed: " + "; ".join(map(str, reasons))


def _assessed(expectation: Expectation, frame: pl.DataFrame) -> pl.DataFrame:
    """Without the subjects that could not be assessed, which the report names."""
    return frame.drop_nulls("value") if expectation.table == MEASURES_TABLE else frame


def _obstacle(expectation: Expectation, frame: pl.DataFrame) -> str:
    """Why the frame cannot be judged, or nothing. Tables as a whole (row counts) may be judged empty."""
    missing = [column for column in expectation.columns if column not in frame.columns]
    if missing:
        return f"column {', '.join(missing)} is missing; there are {', '.join(frame.columns)}"
    if expectation.kind.startswith("expect_table_"):
        return ""
    if not frame.height:
        return "" if expectation.may_be_empty else "there are no rows, so nothing was checked"
    for column in expectation.columns:
        series = frame[column]
        if series.dtype.is_float() and (num := int(series.is_nan().sum())):
            return f"{num} of {series.len()} values of {column} are NaN{_subjects(frame, series.is_nan())}"
        if not expectation.allows_null and (num := series.null_count()):
            return f"{num} of {series.len()} values of {column} are null"
    return ""


def _subjects(frame: pl.DataFrame, rows: pl.Series) -> str:
    if "subject" not in frame.columns:
        return ""
    return ": " + ", ".join(map(str, frame.filter(rows.fill_null(False))["subject"].head(_NUM_SHOWN)))


def _open_context() -> Any:
    """One that sends nothing, draws no progress bars, and leaves no folder behind."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when great_expectations is imported
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    configuration = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False), analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )  # fmt: skip
    return great_expectations.get_context(mode="ephemeral", project_config=configuration)


def _batch(expectation: Expectation, frame: pl.DataFrame) -> Any:
    asset = _open_context().data_sources.add_pandas("synth_assets").add_dataframe_asset(expectation.table)
    plain = [name for name, dtype in frame.schema.items() if not dtype.is_nested()]
    definition = asset.add_batch_definition_whole_dataframe("whole")
    return definition.get_batch({"dataframe": frame.select(plain).to_pandas()})


def _judged(expectation: Expectation, batch: Any, frame: pl.DataFrame) -> ExpectationResult:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    severity = "critical" if expectation.is_blocking else "warning"
    configuration = ExpectationConfiguration(
        type=expectation.kind, kwargs=dict(expectation.kwargs), severity=severity, notes=expectation.reason
    )
    result = batch.validate(configuration.to_domain_obj())
    document = result.to_json_dict()
    if error := _exception_in(document.get("exception_info")):
        return _failed(expectation, error)
    is_measure = expectation.table == MEASURES_TABLE
    observed = _measured(expectation, frame) if is_measure else _observed(document["result"])
    return _result(expectation, result.success is True, observed, document=json.dumps(document))


def _exception_in(info: Any) -> str:
    """The first exception's message, however deep Great Expectations has put it."""
    if not isinstance(info, dict):
        return ""
    if info.get("raised_exception"):
        return str(info.get("exception_message") or "an exception without message")
    return next((message for part in info.values() if (message := _exception_in(part))), "")


def _observed(result: dict[str, Any]) -> str:
    if "observed_value" in result:
        value = result["observed_value"]
        return str([_plain(part) for part in value]) if isinstance(value, list) else str(_plain(value))
    text = f"{result.get('unexpected_count', 0)} of {result.get('element_count', 0)} values are not as expected"
    shown = [str(value)[:80] for value in result.get("partial_unexpected_list", [])[:_NUM_SHOWN]]
    return text + (": " + ", ".join(shown) if shown else "")


def _measured(expectation: Expectation, measures: pl.DataFrame) -> str:
    """The measure's value with its threshold; of many, those that lie beyond it, worst first, or the one closest to it."""
    margin = pl.col(str(expectation.kwargs["column_A"])) - pl.col(str(expectation.kwargs["column_B"]))
    ordered = measures.with_columns(margin=margin).sort("margin")
    beyond = ordered.filter(pl.col("margin") < 0)
    if measures.height == 1 or not beyond.height:
        row = ordered.row(0, named=True)
        text = _with_threshold(row)
        if measures.height > 1:
            text = f"{row['subject']}: {text}, the closest of {measures.height}"
        return f"{text}. {row['words']}" if row["words"] else text
    shown = beyond.head(_NUM_SHOWN).iter_rows(named=True)
    text = "; ".join(
        f"{row['subject']}: {_with_threshold(row)}" + (f", {row['words']}" if row["words"] else "") for row in shown
    )
    more = f"; and {beyond.height - _NUM_SHOWN} more" if beyond.height > _NUM_SHOWN else ""
    return f"{beyond.height} of {measures.height} are beyond it: {text}{more}"


def _with_threshold(row: Mapping[str, Any]) -> str:
    return f"{row['value']:.4g} (threshold {row['threshold']:.4g})"


def _plain(value: Any) -> Any:
    """A NumPy number as Python prints it."""
    return value.item() if hasattr(value, "item") else value


def _result(
    expectation: Expectation, is_passed: bool, observed: str, error: str = "", document: str = ""
) -> ExpectationResult:
    return ExpectationResult(
        expectation.name, is_passed, expectation.is_blocking, observed, expectation.expected, expectation.reason,
        error, document,
    )  # fmt: skip


def _failed(expectation: Expectation, error: str) -> ExpectationResult:
    return _result(expectation, False, "not judged", error)
