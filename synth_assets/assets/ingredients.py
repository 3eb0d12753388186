"""What each asset is made of: the part of the recipe that it reads, upstream tables, models, files, and its code.

`version` is raised by hand when a change of code changes rows. `made_of.py` makes hashes of it all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synth_assets.model_folder import Lineage, read_lineage
from synth_assets.prompts import prompts_id
from synth_assets.quality import gates_of
from synth_assets.recipe import DataSetSpec, ModelSpec, Recipe, resolve_path, warehouse_path
from synth_assets.records import TrustReport
from synth_assets.taxonomy import DocumentRules, Taxonomy, read_taxonomy


@dataclass(frozen=True)
class Ingredients:
    """Everything that an asset's rows depend on."""

    version: str
    upstream: tuple[str, ...]
    settings: Callable[[Recipe], Sequence[object]]
    models: Callable[[Recipe], Sequence[ModelSpec]] = lambda recipe: ()
    files: Callable[[Recipe], Sequence[str]] = lambda recipe: ()
    after: tuple[str, ...] = ()
    """What must have been made before, though none of its rows are read."""
    has_table: bool = True
    is_declared: Callable[[Recipe], bool] = lambda recipe: True
    """Whether a recipe has this asset at all."""
    is_by_leaf: bool = False
    """Whether each leaf's rows depend on that leaf alone; then `upstream` counts leaf by leaf."""


def document_rules(recipe: Recipe) -> DocumentRules:
    """Where the recipe's documents are, and where fetched repositories are kept: beside what runs write."""
    said = recipe.taxonomy
    return DocumentRules(
        resolve_path(said.documents), said.max_chunk_tokens, said.chunk_overlap_tokens, said.repositories,
        warehouse_path() / "repositories",
    )  # fmt: skip


def data_sets_of(recipe: Recipe) -> list[tuple[DataSetSpec, Path]]:
    """The recipe's data sets with the places of their files."""
    return [(spec, resolve_path(spec.path)) for spec in recipe.taxonomy.data_sets]


def read_declared_taxonomy(recipe: Recipe) -> Taxonomy:
    """All leaf nodes that the recipe names. Raises TaxonomyError."""
    return read_taxonomy([resolve_path(path) for path in recipe.taxonomy.paths], data_sets_of(recipe))


def taxonomy_files_of(recipe: Recipe) -> tuple[str, ...]:
    return (*recipe.taxonomy.paths, *(spec.path for spec in recipe.taxonomy.data_sets))


def _taxonomy_settings(recipe: Recipe) -> tuple[object, ...]:
    """Without data sets what it was before there were any."""
    return (recipe.taxonomy.paths, *recipe.taxonomy.data_sets)


def trained_sets(recipe: Recipe) -> list[DataSetSpec]:
    """The data sets whose rows are trained on themselves."""
    return [spec for spec in recipe.taxonomy.data_sets if spec.train_on]


def _prompts(recipe: Recipe) -> str:
    """The prompts themselves, not only their name."""
    return prompts_id(recipe.generation.prompts)


def _said_of_judges(recipe: Recipe) -> tuple[object, ...]:
    """What rows depend on; thresholds of checks are left out."""
    if recipe.judges is None:
        return ()
    thresholds = {"min_true_positive_rate", "max_false_positive_rate"}
    said = recipe.judges.model_dump(mode="json", exclude={"model", *thresholds})
    return recipe.judge_model, said, prompts_id(recipe.judges.prompts, of_judges=True)


def _examination(recipe: Recipe) -> dict[str, Any]:
    """What the evaluation reads of its section."""
    return recipe.evaluation.model_dump(mode="json", exclude={"harness", "open_questions"})


def _harness_order(recipe: Recipe) -> dict[str, Any] | None:
    """What the harness is told; what others have published changes no figure of ours."""
    declared = recipe.evaluation.harness
    return declared.model_dump(mode="json", exclude={"tasks": {"__all__": {"published"}}}) if declared else None


def _teacher_descent(recipe: Recipe) -> tuple[object, ...]:
    """A fingerprint does not cover whom a model descends from. Nothing for a teacher that has no forerunners of ours."""
    lineage = read_lineage(resolve_path(recipe.teacher.path)) if recipe.teacher.path else Lineage()
    return (lineage.generation_depth, *lineage.ancestors) if lineage.ancestors or lineage.generation_depth else ()


