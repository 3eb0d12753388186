"""Every kind of prompt is asked for as it should be; every candidate ends once; the inputs alone decide."""

import json
from collections import Counter
from random import Random

import pytest
from prompting import ALL_KINDS, CHUNKS, prompts_of, section, spoiling, step_of, varied
from scripted import Answer, ScriptedTeacher

from synth_assets.constraints import read_constraint
from synth_assets.frames import from_frame, schema_of, to_frame
from synth_assets.generation import REASONS
from synth_assets.generation.prompt_synthesis import (
    PROMPT_REASONS,
    PromptOutcome,
    least_prompt_calls,
    messages_to_answer,
    prompts_turned_away,
    synthesize_prompts,
    synthesize_topics,
)
from synth_assets.generation.prompt_synthesis.plans import words_to_ask_for
from synth_assets.recipe import PromptCounts
from synth_assets.records import PROMPT_KINDS, RejectedSample, SyntheticPrompt
from synth_assets.roles import GenerationRequest, GenerationResult

ONE_QUESTION = PromptCounts(open_question=1)


def of_kind(outcome: PromptOutcome, kind: str) -> list[SyntheticPrompt]:
    return [prompt for prompt in outcome.prompts if prompt.kind == kind]


def reasons(outcome: PromptOutcome) -> dict[str, int]:
    return dict(Counter(row.rejection_reason for row in outcome.rejected))


def test_every_kind_is_made_in_its_steps() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = prompts_of(teacher)
    counts = Counter(prompt.kind for prompt in outcome.prompts)
    assert counts == {**ALL_KINDS.model_dump(), "instruction_following": 4}  # half of 8
    assert list(counts) == [kind for kind in PROMPT_KINDS if counts[kind]]
    assert not outcome.rejected and not outcome.shortfalls and outcome.counts.num_in == outcome.counts.num_kept == 25
    steps = [Counter(map(step_of, batch)) for batch in teacher.batches]
    assert steps == [
        {"write": 15},
        {"refine": 8},
        {"assistant": 6},
        {"user": 6},
        *[{s: 3} for s in ("assistant", "user", "assistant")],
    ]
    for prompt in outcome.prompts:
        made = [json.loads(call)["step"] for call in prompt.calls]
        assert made == {
            "open_question": ["write", "refine"], "writing_task": ["write", "refine"], "instruction_following": [],
            "two_turn": ["assistant", "user"], "dialogue": ["assistant", "user"] * 2 + ["assistant"],
        }.get(prompt.kind, ["write"])  # fmt: skip
        assert prompt.generation_depth == 1 and prompt.teacher == "scripted"
    assert len({prompt.synthetic_prompt_id for prompt in outcome.prompts}) == 25
    assert to_frame(outcome.prompts, SyntheticPrompt).schema == schema_of(SyntheticPrompt)
    assert from_frame(to_frame(outcome.prompts, SyntheticPrompt), SyntheticPrompt) == outcome.prompts


def test_first_kinds_are_about_their_material() -> None:
    outcome = prompts_of(ScriptedTeacher(varied))
    questions, tasks = of_kind(outcome, "open_question"), of_kind(outcome, "writing_task")
    assert len({prompt.topic for prompt in questions}) == 4  # in turn
    for prompt in [*questions, *tasks]:
        first = json.loads(prompt.calls[0])
        assert prompt.topic in first["prompt"] and first["answer"].removeprefix("Question: ") in prompt.text
        assert prompt.text.endswith("for a child.") and prompt.turns == (prompt.text,)
    assert {prompt.document_type for prompt in tasks} == {"a letter", "a poem"}
    for prompt in of_kind(outcome, "closed_question"):
        assert prompt.context and prompt.context in json.loads(prompt.calls[0])["prompt"]
        assert CHUNKS[int(prompt.document_chunk_id[1])].text == prompt.context  # type: ignore[index]
        assert prompt.leaf_path.startswith("foundational_skills/generated/documents/doc")
    assert len({prompt.document_chunk_id for prompt in of_kind(outcome, "closed_question")}) == 3
    assert {prompt.topic for prompt in of_kind(outcome, "maths_problem")} == {"primes"}
    assert {prompt.topic for prompt in of_kind(outcome, "coding_problem")} == {"C", "C++"}
    assert "Python" in json.loads(of_kind(outcome, "coding_problem")[0].calls[0])["prompt"]


