"""What the filter must turn away, and what the report says of it: planted persons, keys and copies."""

from dataclasses import replace

from synth_assets.quality import Estimate
from synth_assets.quality.reports import find_refusals, is_held_back, measure_privacy
from synth_assets.recipe import PrivacySection
from synth_assets.records import DocumentChunk, KeptSample, RealExample, SeedExample, SyntheticSample, content_id

DROP = PrivacySection()
PLAIN = "Put the kettle on the stove and wait until it sings."
SEED = SeedExample(
    "seed", "leaf", "skills/a", 0, None, "How do I come to the mill on the other side of the lake in winter?",
    "Take the long way around the lake, cross the old bridge, and follow the signs that point to the mill.",
)  # fmt: skip


def sample(number: int, response: str = PLAIN, instruction: str = "How do I make tea?") -> SyntheticSample:
    return SyntheticSample(
        f"s{number}", "leaf", "skills/a", "compositional_skills", None, f"{instruction} {number}", response, ("seed",), None,
        "p", "q", "teacher", number, number, 9, 9, -0.1,
    )  # fmt: skip


def chunk(number: int, text: str, leaf: str = "knowledge/towns") -> DocumentChunk:
    return DocumentChunk(content_id("chunk", number), "leaf", leaf, "d.md", "", 0, len(text), text)


def kept(one: SyntheticSample) -> KeptSample:
    return KeptSample(
        one.synthetic_sample_id, "leaf", one.leaf_path, one.branch, one.context, one.instruction, one.response, 1.0
    )  # fmt: skip


def test_personal_data_keys_and_copies_are_refused_with_their_reason() -> None:
    key = "AKIA" + "Q7EXAMPLE2WXYZ45"
    rows = [
        sample(1),
        sample(2, "Write to ann.marlow@harbour-mail.net."),
        sample(3, f"Use {key} for it."),
        sample(4, SEED.answer),
    ]
    found = find_refusals(rows, [SEED], [], DROP)
    assert {row_id: reason for row_id, (reason, _) in found.reasons.items()} == {
        "s2": "personal_data", "s3": "secret", "s4": "copies_source",
    }  # fmt: skip
    assert "a***@harbour-mail.net" in found.reasons["s2"][1] and key not in found.reasons["s3"][1]
    assert "seed" in found.reasons["s4"][1]
    assert {row_id: texts[2] for row_id, texts in found.texts.items()} == {
        "s2": "Write to <EMAIL_ADDRESS>.", "s3": "Use <AWS_ACCESS_KEY> for it.",
    }  # fmt: skip


def test_redaction_keeps_the_row_without_the_value_but_never_a_key() -> None:
    rows = [sample(1, "Write to ann.marlow@harbour-mail.net soon."), sample(2, "Use " + "AKIA" + "Q7EXAMPLE2WXYZ45.")]
    found = find_refusals(rows, [SEED], [], replace_settings(personal_data="redact"))
    assert found.texts["s1"] == (None, rows[0].instruction, "Write to <EMAIL_ADDRESS> soon.")
    assert set(found.reasons) == {"s2"} and set(found.texts) == {"s1", "s2"}
    ignored = find_refusals(rows, [SEED], [], replace_settings(personal_data="ignore"))
    assert set(ignored.reasons) == set(ignored.texts) == {"s2"}


def test_a_value_that_another_text_of_the_row_gives_away_is_redacted_as_well() -> None:
    row = replace(sample(1, "5550199223"), instruction="What is Anna's phone number?")
    found = find_refusals([row], [SEED], [], replace_settings(personal_data="redact"))
    assert found.texts["s1"] == (None, row.instruction, "<PHONE_NUMBER>") and not found.reasons
    after = replace(row, response=found.texts["s1"][2])
    assert not find_refusals([after], [SEED], [], DROP).reasons


def test_a_value_that_may_be_published_is_none() -> None:
    rows = [sample(1, "Write to help@harbour-mail.net."), sample(2, "Write to ann@harbour-mail.net.")]
    found = find_refusals(rows, [SEED], [], replace_settings(allowed_values=(r"help@harbour-mail\.net",)))
    assert set(found.reasons) == {"s2"}


