"""The files that the section on trust names, looked for before anything is made of them.

A run writes its training mix over the one before. Named as the generation before, that table would be compared with itself,
and say that nothing was lost: the mix of an earlier run must be kept elsewhere first.
"""

from pathlib import Path

from synth_assets.errors import RecipeError
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.storage import Warehouse


def check_trust_files(recipe: Recipe, warehouse: Warehouse) -> None:
    """Raises RecipeError for a file that is not there, or that the run would overwrite."""
    for key, path in recipe.trust.files.items():
        if not resolve_path(path).exists():
            raise RecipeError(
                f"{key} does not exist", value=path, remedy="mend the path in the recipe, or leave the key out"
            )
    own = warehouse.table_path("training_mix")
    mix = previous_mix(recipe)
    if mix and mix.resolve() == own.resolve():
        raise RecipeError(
            "trust.previous_mix is the training mix of this warehouse, which the run overwrites",
            value=str(mix), remedy="copy that file elsewhere, and name the copy",
        )  # fmt: skip


def previous_mix(recipe: Recipe) -> Path | None:
    """The training mix of the generation before, if the recipe names one."""
    return resolve_path(recipe.trust.previous_mix) if recipe.trust.previous_mix else None