def test_constraints_are_appended_to_prompts_that_were_kept() -> None:
    outcome = prompts_of(ScriptedTeacher(varied), constrained_share=1.0, max_constraints=3)
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in outcome.prompts}
    found = of_kind(outcome, "instruction_following")
    assert len({prompt.parent_prompt_id for prompt in found}) == len(found) == 8
    assert {len(prompt.constraints) for prompt in found} == {1, 2, 3}
    for prompt in found:
        parent = by_id[prompt.parent_prompt_id or ""]
        constraints = [read_constraint(text) for text in prompt.constraints]
        assert prompt.text.startswith(parent.text + "\n\n") and prompt.leaf_path == parent.leaf_path
        for each in constraints:
            assert any(each.sentence(seed) in prompt.text for seed in range(60))
    only = prompts_of(ScriptedTeacher(varied), constrained_share=1.0, constraint_kinds=("no_commas",))
    assert {prompt.constraints for prompt in of_kind(only, "instruction_following")} == {('{"kind": "no_commas"}',)}


def test_a_prompt_that_no_constraint_fits_is_turned_away() -> None:
    outcome = prompts_of(
        spoiling({"write": "How so?", "refine": "How is it so?"}), constrained_share=1.0, num_prompts=ONE_QUESTION,
        constraint_kinds=("includes_keywords",), manual_topics=("pi",), num_macro_topics=0, num_subtopics=0,
    )  # fmt: skip
    assert reasons(outcome) == {"no_constraint": 2} and outcome.shortfalls[0].kind == "instruction_following"
    assert words_to_ask_for("Because “lenses” bend light, people (e.g.) see.") == ["light"]


def test_the_teacher_plays_both_roles() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = prompts_of(teacher)
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in outcome.prompts}
    two_turn, dialogues = of_kind(outcome, "two_turn"), of_kind(outcome, "dialogue")
    assert {len(prompt.turns) for prompt in two_turn} == {3} and {len(prompt.turns) for prompt in dialogues} == {6}
    for prompt in [*two_turn, *dialogues]:
        assert prompt.turns[0] == by_id[prompt.parent_prompt_id or ""].text
        assert prompt.text == prompt.turns[-1 if prompt.kind == "two_turn" else -2]
        assert prompt.persona in ("a hurried baker", "a doubtful clerk")
        for turn in prompt.turns[2::2]:
            assert turn.startswith("Could you say more of point")  # no thanks, no please
        for call in map(json.loads, prompt.calls):
            assert (prompt.persona in call["prompt"]) == (call["step"] == "user")
    asked = [request for batch in teacher.batches for request in batch]
    assert {r.temperature for r in asked if step_of(r) in ("assistant", "user")} == {0.0} == {
        r.seed for r in asked if r.temperature == 0
    }  # fmt: skip
    last = next(request for request in teacher.batches[-1] if step_of(request) == "assistant")
    assert [role for role, _ in last.messages] == ["user", "assistant"] * 2 + ["user"]
    for prompt in [*two_turn, *dialogues]:
        messages = messages_to_answer(prompt, "brief")
        assert messages[-1] == ("user", prompt.text) and [content for _, content in messages] == [
            *prompt.turns[: len(messages)]
        ]
    closed = of_kind(outcome, "closed_question")[0]
    assert messages_to_answer(closed, "lab") == (("user", f"{closed.context}\n\n{closed.text}"),)
    two = prompts_of(ScriptedTeacher(varied), num_dialogue_turns=2, personas=())
    assert {(len(prompt.turns), prompt.persona) for prompt in of_kind(two, "dialogue")} == {(4, "")}


def test_a_conversation_opens_without_politeness() -> None:
    values = {"num_prompts": PromptCounts(maths_problem=1, dialogue=1), "constrained_share": 0.0}
    problem, dialogue = prompts_of(spoiling({"write": "Please sum up the first ten primes."}), **values).prompts
    assert problem.text == "Please sum up the first ten primes." and dialogue.turns[0] == "Sum up the first ten primes."


def test_the_outcome_depends_on_nothing_but_the_inputs() -> None:
    first = prompts_of(ScriptedTeacher(varied))
    assert first == prompts_of(ScriptedTeacher(varied))
    topics = synthesize_topics(ScriptedTeacher(varied), section(), 7).topics
    shuffled = synthesize_prompts(topics[::-1], CHUNKS[::-1], ScriptedTeacher(varied), section(), 7)
    assert (shuffled.prompts, shuffled.leaf_counts) == (first.prompts, first.leaf_counts)
    alone = prompts_of(ScriptedTeacher(varied), num_prompts=PromptCounts(open_question=4), constrained_share=0.0)
    assert alone.prompts == of_kind(first, "open_question")
    other = prompts_of(ScriptedTeacher(varied), seed=8)
    assert not {p.synthetic_prompt_id for p in other.prompts} & {p.synthetic_prompt_id for p in first.prompts}


