"""What is to be made: everything that is not current, leaf by leaf where an asset is made by leaf.

An asset is current if it was made from the same code, the same part of the recipe, the same upstream tables and the
same files, its table is still the one that was made then, and its checks have been run on it and do not stop it. What is
current is not made again by the command line, the schedule or the sensor. The part of the recipe is in Dagster's code
version as well, so the UI marks an asset as outdated as soon as the recipe says something else. Thresholds of checks
make nothing anew: only the checks are run again (`outdated_checks`).

Leaves are judged by the files, not by the tables that were read from them: so it is known before a run which leaves it
will go over, and a comment in a leaf's file makes no leaf anew, nor what follows from rows that stay the same.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl

from synth_assets.assets.checks import last_verdict, stops
from synth_assets.assets.ingredients import INGREDIENTS, upstream_of
from synth_assets.assets.leaf_partitions import partition_key
from synth_assets.assets.made_of import inputs_id, sample_inputs, score_inputs, table_digest
from synth_assets.assets.recipe_parts import data_sets_of, document_rules
from synth_assets.assets.resources import Retry
from synth_assets.assets.storing import ASSET_OF_STAGE, ROWS_ID, leaf_digests
from synth_assets.frames import from_frame
from synth_assets.quality import suite_id, suites_of
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import TABLES
from synth_assets.storage import Warehouse
from synth_assets.taxonomy import Material, read_material, require_no_faults

_MANY = 10_000
STAGE_1 = ("taxonomy", "seed_examples", "document_chunks")
#: What calls models and is made as a whole.
PROMPT_ASSETS = ("prompt_topics", "synthetic_prompts", "prompted_samples", "scored_prompted_samples")
CheckKeys = Mapping[str, Sequence[dg.AssetCheckKey]]


@dataclass(frozen=True)
class Plan:
    """What a run would do: `assets` in pipeline order, `leaf_paths` of those that are made by leaf.

    `leaves`: all leaf paths that the taxonomy's files hold; `retired`: leaves with rows that are there no more, or cannot
    be read any more; `faults`: what is wrong in the files, a line each.
    """

    assets: list[str]
    leaf_paths: list[str]
    leaves: list[str]
    retired: list[str]
    faults: list[str]


def plan_run(
    assets: Sequence[dg.AssetsDefinition],
    checks: CheckKeys,
    recipe: Recipe,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    retry: Sequence[Retry] = (),
) -> Plan:
    """`retry`: leaves with such calls are to be made again as well; the journal answers all their other calls.

    Raises TaxonomyError if the taxonomy cannot be read at all, ModelError for a missing model.
    """
    material = material_of_files(recipe)
    leaves = [leaf.leaf_path for leaf in material.leaf_nodes]
    samples = _digests(warehouse, "synthetic_samples")
    retired = sorted(set(samples) - set(leaves))
    unmoved, stale = _unmoved(warehouse, material), list[str]()
    stale_leaves: set[str] = set()
    for definition in assets:
        name = definition.key.path[-1]
        made = last_made(definition.key, instance)
        verdicts = [last_verdict(check, instance) for check in checks.get(name, ())]
        judged = all(_is_judged(verdict, made) and not stops(verdict) for verdict in verdicts)
        upstream = set(upstream_of(name, recipe))
        if INGREDIENTS[name].is_by_leaf:
            expected = _expected(name, recipe, material, samples)
            stale_leaves |= set(leaves) - _current_leaves(definition.key, expected, warehouse, instance)
            stale_leaves |= set(leaves) & _leaves_to_retry(name, warehouse, retry)
            if not judged and not stale_leaves:  # its checks run when something of it is made: one leaf, from the journal
                stale_leaves.add(leaves[0])
            is_stale = bool(stale_leaves)
        else:
            is_stale = bool(upstream & _moved(stale, name, unmoved)) or bool(retired and "synthetic_samples" in upstream)
            is_stale = is_stale or not judged or not is_current(name, made, recipe, warehouse)
            is_stale = is_stale or (name == "document_chunks" and name not in unmoved)
            may_be_retried = name in (*PROMPT_ASSETS, "preference_pairs")
            is_stale = is_stale or (may_be_retried and bool(_leaves_to_retry(name, warehouse, retry)))
        if is_stale:
            stale.append(name)
    return Plan(stale, sorted(stale_leaves), leaves, retired, [str(fault) for fault in material.faults])


def _expected(asset: str, recipe: Recipe, material: Material, samples: Mapping[str, str]) -> dict[str, str]:
    """By leaf: what an asset that is made by leaf would be made of now."""
    if asset == "scored_samples":
        return score_inputs(recipe, {leaf.leaf_path: samples.get(leaf.leaf_path, "") for leaf in material.leaf_nodes})
    return sample_inputs(recipe, material)


def material_of_files(recipe: Recipe) -> Material:
    """What the recipe's files hold now. Raises TaxonomyError, of a strict recipe for a single fault."""
    roots = [resolve_path(path) for path in recipe.taxonomy.paths]
    material = read_material(roots, document_rules(recipe), data_sets_of(recipe))
    if recipe.taxonomy.strict:
        require_no_faults(material.faults)
    return material


def outdated_checks(checks: CheckKeys, recipe: Recipe, instance: dg.DagsterInstance) -> list[str]:
    """Assets whose checks were last judged by another suite: other bounds, other thresholds."""
    suites = suites_of(recipe)
    return [
        asset
        for asset, keys in checks.items()
        if {judged_by(last_verdict(key, instance)) for key in keys} != {suite_id(suites[asset], recipe)}
    ]


