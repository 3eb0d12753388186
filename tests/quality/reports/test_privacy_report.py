"""What the filter must turn away, and what the report says of it: planted persons, keys and copies."""

from dataclasses import replace
from pathlib import Path

from tiny_models import save_tagger

from synth_assets.quality import Estimate
from synth_assets.quality.privacy import find_hidden, find_names, find_refusals, hide_rejected, redact_rows
from synth_assets.quality.reports import measure_privacy, shown_chunks
from synth_assets.recipe import PrivacySection
from synth_assets.records import (
    DocumentChunk,
    KeptSample,
    RealExample,
    RejectedSample,
    SeedExample,
    SyntheticSample,
    Texts,
    content_id,
)

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
    assert {row_id: reason for row_id, (reason, _) in found.refused.items()} == {
        "s2": "personal_data", "s3": "secret", "s4": "copies_source",
    }  # fmt: skip
    assert "a***@harbour-mail.net" in found.refused["s2"][1] and key not in found.refused["s3"][1]
    assert "seed" in found.refused["s4"][1]
    assert {row_id: texts.response for row_id, texts in found.rewritten.items()} == {
        "s2": "Write to <EMAIL_ADDRESS>.", "s3": "Use <AWS_ACCESS_KEY> for it.",
    }  # fmt: skip


def test_redaction_keeps_the_row_without_the_value_but_never_a_key() -> None:
    rows = [sample(1, "Write to ann.marlow@harbour-mail.net soon."), sample(2, "Use " + "AKIA" + "Q7EXAMPLE2WXYZ45.")]
    found = find_refusals(rows, [SEED], [], replace_settings(personal_data="redact"))
    assert found.rewritten["s1"] == Texts(None, rows[0].instruction, "Write to <EMAIL_ADDRESS> soon.")
    assert set(found.refused) == {"s2"} and set(found.rewritten) == {"s1", "s2"}
    ignored = find_refusals(rows, [SEED], [], replace_settings(personal_data="ignore"))
    assert set(ignored.refused) == set(ignored.rewritten) == {"s2"}


def test_a_value_that_another_text_of_the_row_gives_away_is_redacted_as_well() -> None:
    row = replace(sample(1, "5550199223"), instruction="What is Anna's phone number?")
    found = find_refusals([row], [SEED], [], replace_settings(personal_data="redact"))
    assert found.rewritten["s1"] == Texts(None, row.instruction, "<PHONE_NUMBER>") and not found.refused
    after = replace(row, response=found.rewritten["s1"].response)
    assert not find_refusals([after], [SEED], [], DROP).refused


def test_a_value_that_may_be_published_is_none() -> None:
    rows = [sample(1, "Write to help@harbour-mail.net."), sample(2, "Write to ann@harbour-mail.net.")]
    found = find_refusals(rows, [SEED], [], replace_settings(allowed_values=(r"help@harbour-mail\.net",)))
    assert set(found.refused) == {"s2"}


def test_a_rejected_row_is_stored_without_what_the_recipe_hides() -> None:
    mail, key = "ann.marlow@harbour-mail.net", "AKIA" + "Q7EXAMPLE2WXYZ45"
    words = (f"Ask {mail}", f"Use {key}.")
    row = RejectedSample("s1", "skills/a", "generation", "rejected", "off_task", f"no verdict: {mail}", *words, 0, "A text.")
    for said in ("drop", "redact"):
        (shown,) = hide_rejected([row], replace_settings(personal_data=said))
        assert (shown.context, shown.instruction, shown.response, shown.detail) == (
            "A text.", "Ask <EMAIL_ADDRESS>", "Use <AWS_ACCESS_KEY>.", "no verdict: <EMAIL_ADDRESS>",
        )  # fmt: skip
        assert replace(shown, **{name: getattr(row, name) for name in ("instruction", "response", "detail")}) == row
    (shown,) = hide_rejected([row], replace_settings(personal_data="ignore"))
    assert shown == replace(row, response="Use <AWS_ACCESS_KEY>.")
    allowed = replace_settings(allowed_values=(r".*@harbour-mail\.net",))
    assert redact_rows([(None, "", f"Ask {mail}"), ()], allowed) == [(None, "", f"Ask {mail}"), ()]
    over_the_end = redact_rows([(None, "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkq")], DROP)
    assert over_the_end == [(None, "<HIDDEN>", "<HIDDEN>")]


