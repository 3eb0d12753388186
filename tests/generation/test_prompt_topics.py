"""Topics: lists are filled as far as their budget goes; every entry is kept or turned away, once."""

from collections import Counter

import pytest
from prompting import prompts_of, section, spoiling, step_of, topics_of, varied
from scripted import ScriptedTeacher

from synth_assets.frames import from_frame, schema_of, to_frame
from synth_assets.generation.prompt_synthesis import (
    PROMPT_REASONS,
    leaf_nodes_of_topics,
    synthesize_topics,
    topics_of_documents,
)
from synth_assets.generation.prompt_synthesis.leaves import named_topic, slug
from synth_assets.records import DocumentChunk, Topic
from synth_assets.roles import GenerationResult

ROOT = "foundational_skills/generated"


def reasons(outcome: object) -> Counter[str]:
    return Counter(row.rejection_reason for row in outcome.rejected)  # type: ignore[attr-defined]


def test_macro_topics_then_subtopics_of_each_and_keywords() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = topics_of(teacher)
    assert [[step_of(request) for request in batch] for batch in teacher.batches] == [["macro_topics"], ["subtopics"] * 3]
    assert Counter((topic.area, topic.origin, topic.parent is None) for topic in outcome.topics) == {
        ("general", "manual", True): 1, ("general", "model", True): 2, ("general", "model", False): 6,
        ("maths", "manual", True): 1, ("coding", "manual", True): 2,
    }  # fmt: skip
    assert not outcome.rejected and not outcome.shortfalls
    assert (outcome.counts.num_in, outcome.counts.num_kept) == (12, 12)
    assert "Baking" in teacher.batches[0][0].messages[0].content  # what is there already is shown
    for topic in outcome.topics:
        assert topic.generation_depth == (topic.origin == "model") == len(topic.calls) == bool(topic.teacher)
        assert topic.leaf_path.startswith(f"{ROOT}/{topic.area}/")
    assert to_frame(outcome.topics, Topic).schema == schema_of(Topic)
    assert from_frame(to_frame(outcome.topics, Topic), Topic) == outcome.topics
    deeper = synthesize_topics(ScriptedTeacher(varied), section(), 7, teacher_depth=2).topics
    assert {topic.generation_depth for topic in deeper} == {0, 3}


def test_the_same_inputs_give_the_same_topics_and_another_seed_others() -> None:
    assert topics_of(ScriptedTeacher(varied)) == topics_of(ScriptedTeacher(varied))
    one, other = ({t.topic_id for t in topics_of(ScriptedTeacher(varied), seed).topics if t.calls} for seed in (7, 8))
    assert not one & other


def test_requests_ask_for_what_is_missing_in_parts() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = topics_of(teacher, num_macro_topics=5, num_subtopics=0)
    asked = [request.messages[0].content for batch in teacher.batches for request in batch]
    assert [text[:6] for text in asked] == ["Name 2", "Name 2", "Name 1"]
    assert len({request.seed for request in teacher.batches[0]}) == 3
    assert sum(topic.area == "general" for topic in outcome.topics) == 6


def test_an_answer_that_is_too_long_is_read_as_far_as_it_was_asked_for() -> None:
    outcome = topics_of(spoiling({"macro_topics": "\n".join(f"{n}. Matter {n}" for n in range(1, 60))}), num_subtopics=0)
    assert [topic.name for topic in outcome.topics if topic.origin == "model"] == ["Matter 1", "Matter 2"]
    assert outcome.counts.num_in == 6


