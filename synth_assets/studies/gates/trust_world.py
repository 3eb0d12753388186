"""One seed's world for the study of the gates on trust: real rows, and what a flawless teacher and filter leave, as tables.

Real rows are those of `data/real`, 40 a leaf node in reference and holdout each, as in a run. Synthetic rows are drawn anew
with each seed from the same generators: about 2,000, thinned out by leaf node as the filter of the embedded demo does it
(of price lists a quarter is kept). So clean is what a perfect teacher would give; a check that fails on it cries wolf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

import polars as pl

from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import TAUGHT
from synth_assets.frames import to_frame
from synth_assets.prompts import render_prompt
from synth_assets.quality.reports import rows_of_real, rows_of_samples
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import (
    DocumentChunk,
    RealExample,
    SeedExample,
    Split,
    SyntheticSample,
    TrainingExample,
    content_id,
)
from synth_assets.taxonomy import read_real_examples

ROWS_PER_LEAF = 129
#: Of a leaf node's rows, what the filter of the embedded demo keeps; all where it is not named.
KEPT_SHARES: Mapping[str, float] = {
    "compositional_skills/extraction/price_list": 0.25,
    "foundational_skills/reasoning/ranking": 0.65,
    "foundational_skills/arithmetic/total_price": 0.75,
    "knowledge/places/towns": 0.9,
}
SEEDS_PER_LEAF = 10
CHUNKS_PER_LEAF = 20
_STYLE = "brief"


@dataclass(frozen=True)
class TrustWorld:
    """What is clean. Every table is drawn once, with a random stream of its own."""

    recipe: Recipe
    seed: int

    def rng(self, what: str) -> Random:
        return Random(f"gates-{self.seed}-{what}")

    @cached_property
    def real(self) -> list[RealExample]:
        declared = self.recipe.trust.real
        assert declared is not None
        return read_real_examples(resolve_path(declared.reference), resolve_path(declared.holdout))

    @cached_property
    def reference(self) -> pl.DataFrame:
        return rows_of_real(to_frame(self.real, RealExample), "reference")

    @cached_property
    def holdout(self) -> pl.DataFrame:
        return rows_of_real(to_frame(self.real, RealExample), "holdout")

    @cached_property
    def chunks(self) -> list[DocumentChunk]:
        """What the teacher was shown of each knowledge leaf node."""
        rng = self.rng("chunks")
        return [
            DocumentChunk(content_id("chunk", text), kind.leaf_path, kind.leaf_path, "d.md", "", 0, len(text), text)
            for kind in TAUGHT
            if kind.branch == "knowledge"
            for text in (kind.draw_where(rng, held_out=False).context for _ in range(CHUNKS_PER_LEAF))
        ]

    @cached_property
    def seeds(self) -> list[SeedExample]:
        return [
            SeedExample(f"seed{position}", path, path, position, it.context or None, it.question, it.answer)
            for position, (path, it) in enumerate(self._drawn("seeds", dict.fromkeys(PATHS, SEEDS_PER_LEAF)))
        ]

    @cached_property
    def samples(self) -> list[SyntheticSample]:
        return self.drawn_samples("samples")

    def drawn_samples(self, what: str) -> list[SyntheticSample]:
        """Clean rows; of another `what` others."""
        num_rows = {path: round(ROWS_PER_LEAF * KEPT_SHARES.get(path, 1.0)) for path in PATHS}
        drawn = self._drawn(what, num_rows)
        return [sample_of(path, instance, f"{what}{number}") for number, (path, instance) in enumerate(drawn)]

    @cached_property
    def samples_on_chunks(self) -> list[SyntheticSample]:
        """The same, where every context is a chunk that the teacher was shown."""
        rng, texts = self.rng("on chunks"), {path: [c.text for c in self.chunks if c.leaf_path == path] for path in PATHS}
        return [
            sample_of(row.leaf_path, BY_PATH[row.leaf_path].draw(rng, rng.choice(shown)), row.synthetic_sample_id)
            if (shown := texts[row.leaf_path])
            else row
            for row in self.samples
        ]

    def _drawn(self, what: str, num_rows: Mapping[str, int]) -> list[tuple[str, Instance]]:
        rng = self.rng(what)
        return [
            (path, BY_PATH[path].draw_where(rng, held_out=False)) for path, number in num_rows.items() for _ in range(number)
        ]


BY_PATH: Mapping[str, LeafKind] = {kind.leaf_path: kind for kind in TAUGHT}
PATHS = tuple(BY_PATH)


def sample_of(path: str, instance: Instance, sample_id: str) -> SyntheticSample:
    return SyntheticSample(
        sample_id, path, path, BY_PATH[path].branch, instance.context or None, instance.question, instance.answer,  # type: ignore[arg-type]
        ("seed",), None, "", "", "teacher", 0, 0, 1, 1, -0.1,
    )  # fmt: skip


def frame_of(samples: Sequence[SyntheticSample]) -> pl.DataFrame:
    return to_frame(samples, SyntheticSample)


def rows_of(samples: Sequence[SyntheticSample]) -> pl.DataFrame:
    """In the form of the reports."""
    return rows_of_samples(frame_of(samples))


def examples_of(
    rows: Sequence[SyntheticSample | RealExample], depth: int, *, split: Split = "train", phase: str = "stacked"
) -> list[TrainingExample]:
    """Rows of a training mix: synthetic ones, or, at depth 0, real ones as seeds."""
    examples = []
    for number, row in enumerate(rows):
        if isinstance(row, SyntheticSample):
            sample_id, row_id, asked, answer = (
                row.synthetic_sample_id,
                row.synthetic_sample_id,
                row.instruction,
                row.response,
            )
        else:
            sample_id, row_id, asked, answer = None, row.real_example_id, row.question, row.answer
        prompt = render_prompt(_STYLE, "question", context=row.context, instruction=asked)
        examples.append(
            TrainingExample(
                f"{split}-{row_id}", sample_id, row.leaf_path, split, phase, "synthetic" if sample_id else "seed", number,
                prompt, answer, depth,
            )
        )  # fmt: skip
    return examples
