"""Prompts are answered: each one becomes a sample or a row with a reason, and dialogues cost no call of their own."""

import json
from dataclasses import replace

import pytest
from prompting import ALL_KINDS, CHUNKS, prompts_of, section, varied
from scripted import Answer, ScriptedTeacher, settings

from synth_assets.constraints import read_constraint
from synth_assets.generation.prompt_synthesis import (
    BREAKS_CONSTRAINTS,
    AnswerOutcome,
    AnswerSettings,
    PromptOutcome,
    answer_prompts,
    answer_request,
    leaf_nodes_of_topics,
)
from synth_assets.judging import JUDGES, Panel, write_judgement
from synth_assets.prompts.conversations import shown_prompt, turns_of_prompt, write_turns
from synth_assets.recipe import JudgesSection, Threshold
from synth_assets.records import GENERATED_BRANCH, PROMPT_KINDS, SyntheticPrompt
from synth_assets.roles import GenerationRequest, GenerationResult

SAID = AnswerSettings(settings(), section(), 7)


def outcome_of(teacher: ScriptedTeacher, made: PromptOutcome, said: AnswerSettings = SAID, **given: Panel) -> AnswerOutcome:
    return answer_prompts(made.prompts, made.topics, leaf_nodes_of_topics(made.topics), teacher, said, **given)


@pytest.fixture(scope="module")
def made() -> PromptOutcome:
    return prompts_of(ScriptedTeacher(varied))


def answering(request: GenerationRequest) -> Answer:
    """As `varied`, and a long answer to whatever is asked last."""
    return "word " * 40 + str(request.seed) if request.max_new_tokens == 10 else varied(request)


def test_every_prompt_is_answered_once(made: PromptOutcome) -> None:
    teacher = ScriptedTeacher(answering)
    outcome = outcome_of(teacher, made)
    assert {sample.kind for sample in outcome.samples} | {"instruction_following"} == set(PROMPT_KINDS)
    assert outcome.counts.num_in == len(made.prompts) == len(outcome.samples) + len(outcome.rejected)
    assert len(teacher.batches) == 1 and len({sample.synthetic_sample_id for sample in outcome.samples}) == len(
        outcome.samples
    )
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in made.prompts}
    leaves = {leaf.leaf_node_id: leaf for leaf in leaf_nodes_of_topics(made.topics)}
    for sample in outcome.samples:
        prompt = by_id[sample.synthetic_prompt_id]
        assert sample.instruction == prompt.text and sample.seed_example_ids == () and sample.generation_depth == 1
        assert leaves[sample.leaf_node_id].leaf_path == sample.leaf_path == prompt.leaf_path
        assert sample.instruction_prompt and sample.response_prompt and sample.branch == "foundational_skills"
        assert (sample.context is None) == (sample.kind not in ("closed_question", "two_turn", "dialogue"))
    closed = next(sample for sample in outcome.samples if sample.kind == "closed_question")
    assert closed.context in {chunk.text for chunk in CHUNKS} and closed.document_chunk_id and closed.synthetic_ancestry == 0
    named = {topic.leaf_path: topic.generation_depth for topic in made.topics}
    for sample in outcome.samples:
        assert sample.synthetic_ancestry == (0.0 if sample.kind == "closed_question" else float(named[sample.leaf_path] > 0))
    assert {sample.synthetic_ancestry for sample in outcome.samples} == {0.0, 1.0}


def test_a_dialogue_ends_with_the_answer_that_it_has_by_the_same_call(made: PromptOutcome) -> None:
    synthesis = ScriptedTeacher(varied)
    prompts_of(synthesis)
    asked = {request for batch in synthesis.batches for request in batch}
    outcome = outcome_of(ScriptedTeacher(varied), made)
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in made.prompts}
    dialogues = [sample for sample in outcome.samples if sample.kind == "dialogue"]
    assert len(dialogues) == ALL_KINDS.dialogue
    for sample in dialogues:
        prompt = by_id[sample.synthetic_prompt_id]
        assert answer_request(prompt, SAID) in asked and sample.response == prompt.turns[-1]
        turns = (*turns_of_prompt(sample.leaf_path, _shown(sample.leaf_path, sample)), sample.response)
        assert turns == prompt.turns
    warm = section(dialogue_temperature=0.7)
    dialogue = next(prompt for prompt in made.prompts if prompt.kind == "dialogue")
    request = answer_request(dialogue, replace(SAID, synthesis=warm))
    hot = ScriptedTeacher(varied)
    prompts_of(hot, dialogue_temperature=0.7)
    assert request.seed and request.seed in {each.seed for batch in hot.batches for each in batch}


def _shown(leaf_path: str, sample: object) -> str:
    return shown_prompt("brief", leaf_path, sample.context, sample.instruction)  # type: ignore[attr-defined]


