"""What assets read of a recipe: the part that each one's rows depend on, and the files that it names.

A part says nothing of what changes no row, such as thresholds of checks, so that changing those makes nothing anew; of an
option that a recipe does without it says nothing at all, so that a new option makes nothing anew where it is not used.
"""

from pathlib import Path
from typing import Any

from synth_assets.model_folder import Lineage, read_lineage
from synth_assets.prompts import prompts_id
from synth_assets.quality import gates_of
from synth_assets.recipe import DataSetSpec, ModelSpec, Recipe, resolve_path, warehouse_path
from synth_assets.records import TrustReport
from synth_assets.taxonomy import DocumentRules, Taxonomy, read_taxonomy


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


def taxonomy_settings(recipe: Recipe) -> tuple[object, ...]:
    """Without data sets what it was before there were any."""
    return (recipe.taxonomy.paths, *recipe.taxonomy.data_sets)


def trained_sets(recipe: Recipe) -> list[DataSetSpec]:
    """The data sets whose rows are trained on themselves."""
    return [spec for spec in recipe.taxonomy.data_sets if spec.train_on]


def prompts_of(recipe: Recipe) -> str:
    """The prompts themselves, not only their name."""
    return prompts_id(recipe.generation.prompts)


def has_prompts(recipe: Recipe) -> bool:
    """Whether prompts are made from topics as well."""
    return recipe.prompt_synthesis is not None


def held_out_by_area(recipe: Recipe) -> tuple[object, ...]:
    """That topics are held out by area, of a recipe that has such (`records.leaf_or_area`)."""
    return ("topics held out by area",) if has_prompts(recipe) else ()


_OF_TOPICS = {
    "num_macro_topics", "manual_topics", "num_subtopics", "num_topics_a_request", "maths_keywords", "coding_keywords",
    "topic_temperature", "budget_factor",
}  # fmt: skip
_OF_ANSWERS = {"creative_leaves", "creative_temperature", "response_temperature"}


def said_of_topics(recipe: Recipe) -> tuple[object, ...]:
    """What topics depend on of the section, if there is one; documents are topics where questions are asked about them."""
    said = recipe.prompt_synthesis
    if said is None:
        return ()
    num_tokens, has_documents = said.max_new_tokens.topics, bool(said.num_prompts.closed_question)
    return said.model_dump(mode="json", include=_OF_TOPICS), num_tokens, has_documents, prompts_id(said.prompts)


def said_of_prompts(recipe: Recipe) -> tuple[object, ...]:
    """What prompts depend on of the section, if there is one; thresholds of checks are left out."""
    said = recipe.prompt_synthesis
    return (said.model_dump(mode="json", exclude={"min_constraint_share"}), prompts_id(said.prompts)) if said else ()


def said_of_answers(recipe: Recipe) -> tuple[object, ...]:
    """What answers to prompts depend on: how responses are written, and of dialogues how their turns are."""
    said, answers = recipe.prompt_synthesis, recipe.generation
    if said is None:
        return ()
    of_turns = (said.dialogue_temperature, said.max_new_tokens.turn, said.num_dialogue_turns)
    return answers.model_dump(mode="json", include=_OF_ANSWERS), answers.max_new_tokens.response, of_turns


def said_of_judges(recipe: Recipe) -> tuple[object, ...]:
    """What rows depend on; thresholds of checks are left out."""
    if recipe.judges is None:
        return ()
    thresholds = {"min_true_positive_rate", "max_false_positive_rate"}
    said = recipe.judges.model_dump(mode="json", exclude={"model", *thresholds})
    return recipe.judge_model, said, prompts_id(recipe.judges.prompts, of_judges=True)


def said_of_preferences(recipe: Recipe) -> tuple[object, ...]:
    """What pairs depend on; thresholds of checks are left out. With the teacher's, whose responses they may be of."""
    if recipe.preferences is None:
        return ()
    thresholds = {"min_pair_share", "max_inconsistent_share", "max_depth"}
    teacher = (recipe.teacher, *teacher_descent(recipe)) if "teacher" in recipe.preferences.responders else ()
    return recipe.preferences.model_dump(mode="json", exclude=thresholds), *teacher


def judges_decide(recipe: Recipe) -> bool:
    """Whether a judge is asked about preference pairs."""
    return recipe.preferences is not None and recipe.preferences.judges


