"""Every candidate ends once, with its reason; the same inputs give the same outcome, whatever else is asked."""

from collections import Counter

import pytest
from scripted import Answer, ScriptedTeacher, chunks, leaf, seeds, settings, step_of, varied

from synth_assets.errors import GenerationError
from synth_assets.generation import GenerationOutcome, generate_samples
from synth_assets.generation.candidates import derive_seed
from synth_assets.roles import GenerationResult, Message

FREE, CARD, FACT = "compositional_skills/free", "foundational_skills/card", "knowledge/fact"
LEAVES = [leaf(FREE), leaf(CARD), leaf(FACT)]
SEEDS = seeds(FREE) + seeds(CARD, is_grounded=True) + seeds(FACT, is_grounded=True)
CHUNKS = chunks(FACT)


def run(teacher: ScriptedTeacher, quota: int = 4, seed: int = 7, **values: object) -> GenerationOutcome:
    return generate_samples(LEAVES, SEEDS, CHUNKS, teacher, settings(quota, **values), seed)  # type: ignore[arg-type]


def of_free(outcome: GenerationOutcome) -> Counter[str]:
    return Counter(row.rejection_reason for row in outcome.rejected if row.leaf_path == FREE)


def test_three_kinds_of_leaf_are_asked_as_they_should() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = run(teacher)
    assert [{step_of(request) for request in batch} for batch in teacher.batches] == [
        {"context"}, {"instruction"}, {"response"},
    ]  # fmt: skip
    assert [len(batch) for batch in teacher.batches] == [4, 12, 12]
    assert (outcome.counts.num_in, outcome.counts.num_kept) == (12, 12) and not outcome.shortfalls
    by_leaf = {path: [s for s in outcome.samples if s.leaf_path == path] for path in (FREE, CARD, FACT)}
    assert all(sample.context is None for sample in by_leaf[FREE])
    assert all((sample.context or "").startswith("Some text") for sample in by_leaf[CARD])
    assert [sample.context for sample in by_leaf[FACT]] == ["Fact 0.", "Fact 1.", "Fact 2.", "Fact 0."]
    assert [sample.document_chunk_id for sample in by_leaf[FACT]][:2] == [f"{FACT}-c0", f"{FACT}-c1"]
    assert len({sample.synthetic_sample_id for sample in outcome.samples}) == 12


def test_prompts_show_only_seeds_of_the_leaf_and_fixed_shots() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = run(teacher)
    _, instructions, responses = teacher.batches
    for request in instructions:
        (message,) = request.messages
        assert message.role == "user" and message.content.count("\n- ") == 3
        assert sum(f"of {path} " in message.content for path in (FREE, CARD, FACT)) == 1
    assert len({request.messages[0] for request in instructions if FREE in request.messages[0].content}) > 1
    for path, num_messages in ((FREE, 5), (CARD, 3), (FACT, 3)):
        asked = [request.messages for request in responses if path in request.messages[0].content]
        assert len(asked) == 4 and {len(messages) for messages in asked} == {num_messages}
        assert len({messages[:-1] for messages in asked}) == 1  # what the prefix cache keeps
        assert [message.role for message in asked[0]][:3] == ["user", "assistant", "user"]
    knowledge = next(messages for messages in (r.messages for r in responses) if FACT in messages[0].content)
    assert knowledge[-1] == Message("user", f"Fact 0.\n{outcome.samples[-4].instruction}")
    sample = outcome.samples[0]
    assert len(sample.seed_example_ids) >= 3 and all(name.startswith(FREE) for name in sample.seed_example_ids)
    assert sample.response_prompt.startswith("user:") and sample.response_logprob == -0.5


def test_settings_and_seeds_go_into_the_requests() -> None:
    teacher = ScriptedTeacher(varied)
    outcome = run(teacher)
    requests = [request for batch in teacher.batches for request in batch]
    assert {step_of(r): r.temperature for r in requests} == {"context": 0.9, "instruction": 0.8, "response": 0.7}
    assert len({request.seed for request in requests}) == len(requests)
    first = outcome.samples[0]
    assert first.leaf_path == FREE and first.request_seed == derive_seed(7, FREE, 0, "response") < 2**63


