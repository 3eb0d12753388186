"""The jobs, and how their steps become processes.

Every step is a process of its own: vLLM and torch each change the process in which they run, and memory comes back
for certain. A forkserver that has imported this package, and what most steps need beside it, starts them: a step begins
in about a second on a busy machine, instead of the five or more that imports take. Nothing that it imports computes
anything before the fork. Two steps at a time: the stages follow one another, so the second place goes to checks, and no
two models are ever in memory together.
"""

import dagster as dg

JOB_NAME = "synthesize"
CHECK_JOB_NAME = "examine"
PRELOADED = ("synth_assets.definitions", "great_expectations", "matplotlib.backends.backend_agg", "matplotlib.figure")

synthesize = dg.define_asset_job(
    JOB_NAME,
    selection=dg.AssetSelection.all(),
    description="The whole pipeline: from the taxonomy's files to a tuned and examined student.",
)

examine = dg.define_asset_job(
    CHECK_JOB_NAME,
    selection=dg.AssetSelection.all_asset_checks(),
    description="Only the checks, on the tables as they are: after a threshold was changed.",
)

step_executor = dg.multiprocess_executor.configured(
    {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": list(PRELOADED)}}}
)
