"""One writer at a time for an asset, also when processes are killed.

If a run's process is killed, its steps live on as orphans, and a retry would write beside them. So a step holds a lease
(a file lock, which the kernel takes back when its holder dies) for as long as it works, and ends itself when the process
that started it is gone. A second run over the same asset waits for the first; the journal then has its answers.
"""

import math
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from synth_assets.assets.currency import inputs_id
from synth_assets.recipe import Recipe
from synth_assets.storage import FileLock, Warehouse

LEASES = "leases"
_watching = threading.Event()


@contextmanager
def making(context: dg.AssetExecutionContext, recipe: Recipe, warehouse: Warehouse) -> Iterator[str]:
    """Hold the asset's lease inside the `with`; gives the id of what the asset is about to be made of."""
    end_with_parent()
    asset, folder = context.asset_key.path[-1], warehouse.folder / LEASES
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{asset}.lock", math.inf).hold(context.log.info):
        yield inputs_id(asset, recipe, warehouse)


def end_with_parent() -> None:
    """From now on a step's process ends, without any word, as soon as the process of its run has ended."""
    parent = multiprocessing.parent_process()
    if parent is None or _watching.is_set():  # the step runs in the run's own process, or is watched already
        return
    _watching.set()

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)  # no clean-up: whatever a step leaves behind, a kill may leave at any time

    threading.Thread(target=watch, daemon=True).start()
