"""The part of `synth-assets plan` that is about prompts from topics: calls and tokens of topics, prompts and answers.

One candidate of each kind is gone through with stand-ins for what is not written yet: texts as long as the recipe allows,
chunks of the longest. So the tokens are an upper bound of the least calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from synth_assets.generation.prompt_synthesis import PromptPlan, planned_prompt_calls
from synth_assets.judging import Case, judge_request, judges_of, seated
from synth_assets.prompts import render_prompt
from synth_assets.recipe import PromptSynthesisSection, Recipe
from synth_assets.records import GENERATED_BRANCH, PROMPT_KINDS, DocumentChunk, PromptKind, SyntheticPrompt, Topic

_WORDS_A_TOKEN = 3 / 4
_CONSTRAINED: PromptKind = "instruction_following"
_AREAS: dict[PromptKind, str] = {"maths_problem": "maths", "coding_problem": "coding", "closed_question": "documents"}

CountTokens = Callable[[str], float]


@dataclass(frozen=True)
class PromptCalls:
    """Calls for one purpose: how many, tokens read and written by all, and how many times as many they may become."""

    role: str
    purpose: str
    num_calls: float
    prompt_tokens: float
    new_tokens: float
    most: float


class _Call(NamedTuple):
    """One call of so many like it, and its tokens."""

    role: str
    purpose: str
    num_calls: int
    prompt_tokens: float
    new_tokens: float
    most: float = 1.0


def plan_prompt_calls(
    recipe: Recipe, counters: dict[str, CountTokens], judge: str, judgement_tokens: int
) -> list[PromptCalls]:  # fmt: skip
    """None for a recipe without prompts from topics. `judge`: the role of the model that judges, in so many tokens."""
    said = recipe.prompt_synthesis
    if said is None:
        return []
    count = counters["teacher"]
    asked = render_prompt(said.prompts, "macro_topics", topic="", num=said.num_topics_a_request, known=[])
    num_lists = planned_prompt_calls(said).of_teacher[0]
    calls = [_Call("teacher", "topics", num_lists, count(asked), said.max_new_tokens.topics, said.budget_factor)]
    for kind, num in num_by_kind(said).items():
        calls += _of_kind(kind, num, recipe, counters, judge, judgement_tokens)
    sums: dict[tuple[str, str, float], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for call in (call for call in calls if call.num_calls):
        row = sums[call.role, call.purpose, call.most]
        for n, part in enumerate((1, call.prompt_tokens, call.new_tokens)):
            row[n] += call.num_calls * part
    return [PromptCalls(role, purpose, row[0], row[1], row[2], most) for (role, purpose, most), row in sums.items()]


def num_by_kind(said: PromptSynthesisSection) -> dict[PromptKind, int]:
    """Prompts of each kind, as many as are wanted."""
    num_constrained = round(said.constrained_share * (said.num_prompts.open_question + said.num_prompts.writing_task))
    first = {kind: int(getattr(said.num_prompts, kind)) for kind in PROMPT_KINDS if kind != _CONSTRAINED}
    return {**first, _CONSTRAINED: num_constrained}


def num_by_area(said: PromptSynthesisSection) -> dict[str, int]:
    """The same by the leaf path that a topic of their area has; conversations go on from general ones, mostly."""
    num_of: dict[str, int] = defaultdict(int)
    for kind, num in num_by_kind(said).items():
        num_of[f"{GENERATED_BRANCH}/{_AREAS.get(kind, 'general')}/topic"] += num
    return dict(num_of)


def _of_kind(
    kind: PromptKind, num: int, recipe: Recipe, counters: dict[str, CountTokens], judge: str, judgement_tokens: int
) -> Iterator[_Call]:  # fmt: skip
    assert recipe.prompt_synthesis is not None
    said, count, answers = recipe.prompt_synthesis, counters["teacher"], recipe.generation.max_new_tokens.response
    plan = _stand_in_plan(kind, num, recipe)
    candidate = plan.candidate(0)
    for position, step in enumerate(plan.steps):
        request = plan.request(candidate, position)
        read = sum(count(message.content) for message in request.messages)
        yield _Call("teacher", "prompts from topics", num, read, request.max_new_tokens, said.budget_factor)
        text = _words(request.max_new_tokens)
        candidate.turns = [text] if step in ("write", "refine") else [*candidate.turns, text]
    context = candidate.chunk.text if candidate.chunk else ""
    turns = candidate.turns[:-1] if kind == "dialogue" else candidate.turns
    shown = "\n".join([context, *turns])
    if kind != "dialogue":
        yield _Call("teacher", "responses to prompts", num, count(shown), answers)
    of_instruction, of_response = judges_of(kind == "closed_question")
    values = {
        "task": "", "examples": [], "seeds": [], "context": context, "instruction": shown, "response": _words(answers)
    }  # fmt: skip
    for case in seated([Case(name, values) for name in (*of_instruction, *of_response)], recipe.judges):
        assert recipe.judges is not None
        read = sum(counters[judge](message.content) for message in judge_request(case, recipe.judges).messages)
        yield _Call(judge, f"judge of {case.judge}, of prompts", num, read, judgement_tokens)
    if recipe.reward_model:
        yield _Call("reward_model", "reward of prompts", num, counters["reward_model"](shown) + answers, 0)


def _stand_in_plan(kind: PromptKind, num: int, recipe: Recipe) -> PromptPlan:
    assert recipe.prompt_synthesis is not None
    said, text = recipe.prompt_synthesis, _words(recipe.prompt_synthesis.max_new_tokens.prompt)
    topic = Topic("", f"{GENERATED_BRANCH}/general/word", "general", "word", None, "manual", "", (), 0)
    chunk = DocumentChunk("", "", topic.leaf_path, "", "", 0, 1, " ".join(["word"] * recipe.taxonomy.max_chunk_tokens))
    parent = SyntheticPrompt(
        "", "open_question", topic.leaf_path, "", "word", text, (text,), None, None, "", "", (), None, "", 0, (), 1
    )  # fmt: skip
    goes_on = kind in (_CONSTRAINED, "two_turn", "dialogue")
    chunks = (chunk,) if kind == "closed_question" else ()
    return PromptPlan(kind, num, said, recipe.seed, (topic,), chunks, (parent,) if goes_on else ())


def _words(num_tokens: int) -> str:
    return " ".join(["word"] * max(1, round(num_tokens * _WORDS_A_TOKEN)))