@pytest.mark.parametrize(
    ("answer", "expected", "num_missing"),
    [
        ("", {"empty": 2}, 2),
        ("I would rather not.", {"unparseable": 2}, 2),
        ("I'm sorry, but I cannot help, ask, or say.", {"refusal": 2}, 2),
        (GenerationResult("", "error", error="too long"), {"engine_error": 2}, 2),
        (GenerationResult("1. Physics\n2. Chem", "length"), {"truncated": 1}, 0),
        ("1. The Baking\n2. baking", {"duplicate_topic": 4}, 2),
        ("1. Physics\n2. physics", {"duplicate_topic": 2}, 1),
        ("1. Physics\n2. one two three four five six seven eight nine", {"no_topic": 1, "duplicate_topic": 1}, 1),
        ("1. Physics\n2. <|user|>", {"unparseable": 1}, 0),
        ("1. Physics", {}, 0),
    ],
)
def test_bad_answers_are_rows_with_a_reason(answer: object, expected: dict[str, int], num_missing: int) -> None:
    answers = iter([answer, answer if num_missing else "1. Weather", "1. Weather"])
    teacher = ScriptedTeacher(lambda request: next(answers))  # type: ignore[arg-type,return-value]
    outcome = topics_of(teacher, num_subtopics=0)
    assert reasons(outcome) == expected
    assert [row.num_missing for row in outcome.shortfalls] == ([num_missing] if num_missing else [])
    assert outcome.counts.num_in == len(outcome.topics) + len(outcome.rejected)
    assert outcome.counts.num_failed == expected.get("engine_error", 0)
    assert len({row.synthetic_sample_id for row in outcome.rejected}) == len(outcome.rejected)
    for row in outcome.rejected:
        assert (row.stage, row.leaf_path) == ("prompt_topics", ROOT) and row.detail
    if num_missing:
        assert "its budget of 2 requests is spent" in outcome.shortfalls[0].why


def test_a_subtopic_is_not_its_topic_again() -> None:
    outcome = topics_of(spoiling({"subtopics": "1. Baking\n2. Bread"}, when="Subject: Baking"), num_macro_topics=0)
    assert reasons(outcome) == {"duplicate_topic": 2}
    assert [topic.name for topic in outcome.topics if topic.parent] == ["Bread"]
    (shortfall,) = outcome.shortfalls
    assert (shortfall.parent, shortfall.num_missing) == ("Baking", 1)


def test_without_any_topic_wanted_nobody_is_asked() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = topics_of(teacher, num_macro_topics=0, num_subtopics=0)
    assert not teacher.batches and [topic.name for topic in outcome.topics] == ["C", "C++", "Baking", "primes"]


def test_paths_keep_names_apart() -> None:
    names = ["C", "C++", "C#", "World history", "world-history", "世界", "???", "x" * 99, "x" * 98, "Straße", "a/b", ".."]
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names) and slugs[0] == "c" and slugs[3] == "world_history" == slug(" World  History")
    assert all(each.replace("_", "").isalnum() and len(each) <= 65 for each in slugs)


def test_topics_are_leaf_nodes_of_the_generated_branch() -> None:
    topics = topics_of(ScriptedTeacher(varied)).topics
    documents = topics_of_documents([DocumentChunk(f"c{n}", "", "", "a/b.md", "", 0, 1, "x") for n in range(2)])
    leaves = leaf_nodes_of_topics([*topics, *documents, *topics])
    assert [leaf.leaf_path for leaf in leaves] == sorted({topic.leaf_path for topic in [*topics, *documents]})
    assert {leaf.branch for leaf in leaves} == {"foundational_skills"} and len({leaf.leaf_node_id for leaf in leaves}) == 13
    by_path = {leaf.leaf_path: leaf for leaf in leaves}
    assert by_path[f"{ROOT}/maths/primes"].task_description == "Problems of mathematics that need this: primes."
    assert by_path[f"{ROOT}/general/baking"].created_by == "recipe"
    sub = next(topic for topic in topics if topic.parent == "Baking")
    assert by_path[sub.leaf_path].task_description.endswith(f"{sub.name}, within Baking.")
    assert by_path[sub.leaf_path].created_by == "scripted" and sub.leaf_path.startswith(f"{ROOT}/general/baking/")
    prompts = prompts_of(ScriptedTeacher(varied))
    paths = {leaf.leaf_path for leaf in leaf_nodes_of_topics(prompts.topics)}
    assert {prompt.leaf_path for prompt in prompts.prompts} <= paths
    assert named_topic("maths", "primes").topic_id != named_topic("coding", "primes").topic_id


def test_reasons_are_declared() -> None:
    assert set(PROMPT_REASONS) == {
        "refusal", "not_refined", "no_constraint", "no_topic", "duplicate_topic", "breaks_constraints",
    }  # fmt: skip
