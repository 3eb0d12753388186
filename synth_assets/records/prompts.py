"""What prompt synthesis makes: topics, and prompts about them that are to be answered (Nemotron-4, arXiv 2406.11704).

Depth: a topic, the prompt about it, its refinement and the turns of a dialogue are steps of one generation, as context,
instruction and response of a sample are. So all that one teacher of depth d writes has `generation_depth` d + 1, and what
people wrote (a recipe's topics, keywords, documents) has 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from synth_assets.records.kinds import PromptKind, TopicArea, TopicOrigin
from synth_assets.records.samples import SyntheticSample

#: Where the leaf nodes of topics stand; no leaf of a taxonomy may, whether or not its recipe has prompt synthesis.
GENERATED_BRANCH = "foundational_skills/generated"


def is_generated(leaf_path: str) -> bool:
    """Whether it is that of a topic, of a list of topics, or the generated branch itself."""
    return f"{leaf_path}/".startswith(f"{GENERATED_BRANCH}/")


def area_path(leaf_path: str) -> str:
    """The leaf path of a topic's area, such as foundational_skills/generated/general."""
    return "/".join(leaf_path.split("/")[: GENERATED_BRANCH.count("/") + 2])


def leaf_or_area(leaf_path: str) -> str:
    """Among whose rows some are held out: a leaf's; of topics, which have too few of their own, their area's."""
    return area_path(leaf_path) if is_generated(leaf_path) else leaf_path


@dataclass(frozen=True)
class Topic:
    """What prompts are about: a macro topic, a subtopic (`parent` is its macro topic's name), a keyword, a document.

    `leaf_path` is the generated leaf node that its prompts belong to. `calls` holds the model call that named it, in the
    form of `SyntheticPrompt.calls`; of topics that a person named it is empty, as is `teacher`.
    """

    topic_id: str
    leaf_path: str
    area: TopicArea
    name: str
    parent: str | None
    origin: TopicOrigin
    teacher: str
    calls: tuple[str, ...]
    generation_depth: int


@dataclass(frozen=True)
class SyntheticPrompt:
    """A prompt that a model wrote, or a conversation.

    `text` is the last turn of the user, with the sentences of its constraints; `turns` are all turns, the user's first. Of
    `two_turn` the last one is the user's and is to be answered, of `dialogue` it is the assistant's. `context` is the text
    of the document chunk that a closed question is about; it stands in no turn. `constraints` are lines of JSON
    (`constraints.read_constraint`). `parent_prompt_id`: the prompt that this one goes on from. `calls`: every call of the
    teacher in its order, each a JSON object with step, seed, prompt (as rendered for the model) and answer (raw).
    """

    synthetic_prompt_id: str
    kind: PromptKind
    leaf_path: str
    topic_id: str
    topic: str
    text: str
    turns: tuple[str, ...]
    context: str | None
    document_chunk_id: str | None
    document_type: str
    persona: str
    constraints: tuple[str, ...]
    parent_prompt_id: str | None
    teacher: str
    candidate_index: int
    calls: tuple[str, ...]
    generation_depth: int


def ancestry_of_prompt(prompt: SyntheticPrompt, topic: Topic) -> float:
    """The `synthetic_ancestry` of what answers the prompt: 0 where it is about a document or a topic that a person named."""
    is_of_people = prompt.document_chunk_id is not None or topic.generation_depth == 0
    return 0.0 if is_of_people else 1.0


@dataclass(frozen=True)
class PromptedSample(SyntheticSample):
    """A synthetic prompt with its answer: a synthetic sample whose parent is a topic, or the document chunk asked about.

    It has no seed examples; `synthetic_ancestry` is that of its prompt (`ancestry_of_prompt`). `instruction` is the user's
    last turn; earlier turns stand in `context` (`prompts.conversations`), of a dialogue the last answer is the response.
    """

    synthetic_prompt_id: str = ""
    kind: PromptKind = "open_question"