def test_depth_is_one_more_than_the_teachers() -> None:
    outcome = prompts_of(ScriptedTeacher(varied), depth=2)
    assert {prompt.generation_depth for prompt in outcome.prompts} == {3}


@pytest.mark.parametrize(
    ("step", "answer", "reason"),
    [
        ("write", "", "empty"), ("write", GenerationResult("What is", "length"), "truncated"),
        ("write", "1. What?\n2. Why?", "unparseable"), ("write", "What<|assistant|>?", "unparseable"),
        ("write", "I'm sorry, but I cannot do that.", "refusal"), ("refine", "Why?", "not_refined"),
        ("refine", "As an AI, I have no subject.", "refusal"), ("write", "Write the question alone.", "repeats_prompt"),
        ("write", GenerationResult("", "error", error="999 tokens are too many"), "engine_error"),
        ("refine", GenerationResult("", "error", error="gone"), "engine_error"),
    ],
)  # fmt: skip
def test_bad_words_are_rows_with_a_reason(step: str, answer: Answer, reason: str) -> None:
    outcome = prompts_of(spoiling({step: answer}), num_prompts=ONE_QUESTION)
    assert reasons(outcome) == {reason: 2} and not outcome.prompts
    raw = answer if isinstance(answer, str) else answer.text
    for index, row in enumerate(outcome.rejected):
        assert row.outcome == ("failed" if reason == "engine_error" else "rejected")
        assert (row.stage, row.candidate_index) == ("prompt_synthesis", index) and row.detail.startswith(
            f"open_question {step}"
        )
        assert row.instruction == raw or reason == "engine_error"
    counts = outcome.counts
    assert (counts.num_in, counts.num_kept, counts.num_rejected + counts.num_failed) == (2, 0, 2)
    question, constrained = outcome.shortfalls[0], outcome.shortfalls[1:]
    assert question.num_missing == 1 and question.why == f"its budget of 2 candidates is spent: 2 {reason}"
    assert not constrained  # half of nothing


@pytest.mark.parametrize(
    ("step", "answer", "reason"),
    [
        ("assistant", "", "empty"), ("assistant", GenerationResult("So it", "length"), "truncated"),
        ("assistant", "I cannot help you.", "refusal"), ("user", "Thank you so much!", "empty"),
        ("user", "Go on.\nAssistant: I will.", "unparseable"), ("user", "User: I'm sorry, but I can't say.", "refusal"),
        ("user", GenerationResult("", "error", error="gone"), "engine_error"),
    ],
)  # fmt: skip
def test_bad_turns_are_rows_with_a_reason(step: str, answer: Answer, reason: str) -> None:
    counts = PromptCounts(open_question=1, dialogue=1)
    outcome = prompts_of(spoiling({step: answer}), num_prompts=counts, constrained_share=0.0)
    assert reasons(outcome) == {reason: 2} and len(outcome.prompts) == 1
    raw = answer if isinstance(answer, str) else answer.text
    for row in outcome.rejected:
        assert row.detail.startswith(f"dialogue {step}")
        assert (row.response if step == "assistant" else row.instruction) == (
            raw or outcome.prompts[0].text if step == "user" else raw
        )


def test_duplicates_are_turned_away_and_replaced() -> None:
    spoilt = prompts_of(spoiling({"write": "What is it?"}), num_prompts=PromptCounts(open_question=3), constrained_share=0.0)
    assert len(spoilt.prompts) == 1 and reasons(spoilt) == {"duplicate_instruction": 5}
    assert [row.candidate_index for row in spoilt.rejected] == [1, 2, 3, 4, 5]
    assert spoilt.counts.num_in == 6


def test_near_duplicates_of_a_topic_are_not_new() -> None:
    values = {"num_prompts": PromptCounts(maths_problem=3), "constrained_share": 0.0}
    words = "How many primes are there below {} if one counts them all with care?"
    teacher = ScriptedTeacher(lambda request: words.format(request.seed))
    assert reasons(prompts_of(teacher, max_rouge_l=0.7, **values)) == {"not_novel": 5}
    assert not prompts_of(teacher, max_rouge_l=None, **values).rejected
    closed = PromptCounts(closed_question=3)
    assert not prompts_of(teacher, num_prompts=closed, max_rouge_l=0.7, constrained_share=0.0).rejected  # of three texts