def test_outcome_depends_on_nothing_but_the_inputs() -> None:
    first = run(ScriptedTeacher(varied))
    shuffled = generate_samples(
        LEAVES[::-1], SEEDS[::-1], CHUNKS[::-1], ScriptedTeacher(varied), settings(), seed=7
    )  # fmt: skip
    assert shuffled == first
    alone = generate_samples([LEAVES[0]], SEEDS, CHUNKS, ScriptedTeacher(varied), settings(), seed=7)
    assert alone.samples == [sample for sample in first.samples if sample.leaf_path == FREE]
    other = run(ScriptedTeacher(varied), seed=8)
    assert not {s.synthetic_sample_id for s in other.samples} & {s.synthetic_sample_id for s in first.samples}


def test_a_mixed_leaf_alternates() -> None:
    mixed = seeds(FREE) + seeds(FREE, is_grounded=True)
    outcome = generate_samples([leaf(FREE)], mixed, [], ScriptedTeacher(varied), settings(), seed=1)
    assert [sample.context is None for sample in outcome.samples] == [True, False, True, False]
    for sample in outcome.samples:
        assert len({name[len(FREE) + 1] for name in sample.seed_example_ids}) == 1


def spoil(step: str, answer: Answer, leaf_path: str = FREE, indices: tuple[int, ...] = (0,)) -> ScriptedTeacher:
    """`varied`, but these candidates of the leaf get `answer` at this step."""
    spoilt = {derive_seed(7, leaf_path, index, step) for index in indices}
    return ScriptedTeacher(lambda request: answer if request.seed in spoilt else varied(request))


def cut_off(text: str) -> GenerationResult:
    return GenerationResult(text, "length", "p", 9, 20, -1.0)


@pytest.mark.parametrize(
    ("step", "answer", "leaf_path", "reason"),
    [
        ("instruction", "", FREE, "empty"),
        ("instruction", cut_off("Do new th"), FREE, "truncated"),
        ("instruction", "One?\n- Two?", FREE, "unparseable"),
        ("instruction", "One?\nTwo?", FREE, "unparseable"),
        ("instruction", "What<|assistant|>ever?", FREE, "unparseable"),
        ("response", "", FREE, "empty"),
        ("response", cut_off("Answer"), FREE, "truncated"),
        ("response", "Fine.<|user|>Next", FREE, "unparseable"),
        ("context", "", CARD, "empty"),
        ("context", cut_off("Some"), CARD, "truncated"),
        ("context", "Some\ntext", CARD, "unparseable"),
        ("response", "FACT  0.", FACT, "repeats_prompt"),
    ],
)
def test_bad_words_are_rejected_and_replaced(step: str, answer: Answer, leaf_path: str, reason: str) -> None:
    if answer == "FACT  0.":
        answer = "fact  0."
    outcome = run(spoil(step, answer, leaf_path))
    (row,) = outcome.rejected
    raw = answer if isinstance(answer, str) else answer.text
    assert (row.leaf_path, row.rejection_reason, row.outcome, row.stage) == (leaf_path, reason, "rejected", "generation")
    assert row.candidate_index == 0 and row.detail.startswith(f"{step}: ")
    assert raw == {"instruction": row.instruction, "response": row.response, "context": row.context}[step]
    assert (outcome.counts.num_in, outcome.counts.num_kept, outcome.counts.num_rejected) == (13, 12, 1)
    assert [s.candidate_index for s in outcome.samples if s.leaf_path == leaf_path] == [1, 2, 3, 4]


def test_repeated_prompts_and_copied_seeds() -> None:
    few = [seed for seed in SEEDS if seed.leaf_path == FREE]
    teacher = spoil("instruction", few[0].question.upper(), indices=(0, 1, 2, 3))
    reasons = of_free(run(teacher))
    assert set(reasons) == {"repeats_prompt", "copies_seed"} and reasons.total() == 4  # shown, or one of the other two
    instruction = f"Do new thing {derive_seed(7, FREE, 0, 'instruction')}?"
    for answer in (instruction, f"{instruction.upper()} Well, done."):
        assert of_free(run(spoil("response", answer))) == {"repeats_prompt": 1}
    shown = run(ScriptedTeacher(lambda r: "Card 0 of foundational_skills/card." if step_of(r) == "context" else varied(r)))
    assert {row.rejection_reason for row in shown.rejected} == {"repeats_prompt"}


def test_a_seed_question_on_a_new_context_is_new() -> None:
    question = next(seed.question for seed in SEEDS if seed.leaf_path == CARD)
    outcome = run(spoil("instruction", question, CARD, indices=(0, 1)))
    assert not outcome.rejected and [s.instruction for s in outcome.samples].count(question) == 2


