"""The record of what one asset is made of; `ingredients.py` has one for each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from synth_assets.recipe import ModelSpec, Recipe


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
    tables: tuple[str, ...] = ()
    """Tables that it reads beside those of its upstream assets, which write them."""
    writes: tuple[str, ...] = ()
    """Tables that it writes beside its own; its metadata `TABLE_digest` says what was written then."""
    has_table: bool = True
    is_declared: Callable[[Recipe], bool] = lambda recipe: True
    """Whether a recipe has this asset at all."""
    is_by_leaf: bool = False
    """Whether each leaf's rows depend on that leaf alone; then `upstream` counts leaf by leaf."""
