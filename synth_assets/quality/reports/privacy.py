"""Does the data give anybody away? The figures about it.

What the teacher wrote is looked at before the filter (leaks and copies are its own, whether or not they were dropped
afterwards), and so is what was kept.

The leak test compares document chunks that the teacher was shown with texts that it was not: those that the recipe held
back (`trust.privacy.split_share`), else the contexts of the real holdout that stand in none of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, not_assessed
from synth_assets.quality.privacy import (
    NAME_KINDS,
    NAMES_NOT_CHECKED,
    CopyIndex,
    Finding,
    LeakIndex,
    allowed_patterns,
    estimate_copied_share,
    estimate_dcr_share,
    estimate_leak_test,
    estimate_leaked_values,
    estimate_personal_data_left,
    estimate_secrets_left,
    find_copies,
    look_through,
    measure_leak,
    sources_of,
    text_distances,
    whole_text,
    written_text,
)
from synth_assets.quality.reports.findings import Findings
from synth_assets.recipe import PrivacySection
from synth_assets.records import DocumentChunk, KeptSample, RealExample, SeedExample, SyntheticSample, TrainingExample
from synth_assets.sketches import plain

#: The subject of what is measured of the rows that a student is tuned on.
MIX = "training mix"


def shown_chunks(chunks: Iterable[DocumentChunk], split_share: float) -> list[DocumentChunk]:
    """Those that the teacher is shown: all but what is held back, by the chunk's id, so that it is the same in every run.

    Of each leaf node at least one is shown, the one with the greatest id: without a document there is nothing to ask about.
    """
    given, least = list(chunks), dict[str, float]()
    for chunk in given:
        least[chunk.leaf_path] = max(least.get(chunk.leaf_path, 0), _draw(chunk))
    least = {leaf_path: min(greatest, split_share * 16**8) for leaf_path, greatest in least.items()}
    return [chunk for chunk in given if _draw(chunk) >= least[chunk.leaf_path]]


def _draw(chunk: DocumentChunk) -> int:
    return int(chunk.document_chunk_id[:8], 16)


def measure_privacy(
    samples: Sequence[SyntheticSample],
    kept: Sequence[KeptSample],
    seeds: Sequence[SeedExample],
    chunks: Sequence[DocumentChunk],
    holdout: Sequence[RealExample],
    privacy: PrivacySection,
    seed: int,
    least: int = MIN_REFERENCE,
) -> Findings:
    """All measures with a gate in the privacy report. `least`: rows below which distances are not compared."""
    shown = shown_chunks(chunks, privacy.split_share)
    sources = sources_of(seeds, shown)
    leak_index = LeakIndex(sources, allowed_patterns(privacy))
    leaks = [
        leak
        for row, personal, secret in look_through(samples, whole_text, privacy)
        for leak in leak_index.leaks_in(row.synthetic_sample_id, [*personal, *secret])
    ]
    personal_left: dict[str, list[Finding]] = {}
    secret_left: dict[str, list[Finding]] = {}
    for row, personal, secret in look_through(kept, whole_text, privacy):
        personal_left[row.synthetic_sample_id], secret_left[row.synthetic_sample_id] = personal, secret
    copies = find_copies(samples, CopyIndex(sources, privacy.copy_ngram))
    estimates = [
        *estimate_leaked_values(leaks, len(samples), len(sources)),
        *estimate_personal_data_left(personal_left, len(kept)),
        *estimate_secrets_left(secret_left, len(kept)),
        *estimate_copied_share(copies, len(samples), len(sources)),
        *_leak_test(samples, shown, chunks, holdout, privacy, seed),
        *_distances(samples, seeds, holdout, seed, least),
        *_names(personal_left, privacy),
    ]
    return Findings(estimates, {})


def measure_mix(mix: Sequence[TrainingExample], privacy: PrivacySection) -> list[Estimate]:
    """What the student is tuned on, of whatever source: rows of data sets and replayed ones come by no filter."""
    personal_left: dict[str, list[Finding]] = {}
    secret_left: dict[str, list[Finding]] = {}
    rows = list({(row.prompt, row.response): row for row in reversed(mix)}.values())[::-1]
    for row, personal, secret in look_through(rows, lambda row: f"{row.prompt}\n{row.response}", privacy):
        row_id = f"{row.source} row {row.training_example_id}"
        personal_left[row_id], secret_left[row_id] = personal, secret
    return [
        *estimate_personal_data_left(personal_left, len(rows), MIX),
        *estimate_secrets_left(secret_left, len(rows), MIX),
    ]


def _names(found: Mapping[str, Sequence[Finding]], privacy: PrivacySection) -> list[Estimate]:
    """`names`: kept rows with a person or a place, for show; `personal_data_left` counts them as well."""
    if privacy.ner_model is None:
        return [not_assessed("names", "all", NAMES_NOT_CHECKED)]
    num = sum(any(each.kind in NAME_KINDS for each in findings) for findings in found.values())
    words = f"found by {privacy.ner_model}; postal addresses are not looked for"
    return [Estimate("names", "all", float(num), num_synthetic=len(found), words=words)]


def _leak_test(
    samples: Sequence[SyntheticSample],
    shown: Sequence[DocumentChunk],
    chunks: Sequence[DocumentChunk],
    holdout: Sequence[RealExample],
    privacy: PrivacySection,
    seed: int,
) -> list[Estimate]:
    """Chunks are compared within their leaf node."""
    ids = {chunk.document_chunk_id for chunk in shown}
    unseen = [(chunk.text, chunk.leaf_path) for chunk in chunks if chunk.document_chunk_id not in ids]
    if not unseen:
        leaves = {chunk.leaf_path for chunk in shown}
        contexts = {row.context: row.leaf_path for row in holdout if row.context and row.leaf_path in leaves}
        texts = "\n".join(plain(chunk.text) for chunk in shown)
        unseen = [(context, path) for context, path in contexts.items() if context and plain(context) not in texts]
    both = {chunk.leaf_path for chunk in shown} & {path for _, path in unseen}  # chunks are compared within their leaf
    shown, unseen = [chunk for chunk in shown if chunk.leaf_path in both], [each for each in unseen if each[1] in both]
    if not both:
        return estimate_leak_test(None, len(samples))
    test = measure_leak(
        [written_text(row) for row in samples],
        [chunk.text for chunk in shown],
        [text for text, _ in unseen],
        ([chunk.leaf_path for chunk in shown], [path for _, path in unseen]),
        num_words=privacy.copy_ngram,
        seed=seed,
    )
    return estimate_leak_test(test, len(samples))


def _distances(
    samples: Sequence[SyntheticSample], seeds: Sequence[SeedExample], holdout: Sequence[RealExample], seed: int, least: int
) -> list[Estimate]:
    """Seeds against the holdout: of each leaf node as many of the one as of the other, in the order in which they stand."""
    if not holdout:
        return [not_assessed("dcr_share", "all", "there is no real holdout: set trust.real in the recipe")]
    by_leaf = _by_leaf(seeds), _by_leaf(holdout)
    seen: list[str] = []
    unseen: list[str] = []
    for path in sorted(by_leaf[0].keys() & by_leaf[1].keys()):
        pairs = list(zip(by_leaf[0][path], by_leaf[1][path], strict=False))
        seen += [each for each, _ in pairs]
        unseen += [each for _, each in pairs]
    if not seen:
        return [not_assessed("dcr_share", "all", "no leaf node has both seed examples and rows in the holdout")]
    to_seeds, to_holdout = text_distances([written_text(row) for row in samples], seen, unseen, seed=seed)
    return estimate_dcr_share(to_seeds, to_holdout, len(seen), least)


def _by_leaf(rows: Sequence[SeedExample] | Sequence[RealExample]) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row.leaf_path, []).append(f"{row.question}\n{row.answer}")
    return texts
