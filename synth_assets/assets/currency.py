"""What each asset is made of, and whether what lies in the warehouse still is that.

An asset is current if it was made from the same code, the same part of the recipe, the same upstream tables and the
same files, its table is still the one that was made then, and its checks have been run on it. What is current is
not made again by `synth-assets demo`. The part of the recipe is in Dagster's code version as well, so the UI marks an
asset as outdated as soon as the recipe says something else. Thresholds of checks make nothing anew: only the checks
are run again (`outdated_checks`).

`version` is raised by hand when a change of code changes rows. Hashing reads every file: models of many GB take
as long as reading them takes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from synth_assets.model_folder import model_fingerprint
from synth_assets.quality import suite_id, suites_of
from synth_assets.recipe import ModelSpec, Recipe, resolve_path
from synth_assets.records import content_id
from synth_assets.storage import Warehouse


@dataclass(frozen=True)
class Ingredients:
    """Everything that an asset's rows depend on."""

    version: str
    upstream: tuple[str, ...]
    settings: Callable[[Recipe], Sequence[object]]
    models: Callable[[Recipe], Sequence[ModelSpec]] = lambda recipe: ()
    files: Callable[[Recipe], Sequence[str]] = lambda recipe: ()


INGREDIENTS: Mapping[str, Ingredients] = {
    "taxonomy": Ingredients("1", (), lambda r: (r.taxonomy.paths,), files=lambda r: r.taxonomy.paths),
    "seed_examples": Ingredients("1", ("taxonomy",), lambda r: (r.taxonomy.paths,), files=lambda r: r.taxonomy.paths),
    "document_chunks": Ingredients(
        "1",
        ("taxonomy", "seed_examples"),
        lambda r: (r.taxonomy.documents, r.taxonomy.max_chunk_tokens),
        files=lambda r: (r.taxonomy.documents,),
    ),
    "synthetic_samples": Ingredients(
        "1",
        ("taxonomy", "seed_examples", "document_chunks"),
        lambda r: (r.seed, r.teacher, r.generation),
        models=lambda r: (r.teacher,),
    ),
    "scored_samples": Ingredients(
        "1",
        ("synthetic_samples",),
        lambda r: (r.reward_model, r.reward.weights, r.generation.prompts),
        models=lambda r: (r.reward_model,),
    ),
    "reward_filtered_set": Ingredients(
        "1",
        ("synthetic_samples", "scored_samples"),
        lambda r: (r.reward.cut, r.filter, r.evaluation.benchmark),
        files=lambda r: (r.evaluation.benchmark,),
    ),
    "training_mix": Ingredients(
        "1",
        ("reward_filtered_set",),
        lambda r: (r.seed, r.generation.prompts, r.tuning.validation_share, r.tuning.replay_share),
        files=lambda r: (r.tuning.replay_buffer,) if r.tuning.replay_share and r.tuning.replay_buffer else (),
    ),
    "lora_checkpoint": Ingredients(
        "1",
        ("training_mix",),
        lambda r: (r.seed, r.student, r.tuning),
        models=lambda r: (r.student,),
    ),
    "evaluation": Ingredients(
        "1",
        ("lora_checkpoint",),
        lambda r: (r.student, r.evaluation, r.generation.prompts),
        models=lambda r: (r.student,),
        files=lambda r: (r.evaluation.benchmark,),
    ),
}


def code_version(asset: str, recipe: Recipe) -> str:
    """Version of the code and hash of the part of the recipe that the asset reads."""
    parts = INGREDIENTS[asset]
    said = [part.model_dump(mode="json") if hasattr(part, "model_dump") else part for part in parts.settings(recipe)]
    return f"{parts.version}-{content_id('settings', asset, said)[:8]}"


def inputs_id(asset: str, recipe: Recipe, warehouse: Warehouse) -> str:
    """Content hash of everything that the asset's rows depend on. Raises ModelError for a missing model."""
    parts = INGREDIENTS[asset]
    return content_id(
        "inputs",
        code_version(asset, recipe),
        {name: table_digest(warehouse, name) for name in parts.upstream},
        [model_fingerprint(resolve_path(spec.path)) for spec in parts.models(recipe)],
        [_files_digest(resolve_path(path)) for path in parts.files(recipe)],
    )


def table_digest(warehouse: Warehouse, name: str) -> str | None:
    """SHA-256 of the table's file, which `Warehouse.write_table` returned; None where there is none."""
    if not warehouse.has_table(name):
        return None
    return hashlib.sha256(warehouse.table_path(name).read_bytes()).hexdigest()


def stale_assets(
    assets: Sequence[dg.AssetsDefinition],
    checks: Mapping[str, Sequence[dg.AssetCheckKey]],
    recipe: Recipe,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
) -> list[str]:
    """The assets to make, in pipeline order: those that are not current, and all that come after them."""
    stale: list[str] = []
    for definition in assets:
        name = definition.key.path[-1]
        if set(INGREDIENTS[name].upstream) & set(stale) or not _is_current(
            definition.key, checks.get(name, ()), recipe, warehouse, instance
        ):
            stale.append(name)
    return stale


def outdated_checks(
    checks: Mapping[str, Sequence[dg.AssetCheckKey]], recipe: Recipe, instance: dg.DagsterInstance
) -> list[str]:
    """Assets whose checks were last judged by another suite: other bounds, other thresholds."""
    suites = suites_of(recipe.quality)
    return [
        asset
        for asset, keys in checks.items()
        if {_judged_by(key, instance) for key in keys} != {suite_id(suites[asset], recipe.quality)}
    ]


def _judged_by(key: dg.AssetCheckKey, instance: dg.DagsterInstance) -> object:
    latest = instance.get_latest_asset_check_evaluation_record(key)
    if latest is None or not isinstance(latest.evaluation, dg.AssetCheckEvaluation):
        return None
    said = latest.evaluation.metadata.get("suite_id")
    return said.value if said else None


def _is_current(
    key: dg.AssetKey,
    checks: Sequence[dg.AssetCheckKey],
    recipe: Recipe,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
) -> bool:
    name = key.path[-1]
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event else None
    if event is None or made is None or made.tags is None:
        return False
    recorded = made.metadata.get("inputs_id")
    if recorded is None or recorded.value != inputs_id(name, recipe, warehouse):
        return False
    if made.tags.get("dagster/data_version") != table_digest(warehouse, name):
        return False
    outputs = (value.value for value in made.metadata.values() if isinstance(value, dg.PathMetadataValue))
    if not all(Path(path).exists() for path in outputs if path):
        return False
    return all(_is_checked(check, event.timestamp, instance) for check in checks)


def _is_checked(key: dg.AssetCheckKey, made_at: float, instance: dg.DagsterInstance) -> bool:
    """Whether the check was run on what was made then, and does not stand in the way."""
    latest = instance.get_latest_asset_check_evaluation_record(key)
    if latest is None or latest.event is None or not isinstance(latest.evaluation, dg.AssetCheckEvaluation):
        return False  # never run, or planned by a run that did not come so far
    stops = latest.evaluation.blocking and not latest.evaluation.passed
    return latest.event.timestamp >= made_at and not stops


def _files_digest(path: Path) -> str:
    """Names and contents of all files under a folder; a missing one has a digest as well."""
    whole = hashlib.sha256()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    for file in files:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        whole.update(f"{file.relative_to(path).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()