def _said_of_trust(recipe: Recipe, report: TrustReport) -> dict[str, Any]:
    """What all reports read, and the report's own gates."""
    said = {"groups", "bootstrap_draws", "min_reference_rows", "confidence", "embedder"}
    gates = {measure: recipe.trust.gate(measure).model_dump(mode="json") for measure in gates_of(report)}
    return {**recipe.trust.model_dump(mode="json", include=said), "gates": gates}


def _held_back(recipe: Recipe) -> tuple[object, ...]:
    share = recipe.trust.privacy.split_share
    return (share,) if share else ()


def _row_privacy(recipe: Recipe) -> dict[str, Any]:
    """What the filter reads of the section on privacy."""
    return recipe.trust.privacy.model_dump(mode="json", exclude={"shadow_steps"})


def _embedder(recipe: Recipe) -> tuple[str, ...]:
    return (recipe.trust.embedder,) if recipe.trust.embedder else ()


#: What samples are made from. Its content is in what the samples are made of: a comment in a file makes nothing anew.
SOURCES = ("seed_examples", "document_chunks")
MIX_SETTINGS = {"validation_share", "replay_share", "upsample", "short_response_words"}


def _phase_rows(recipe: Recipe) -> list[dict[str, Any]]:
    """What each phase says of its rows."""
    said = {"name", "takes", "replay_share"}
    return [phase.model_dump(mode="json", include=said) for phase in recipe.tuning.phases_to_run]


def examinations(recipe: Recipe) -> tuple[str, ...]:
    """The folders of questions that no sample may hold: those that are reported, and those that candidates are chosen by."""
    return (*benchmarks(recipe), *_open_folder(recipe))


def benchmarks(recipe: Recipe) -> tuple[str, ...]:
    """Those of them whose questions have one right answer."""
    return (recipe.evaluation.benchmark, *_examined(recipe))


def _open_folder(recipe: Recipe) -> tuple[str, ...]:
    return (recipe.evaluation.open_questions,) if recipe.evaluation.open_questions else ()


def _examined(recipe: Recipe) -> tuple[str, ...]:
    """The folder of questions that candidates are examined with, where they are."""
    folder = recipe.tuning.checkpoint_choice.folder
    return (folder,) if folder else ()


