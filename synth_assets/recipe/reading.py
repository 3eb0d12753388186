"""A recipe's YAML -> `Recipe`, or every fault with its line.

Wherever the YAML holds a mapping with the keys smoke, demo and full, the value of the chosen `scale` takes its place
before anything else is looked at. So every knob is a plain value in `Recipe`, and reading checks all three scales at
once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from synth_assets.errors import Fault, RecipeError, Where
from synth_assets.located_yaml import (
    KeyPath,
    LocatedYaml,
    UnreadableYaml,
    nearest_key,
    read_located_yaml,
    validation_faults,
)
from synth_assets.recipe.paths import recipe_path
from synth_assets.recipe.sections import SCALES, Recipe, Scale


def read_recipe(path: Path | str | None = None, scale: Scale | None = None) -> Recipe:
    """Read a recipe; `path` defaults to SYNTH_ASSETS_RECIPE, `scale` to what the recipe says.

    Raises RecipeError with every fault at once, those of the scales that are not chosen included.
    """
    file = recipe_path(path)
    try:
        source = read_located_yaml(file)
    except UnreadableYaml as error:
        remedy = "name another recipe with --recipe or SYNTH_ASSETS_RECIPE, or mend this one"
        raise RecipeError("the recipe cannot be read", faults=[error.fault], remedy=remedy) from error
    if not isinstance(source.value, dict):
        fault = source.fault((), source.value, "not a recipe", "a mapping of keys to values")
        raise RecipeError("the recipe is wrong", faults=[fault], where=Where(str(file)))
    declared = scale or source.value.get("scale")
    chosen = declared if isinstance(declared, str) else None
    recipes: dict[str, Recipe] = {}
    faults: dict[Fault, None] = {}
    for each in dict.fromkeys([chosen, *SCALES]):
        found = _recipe_at(source, each, recipes)
        faults.update(dict.fromkeys(found))
    if faults:
        raise RecipeError(
            f"the recipe has {len(faults)} fault{'s' if len(faults) > 1 else ''}",
            faults=sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0, fault.key)),
            where=Where(str(file)),
            remedy="mend each line below; nothing has been started",
        )
    return recipes[str(chosen)]


def _recipe_at(source: LocatedYaml, scale: object, recipes: dict[str, Recipe]) -> list[Fault]:
    faults: list[Fault] = []
    moved: dict[KeyPath, KeyPath] = {}
    value = _at_scale(source, source.value, (), (), str(scale), moved, faults)
    value["scale"] = scale if scale is not None else value.get("scale")
    try:
        text = json.dumps({key: part for key, part in value.items() if part is not None}, default=str)
        recipes[str(scale)] = Recipe.model_validate_json(text)
    except ValidationError as error:
        faults += validation_faults(source, Recipe, error, moved)
    except (TypeError, ValueError, RecursionError) as error:
        faults.append(source.fault((), None, f"cannot be used: {error}", "plain values, no recursion"))
    return faults


def _at_scale(
    source: LocatedYaml, value: Any, path: KeyPath, origin: KeyPath, scale: str,
    moved: dict[KeyPath, KeyPath], faults: list[Fault],
) -> Any:  # fmt: skip
    """The value with every smoke/demo/full mapping replaced; `moved` tells where each part stands."""
    moved[path] = origin
    if isinstance(value, dict) and value and set(value) & set(SCALES):
        for unknown in set(value) - set(SCALES):
            faults.append(source.fault((*origin, unknown), None, "unknown scale", nearest_key(str(unknown), SCALES)))
        for missing in set(SCALES) - set(value):
            faults.append(source.fault(origin, None, f"no value for scale {missing}", "smoke, demo and full"))
        if scale in value:
            return _at_scale(source, value[scale], path, (*origin, scale), scale, moved, faults)
        return next(iter(value.values()))
    if isinstance(value, dict):
        return {
            str(key): _at_scale(source, part, (*path, str(key)), (*origin, str(key)), scale, moved, faults)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [
            _at_scale(source, part, (*path, index), (*origin, index), scale, moved, faults)
            for index, part in enumerate(value)
        ]
    return value
