"""What each asset is made of: the part of the recipe that it reads, upstream tables, models, files, and its code.

`version` is raised by hand when a change of code changes rows. `made_of.py` makes hashes of it all, of the recipe's parts as
`recipe_parts.py` takes them out.
"""

from collections.abc import Mapping

from synth_assets.assets.ingredient_record import Ingredients
from synth_assets.assets.recipe_parts import (
    MIX_SETTINGS,
    deciding_and_responding,
    embedder_of,
    examinations,
    examined_folder,
    harness_order,
    has_prompts,
    held_back_share,
    held_out_by_area,
    hidden_in_rejected,
    holdout_file,
    judges_decide,
    name_finder,
    open_folder,
    phase_rows,
    prompts_of,
    row_privacy,
    said_of_answers,
    said_of_examination,
    said_of_judges,
    said_of_preferences,
    said_of_prompts,
    said_of_topics,
    said_of_trust,
    taxonomy_files_of,
    taxonomy_settings,
    teacher_descent,
    trained_sets,
)
from synth_assets.recipe import Recipe

#: What samples are made from. Its content is in what the samples are made of: a comment in a file makes nothing anew.
SOURCES = ("seed_examples", "document_chunks")

#: Whose gates stand before whatever is trained.
REPORTS_BEFORE_THE_STUDENT = ("fidelity_report", "privacy_report", "diversity_report", "collapse_report")

