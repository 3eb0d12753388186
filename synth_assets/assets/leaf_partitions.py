"""Leaf nodes as Dagster's partitions: each leaf can be made, watched and backfilled by itself, many in one run.

The keys are slugs, since Dagster's keys allow no commas and its pages show long paths badly; the leaf path stands in each
materialization's metadata. Keys must be there before a run over them is launched, so whoever launches runs (the command
line, the schedule, the sensor) brings them up to date from the taxonomy's files first. A run goes over a *range* of keys,
in the order in which they were added: leaves between the first and the last stale one are made again as well, from the
journal, with the same rows.

Limit: Dagster gives all partitions of one run the same data version, here that of all their rows together. What is
current is judged by the hash of each leaf's own rows (`assets.currency`).
"""

import re
import warnings
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from synth_assets.records import content_id
from synth_assets.storage import FileLock

warnings.filterwarnings("ignore", message=".*backfill_policy", category=dg.BetaWarning)
LEAF_NODES = dg.DynamicPartitionsDefinition(name="leaf_nodes")
ONE_RUN = dg.BackfillPolicy.single_run()
MAX_SLUG = 80


def partition_key(leaf_path: str) -> str:
    """compositional_skills/writing/polite_request -> compositional_skills.writing.polite_request; other letters than those
    of plain names, and what is too long, are cut and told apart by a hash."""
    slug = leaf_path.replace("/", ".")
    if re.fullmatch(r"[A-Za-z0-9_-]+", leaf_path.replace("/", "")) and len(slug) <= MAX_SLUG:
        return slug
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", slug).strip("-.")
    return f"{plain[:MAX_SLUG]}-{content_id('partition', leaf_path)[:8]}"


def bring_up_to_date(instance: dg.DagsterInstance, leaf_paths: Collection[str]) -> list[str]:
    """Add the keys of new leaves, in order, and delete those of leaves that are gone, which are returned."""
    wanted = {partition_key(path): path for path in sorted(leaf_paths)}
    with FileLock(Path(instance.root_directory) / "leaf_nodes.lock").hold():
        there = instance.get_dynamic_partitions(str(LEAF_NODES.name))
        if missing := [key for key in wanted if key not in there]:
            instance.add_dynamic_partitions(str(LEAF_NODES.name), missing)
        gone = [key for key in there if key not in wanted]
        for key in gone:
            instance.delete_dynamic_partition(str(LEAF_NODES.name), key)
    return gone


def range_tags(instance: dg.DagsterInstance, leaf_paths: Collection[str]) -> Mapping[str, str]:
    """The tags of a run over these leaves, and over those that stand between them; none for no leaves."""
    wanted = {partition_key(path) for path in leaf_paths}
    keys = [key for key in instance.get_dynamic_partitions(str(LEAF_NODES.name)) if key in wanted]
    return {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[-1]} if keys else {}


def leaf_paths_of_run(context: dg.AssetExecutionContext, leaf_paths: Sequence[str]) -> list[str]:
    """Those of these leaves over which the run goes; a key without a leaf is told in the run's log."""
    path_of = {partition_key(path): path for path in leaf_paths}
    for key in context.partition_keys:
        if key not in path_of:
            context.log.warning(f"there is no leaf node {key} in the taxonomy any more: nothing is made for it")
    return [path_of[key] for key in context.partition_keys if key in path_of]
