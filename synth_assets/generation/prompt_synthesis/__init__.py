"""Prompts without seeds: a teacher names topics and makes up prompts about them, as for Nemotron-4 (arXiv 2406.11704).

    topics, keywords, documents -> questions, tasks, problems -> with constraints, with a second turn, as dialogues

What is turned away is data with a reason, as in the rest of generation.
"""

from synth_assets.generation.prompt_synthesis.answering import (
    BREAKS_CONSTRAINTS,
    AnswerOutcome,
    AnswerSettings,
    answer_prompts,
    answer_request,
    prompts_turned_away,
)
from synth_assets.generation.prompt_synthesis.leaves import (
    leaf_nodes_of_topics,
    topics_of_documents,
    topics_of_keywords,
)
from synth_assets.generation.prompt_synthesis.plans import (
    PlannedCalls,
    PromptPlan,
    least_prompt_calls,
    messages_to_answer,
    planned_prompt_calls,
)
from synth_assets.generation.prompt_synthesis.reading import NO_TOPIC, NOT_REFINED, REFUSAL, strip_politeness
from synth_assets.generation.prompt_synthesis.synthesis import (
    NO_CONSTRAINT,
    KindShortfall,
    PromptOutcome,
    synthesize_prompts,
)
from synth_assets.generation.prompt_synthesis.topics import (
    DUPLICATE_TOPIC,
    TopicOutcome,
    TopicShortfall,
    synthesize_topics,
)

#: Beside those of `generation.REASONS`.
PROMPT_REASONS = (REFUSAL, NOT_REFINED, NO_CONSTRAINT, NO_TOPIC, DUPLICATE_TOPIC, BREAKS_CONSTRAINTS)

__all__ = [
    "BREAKS_CONSTRAINTS", "PROMPT_REASONS", "AnswerOutcome", "AnswerSettings", "KindShortfall", "PlannedCalls",
    "PromptOutcome", "PromptPlan", "TopicOutcome", "TopicShortfall", "answer_prompts", "answer_request",
    "leaf_nodes_of_topics", "least_prompt_calls", "messages_to_answer", "planned_prompt_calls", "prompts_turned_away",
    "strip_politeness", "synthesize_prompts", "synthesize_topics", "topics_of_documents", "topics_of_keywords",
]  # fmt: skip