INGREDIENTS: Mapping[str, Ingredients] = {
    "taxonomy": Ingredients("2", (), _taxonomy_settings, files=taxonomy_files_of),
    "seed_examples": Ingredients("1", ("taxonomy",), _taxonomy_settings, files=taxonomy_files_of),
    "document_chunks": Ingredients(
        "1",
        ("taxonomy", "seed_examples"),
        lambda r: (
            r.taxonomy.documents,
            r.taxonomy.max_chunk_tokens,
            r.taxonomy.chunk_overlap_tokens,
            r.taxonomy.repositories,
        ),
        files=lambda r: (r.taxonomy.documents,),
    ),
    "real_examples": Ingredients(
        "1",
        (),
        lambda r: (r.trust.real,),
        files=lambda r: (r.trust.real.reference, r.trust.real.holdout) if r.trust.real else (),
        is_declared=lambda r: r.trust.real is not None,
    ),
    "synthetic_samples": Ingredients(
        "4",
        ("taxonomy", "seed_examples", "document_chunks"),
        lambda r: (r.seed, r.teacher, r.generation, _prompts(r), *_said_of_judges(r), *_teacher_descent(r), *_held_back(r)),
        models=lambda r: (r.teacher, *([r.judge_model] if r.judges else [])),
        is_by_leaf=True,
    ),
    "scored_samples": Ingredients(
        "2",
        ("synthetic_samples",),
        lambda r: (r.reward_model, r.reward.weights, _prompts(r)),
        models=lambda r: (r.reward_model,) if r.reward_model else (),
        is_by_leaf=True,
    ),
    "reward_filtered_set": Ingredients(
        "3",
        ("synthetic_samples", "scored_samples"),
        lambda r: (r.reward.cut, r.filter, *examinations(r), _row_privacy(r)),
        files=lambda r: examinations(r),
        after=("taxonomy", *SOURCES),  # which retire the rows of leaves that are gone
    ),
    "training_mix": Ingredients(
        "3",
        ("reward_filtered_set",),
        lambda r: (
            r.seed,
            _prompts(r),
            r.tuning.model_dump(mode="json", include=MIX_SETTINGS),
            _phase_rows(r),
            trained_sets(r) and (trained_sets(r), r.filter.overlap_ngram),
        ),
        files=lambda r: (
            *((r.tuning.replay_buffer,) if r.tuning.replay_share and r.tuning.replay_buffer else ()),
            *(spec.path for spec in trained_sets(r)),
            *(examinations(r) if trained_sets(r) else ()),
        ),
        after=("seed_examples",),  # whose rows are read of data sets alone, and those are among the files
    ),
    "lora_checkpoint": Ingredients(
        "3",
        ("training_mix",),
        lambda r: (r.seed, r.student, r.tuning, _examined(r) and (r.evaluation.max_new_tokens, _prompts(r))),
        models=lambda r: (r.student,),
        files=lambda r: _examined(r),
        after=("fidelity_report", "privacy_report", "diversity_report", "collapse_report"),  # whose gates stand before it
    ),
    "fidelity_report": Ingredients(
        "1",
        ("real_examples", "synthetic_samples", "reward_filtered_set"),
        lambda r: (r.seed, _said_of_trust(r, "fidelity_report"), _prompts(r), r.student),
        models=lambda r: (r.student,),
        files=lambda r: _embedder(r),
        after=("seed_examples",),
        has_table=False,
    ),
    "privacy_report": Ingredients(
        "1",
        ("real_examples", "synthetic_samples", "reward_filtered_set"),
        lambda r: (r.seed, _said_of_trust(r, "privacy_report"), r.trust.privacy),
        after=SOURCES,
        has_table=False,
    ),
    "diversity_report": Ingredients(
        "1",
        ("real_examples", "synthetic_samples", "scored_samples", "reward_filtered_set"),
        lambda r: (r.seed, _said_of_trust(r, "diversity_report"), r.reward_model, r.reward.weights, _prompts(r)),
        models=lambda r: (r.reward_model,) if r.reward_model else (),
        files=lambda r: _embedder(r),
        after=("taxonomy", "seed_examples"),
        has_table=False,
    ),
    "collapse_report": Ingredients(
        "1",
        ("real_examples", "training_mix"),
        lambda r: (r.seed, _said_of_trust(r, "collapse_report"), r.trust.real, r.trust.previous_mix),
        files=lambda r: (r.trust.previous_mix,) if r.trust.previous_mix else (),
        has_table=False,
    ),
    "student_report": Ingredients(
        "1",
        ("real_examples", "training_mix", "lora_checkpoint", "evaluation"),
        lambda r: (r.seed, _said_of_trust(r, "student_report"), r.trust.privacy.shadow_steps, r.student, _prompts(r)),
        models=lambda r: (r.student,),
        has_table=False,
    ),
    "evaluation": Ingredients(
        "1",
        ("lora_checkpoint",),
        lambda r: (r.student, _examination(r), _prompts(r)),
        models=lambda r: (r.student,),
        files=lambda r: (r.evaluation.benchmark,),
    ),
    "judge_calibration": Ingredients(
        "1",
        ("taxonomy", "seed_examples"),
        lambda r: (r.seed, r.generation.num_seeds_in_prompt, *_said_of_judges(r)),
        models=lambda r: (r.judge_model,),
        is_declared=lambda r: r.judges is not None,
    ),
    "comparisons": Ingredients(
        "1",
        ("lora_checkpoint",),
        lambda r: (r.student, r.evaluation.max_new_tokens, _prompts(r), *_said_of_judges(r)),
        models=lambda r: (r.student, r.judge_model),
        files=lambda r: _open_folder(r),
        is_declared=lambda r: r.evaluation.open_questions is not None,
    ),
    "harness_scores": Ingredients(
        "1",
        ("lora_checkpoint",),
        lambda r: (r.student, _harness_order(r), r.evaluation.max_new_tokens, _prompts(r)),
        models=lambda r: (r.student,),
        files=lambda r: (r.evaluation.benchmark,),
        after=("evaluation",),  # else two models would be in memory at one time
        is_declared=lambda r: r.evaluation.harness is not None,
    ),
    "run_report": Ingredients(
        "1",
        ("evaluation", "judge_calibration", "comparisons", "harness_scores", "student_report"),
        lambda r: (r.evaluation.confidence, *([r.evaluation.harness] if r.evaluation.harness else [])),
        has_table=False,
    ),
}


def upstream_of(asset: str, recipe: Recipe) -> tuple[str, ...]:
    """The tables from which the asset is made, of those that the recipe has."""
    return tuple(name for name in INGREDIENTS[asset].upstream if INGREDIENTS[name].is_declared(recipe))


def made_before(asset: str, recipe: Recipe) -> tuple[str, ...]:
    """The assets that must have been made, and have passed their gates, whether or not their rows are read."""
    after = (name for name in INGREDIENTS[asset].after if INGREDIENTS[name].is_declared(recipe))
    return (*upstream_of(asset, recipe), *after)