def test_what_was_dropped_still_counts_as_a_leak_and_the_row_is_named() -> None:
    document = chunk(1, "The mayor is Ann Marlow, ann.marlow@harbour-mail.net.")
    rows = [sample(n) for n in range(50)] + [sample(99, "Ask ANN.MARLOW@harbour-mail.net.")]
    clean = [kept(row) for row in rows[:-1]]
    found = {each.measure: each for each in measure_privacy(rows, clean, [SEED], [document], [], DROP, 0).estimates}
    leak = found["leaked_values"]
    assert leak.value == 1 and "s99" in leak.words and document.document_chunk_id in leak.words
    assert "ann.marlow@" not in leak.words.lower()
    assert found["personal_data_left"].value == found["secrets_left"].value == 0
    assert found["leak_test"].verdict == "not_assessed" and "split_share" in found["leak_test"].words
    assert "not checked" in found["names"].words
    left = measure_privacy(rows, [kept(row) for row in rows], [SEED], [document], [], DROP, 0).estimates
    assert next(each for each in left if each.measure == "personal_data_left").value == 1


def test_rows_that_repeat_what_the_teacher_saw_are_told_from_rows_that_do_not() -> None:
    texts = [f"Town {n} lies on river {n * 7} and has {n * 13} houses, {n * 3} of them with a red roof." for n in range(60)]
    chunks = [chunk(n, text) for n, text in enumerate(texts)]
    settings = replace_settings(split_share=0.5)
    seen = [each for each in chunks if not is_held_back(each.document_chunk_id, 0.5)]
    assert 15 < len(seen) < 45
    repeating = [sample(n, each.text) for n, each in enumerate(seen)]
    blameless = [sample(n) for n in range(60)]
    found = [measure_privacy(rows, [], [SEED], chunks, [], settings, 0).estimates for rows in (repeating, blameless)]
    p_values = [next(each for each in estimates if each.measure == "leak_test").value for estimates in found]
    assert p_values[0] < 0.01 < p_values[1]


def test_without_held_back_chunks_the_real_holdout_is_what_was_not_seen() -> None:
    texts = [f"Town {n} lies on river {n * 7} and has {n * 13} houses, {n * 3} of them with a red roof." for n in range(40)]
    chunks = [chunk(n, text) for n, text in enumerate(texts[:20])]
    holdout = [RealExample(f"r{n}", "holdout", "knowledge/towns", text, "Q?", "A.") for n, text in enumerate(texts[20:])]
    rows = [replace(sample(n, each.text), leaf_path="knowledge/towns") for n, each in enumerate(chunks)]
    found = {each.measure: each for each in measure_privacy(rows, [], [SEED], chunks, holdout, DROP, 0).estimates}
    assert found["leak_test"].value < 0.01 and found["leak_test"].num_reference == 20


def replace_settings(**changes: object) -> PrivacySection:
    return DROP.model_copy(update=changes)


def test_seeds_are_compared_with_as_many_rows_of_the_holdout_leaf_by_leaf() -> None:
    """One leaf has many seeds and few rows in the holdout, the other the reverse; rows are like those of the first."""
    seeds = [
        replace(SEED, seed_example_id=f"s{n}", leaf_path="skills/a", question=f"apple pear {n} plum?") for n in range(90)
    ]
    seeds += [
        replace(SEED, seed_example_id=f"t{n}", leaf_path="skills/b", question=f"iron zinc {n} lead?") for n in range(30)
    ]
    holdout = [RealExample(f"r{n}", "holdout", "skills/a", None, f"apple pear {n} plum?", "Yes.") for n in range(200, 230)]
    holdout += [RealExample(f"q{n}", "holdout", "skills/b", None, f"iron zinc {n} lead?", "Yes.") for n in range(90)]
    seeds = [replace(seed, answer="Yes.") for seed in seeds]
    rows = [replace(sample(n, "Yes.", "apple pear"), instruction=f"apple pear {n} plum?") for n in range(500, 560)]

    def share(least: int) -> Estimate:
        found = measure_privacy(rows, [], seeds, [], holdout, DROP, 0, least).estimates
        return next(each for each in found if each.measure == "dcr_share")

    assert share(60).value == 0.5 and share(60).num_reference == 60
    assert share(61).verdict == "insufficient_reference"
    apart = [replace(row, leaf_path="skills/c") for row in holdout]
    found = measure_privacy(rows, [], seeds, [], apart, DROP, 0).estimates
    assert next(each for each in found if each.measure == "dcr_share").words.startswith("no leaf node has both")