def test_duplicates_within_and_across_rounds() -> None:
    outcome = run(spoil("instruction", "The same?", indices=(0, 2, 4)))
    assert of_free(outcome) == {"duplicate_instruction": 2}
    assert [row.candidate_index for row in outcome.rejected] == [2, 4]
    assert [sample.candidate_index for sample in outcome.samples if sample.leaf_path == FREE] == [0, 1, 3, 5]


def test_failures_are_rows_of_their_own() -> None:
    error = GenerationResult("", "error", error="999 prompt tokens are too many")
    outcome = run(spoil("response", error))
    (row,) = outcome.rejected
    assert (row.outcome, row.rejection_reason, row.detail) == ("failed", "engine_error", f"response: {error.error}")
    assert (outcome.counts.num_rejected, outcome.counts.num_failed) == (0, 1)


def test_budget_is_hard_and_the_shortfall_is_told() -> None:
    teacher = ScriptedTeacher(lambda request: "" if FREE in request.messages[0].content else varied(request))
    calls: list[tuple[int, int, int, int]] = []
    outcome = generate_samples(
        LEAVES, SEEDS, CHUNKS, teacher, settings(3, budget_factor=2.5), 7, lambda *numbers: calls.append(numbers)
    )  # fmt: skip
    (shortfall,) = outcome.shortfalls
    assert (shortfall.leaf_path, shortfall.num_missing) == (FREE, 3) and "8 candidates" in shortfall.why
    assert of_free(outcome) == {"empty": 8}
    assert (outcome.counts.num_in, outcome.counts.num_kept, outcome.counts.num_rejected) == (14, 6, 8)
    assert calls[-1] == (14, 9, 6, 8) and calls == sorted(calls)


def test_leaves_without_material() -> None:
    bare = [leaf(FREE, 0), leaf(FACT), leaf(CARD)]
    outcome = generate_samples(bare, SEEDS[5:], [], ScriptedTeacher(varied), settings(), seed=7)
    assert {row.leaf_path: row.why for row in outcome.shortfalls} == {
        FREE: "the leaf has no seed examples", FACT: "the knowledge leaf has no document chunks",
    }  # fmt: skip
    with pytest.raises(GenerationError, match="nothing to generate from"):
        generate_samples(bare[:2], SEEDS[5:], [], ScriptedTeacher(varied), settings(), seed=7)


def test_fewer_seeds_than_asked_for() -> None:
    outcome = generate_samples([leaf(FREE)], seeds(FREE, count=1), [], ScriptedTeacher(varied), settings(), seed=7)
    assert len(outcome.samples) == 4 and {len(sample.seed_example_ids) for sample in outcome.samples} == {1}


def test_multi_line_questions_pass_where_the_seeds_have_them() -> None:
    lines = [seed.__class__(**(vars(seed) | {"question": f"Sum:\n{seed.position}"})) for seed in seeds(FREE)]
    script = ScriptedTeacher(lambda r: f"Sum:\n{r.seed}" if step_of(r) == "instruction" else "12.")
    outcome = generate_samples([leaf(FREE)], lines, [], script, settings(), seed=7)
    assert len(outcome.samples) == 4


def test_a_sample_is_one_deeper_than_its_deepest_parent_and_its_teacher() -> None:
    from dataclasses import replace

    mixed = [replace(seed, generation_depth=int(seed.position == 0)) for seed in SEEDS]
    outcomes = {
        depth: generate_samples(LEAVES, mixed, CHUNKS, ScriptedTeacher(varied), settings(), 7, teacher_depth=depth)
        for depth in (0, 3)
    }
    depth_of = {seed.seed_example_id: seed.generation_depth for seed in mixed}
    for sample in outcomes[0].samples:
        depths = [depth_of[name] for name in sample.seed_example_ids]
        assert sample.generation_depth == 1 + max(depths)
        num_parents = len(depths) + (sample.document_chunk_id is not None)
        assert sample.synthetic_ancestry == pytest.approx(sum(depths) / num_parents)
    assert {sample.generation_depth for sample in outcomes[0].samples} == {1, 2}
    assert {sample.generation_depth for sample in outcomes[3].samples} == {4}
    assert all(sample.synthetic_ancestry == 0 for sample in run(ScriptedTeacher(varied)).samples)
