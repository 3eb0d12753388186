"""The recipe: what a run shall do, declared as data. No stage reads YAML; each gets its section of `Recipe`.

One dial first, knobs second: wherever the YAML holds a mapping with the keys smoke, demo and full, the value
of the chosen `scale` takes its place before anything else is looked at. So every knob is a plain value here,
and reading a recipe checks all three scales at once.

Relative paths count from the project's root (`resolve_path`), and stay relative in the record: the
fingerprint of a recipe is the same on every machine. Whether a path *exists* is judged where it is used.

This module and `assets/resources.py` are the only readers of environment variables:

    SYNTH_ASSETS_RECIPE      the recipe (data/recipes/embedded.yaml)
    SYNTH_ASSETS_HOME        the project's root (the checkout, else the current folder)
    SYNTH_ASSETS_WAREHOUSE   where everything that a run writes goes (data/warehouse)
"""

from __future__ import annotations

import json
import os
import typing
import zoneinfo
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synth_assets.errors import Fault, RecipeError, Where
from synth_assets.located_yaml import (
    KeyPath,
    LocatedYaml,
    UnreadableYaml,
    nearest_key,
    read_located_yaml,
    validation_faults,
)
from synth_assets.prompts import PROMPT_STYLES
from synth_assets.records import REWARD_ATTRIBUTES, content_id

Scale = Literal["smoke", "demo", "full"]
SCALES: tuple[Scale, ...] = typing.get_args(Scale)
DEFAULT_RECIPE = "data/recipes/embedded.yaml"

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Text = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


class TaxonomySection(_Section):
    paths: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Taxonomy roots: folders that hold knowledge/, foundational_skills/ or compositional_skills/."""
    documents: Text
    """Folder of the documents of knowledge leaves with `repo: local`."""
    max_chunk_tokens: Count = 120
    """Budget of one document chunk, in words and punctuation marks."""


class ModelSpec(_Section):
    path: Text
    """Hugging Face folder with safetensors; never code from the folder."""
    engine: Literal["vllm", "transformers"] = "vllm"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: Count
    """Tokens of prompt and answer together."""
    max_num_seqs: Count = 256
    """Requests that run side by side."""
    max_num_batched_tokens: Count = 8192
    """Prompt tokens that one step of the engine takes in; no prompt may be longer."""
    kv_cache_mib: Count = 256


class MaxNewTokens(_Section):
    context: Count
    instruction: Count
    response: Count


class GenerationSection(_Section):
    num_samples_per_leaf: Count
    """Accept until a leaf has so many."""
    budget_factor: Annotated[float, Field(ge=1, le=100)]
    """At most so many candidates for each sample asked for."""
    num_seeds_in_prompt: Count = 3
    num_seeds_in_response_prompt: Count = 2
    instruction_temperature: Temperature
    response_temperature: Temperature
    context_temperature: Temperature
    max_new_tokens: MaxNewTokens
    prompts: str = "brief"
    """Style of the prompts: a folder of synth_assets/prompts."""

    @field_validator("prompts")
    @classmethod
    def _is_a_style(cls, style: str) -> str:
        if style not in PROMPT_STYLES:
            raise ValueError("one of " + ", ".join(PROMPT_STYLES))
        return style


class RewardCut(_Section):
    mode: Literal["absolute", "leaf_quantile"]
    """absolute: keep a reward >= value. leaf_quantile: drop the lowest share `value` of each leaf."""
    value: Annotated[float, Field(allow_inf_nan=False)]

    @field_validator("value")
    @classmethod
    def _quantile_is_a_share(cls, value: float, info: Any) -> float:
        if info.data.get("mode") == "leaf_quantile" and not 0 <= value < 1:
            raise ValueError("with mode leaf_quantile a share from 0 to below 1")
        return value


class RewardSection(_Section):
    weights: dict[str, Annotated[float, Field(allow_inf_nan=False)]]
    """One weight for each reward attribute; the reward is the weighted sum."""
    cut: RewardCut

    @field_validator("weights")
    @classmethod
    def _all_five(cls, weights: dict[str, float]) -> dict[str, float]:
        if set(weights) != set(REWARD_ATTRIBUTES):
            raise ValueError("exactly the five attributes " + ", ".join(REWARD_ATTRIBUTES))
        return weights


class FilterSection(_Section):
    near_duplicate_threshold: Share
    """Jaccard similarity from which the later of two samples is a duplicate."""
    overlap_ngram: Count = 13
    """A sample that shares so many words in a row with the benchmark is rejected."""


class TuningSection(_Section):
    lora_r: Count
    lora_alpha: Count
    lora_dropout: Share = 0.0
    target_modules: Annotated[tuple[Text, ...], Field(min_length=1)]
    learning_rate: Positive
    max_steps: Count
    batch_size: Count
    warmup_ratio: Share
    validation_share: Annotated[float, Field(ge=0, lt=1)]
    replay_share: Annotated[float, Field(ge=0, lt=1)]
    """Share of the training rows that repeat what the student knew before."""
    replay_buffer: Text | None = None
    """JSON Lines file of what it knew: prompt, response, leaf_path. Needed where replay_share > 0."""
    checkpoint_every: Count
    """Steps from one resumable state to the next."""


class EvaluationSection(_Section):
    benchmark: Text
    """Folder of held-out questions."""
    max_new_tokens: Count
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95


class ScheduleSection(_Section):
    cron: Annotated[str, Field(pattern=r"^\S+ \S+ \S+ \S+ \S+$")]
    timezone: Text

    @field_validator("timezone")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("a time zone of the IANA database, such as UTC or Europe/Berlin") from error
        return name


class Threshold(_Section):
    value: Annotated[float, Field(allow_inf_nan=False)]
    reason: Annotated[str, Field(min_length=10)]
    """Why this value, in one line; shown beside the check."""


class QualitySection(_Section):
    """Each names the check that reads it."""

    min_seed_examples_per_leaf: Threshold
    min_quota_share: Threshold
    max_failed_share: Threshold
    min_kept_share: Threshold
    max_leaf_share: Threshold
    min_accuracy_gain: Threshold
    min_retained_share: Threshold


class Recipe(_Section):
    """The declared pipeline, at one scale."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    scale: Scale
    taxonomy: TaxonomySection
    teacher: ModelSpec
    reward_model: ModelSpec
    student: ModelSpec
    generation: GenerationSection
    reward: RewardSection
    filter: FilterSection
    tuning: TuningSection
    evaluation: EvaluationSection
    schedule: ScheduleSection
    quality: QualitySection

    def fingerprint(self) -> str:
        """Content hash over everything that the recipe says."""
        return content_id("recipe", self.model_dump(mode="json"))