def test_an_answer_that_breaks_a_constraint_is_turned_away(made: PromptOutcome) -> None:
    outcome = outcome_of(ScriptedTeacher(answering), made)
    constrained = {p.synthetic_prompt_id: p for p in made.prompts if p.constraints}
    kept = [sample for sample in outcome.samples if sample.synthetic_prompt_id in constrained]
    broken = [row for row in outcome.rejected if row.rejection_reason == BREAKS_CONSTRAINTS]
    assert len(kept) + len(broken) == len(constrained) == 4 and broken
    for sample in kept:
        assert all(
            read_constraint(line).holds(sample.response) for line in constrained[sample.synthetic_prompt_id].constraints
        )
    for row in broken:
        assert row.synthetic_sample_id in constrained and row.response and " are kept, not: " in row.detail
        assert row.detail.startswith("instruction_following response: ")
    assert outcome.following and outcome.following.num_prompts == 4
    assert outcome.following.prompt_strict == len(kept) / 4


def test_failed_and_formless_answers_are_rows(made: PromptOutcome) -> None:
    def answer(request: GenerationRequest) -> Answer:
        if request.max_new_tokens != 10:
            return varied(request)
        return GenerationResult("", "error", error="too long") if request.seed % 2 else GenerationResult("half", "length")

    outcome = outcome_of(ScriptedTeacher(answer), made)
    found = {(row.outcome, row.rejection_reason, row.detail.split(" ", 1)[1]) for row in outcome.rejected}
    assert found == {
        ("failed", "engine_error", "response: too long"),
        ("rejected", "truncated", "response: no end after 0 tokens"),
    }
    assert {sample.kind for sample in outcome.samples} == {"dialogue"} and outcome.following is None
    assert outcome.counts.num_failed and outcome.counts.num_rejected


def test_no_prompts_are_counted_as_none() -> None:
    outcome = answer_prompts([], [], [], ScriptedTeacher(varied), SAID)
    assert outcome.counts.num_in == 0 and [row.leaf_path for row in outcome.leaf_counts] == [GENERATED_BRANCH]


def test_a_conversation_that_cannot_be_read_back_is_turned_away(made: PromptOutcome) -> None:
    two = next(prompt for prompt in made.prompts if prompt.kind == "two_turn")
    spoiled = replace(two, turns=("Go on with\n\nUser: this.", *two.turns[1:]))
    posing = replace(_first(made, "open_question"), turns=(text := write_turns(two.turns),), text=text)
    teacher = ScriptedTeacher(answering)
    outcome = outcome_of(teacher, replace(made, prompts=[spoiled, posing]))
    assert [row.rejection_reason for row in outcome.rejected] == ["unparseable"] * 2 and not teacher.batches


def test_a_text_of_people_is_no_conversation() -> None:
    text = "User: a\n\nAssistant: b\n\nUser: c"
    assert turns_of_prompt(f"{GENERATED_BRANCH}/general/x", text) == ("a", "b", "c")
    for path in ("knowledge/calls", f"{GENERATED_BRANCH}/documents/calls_md", "foundational_skills/generatedness/x"):
        assert turns_of_prompt(path, text) == (text,)


def test_judges_decide_before_and_after_the_answer(made: PromptOutcome) -> None:
    bound = Threshold(value=0.5, reason="for the tests, of this length")
    panel_settings = JudgesSection(min_true_positive_rate=bound, max_false_positive_rate=bound)

    def judge(request: GenerationRequest) -> str:
        verdicts = json.loads(request.schema)["properties"]["verdict"]["enum"]
        quotes = "span" in request.schema
        which = next(each for each in JUDGES.values() if [*each.verdicts] == verdicts and each.quotes_span == quotes)
        prompt = request.messages[0].content
        is_good = "poem" not in prompt and "rule" not in prompt
        span = prompt.split("Text: ")[1].split("\n")[0] if quotes else None
        return write_judgement(which.name, "so it seems", which.verdicts[-1 if is_good else 0], span)

    panel = Panel(ScriptedTeacher(judge), panel_settings)
    teacher = ScriptedTeacher(answering)
    outcome = outcome_of(teacher, made, panel=panel)
    reasons = {row.rejection_reason for row in outcome.rejected}
    assert "off_task" in reasons and len(teacher.batches[0]) < len(made.prompts)
    verdicts = {sample.kind: sample.verdicts for sample in outcome.samples}
    assert verdicts["closed_question"] == ("question: yes", "faithfulness: yes", "relevance: 2")
    assert verdicts["maths_problem"] == ("instruction: yes", "pair: 3")
    assert {s.supporting_span is not None for s in outcome.samples if s.kind == "closed_question"} == {True}
    assert outcome.counts.num_in == len(outcome.samples) + len(outcome.rejected)


def test_a_deeper_teacher_makes_deeper_samples() -> None:
    made = prompts_of(ScriptedTeacher(varied), depth=1)
    outcome = outcome_of(ScriptedTeacher(answering), made, replace(SAID, teacher_depth=1))
    assert {sample.generation_depth for sample in outcome.samples} == {2}


def test_creative_leaves_are_answered_as_the_recipe_says(made: PromptOutcome) -> None:
    creative = settings(creative_leaves=(f"{GENERATED_BRANCH}/maths/*",), creative_temperature=1.5)
    said = replace(SAID, generation=creative)
    assert answer_request(_first(made, "maths_problem"), said).temperature == 1.5
    assert answer_request(_first(made, "open_question"), said).temperature == 0.7


def _first(made: PromptOutcome, kind: str) -> SyntheticPrompt:
    return next(prompt for prompt in made.prompts if prompt.kind == kind)
