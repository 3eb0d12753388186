"""What the assets are given: the recipe, the warehouse, the engines. Dagster hands them over as plain objects.

Beside `recipe.py` the only reader of environment variables. Steps are processes of their own, so what the command
line was told reaches them this way:

    SYNTH_ASSETS_SCALE   smoke, demo or full, instead of what the recipe says
    SYNTH_ASSETS_RETRY   failed, truncated, or both with a comma: model calls to be made again
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import dagster as dg

from synth_assets.errors import RecipeError, WarehouseError
from synth_assets.inference import open_embedder, open_likelihood_model, open_reward_model, open_text_model
from synth_assets.machine import end_with_parent
from synth_assets.recipe import SCALES, ModelSpec, Recipe, project_root, read_recipe, warehouse_path
from synth_assets.roles import Embedder, LikelihoodModel, RewardModel, TextModel
from synth_assets.storage import Warehouse
from synth_assets.storage.atomic import write_beside

Retry = Literal["failed", "truncated"]
SCALE_VARIABLE = "SYNTH_ASSETS_SCALE"
RECIPE_VARIABLE = "SYNTH_ASSETS_RECIPE"
RETRY_VARIABLE = "SYNTH_ASSETS_RETRY"
RETRIES: tuple[Retry, ...] = get_args(Retry)


@dataclass(frozen=True)
class Engines:
    """How models are run. Tests put others in their place."""

    open_text_model: Callable[..., AbstractContextManager[TextModel]] = open_text_model
    open_reward_model: Callable[[ModelSpec], AbstractContextManager[RewardModel]] = open_reward_model
    retry: tuple[Retry, ...] = ()
    """Which finished calls are made again, though the journal has their answers."""
    open_embedder: Callable[[Path | None], Embedder] = open_embedder
    open_likelihood_model: Callable[..., AbstractContextManager[LikelihoodModel]] = open_likelihood_model


def declared_recipe() -> Recipe:
    """The recipe that the environment names, at the scale that the environment names. Raises RecipeError."""
    scale = os.environ.get(SCALE_VARIABLE) or None
    if scale is not None and scale not in SCALES:
        raise RecipeError(f"{SCALE_VARIABLE} is no scale", value=scale, remedy=f"set it to one of {', '.join(SCALES)}")
    return read_recipe(scale=scale)


def declared_engines() -> Engines:
    """The engines, with the calls to be made again that the environment names. Raises RecipeError."""
    names = [name.strip() for name in os.environ.get(RETRY_VARIABLE, "").split(",") if name.strip()]
    for name in names:
        if name not in RETRIES:
            raise RecipeError(f"{RETRY_VARIABLE} is no kind of call", value=name, remedy=f"use {' or '.join(RETRIES)}")
    return Engines(retry=tuple(cast(Retry, name) for name in names))


def declare(recipe: Path | None, scale: str | None, retry: Sequence[str] = ()) -> None:
    """Tell this process and all that it starts which recipe, scale and retries to use; without them, what is there stays."""
    if retry:
        os.environ[RETRY_VARIABLE] = ",".join(retry)
    if recipe is not None:
        os.environ[RECIPE_VARIABLE] = str(recipe.absolute())
    if scale is not None:
        os.environ[SCALE_VARIABLE] = scale


def command_line(command: str) -> str:
    """How to run a command on what this process works on; `dev` and `demo` are targets of make if nothing else is said."""
    recipe, scale = os.environ.get(RECIPE_VARIABLE), os.environ.get(SCALE_VARIABLE)
    if not recipe and not scale and command in ("dev", "demo"):
        return f"make {command}"
    parts = ["synth-assets", *(["--recipe", recipe] if recipe else []), *(["--scale", scale] if scale else []), command]
    return " ".join(parts)


def open_warehouse() -> Warehouse:
    return Warehouse(warehouse_path())


def settle_dagster_home() -> Path:
    """DAGSTER_HOME, else a folder in the warehouse: absolute, made if need be, with the project's settings in it."""
    home = Path(os.environ.get("DAGSTER_HOME") or warehouse_path() / "dagster").absolute()
    settings = project_root() / "dagster.yaml"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if settings.is_file():  # another process may be reading it
            os.replace(write_beside(home / "dagster.yaml", settings.read_bytes()), home / "dagster.yaml")
    except OSError as error:
        remedy = "make the folder writable, or set DAGSTER_HOME or SYNTH_ASSETS_WAREHOUSE to another one"
        raise WarehouseError(f"{home} cannot be written: {error}", remedy=remedy) from error
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def be_quiet_and_offline() -> None:
    """Nothing is sent anywhere and no model is fetched behind one's back: for this process and those it starts."""
    for name in ("DAGSTER_DISABLE_TELEMETRY", "DO_NOT_TRACK", "VLLM_NO_USAGE_STATS", "HF_HUB_OFFLINE"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def resources(recipe: Recipe, warehouse: Warehouse, engines: Engines | None = None) -> Mapping[str, Any]:
    return {"recipe": recipe, "warehouse": _of_a_step(warehouse), "engines": engines or declared_engines()}


def _of_a_step(warehouse: Warehouse) -> dg.ResourceDefinition:
    """Every step is given the warehouse first of all: the moment at which its process is bound to that of its run."""

    def bind(_: dg.InitResourceContext) -> Warehouse:
        end_with_parent()
        return warehouse

    return dg.ResourceDefinition(bind)