def read_recipe(path: Path | str | None = None, scale: Scale | None = None) -> Recipe:
    """Read a recipe; `path` defaults to SYNTH_ASSETS_RECIPE, `scale` to what the recipe says.

    Raises RecipeError with every fault at once, those of the scales that are not chosen included.
    """
    file = resolve_path(path or os.environ.get("SYNTH_ASSETS_RECIPE") or DEFAULT_RECIPE)
    try:
        source = read_located_yaml(file)
    except UnreadableYaml as error:
        remedy = "name another recipe with --recipe or SYNTH_ASSETS_RECIPE, or mend this one"
        raise RecipeError("the recipe cannot be read", faults=[error.fault], remedy=remedy) from error
    if not isinstance(source.value, dict):
        fault = source.fault((), source.value, "not a recipe", "a mapping of keys to values")
        raise RecipeError("the recipe is wrong", faults=[fault], where=Where(str(file)))
    declared = scale or source.value.get("scale")
    chosen = declared if isinstance(declared, str) else None
    recipes: dict[str, Recipe] = {}
    faults: dict[Fault, None] = {}
    for each in dict.fromkeys([chosen, *SCALES]):
        found = _recipe_at(source, each, recipes)
        faults.update(dict.fromkeys(found))
    if faults:
        raise RecipeError(
            f"the recipe has {len(faults)} fault{'s' if len(faults) > 1 else ''}",
            faults=sorted(faults, key=lambda fault: (fault.line or 0, fault.column or 0, fault.key)),
            where=Where(str(file)),
            remedy="mend each line below; nothing has been started",
        )
    return recipes[str(chosen)]


def project_root() -> Path:
    """SYNTH_ASSETS_HOME, else the checkout that holds this package and data/, else the current folder."""
    if home := os.environ.get("SYNTH_ASSETS_HOME"):
        return Path(home).resolve()
    checkout = Path(__file__).resolve().parent.parent
    return checkout if (checkout / "data").is_dir() else Path.cwd()


def resolve_path(path: Path | str) -> Path:
    """An absolute path; a relative one counts from the project's root."""
    return (project_root() / Path(path).expanduser()).absolute()


def warehouse_path() -> Path:
    """SYNTH_ASSETS_WAREHOUSE, else data/warehouse under the project's root."""
    return resolve_path(os.environ.get("SYNTH_ASSETS_WAREHOUSE") or "data/warehouse")


def _recipe_at(source: LocatedYaml, scale: object, recipes: dict[str, Recipe]) -> list[Fault]:
    faults: list[Fault] = []
    moved: dict[KeyPath, KeyPath] = {}
    value = _at_scale(source, source.value, (), (), str(scale), moved, faults)
    value["scale"] = scale if scale is not None else value.get("scale")
    try:
        text = json.dumps({key: part for key, part in value.items() if part is not None}, default=str)
        recipes[str(scale)] = Recipe.model_validate_json(text)
    except ValidationError as error:
        faults += validation_faults(source, Recipe, error, moved)
    except (TypeError, ValueError, RecursionError) as error:
        faults.append(source.fault((), None, f"cannot be used: {error}", "plain values, no recursion"))
    return faults


def _at_scale(
    source: LocatedYaml, value: Any, path: KeyPath, origin: KeyPath, scale: str,
    moved: dict[KeyPath, KeyPath], faults: list[Fault],
) -> Any:  # fmt: skip
    """The value with every smoke/demo/full mapping replaced; `moved` tells where each part stands."""
    moved[path] = origin
    if isinstance(value, dict) and value and set(value) & set(SCALES):
        for unknown in set(value) - set(SCALES):
            faults.append(
                source.fault((*origin, unknown), None, "unknown scale", nearest_key(str(unknown), SCALES))
            )
        for missing in set(SCALES) - set(value):
            faults.append(source.fault(origin, None, f"no value for scale {missing}", "smoke, demo and full"))
        if scale in value:
            return _at_scale(source, value[scale], path, (*origin, scale), scale, moved, faults)
        return next(iter(value.values()))
    if isinstance(value, dict):
        return {
            str(key): _at_scale(source, part, (*path, str(key)), (*origin, str(key)), scale, moved, faults)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [
            _at_scale(source, part, (*path, index), (*origin, index), scale, moved, faults)
            for index, part in enumerate(value)
        ]
    return value
