"""The job, when it runs by itself, and how its steps become processes.

Every step is a process of its own: vLLM and torch each change the process in which they run, and memory comes back
for certain. A forkserver that has imported this package, and what most steps need beside it, starts them: a step begins
in about a second on a busy machine, instead of the five or more that imports take. Nothing that it imports computes
anything before the fork. Two steps at a time: the stages follow one another, so the second place goes to checks, and no
two models are ever in memory together.
"""

import dagster as dg

from synth_assets.recipe import ScheduleSection

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


def nightly_schedule(settings: ScheduleSection) -> dg.ScheduleDefinition:
    """Runs the job at the recipe's hour; on as soon as a daemon runs."""
    return dg.ScheduleDefinition(
        name="nightly",
        job=synthesize,
        cron_schedule=settings.cron,
        execution_timezone=settings.timezone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Makes the data set and the student anew every night, from what the taxonomy then holds.",
    )
