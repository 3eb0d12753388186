"""One writer at a time for an asset, also when processes are killed.

If a run's process is killed, its steps live on as orphans for a moment (`machine.end_with_parent`), and a retry would
write beside them. So a step holds a lease for as long as it works: a file lock, which the kernel takes back when its
holder dies. A second run over the same asset waits for the first; the journal then has its answers. Steps that load models
hold a second lease, the same for all: one step at a time has models in memory, whatever runs beside it.
"""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import dagster as dg

from synth_assets.assets.checks import check_keys, last_verdict, stops
from synth_assets.assets.ingredients import INGREDIENTS, made_before
from synth_assets.assets.made_of import inputs_id
from synth_assets.assets.verdicts import all_before, require_verdicts
from synth_assets.errors import GateError, SynthAssetsError
from synth_assets.recipe import Recipe
from synth_assets.storage import FileLock, Warehouse
from synth_assets.storage.warehouse import no_room_left, room_failure

LEASES = "leases"
MODELS_LOCK = "models.lock"


@contextmanager
def making(context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse) -> Iterator[str]:
    """Hold the asset's lease inside the `with`; gives the id of what the asset is about to be made of."""
    with lease(context, recipe, warehouse):
        yield inputs_id(context.asset_key.path[-1], recipe, warehouse)


@contextmanager
def lease(context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse) -> Iterator[None]:
    """Be the only one that makes this asset. Raises GateError, and WarehouseSpaceError for whatever a full disk raised."""
    _check_gates(context.asset_key.path[-1], recipe, warehouse, context.instance)
    folder = warehouse.folder / LEASES
    folder.mkdir(parents=True, exist_ok=True)
    name = context.asset_key.path[-1]
    with ExitStack() as stack:
        stack.enter_context(FileLock(folder / f"{name}.lock", math.inf).hold(context.log.info))
        if INGREDIENTS[name].models(recipe):
            stack.enter_context(FileLock(folder / MODELS_LOCK, math.inf).hold(context.log.info))
        try:
            yield
        except SynthAssetsError:
            raise
        except Exception as error:
            if not no_room_left(error):
                raise
            raise room_failure(error, warehouse.folder) from error


def _check_gates(asset: str, recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """Dagster stops what follows a failed check in the same run; this stops it in later runs as well."""
    keys = check_keys(recipe)
    for name in all_before(made_before(asset, recipe), recipe):
        for key in keys.get(name, ()):
            judged = last_verdict(key, instance)
            if judged and stops(judged):
                raise GateError(
                    f"{asset} is not made: the check {key.name} of {name} has failed",
                    value=judged.description,
                    remedy=f"mend what it says and materialize {name} with its checks, or change the recipe's threshold",
                )
    require_verdicts(asset, recipe, warehouse, instance)
