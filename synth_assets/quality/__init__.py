"""What is held against every stage: measures, suites of checks as plain data, and Great Expectations to judge them.

Importing this package is light; Great Expectations is loaded when a suite is run.
"""

from synth_assets.quality.data_docs import write_data_docs
from synth_assets.quality.estimates import Estimate, hold, insufficient, not_assessed
from synth_assets.quality.expectations import Expectation, ExpectationResult, Suite
from synth_assets.quality.gates import gates_of, hold_all
from synth_assets.quality.great_expectations_bridge import judge_stage, run_suite
from synth_assets.quality.measures import MEASURES_SCHEMA, measure_stage
from synth_assets.quality.suites import suite_id, suites_of

__all__ = [
    "MEASURES_SCHEMA",
    "Estimate",
    "Expectation",
    "ExpectationResult",
    "Suite",
    "gates_of",
    "hold",
    "hold_all",
    "insufficient",
    "judge_stage",
    "measure_stage",
    "not_assessed",
    "run_suite",
    "suite_id",
    "suites_of",
    "write_data_docs",
]
