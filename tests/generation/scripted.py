"""A teacher whose words are a function of the request, and leaves to ask it about."""

from collections.abc import Callable, Sequence

from synth_assets.recipe import GenerationSection, MaxNewTokens
from synth_assets.records import DocumentChunk, LeafNode, SeedExample
from synth_assets.roles import GenerationRequest, GenerationResult

Answer = str | GenerationResult


class ScriptedTeacher:
    """Answers by `script(request)`; keeps every batch that it was asked."""

    fingerprint = "scripted"

    def __init__(self, script: Callable[[GenerationRequest], Answer]) -> None:
        self.script = script
        self.batches: list[list[GenerationRequest]] = []

    def generate(self, requests: Sequence[GenerationRequest], on_result: object = None) -> list[GenerationResult]:
        self.batches.append(list(requests))
        return [self._result(request) for request in requests]

    def _result(self, request: GenerationRequest) -> GenerationResult:
        answer = self.script(request)
        if isinstance(answer, GenerationResult):
            return answer
        prompt = "|".join(f"{role}:{content}" for role, content in request.messages)
        return GenerationResult(answer, "stop", prompt, 9, 3, -0.5)


def settings(quota: int = 4, budget_factor: float = 3.0, **values: object) -> GenerationSection:
    return GenerationSection(
        num_samples_per_leaf=quota, budget_factor=budget_factor, instruction_temperature=0.8, response_temperature=0.7,
        context_temperature=0.9, max_new_tokens=MaxNewTokens(context=30, instruction=20, response=10),
        **values,
    )  # type: ignore[arg-type]  # fmt: skip


def leaf(path: str, num_seeds: int = 5) -> LeafNode:
    return LeafNode(
        leaf_node_id=f"id-{path}", leaf_path=path, branch=path.split("/")[0], task_description="", created_by="", version=1,
        domain="", document_outline="", document_repo="", document_commit="", document_patterns=(), file="",
        num_seed_examples=num_seeds,
    )  # type: ignore[arg-type]  # fmt: skip


def seeds(path: str, count: int = 5, is_grounded: bool = False) -> list[SeedExample]:
    return [
        SeedExample(
            f"{path}-{'g' if is_grounded else 'f'}{n}", f"id-{path}", path, n,
            f"Card {n} of {path}." if is_grounded else None, f"Do thing {n} of {path} now?", f"Done {n}.",
        )
        for n in range(count)
    ]  # fmt: skip


def chunks(path: str, count: int = 3) -> list[DocumentChunk]:
    return [DocumentChunk(f"{path}-c{n}", f"id-{path}", path, "doc.md", "", n, n + 1, f"Fact {n}.") for n in range(count)]


def step_of(request: GenerationRequest) -> str:
    return {30: "context", 20: "instruction", 10: "response"}[request.max_new_tokens]


def varied(request: GenerationRequest) -> str:
    """A new context, instruction or response for every seed."""
    return {"context": "Some text {}.", "instruction": "Do new thing {}?", "response": "Answer {}."}[
        step_of(request)
    ].format(request.seed)