INGREDIENTS: Mapping[str, Ingredients] = {
    "taxonomy": Ingredients("2", (), taxonomy_settings, files=taxonomy_files_of),
    "seed_examples": Ingredients("1", ("taxonomy",), taxonomy_settings, files=taxonomy_files_of),
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
        SOURCES,
        lambda r: (r.trust.real, *held_back_share(r)),
        files=lambda r: (r.trust.real.reference, r.trust.real.holdout) if r.trust.real else (),
        is_declared=lambda r: r.trust.real is not None,
    ),
    "synthetic_samples": Ingredients(
        "5",
        ("taxonomy", "seed_examples", "document_chunks"),
        lambda r: (
            r.seed,
            r.teacher,
            r.generation,
            prompts_of(r),
            *said_of_judges(r),
            *teacher_descent(r),
            *held_back_share(r),
            *hidden_in_rejected(r),
        ),
        models=lambda r: (r.teacher, *([r.judge_model] if r.judges else [])),
        is_by_leaf=True,
    ),
    "prompt_topics": Ingredients(
        "1",
        ("document_chunks",),
        lambda r: (r.seed, r.teacher, *said_of_topics(r), *teacher_descent(r), *held_back_share(r), *hidden_in_rejected(r)),
        models=lambda r: (r.teacher,),
        writes=("generated_leaf_nodes",),
        is_declared=has_prompts,
    ),
    "synthetic_prompts": Ingredients(
        "1",
        ("document_chunks", "prompt_topics"),
        lambda r: (r.seed, r.teacher, *said_of_prompts(r), *teacher_descent(r), *held_back_share(r), *hidden_in_rejected(r)),
        models=lambda r: (r.teacher,),
        is_declared=has_prompts,
    ),
    "prompted_samples": Ingredients(
        "1",
        ("prompt_topics", "synthetic_prompts"),
        lambda r: (
            r.seed,
            r.teacher,
            prompts_of(r),
            *said_of_answers(r),
            *said_of_judges(r),
            *teacher_descent(r),
            *hidden_in_rejected(r),
        ),
        models=lambda r: (r.teacher, *([r.judge_model] if r.judges else [])),
        tables=("generated_leaf_nodes",),
        is_declared=has_prompts,
    ),
    "scored_samples": Ingredients(
        "3",
        ("synthetic_samples",),
        lambda r: (r.reward_model, r.reward.weights, prompts_of(r), *hidden_in_rejected(r)),
        models=lambda r: (r.reward_model,) if r.reward_model else (),
        is_by_leaf=True,
    ),
    "scored_prompted_samples": Ingredients(
        "1",
        ("prompted_samples",),
        lambda r: (r.reward_model, r.reward.weights, prompts_of(r), *hidden_in_rejected(r)),
        models=lambda r: (r.reward_model,) if r.reward_model else (),
        is_declared=has_prompts,
    ),
    "reward_filtered_set": Ingredients(
        "4",
        ("synthetic_samples", "prompted_samples", "scored_samples", "scored_prompted_samples"),
        lambda r: (r.reward.cut, r.filter, *examinations(r), row_privacy(r)),
        files=lambda r: (*examinations(r), *holdout_file(r), *name_finder(r)),
        after=("taxonomy", *SOURCES),  # which retire the rows of leaves that are gone
    ),
    "reward_report": Ingredients(
        "2",
        ("synthetic_samples", "prompted_samples", "scored_samples", "scored_prompted_samples", "reward_filtered_set"),
        lambda r: (r.seed, r.reward.cut, r.trust.bootstrap_draws, r.trust.confidence),
        is_declared=lambda r: r.reward.report is not None,
    ),
    "training_mix": Ingredients(
        "3",
        ("reward_filtered_set",),
        lambda r: (
            r.seed,
            prompts_of(r),
            r.tuning.model_dump(mode="json", include=MIX_SETTINGS),
            phase_rows(r),
            trained_sets(r) and (trained_sets(r), r.filter.overlap_ngram),
            *held_out_by_area(r),
        ),
        files=lambda r: (
            *((r.tuning.replay_buffer,) if r.tuning.replay_share and r.tuning.replay_buffer else ()),
            *(spec.path for spec in trained_sets(r)),
            *(examinations(r) if trained_sets(r) else ()),
            *(holdout_file(r) if trained_sets(r) or r.tuning.replay_share else ()),
        ),
        after=("seed_examples",),  # whose rows are read of data sets alone, and those are among the files
    ),
    "fidelity_report": Ingredients(
        "1",
        ("real_examples", "seed_examples", "synthetic_samples", "prompted_samples", "reward_filtered_set"),
        lambda r: (r.seed, said_of_trust(r, "fidelity_report"), prompts_of(r), r.student),
        models=lambda r: (r.student,),
        files=lambda r: embedder_of(r),
        has_table=False,
    ),
    "privacy_report": Ingredients(
        "3",
        ("real_examples", *SOURCES, "synthetic_samples", "prompted_samples", "reward_filtered_set", "training_mix"),
        lambda r: (r.seed, said_of_trust(r, "privacy_report"), r.trust.privacy),
        files=lambda r: name_finder(r),
        has_table=False,
    ),
    "diversity_report": Ingredients(
        "2",
        (
            "taxonomy",
            "real_examples",
            "seed_examples",
            "synthetic_samples",
            "prompted_samples",
            "scored_samples",
            "scored_prompted_samples",
            "reward_filtered_set",
        ),
        lambda r: (r.seed, said_of_trust(r, "diversity_report"), r.reward_model, r.reward.weights, prompts_of(r)),
        models=lambda r: (r.reward_model,) if r.reward_model else (),
        files=lambda r: embedder_of(r),
        tables=("rejected_samples",),
        has_table=False,
    ),
    "collapse_report": Ingredients(
        "2",
        ("real_examples", "training_mix"),
        lambda r: (r.seed, said_of_trust(r, "collapse_report"), r.trust.real, r.trust.previous_mix),
        files=lambda r: (r.trust.previous_mix,) if r.trust.previous_mix else (),
        has_table=False,
    ),
    "lora_checkpoint": Ingredients(
        "3",
        ("training_mix",),
        lambda r: (r.seed, r.student, r.tuning, examined_folder(r) and (r.evaluation.max_new_tokens, prompts_of(r))),
        models=lambda r: (r.student,),
        files=lambda r: examined_folder(r),
        after=REPORTS_BEFORE_THE_STUDENT,
    ),
    "preference_pairs": Ingredients(
        "2",
        (
            *SOURCES,
            "prompt_topics",
            "synthetic_prompts",
            "prompted_samples",
            "reward_filtered_set",
            "training_mix",
            "lora_checkpoint",
        ),
        lambda r: (
            r.seed,
            r.student,
            said_of_preferences(r),
            *(said_of_judges(r) if judges_decide(r) else ()),
            r.reward_model,
            r.reward.weights,
            prompts_of(r),
            r.filter.overlap_ngram,
            *examinations(r),
            row_privacy(r),
            *(spec.leaf_path for spec in trained_sets(r)),
            *((r.tuning.short_response_words,) if trained_sets(r) else ()),
        ),
        models=lambda r: (r.student, *deciding_and_responding(r)),
        files=lambda r: (*examinations(r), *holdout_file(r), *name_finder(r)),
        tables=("rejected_samples",),
        is_declared=lambda r: r.preferences is not None,
    ),
    "aligned_checkpoint": Ingredients(
        "1",
        ("training_mix", "lora_checkpoint", "preference_pairs"),
        lambda r: (
            r.seed,
            r.student,
            r.alignment,
            r.tuning,
            examined_folder(r) and (r.evaluation.max_new_tokens, prompts_of(r)),
            *held_out_by_area(r),
        ),
        models=lambda r: (r.student,),
        files=lambda r: examined_folder(r),
        after=REPORTS_BEFORE_THE_STUDENT,
        is_declared=lambda r: r.alignment is not None,
    ),
    "evaluation": Ingredients(
        "1",
        ("lora_checkpoint", "aligned_checkpoint"),
        lambda r: (r.student, said_of_examination(r), prompts_of(r)),
        models=lambda r: (r.student,),
        files=lambda r: (r.evaluation.benchmark,),
    ),
    "student_report": Ingredients(
        "2",
        ("real_examples", "training_mix", "lora_checkpoint", "aligned_checkpoint", "evaluation"),
        lambda r: (r.seed, said_of_trust(r, "student_report"), r.trust.privacy.shadow_steps, r.student, prompts_of(r)),
        models=lambda r: (r.student,),
        files=lambda r: (r.trust.previous_student,) if r.trust.previous_student else (),
        tables=("benchmark_questions",),
        has_table=False,
    ),
    "judge_calibration": Ingredients(
        "1",
        ("taxonomy", "seed_examples"),
        lambda r: (r.seed, r.generation.num_seeds_in_prompt, *said_of_judges(r)),
        models=lambda r: (r.judge_model,),
        is_declared=lambda r: r.judges is not None,
    ),
    "comparisons": Ingredients(
        "1",
        ("lora_checkpoint", "aligned_checkpoint"),
        lambda r: (r.student, r.evaluation.max_new_tokens, prompts_of(r), *said_of_judges(r)),
        models=lambda r: (r.student, r.judge_model),
        files=lambda r: open_folder(r),
        is_declared=lambda r: r.evaluation.open_questions is not None,
    ),
    "harness_scores": Ingredients(
        "1",
        ("lora_checkpoint", "aligned_checkpoint"),
        lambda r: (r.student, harness_order(r), r.evaluation.max_new_tokens, prompts_of(r)),
        models=lambda r: (r.student,),
        files=lambda r: (r.evaluation.benchmark,),
        after=("evaluation",),  # else two models would be in memory at one time
        is_declared=lambda r: r.evaluation.harness is not None,
    ),
    "run_report": Ingredients(
        "1",
        ("preference_pairs", "evaluation", "judge_calibration", "comparisons", "harness_scores", "student_report"),
        lambda r: (r.evaluation.confidence, *([r.evaluation.harness] if r.evaluation.harness else [])),
        after=("reward_report",),  # which it shows where a recipe has it
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


def student_asset(recipe: Recipe) -> str:
    """The asset, and the table, of the student that the recipe ends with: the aligned one, where it aligns."""
    return "aligned_checkpoint" if recipe.alignment else "lora_checkpoint"
