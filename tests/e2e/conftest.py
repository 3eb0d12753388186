"""One small run that nobody disturbs, for all tests that disturb one and compare."""

import time

import pytest
from small_run import Undisturbed

from synth_assets.studies.killing import RunningDemo, small_recipe


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    recipe, warehouse = small_recipe(folder, num_samples=6, num_steps=15), folder / "warehouse"
    start = time.monotonic()
    RunningDemo(recipe, warehouse).finish()
    return Undisturbed(recipe, warehouse, time.monotonic() - start)