def deciding_and_responding(recipe: Recipe) -> tuple[ModelSpec, ...]:
    """The models that preference pairs are made with, beside the student."""
    responds = recipe.preferences is not None and "teacher" in recipe.preferences.responders
    named = (responds and recipe.teacher, judges_decide(recipe) and recipe.judge_model, recipe.reward_model)
    return tuple(spec for spec in named if spec)


def said_of_examination(recipe: Recipe) -> dict[str, Any]:
    """What the evaluation reads of its section."""
    return recipe.evaluation.model_dump(mode="json", exclude={"harness", "open_questions"})


def harness_order(recipe: Recipe) -> dict[str, Any] | None:
    """What the harness is told; what others have published changes no figure of ours."""
    declared = recipe.evaluation.harness
    return declared.model_dump(mode="json", exclude={"tasks": {"__all__": {"published"}}}) if declared else None


def lineage_of(spec: ModelSpec) -> Lineage:
    """What the model's folder says of its descent, or the recipe of a served one whose folder is not named."""
    if spec.path:
        return read_lineage(resolve_path(spec.path))
    return Lineage((spec.server and spec.server.generation_depth) or 0)


def teacher_descent(recipe: Recipe) -> tuple[object, ...]:
    """A fingerprint does not cover whom a model descends from. Nothing for a teacher that has no forerunners of ours."""
    lineage = lineage_of(recipe.teacher)
    return (lineage.generation_depth, *lineage.ancestors) if lineage.ancestors or lineage.generation_depth else ()


def said_of_trust(recipe: Recipe, report: TrustReport) -> dict[str, Any]:
    """What all reports read, and the report's own gates."""
    said = {"groups", "bootstrap_draws", "min_reference_rows", "confidence", "embedder"}
    gates = {measure: recipe.trust.gate(measure).model_dump(mode="json") for measure in gates_of(report)}
    return {**recipe.trust.model_dump(mode="json", include=said), "gates": gates}


def held_back_share(recipe: Recipe) -> tuple[object, ...]:
    share = recipe.trust.privacy.split_share
    return (share,) if share else ()


def holdout_file(recipe: Recipe) -> tuple[str, ...]:
    """The file of real rows that may not be trained on."""
    return (recipe.trust.real.holdout,) if recipe.trust.real else ()


def row_privacy(recipe: Recipe) -> dict[str, Any]:
    """What the filter reads of the section on privacy."""
    return recipe.trust.privacy.model_dump(mode="json", exclude={"shadow_steps"})


def hidden_in_rejected(recipe: Recipe) -> tuple[object, ...]:
    """What decides how rejected rows are stored. Nothing for a recipe that says nothing of it."""
    said = recipe.trust.privacy
    wanted = (said.personal_data == "ignore", said.allowed_values, said.ner_model)
    return wanted if any(wanted) else ()


def name_finder(recipe: Recipe) -> tuple[str, ...]:
    return (recipe.trust.privacy.ner_model,) if recipe.trust.privacy.ner_model else ()


def embedder_of(recipe: Recipe) -> tuple[str, ...]:
    return (recipe.trust.embedder,) if recipe.trust.embedder else ()


MIX_SETTINGS = {"validation_share", "replay_share", "replay_depth", "upsample", "short_response_words"}


def phase_rows(recipe: Recipe) -> list[dict[str, Any]]:
    """What each phase says of its rows."""
    said = {"name", "takes", "replay_share"}
    return [phase.model_dump(mode="json", include=said) for phase in recipe.tuning.phases_to_run]


def examinations(recipe: Recipe) -> tuple[str, ...]:
    """The folders of questions that no sample may hold: those that are reported, and those that candidates are chosen by."""
    return (*benchmarks(recipe), *open_folder(recipe))


def benchmarks(recipe: Recipe) -> tuple[str, ...]:
    """Those of them whose questions have one right answer."""
    return (recipe.evaluation.benchmark, *examined_folder(recipe))


def open_folder(recipe: Recipe) -> tuple[str, ...]:
    return (recipe.evaluation.open_questions,) if recipe.evaluation.open_questions else ()


def examined_folder(recipe: Recipe) -> tuple[str, ...]:
    """The folder of questions that candidates are examined with, where they are."""
    folder = recipe.tuning.checkpoint_choice.folder
    return (folder,) if folder else ()