def judged_by(verdict: dg.AssetCheckEvaluation | None) -> object:
    """Of which suite, with which thresholds, the check was."""
    said = verdict.metadata.get("suite_id") if verdict else None
    return said.value if said else None


def _unmoved(warehouse: Warehouse, material: Material) -> set[str]:
    """The tables of stage 1 that hold just what the files hold now, wherever those lie: a comment changes none of them."""
    held = {"taxonomy": material.leaf_nodes, "seed_examples": material.seed_examples, "document_chunks": material.chunks}
    return {
        name
        for name, records in held.items()
        if warehouse.has_table(name) and from_frame(warehouse.read_table(name), TABLES[name]) == list(records)
    }


def _moved(stale: Sequence[str], asset: str, unmoved: Set[str]) -> set[str]:
    """What makes the asset stale if it is read: stage 1 is read anew as a whole, what follows it only where rows change."""
    return {name for name in stale if asset in STAGE_1 or name not in unmoved}


def last_made(key: dg.AssetKey, instance: dg.DagsterInstance) -> dg.EventLogRecord | None:
    """When the asset was last made, in this run or an earlier one; None if it never was."""
    return next(iter(instance.fetch_materializations(key, limit=1).records), None)


def is_current(name: str, record: dg.EventLogRecord | None, recipe: Recipe, warehouse: Warehouse) -> bool:
    """Whether the asset was made of what is there now, and is still what was made then; for one that is not made by leaf.

    Raises ModelError for a missing model.
    """
    made = record.asset_materialization if record else None
    if made is None or made.tags is None:
        return False
    recorded = made.metadata.get("inputs_id")
    if recorded is None or recorded.value != inputs_id(name, recipe, warehouse):
        return False
    if INGREDIENTS[name].has_table and made.tags.get("dagster/data_version") != table_digest(warehouse, name):
        return False
    for written in INGREDIENTS[name].writes:
        then = made.metadata.get(f"{written}_digest")
        if then is None or then.value != table_digest(warehouse, written):
            return False
    outputs = (value.value for value in made.metadata.values() if isinstance(value, dg.PathMetadataValue))
    return all(Path(path).exists() for path in outputs if path)


def _current_leaves(
    key: dg.AssetKey, expected: Mapping[str, str], warehouse: Warehouse, instance: dg.DagsterInstance
) -> set[str]:
    """Those of the leaves that were made of just this, and whose rows are still those that were made then."""
    rows = _digests(warehouse, key.path[-1])
    current = set()
    for path, inputs in expected.items():
        which = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition_key(path)])
        records = instance.fetch_materializations(which, limit=1).records
        made = records[0].asset_materialization if records else None
        said = {name: value.value for name, value in made.metadata.items()} if made else {}
        if said.get("inputs_id") == inputs and said.get(ROWS_ID) == rows.get(path, ""):
            current.add(path)
    return current


def _leaves_to_retry(name: str, warehouse: Warehouse, retry: Sequence[Retry]) -> set[str]:
    """Those that lost rows of this asset to a call that failed, or whose answer was cut off."""
    if not retry or not warehouse.has_table("rejected_samples"):
        return set()
    signs = {"failed": pl.col("outcome") == "failed", "truncated": pl.col("rejection_reason") == "truncated"}
    lost = warehouse.read_table("rejected_samples").filter(pl.any_horizontal(signs[kind] for kind in retry))
    return set(lost.filter(pl.col("stage").replace_strict(ASSET_OF_STAGE) == name)["leaf_path"])


def _digests(warehouse: Warehouse, name: str) -> dict[str, str]:
    return leaf_digests(warehouse.read_table(name)) if warehouse.has_table(name) else {}


def _is_judged(verdict: dg.AssetCheckEvaluation | None, made: dg.EventLogRecord | None) -> bool:
    """Whether the check was run on what was made last.

    Told by the order in which Dagster wrote things down, not by their times: a clock may have been set back in between.
    """
    judged = verdict.target_materialization_data if verdict else None
    return made is not None and judged is not None and judged.storage_id >= made.storage_id


def is_judged_alike(check: dg.AssetCheckKey, verdict: dg.AssetCheckEvaluation, instance: dg.DagsterInstance) -> bool:
    """Whether the check was run on what was made last, or on the same: of two runs at once the other may make it again.

    By what each was made of and what came of it, of an asset that is made by leaf leaf by leaf.
    """
    judged = verdict.target_materialization_data
    if judged is None:
        return False
    since = dg.AssetRecordsFilter(asset_key=check.asset_key, after_storage_id=judged.storage_id)
    return all(
        _came_of(record) == _came_of(_made_before(check.asset_key, record.partition_key, judged.storage_id + 1, instance))
        for record in instance.fetch_materializations(since, limit=_MANY).records
    )


def _made_before(
    key: dg.AssetKey, partition: str | None, storage_id: int, instance: dg.DagsterInstance
) -> dg.EventLogRecord | None:  # fmt: skip
    partitions = [partition] if partition else None
    which = dg.AssetRecordsFilter(asset_key=key, asset_partitions=partitions, before_storage_id=storage_id)
    records = instance.fetch_materializations(which, limit=1).records
    return records[0] if records else None


def _came_of(record: dg.EventLogRecord | None) -> tuple[object, object] | None:
    made = record.asset_materialization if record else None
    if made is None:
        return None
    inputs, rows = made.metadata.get("inputs_id"), made.metadata.get(ROWS_ID)
    return inputs and inputs.value, rows.value if rows else (made.tags or {}).get("dagster/data_version")
