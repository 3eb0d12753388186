"""Settings of prompt synthesis, and a teacher that has new words for every request."""

import re

from scripted import Answer, ScriptedTeacher

from synth_assets.generation.prompt_synthesis import PromptOutcome, TopicOutcome, synthesize_prompts, synthesize_topics
from synth_assets.recipe import PromptCounts, PromptSynthesisSection, PromptTokens
from synth_assets.records import DocumentChunk
from synth_assets.roles import GenerationRequest

TOKENS = PromptTokens(topics=40, prompt=30, turn=20)
ALL_KINDS = PromptCounts(
    open_question=4, writing_task=4, closed_question=3, maths_problem=2, coding_problem=2, two_turn=3, dialogue=3
)
CHUNKS = [DocumentChunk(f"c{n}", "k", "knowledge/x", f"doc{n % 2}.md", "", n, n + 1, f"Fact {n}.") for n in range(3)]


def section(**changes: object) -> PromptSynthesisSection:
    values: dict[str, object] = {
        "num_macro_topics": 2, "manual_topics": ("Baking",), "num_subtopics": 2, "num_topics_a_request": 2,
        "document_types": ("a letter", "a poem"), "maths_keywords": ("primes",), "coding_keywords": ("C", "C++"),
        "num_prompts": ALL_KINDS, "constrained_share": 0.5, "personas": ("a hurried baker", "a doubtful clerk"),
        "topic_temperature": 0.9, "prompt_temperature": 0.8, "max_new_tokens": TOKENS, "budget_factor": 2.0,
    }  # fmt: skip
    return PromptSynthesisSection(**(values | changes))  # type: ignore[arg-type]


def step_of(request: GenerationRequest) -> str:
    asked = request.messages[-1].content
    if request.max_new_tokens == TOKENS.topics:
        return "subtopics" if asked.startswith("Subject:") else "macro_topics"
    if request.max_new_tokens == TOKENS.turn:
        return "user" if asked.startswith("You play the user") else "assistant"
    return "refine" if asked.startswith(("Question:", "Task:")) else "write"


def varied(request: GenerationRequest) -> str:
    """As many new topics as are asked for; a new prompt or turn for every request."""
    step, asked = step_of(request), request.messages[-1].content
    if step.endswith("topics"):
        num = int(re.search(r"Name (\d+)", asked)[1])  # type: ignore[index]
        return "\n".join(f"{n + 1}. Subject {request.seed % 9973} {n}" for n in range(num))
    if step == "refine":
        draft = asked.splitlines()[0].split(": ", 1)[1]
        return f"{draft} And say in detail why, for a child."
    if step == "assistant":
        return f"That follows from rule {len(request.messages)} of {len(asked)}."
    if step == "user":
        return f"Thank you! Could you please say more of point {asked.count(':')}?"
    return f"Question: What is {request.seed}?"


def spoiling(steps: dict[str, Answer], when: str = "") -> ScriptedTeacher:
    """`varied`, but these steps get these answers, where the request holds `when`."""
    return ScriptedTeacher(
        lambda r: steps[step_of(r)] if step_of(r) in steps and when in r.messages[-1].content else varied(r)
    )


def topics_of(teacher: ScriptedTeacher, seed: int = 7, **changes: object) -> TopicOutcome:
    return synthesize_topics(teacher, section(**changes), seed)


def prompts_of(teacher: ScriptedTeacher, seed: int = 7, depth: int = 0, **changes: object) -> PromptOutcome:
    topics = synthesize_topics(ScriptedTeacher(varied), section(**changes), seed).topics
    return synthesize_prompts(topics, CHUNKS, teacher, section(**changes), seed, depth)