def test_kinds_without_material_are_shortfalls() -> None:
    outcome = synthesize_prompts([], [], ScriptedTeacher(varied), section(), 7)
    assert not outcome.prompts and not outcome.rejected and outcome.counts.num_in == 0
    assert {row.kind: row.why for row in outcome.shortfalls} == {
        **dict.fromkeys(("open_question", "writing_task", "maths_problem", "coding_problem"), "there are no topics"),
        "closed_question": "there are no document chunks",
        **dict.fromkeys(("two_turn", "dialogue"), "no prompt was kept that it could go on from"),
    }


WILD: tuple[Answer, ...] = (
    "", "What is it?", "1. One\n2. Two\n3. Three", '["a", "b"]', "I'm sorry, but I can't.", "Thanks!", "<|user|>",
    "User: why?\nAssistant: so.",
    GenerationResult("What is", "length"), GenerationResult("", "error", error="gone"),
)  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_rows_add_up_whatever_a_teacher_says(seed: int) -> None:
    def script(request: GenerationRequest) -> Answer:
        rng = Random(f"{seed} {request.seed} {request.messages}")
        return varied(request) if rng.random() < 0.6 else rng.choice(WILD)

    values = section(max_rouge_l=0.9, constrained_share=1.0)
    topics = synthesize_topics(ScriptedTeacher(script), values, seed)
    outcome = synthesize_prompts(topics.topics, CHUNKS, ScriptedTeacher(script), values, seed)
    assert outcome == synthesize_prompts(topics.topics, CHUNKS, ScriptedTeacher(script), values, seed)
    assert topics.counts.num_in == len(topics.topics) + len(topics.rejected)
    assert outcome.counts.num_in == len(outcome.prompts) + len(outcome.rejected)
    ends = [(prompt.kind, prompt.candidate_index) for prompt in outcome.prompts]
    ends += [(row.detail.split()[0].rstrip(":"), row.candidate_index) for row in outcome.rejected]
    assert len(set(ends)) == len(ends)
    for kind in {kind for kind, _ in ends}:  # numbered without a gap
        assert sorted(index for each, index in ends if each == kind) == list(range(sum(each == kind for each, _ in ends)))
    assert {row.rejection_reason for row in outcome.rejected} <= {*REASONS, *PROMPT_REASONS, "engine_error"}
    assert {row.leaf_path for row in outcome.rejected} <= {topic.leaf_path for topic in outcome.topics}


def test_the_least_number_of_calls_is_foretold() -> None:
    topics, prompts = ScriptedTeacher(varied), ScriptedTeacher(varied)
    found = synthesize_topics(topics, section(num_macro_topics=3), 7).topics
    synthesize_prompts(found, CHUNKS, prompts, section(), 7)
    made = tuple(sum(map(len, teacher.batches)) for teacher in (topics, prompts))
    assert least_prompt_calls(section(num_macro_topics=3)) == made == (2 + 4, 15 + 8 + 2 * 3 + 5 * 3)


def test_progress_is_told() -> None:
    topics = synthesize_topics(ScriptedTeacher(varied), section(), 7).topics
    calls: list[tuple[int, int, int, int]] = []
    synthesize_prompts(topics, CHUNKS, ScriptedTeacher(varied), section(), 7, report=lambda *told: calls.append(told))
    assert calls == [(15, 15, 15, 0), (25, 25, 25, 0)]


def test_of_what_was_turned_away_the_prompts_that_no_judge_accepted_are_told_from_bad_answers() -> None:
    rows = [
        RejectedSample(name, "a", stage, outcome, reason, detail, "Who?", "", 0)  # type: ignore[arg-type]
        for name, stage, outcome, reason, detail in (
            ("refused", "answering", "rejected", "unclear", "open_question instruction: judge skill_instruction: unclear"),
            ("unread", "answering", "rejected", "unparseable", "two_turn instruction: a turn reads as if"),
            ("unjudged", "answering", "failed", "judge_error", "open_question instruction: judge skill_instruction: gone"),
            ("answer", "answering", "rejected", "wrong", "open_question response: judge skill_response: instruction: no"),
            ("other", "generation", "rejected", "unclear", "open_question instruction: judge x: unclear"),
        )
    ]
    assert prompts_turned_away(rows) == {"refused", "unread", "unjudged"}
