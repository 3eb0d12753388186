"""Where things are: the only reader of the environment beside `assets/resources.py`.

SYNTH_ASSETS_RECIPE      the recipe (data/recipes/embedded.yaml)
SYNTH_ASSETS_HOME        the project's root (the checkout, else the current folder)
SYNTH_ASSETS_WAREHOUSE   where everything that a run writes goes (data/warehouse)
"""

import os
from pathlib import Path

DEFAULT_RECIPE = "data/recipes/embedded.yaml"


def project_root() -> Path:
    """SYNTH_ASSETS_HOME, else the checkout that holds this package and data/, else the current folder."""
    if home := os.environ.get("SYNTH_ASSETS_HOME"):
        return Path(home).resolve()
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "data").is_dir() else Path.cwd()


def resolve_path(path: Path | str) -> Path:
    """An absolute path; a relative one counts from the project's root."""
    return (project_root() / Path(path).expanduser()).absolute()


def recipe_path(path: Path | str | None = None) -> Path:
    """`path`, else SYNTH_ASSETS_RECIPE, else the embedded recipe."""
    return resolve_path(path or os.environ.get("SYNTH_ASSETS_RECIPE") or DEFAULT_RECIPE)


def warehouse_path() -> Path:
    """SYNTH_ASSETS_WAREHOUSE, else data/warehouse under the project's root."""
    return resolve_path(os.environ.get("SYNTH_ASSETS_WAREHOUSE") or "data/warehouse")


def read_secret(variable: str) -> str:
    """The value of this environment variable without white space around it; empty if there is none.

    It goes nowhere but into a request's header: not into records, messages or the `repr` of anything.
    """
    return os.environ.get(variable, "").strip()
