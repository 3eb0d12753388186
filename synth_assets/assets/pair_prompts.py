"""To which prompts responses are sampled for preference pairs, and to which of them the right answer is known."""

from synth_assets.assets.recipe_parts import has_prompts, trained_sets
from synth_assets.assets.storing import load
from synth_assets.generation.prompt_synthesis import prompts_turned_away
from synth_assets.recipe import Recipe
from synth_assets.records import (
    KeptSample,
    PromptedSample,
    RejectedSample,
    SeedExample,
    SyntheticPrompt,
    Topic,
    TrainingExample,
    is_generated,
)
from synth_assets.reward import (
    PreferencePrompt,
    Verify,
    exact_verifier,
    first_to_tell,
    follows_constraints,
    known_answers,
    prompts_of_mix,
    prompts_of_seeds,
    prompts_of_synthesis,
    with_relatives,
)
from synth_assets.storage import Warehouse


def preference_prompts(recipe: Recipe, warehouse: Warehouse) -> list[PreferencePrompt]:
    """The kept samples from seeds and the rows of the recipe's own data sets that the student was trained on, and the
    prompts from topics, whether or not their answers were kept.

    Of the latter not those that were turned away as instructions, nor validation rows with their relatives.
    """
    mix, kept = load(warehouse, TrainingExample), load(warehouse, KeptSample)
    asked = prompts_of_mix(mix, [sample for sample in kept if not is_generated(sample.leaf_path)])
    asked += prompts_of_seeds(mix, seeds_of_trained_sets(recipe, warehouse), recipe.generation.prompts)
    if not has_prompts(recipe):
        return asked
    held_out = {row.synthetic_sample_id for row in mix if row.split == "validation"}
    samples, rows = load(warehouse, PromptedSample), load(warehouse, SyntheticPrompt)
    validation = {sample.synthetic_prompt_id for sample in samples if sample.synthetic_sample_id in held_out}
    left_out = with_relatives(validation, rows) | prompts_turned_away(load(warehouse, RejectedSample))
    rows = [row for row in rows if row.synthetic_prompt_id not in left_out]
    return [*asked, *prompts_of_synthesis(rows, load(warehouse, Topic), recipe.generation.prompts)]


def ground_truth(recipe: Recipe, warehouse: Warehouse) -> Verify:
    """By the known answer of a data set's row, else by the constraints of a prompt."""
    seeds, style = seeds_of_trained_sets(recipe, warehouse), recipe.generation.prompts
    known = known_answers(seeds, style, recipe.tuning.short_response_words)
    return first_to_tell(exact_verifier(known), follows_constraints)


def seeds_of_trained_sets(recipe: Recipe, warehouse: Warehouse) -> list[SeedExample]:
    trained = {spec.leaf_path for spec in trained_sets(recipe)}
    return [seed for seed in load(warehouse, SeedExample) if seed.leaf_path in trained] if trained else []
