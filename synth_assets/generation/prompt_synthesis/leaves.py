"""Topics as the generated branch of the taxonomy: each is a leaf node, so that quotas, counts and lineage are per topic.

    foundational_skills/generated/general/MACRO[/TOPIC]    macro topics and their subtopics
    foundational_skills/generated/maths/KEYWORD            likewise coding/KEYWORD, documents/SOURCE

A leaf's folder is its name in small letters, with _ for what is no letter or figure; where that loses something ("C" and
"C++"), four hex digits of the name's hash keep names apart. Such leaves have no seed examples and no file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from synth_assets.recipe import PromptSynthesisSection
from synth_assets.records import (
    GENERATED_BRANCH,
    DocumentChunk,
    LeafNode,
    Topic,
    TopicArea,
    TopicOrigin,
    content_id,
)
from synth_assets.sketches import plain

_VERSION = 3
_MAX_SLUG = 60
_TASKS = {
    "general": "Questions and writing tasks on this subject: {}.",
    "maths": "Problems of mathematics that need this: {}.",
    "coding": "Programming problems that need this: {}.",
    "documents": "Questions that this document alone answers: {}.",
}


def named_topic(
    area: TopicArea, name: str, parent: str | None = None, origin: TopicOrigin = "manual", teacher: str = "",
    calls: tuple[str, ...] = (), generation_depth: int = 0,
) -> Topic:  # fmt: skip
    """A topic with its id and leaf path; `name` without surrounding white space."""
    folders = [GENERATED_BRANCH, area, *([slug(parent)] if parent else []), slug(name)]
    topic_id = content_id("topic", area, name, parent, origin, teacher, calls, generation_depth)
    return Topic(topic_id, "/".join(folders), area, name, parent, origin, teacher, calls, generation_depth)


def topics_of_keywords(settings: PromptSynthesisSection) -> list[Topic]:
    """One a keyword of mathematics and coding."""
    return [
        *(named_topic("maths", name.strip()) for name in settings.maths_keywords),
        *(named_topic("coding", name.strip()) for name in settings.coding_keywords),
    ]


def topics_of_documents(chunks: Iterable[DocumentChunk]) -> list[Topic]:
    """One a document, by the name of its source; sorted."""
    return [named_topic("documents", source, origin="document") for source in sorted({chunk.source for chunk in chunks})]


def leaf_nodes_of_topics(topics: Sequence[Topic]) -> list[LeafNode]:
    """One leaf node a topic, sorted by path; of topics with the same path the first one counts."""
    leaves: dict[str, LeafNode] = {}
    for topic in topics:
        task = _TASKS[topic.area].format(f"{topic.name}, within {topic.parent}" if topic.parent else topic.name)
        leaves.setdefault(
            topic.leaf_path,
            LeafNode(
                leaf_node_id=content_id("leaf_node", "generated", topic.leaf_path, task, topic.topic_id),
                leaf_path=topic.leaf_path, branch="foundational_skills", task_description=task,
                created_by=topic.teacher or "recipe", version=_VERSION, domain=topic.area, document_outline="",
                document_repo="", document_commit="", document_patterns=(), file="", num_seed_examples=0,
            ),
        )  # fmt: skip
    return [leaves[path] for path in sorted(leaves)]


def slug(name: str) -> str:
    """The name of a leaf's folder; different for names that differ in more than case and white space."""
    folded = unicodedata.normalize("NFC", plain(name))
    bare = re.sub(r"[\W_]+", "_", folded).strip("_")[:_MAX_SLUG]
    return bare if bare.replace("_", " ") == folded else f"{bare}_{content_id('slug', folded)[:4]}".lstrip("_")
