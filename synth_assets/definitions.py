"""What Dagster finds here, in pipeline order:

    taxonomy -> seed_examples -> document_chunks
             -> synthetic_samples -> scored_samples -> reward_filtered_set
             -> training_mix -> lora_checkpoint -> evaluation -> run_report

beside samples from seeds, in recipes with prompt synthesis, those from topics, which the filter takes as well:

    document_chunks -> prompt_topics -> synthetic_prompts -> prompted_samples -> scored_prompted_samples

with the reports on trust, whose gates stand before the student: fidelity_report, privacy_report, diversity_report and
collapse_report, and after it student_report

and, where the recipe has them, `preference_pairs` and `aligned_checkpoint` between the tuned student and its evaluation,
`reward_report`, `judge_calibration`, `comparisons` of open answers, and `harness_scores`, the figures of the
lm-evaluation-harness; the run's report waits for them.

Importing this module reads the recipe and nothing else: a wrong recipe is a RecipeError with file, line and remedy,
and no model library is loaded.
"""

import dagster as dg

from synth_assets.assets.alignment import aligned_checkpoint
from synth_assets.assets.automation import FRESHNESS, READ_FROM_FILES, automation
from synth_assets.assets.calibration import judge_calibration
from synth_assets.assets.checks import stage_checks
from synth_assets.assets.comparisons import comparisons
from synth_assets.assets.evaluation import evaluation
from synth_assets.assets.generation import synthetic_samples
from synth_assets.assets.harness import harness_scores
from synth_assets.assets.ingredients import INGREDIENTS
from synth_assets.assets.jobs import CHECK_JOB_NAME, JOB_NAME, examine, step_executor, synthesize
from synth_assets.assets.made_of import code_version
from synth_assets.assets.preferences import preference_pairs
from synth_assets.assets.prompting import prompt_topics, prompted_samples, synthetic_prompts
from synth_assets.assets.resources import Engines, declared_engines, declared_recipe, open_warehouse, resources
from synth_assets.assets.reward import reward_filtered_set, scored_prompted_samples, scored_samples
from synth_assets.assets.reward_report import reward_report
from synth_assets.assets.run_report import report_of_failed_runs, run_report
from synth_assets.assets.student_report import student_report
from synth_assets.assets.taxonomy import document_chunks, real_examples, seed_examples, taxonomy
from synth_assets.assets.trust import collapse_report, diversity_report, fidelity_report, privacy_report
from synth_assets.assets.tuning import lora_checkpoint, training_mix
from synth_assets.recipe import Recipe
from synth_assets.storage import Warehouse

ASSETS = (
    taxonomy,
    seed_examples,
    document_chunks,
    real_examples,  # of recipes that declare them
    synthetic_samples,
    prompt_topics,  # this and the next two: of recipes with prompt synthesis
    synthetic_prompts,
    prompted_samples,
    scored_samples,
    scored_prompted_samples,  # likewise
    reward_filtered_set,
    reward_report,  # of recipes that declare it
    training_mix,
    fidelity_report,
    privacy_report,
    diversity_report,
    collapse_report,
    lora_checkpoint,
    preference_pairs,  # of recipes with preferences
    aligned_checkpoint,  # of recipes with alignment
    evaluation,
    student_report,
    comparisons,  # of recipes with open questions
    harness_scores,  # of recipes that declare tasks for it
    run_report,
    judge_calibration,  # of recipes with judges
)


def assets_of(recipe: Recipe) -> list[dg.AssetsDefinition]:
    """Those that a recipe has, upstream before downstream."""
    return [asset for asset in ASSETS if INGREDIENTS[asset.key.path[-1]].is_declared(recipe)]


def build_definitions(recipe: Recipe, warehouse: Warehouse, engines: Engines | None = None) -> dg.Definitions:
    """The pipeline of one recipe over one warehouse."""
    engines = engines or declared_engines()
    assets = assets_of(recipe)
    nightly, taxonomy_files = automation(assets, recipe, warehouse, engines.retry)
    return dg.Definitions(
        assets=[asset.map_asset_specs(lambda spec: _completed(spec, recipe)) for asset in assets],
        asset_checks=stage_checks(recipe),
        jobs=[synthesize, examine],
        schedules=[nightly],
        sensors=[taxonomy_files, report_of_failed_runs(recipe, warehouse)],
        resources=resources(recipe, warehouse, engines),
        executor=step_executor,
    )


def _completed(spec: dg.AssetSpec, recipe: Recipe) -> dg.AssetSpec:
    """What depends on the recipe, or on the asset's place among the others."""
    name = spec.key.path[-1]
    freshness = FRESHNESS if name in READ_FROM_FILES else None
    there = [dep for dep in spec.deps if INGREDIENTS[dep.asset_key.path[-1]].is_declared(recipe)]
    return spec.replace_attributes(deps=there, code_version=code_version(name, recipe), freshness_policy=freshness)


defs = build_definitions(declared_recipe(), open_warehouse())


def synthesize_job() -> dg.JobDefinition:
    """The job, as a function that a step's process can import to find it again."""
    return defs.resolve_job_def(JOB_NAME)


def examine_job() -> dg.JobDefinition:
    """The checks alone, likewise."""
    return defs.resolve_job_def(CHECK_JOB_NAME)
