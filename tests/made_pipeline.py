"""A recipe over a small made taxonomy, and engines without any model: a pipeline that runs in this process."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from synth_assets.assets.checks import stage_checks
from synth_assets.assets.currency import material_of_files
from synth_assets.assets.leaf_partitions import bring_up_to_date, range_tags
from synth_assets.assets.resources import Engines, resources
from synth_assets.definitions import ASSETS, build_definitions
from synth_assets.recipe import ModelSpec, Recipe, read_recipe
from synth_assets.records import RewardAttributes
from synth_assets.roles import Conversation, GenerationRequest, GenerationResult, OnResult, OnScore
from synth_assets.storage import Warehouse

TO_THE_MIX = (
    "taxonomy", "seed_examples", "document_chunks", "synthetic_samples", "scored_samples", "reward_filtered_set",
    "training_mix",
)  # fmt: skip

REPORTS = ("fidelity_report", "privacy_report", "diversity_report", "collapse_report")
TO_THE_STUDENT = (*TO_THE_MIX, *REPORTS, "lora_checkpoint")

ASSETS_TO_THE_MIX = [asset for asset in ASSETS if asset.key.path[-1] in TO_THE_MIX]


class MadeTeacher:
    """Says something else for every seed; as a student it is right if the seed of its folder says so."""

    fingerprint = "made teacher"

    def generate(self, requests: Sequence[GenerationRequest], on_result: OnResult | None = None) -> list[GenerationResult]:
        results = [GenerationResult(self._text(request), "stop", "prompt", 5, 3, -0.5) for request in requests]
        for position, result in enumerate(results if on_result else ()):
            on_result(position, result)
        return results

    def _text(self, request: GenerationRequest) -> str:
        number = f"{request.seed % 10**12:012d}"
        return f"What are {number[:4]}, {number[4:8]} and {number[8:]} called?"


class MadeRewardModel:
    """Likes what ends in an even digit."""

    fingerprint = "made reward model"

    def score(
        self, conversations: Sequence[Conversation], on_score: OnScore | None = None
    ) -> list[RewardAttributes | str]:  # fmt: skip
        scores = [self._score(conversation[-1].content) for conversation in conversations]
        for position, score in enumerate(scores if on_score else ()):
            on_score(position, score)
        return list(scores)

    def _score(self, text: str) -> RewardAttributes:
        digits = [int(letter) for letter in text if letter.isdigit()]
        return RewardAttributes(2.0, 4.0 - digits[-1] % 2 - digits[0] / 10, 2.0, 1.0, 1.0)


@contextmanager
def open_made_text_model(spec: ModelSpec, folder: Path | None = None) -> Iterator[MadeTeacher]:
    yield MadeTeacher()


@contextmanager
def open_made_reward_model(spec: ModelSpec) -> Iterator[MadeRewardModel]:
    yield MadeRewardModel()


MADE_ENGINES = Engines(open_made_text_model, open_made_reward_model)


def made_recipe(folder: Path, student: Path | None = None) -> Recipe:
    """Three leaves over three branches, one with a document; everything lies in the folder."""
    root = folder / "taxonomy"
    _write(root / "compositional_skills/naming/qna.yaml", _skill("Name the {n} things."))
    _write(root / "foundational_skills/counting/qna.yaml", _skill("Count to {n}."))
    _write(root / "knowledge/towns/qna.yaml", _knowledge())
    _write(folder / "documents/towns.md", "# Towns\n\nA town has a mayor.\n\n# Rivers\n\nA river runs through it.\n")
    questions = [
        {"leaf_path": leaf, "suite": suite, "context": None, "question": f"{suite} {n} of {leaf}?", "answer": str(n)}
        for leaf, suite in (("foundational_skills/counting", "taxonomy"), ("old/copying", "retained"))
        for n in range(4)
    ]
    _write(folder / "benchmark/questions.jsonl", "".join(json.dumps(row) + "\n" for row in questions))
    replay = [{"prompt": f"Say {n}.", "response": str(n), "leaf_path": "old/copying"} for n in range(20)]
    _write(folder / "replay.jsonl", "".join(json.dumps(row) + "\n" for row in replay))
    recipe = read_recipe(scale="smoke")
    said = recipe.model_dump(mode="json")
    said["taxonomy"] |= {"paths": [str(root)], "documents": str(folder / "documents")}
    said["reward"]["cut"] = {"mode": "leaf_quantile", "value": 0.5}
    said["evaluation"]["benchmark"] = str(folder / "benchmark")
    said["tuning"]["replay_buffer"] = str(folder / "replay.jsonl")
    for phase, num_steps in zip(said["tuning"]["phases"], (1, 2), strict=True):
        phase["max_steps"] = num_steps
    said["student"]["path"] = str(student or folder / "student")
    said["trust"] = {}
    return Recipe.model_validate_json(json.dumps(said))


def made_definitions(recipe: Recipe, warehouse: Warehouse) -> dg.Definitions:
    return build_definitions(recipe, warehouse, MADE_ENGINES)


def materialize(
    recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance, names: Sequence[str] = TO_THE_MIX,
    leaf_paths: Sequence[str] | None = None, engines: Engines | None = None,
) -> dg.ExecuteInProcessResult:  # fmt: skip
    """Make these assets with their checks, in this process; those that are made by leaf for these leaves."""
    leaves = [leaf.leaf_path for leaf in material_of_files(recipe).leaf_nodes]
    bring_up_to_date(instance, leaves)
    tags = range_tags(instance, leaves if leaf_paths is None else leaf_paths)
    assets = [
        asset for asset in made_definitions(recipe, warehouse).assets or ()
        if isinstance(asset, dg.AssetsDefinition) and asset.key.path[-1] in names
    ]  # fmt: skip
    checks = [check for check in stage_checks(recipe) if {key.asset_key.path[-1] for key in check.check_keys} <= set(names)]
    given = resources(recipe, warehouse, engines or MADE_ENGINES)
    return dg.materialize([*assets, *checks], resources=given, instance=instance, raise_on_error=False, tags=tags)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _skill(question: str) -> str:
    seeds = "".join(f"  - question: {question.format(n=n)}\n    answer: done {n}\n" for n in range(5))
    return f"version: 3\ncreated_by: someone\ntask_description: A task.\nseed_examples:\n{seeds}"


def _knowledge() -> str:
    pairs = "".join(f"      - question: Question {n}?\n        answer: Answer {n}.\n" for n in range(3))
    seeds = "".join(f"  - context: Text number {n}.\n    questions_and_answers:\n{pairs}" for n in range(5))
    document = "document:\n  repo: local\n  commit: none\n  patterns: [towns.md]\n"
    head = "version: 3\ncreated_by: someone\ndomain: places\ndocument_outline: Towns.\n"
    return f"{head}{document}seed_examples:\n{seeds}"
