"""Topics: macro topics that the teacher names and people add to, and subtopics of each.

Answers are lists, asked for until a list is as long as the recipe wants it or its budget of requests is spent. A round asks,
for every list at once, exactly as many entries as are still missing, in requests of limited length, and names to the teacher
what it has already. What an answer holds beyond what it was asked for is left aside. Every entry read is one row, kept or
rejected; an answer without any entry is one row as well, rejected or failed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from synth_assets.counting import sum_counts
from synth_assets.generation.candidates import derive_seed
from synth_assets.generation.prompt_synthesis.calls import call_line
from synth_assets.generation.prompt_synthesis.leaves import named_topic, topics_of_documents, topics_of_keywords
from synth_assets.generation.prompt_synthesis.reading import judge_refusal, judge_topic, read_list
from synth_assets.generation.rejection import EMPTY, ENGINE_ERROR, TRUNCATED, UNPARSEABLE, Verdict, judge_form
from synth_assets.prompts import render_prompt
from synth_assets.recipe import PromptSynthesisSection
from synth_assets.records import GENERATED_BRANCH, DocumentChunk, Outcome, RejectedSample, StageCounts, Topic, content_id
from synth_assets.roles import GenerationRequest, GenerationResult, Message, TextModel
from synth_assets.sketches import words_of

STAGE = "prompt_topics"
DUPLICATE_TOPIC = "duplicate_topic"
_MAX_KNOWN = 60  # names that a request shows


@dataclass(frozen=True)
class TopicShortfall:
    """A list that ended too short; `parent` is empty for that of macro topics."""

    parent: str
    num_missing: int
    why: str


@dataclass(frozen=True)
class TopicOutcome:
    """Topics in the order of their leaf paths, keywords included; a leaf count for each list that was asked for."""

    topics: list[Topic]
    rejected: list[RejectedSample]
    leaf_counts: list[StageCounts]
    shortfalls: list[TopicShortfall]

    @property
    def counts(self) -> StageCounts:
        return sum_counts(STAGE, self.leaf_counts)


@dataclass
class _List:
    """One list under way. `position` counts entries read, `num_requests` what was spent of the budget."""

    path: str
    parent: Topic | None
    num_wanted: int
    budget: int
    topics: list[Topic] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    rejected: list[RejectedSample] = field(default_factory=list)
    num_in: int = 0
    num_requests: int = 0
    num_given: int = 0
    """Topics that people named: they count as kept, and not for what is wanted of the teacher."""

    @property
    def num_missing(self) -> int:
        return self.num_wanted - (len(self.topics) - self.num_given)

    def give(self, topics: Sequence[Topic]) -> None:
        self.topics += topics
        self.taken |= {topic_key(topic.name) for topic in topics}
        self.num_in, self.num_given = len(topics), len(topics)


def synthesize_topics(
    teacher: TextModel, settings: PromptSynthesisSection, seed: int, teacher_depth: int = 0,
    document_chunks: Iterable[DocumentChunk] = (),
) -> TopicOutcome:  # fmt: skip
    """The recipe's topics and the teacher's, with the subtopics of both. `teacher_depth`: how deep it descends from models.

    A document is a topic where closed questions are wanted.

    The same inputs give the same outcome, row for row. Raises what the model raises.
    """
    macro = _List(GENERATED_BRANCH, None, settings.num_macro_topics, _budget(settings.num_macro_topics, settings))
    macro.give([named_topic("general", name.strip()) for name in settings.manual_topics])
    _fill([macro], teacher, settings, seed, teacher_depth)
    lists = [
        _List(topic.leaf_path, topic, settings.num_subtopics, _budget(settings.num_subtopics, settings))
        for topic in (sorted(macro.topics, key=lambda topic: topic.leaf_path) if settings.num_subtopics else [])
    ]
    for each in lists:
        assert each.parent is not None
        each.taken.add(topic_key(each.parent.name))
    _fill(lists, teacher, settings, seed, teacher_depth)
    keywords = topics_of_keywords(settings)
    lists = [macro, *lists]
    documents = topics_of_documents(document_chunks) if settings.num_prompts.closed_question else []
    topics = [*keywords, *documents, *(topic for each in lists for topic in each.topics)]
    counts = [_counted(each) for each in lists]
    for name, given in (("keywords", keywords), ("documents", documents)):
        if given:
            counts.append(StageCounts(STAGE, f"{GENERATED_BRANCH}/{name}", len(given), len(given), 0, 0))
    return TopicOutcome(
        sorted(topics, key=lambda topic: (topic.leaf_path, topic.topic_id)),
        [row for each in lists for row in each.rejected],
        counts,
        [_shortfall(each) for each in lists if each.num_missing],
    )


def topic_key(name: str) -> str:
    """By which two topics of a list are the same: their words, without articles, case and marks."""
    words = [word for word in words_of(name) if any(map(str.isalnum, word))]
    return " ".join(word for word in words if word not in ("the", "a", "an")) or name.strip()


def _fill(lists: Sequence[_List], teacher: TextModel, settings: PromptSynthesisSection, seed: int, depth: int) -> None:
    while asked := [request for each in lists for request in _requests(each, settings, seed)]:
        results = teacher.generate([request for _, _, request in asked])
        for (each, num, request), result in zip(asked, results, strict=True):
            _take(each, num, request, result, teacher.fingerprint, depth)


def _requests(each: _List, settings: PromptSynthesisSection, seed: int) -> list[tuple[_List, int, GenerationRequest]]:
    """Those of one round: list, entries asked for, request."""
    requests, missing = [], each.num_missing
    known = [topic.name for topic in each.topics][-_MAX_KNOWN:]
    while missing > 0 and each.num_requests < each.budget:
        num = min(missing, settings.num_topics_a_request)
        name = "subtopics" if each.parent else "macro_topics"
        values = {"topic": each.parent.name if each.parent else "", "num": num, "known": known}
        requests.append((each, num, GenerationRequest(
            messages=(Message("user", render_prompt(settings.prompts, name, **values)),),
            max_new_tokens=settings.max_new_tokens.topics,
            temperature=settings.topic_temperature,
            seed=derive_seed(seed, each.path, each.num_requests, name),
        )))  # fmt: skip
        each.num_requests += 1
        missing -= num
    return requests


def _take(each: _List, num: int, request: GenerationRequest, result: GenerationResult, teacher: str, depth: int) -> None:
    if result.finish_reason == "error":
        _reject(each, "", Verdict(ENGINE_ERROR, result.error), teacher, request.seed, "failed")
        return
    refusal, entries = judge_refusal(result.text), read_list(result.text)
    if refusal or not entries:
        reason = EMPTY if not result.text else TRUNCATED if result.finish_reason == "length" else UNPARSEABLE
        why = refusal or Verdict(reason, "the answer holds no list")
        _reject(each, result.text, why, teacher, request.seed)
        return
    line = call_line("subtopics" if each.parent else "macro_topics", request.seed, result)
    for position, name in enumerate(entries[:num], 1):
        is_cut = result.finish_reason == "length" and position == len(entries)
        verdict = Verdict(TRUNCATED, "the answer broke off here") if is_cut else _judge(each, name)
        if verdict:
            _reject(each, name, verdict, teacher, request.seed)
            continue
        each.num_in += 1
        each.taken.add(topic_key(name))
        parent = each.parent.name if each.parent else None
        above = each.parent.generation_depth if each.parent else 0
        each.topics.append(named_topic("general", name, parent, "model", teacher, (line,), max(1 + depth, above)))


def _judge(each: _List, name: str) -> Verdict | None:
    """The entry's own faults; those of form are the entry's, since a marker in one says nothing of the others."""
    entry = GenerationResult(name, "stop")
    if verdict := judge_form(entry, name) or judge_topic(name):
        return verdict
    if topic_key(name) in each.taken:
        return Verdict(DUPLICATE_TOPIC, "the list has this topic already, or it is the topic above")
    return None


def _reject(
    each: _List, text: str, verdict: Verdict, teacher: str, request_seed: int, outcome: Outcome = "rejected"
) -> None:  # fmt: skip
    each.rejected.append(RejectedSample(
        synthetic_sample_id=content_id("topic_candidate", each.path, teacher, request_seed, each.num_in),
        leaf_path=each.path, stage=STAGE, outcome=outcome, rejection_reason=verdict.reason, detail=verdict.detail,
        instruction=text, response="", candidate_index=each.num_in,
    ))  # fmt: skip
    each.num_in += 1


def _budget(num: int, settings: PromptSynthesisSection) -> int:
    return math.ceil(math.ceil(num / settings.num_topics_a_request) * settings.budget_factor)


def _counted(each: _List) -> StageCounts:
    outcomes = Counter(row.outcome for row in each.rejected)
    return StageCounts(
        STAGE, each.path, each.num_in, len(each.topics), outcomes["rejected"], outcomes["failed"]
    ).check()  # fmt: skip


def _shortfall(each: _List) -> TopicShortfall:
    reasons = Counter(row.rejection_reason for row in each.rejected)
    losses = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    parent = each.parent.name if each.parent else ""
    return TopicShortfall(
        parent, each.num_missing, f"its budget of {each.budget} requests is spent: {losses or 'short lists'}"
    )