def test_names_that_a_declared_model_finds_are_personal_data(tmp_path: Path) -> None:
    save_tagger(tmp_path / "tagger", ("O", "B-PER", "I-PER", "B-LOC"))
    said = ("Anna met Ben in Rome", "met in met in", "Ben", "the quick brown fox", "Rome Rome")
    rows = [replace(sample(n, response=text), instruction="in") for n, text in enumerate(said)]
    found = find_names([f"in\n{text}" for text in said], tmp_path / "tagger")
    holders = {f"s{n}" for n, names in enumerate(found) if names}
    assert holders and len(holders) < len(rows)
    privacy = replace_settings(ner_model=str(tmp_path / "tagger"))
    dropped = find_refusals(rows, [SEED], [], privacy)
    assert set(dropped.refused) == set(dropped.rewritten) == holders
    assert {reason for reason, _ in dropped.refused.values()} == {"personal_data"}
    assert all("<PERSON>" in str(texts) or "<LOCATION>" in str(texts) for texts in dropped.rewritten.values())
    allowed = privacy.model_copy(update={"allowed_values": (".*",)})
    assert not find_refusals(rows, [SEED], [], allowed).refused
    figures = measure_privacy(rows, [kept(row) for row in rows], [SEED], [], [], privacy, 0).estimates
    left = {each.measure: each for each in figures}
    assert left["personal_data_left"].value == left["names"].value == len(holders)
    assert "tagger" in left["names"].words and left["names"].verdict is None
    assert left["leaked_values"].value == 0


def test_what_was_redacted_is_no_name(tmp_path: Path) -> None:
    """To this model everything is one."""
    save_tagger(tmp_path / "tagger", ("B-PER", "I-PER"))
    privacy = replace_settings(ner_model=str(tmp_path / "tagger"), personal_data="redact")
    assert all(find_names(["Ben", "<PERSON>"], tmp_path / "tagger"))
    assert redact_rows([("Ben",), ("<PERSON>",)], privacy) == [("<PERSON>",), ("<PERSON>",)]


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
    seen = shown_chunks(chunks, 0.5)
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


def test_a_context_of_the_holdout_that_the_teacher_was_shown_is_not_unseen() -> None:
    chunks = [chunk(n, f"Town {n} lies on river {n * 7} and has {n * 13} houses.") for n in range(20)]
    holdout = [
        RealExample(each.document_chunk_id, "holdout", "knowledge/towns", each.text.upper(), "Q?", "A.") for each in chunks
    ]
    found = {each.measure: each for each in measure_privacy([sample(1)], [], [SEED], chunks, holdout, DROP, 0).estimates}
    assert found["leak_test"].verdict == "not_assessed"


def test_of_each_leaf_at_least_one_chunk_is_shown() -> None:
    chunks = [chunk(n, f"Text {n}.") for n in range(30)]
    assert shown_chunks(chunks, 0.0) == chunks and 5 < len(shown_chunks(chunks, 0.5)) < 25
    (only,) = shown_chunks(chunks, 0.999999)
    assert only in shown_chunks(chunks, 0.5) and shown_chunks([only], 0.999999) == [only]
    others = [replace(each, leaf_path="knowledge/rivers") for each in chunks[:3]]
    shown = shown_chunks([*chunks, *others], 0.999999)
    assert [each.leaf_path for each in shown] == ["knowledge/towns", "knowledge/rivers"]
    assert shown_chunks([], 0.5) == []


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


def test_what_texts_hold_together_is_named_but_not_told() -> None:
    rows = [("Who is it?", "Write to jo.planted@mailbox.org"), ("Who is it?", PLAIN)]
    (kind, told), nothing = find_hidden(rows, DROP)  # type: ignore[misc]
    assert kind == "personal_data" and "jo.planted" not in told and nothing is None
    assert find_hidden(rows, replace_settings(personal_data="redact"))[0] is not None
    assert find_hidden(rows, replace_settings(personal_data="ignore")) == [None, None]
    assert find_hidden(rows, replace_settings(allowed_values=(r"jo\.planted@mailbox\.org",))) == [None, None]
    assert find_hidden([], DROP) == []
