"""`make study-collapse`: does a model that is trained on what its forerunner wrote decay, and does the guard hold it?

Repeats Shumailov et al. 2024 (Nature 631:755) on an embedded model. Generation 0 is the student's base tuned on real rows of
the closed world. Every later generation is the base tuned afresh on rows of which some, or all, were written by the model
of the generation before, at temperature 1, from nothing but the opening of a user's turn (see `generations`).

    replace      as many rows of the model before, no real ones
    accumulate   the real rows and those of all models before
    half_real    half as many real rows, drawn anew, and as many of the model before
    guarded      all real rows, and as many of the model before: half are real, as the hard rule wants it from depth 2 on,
                 and no real row is dropped. A model that fails the recipe's gate trust.gates.perplexity_ratio against
                 generation 0 is refused, and the one before it stands

holdout_perplexity      a token's, on real rows that no model was shown
perplexity_ratio        the same over that of generation 0, paired by seed
rare_token_perplexity   over the holdout's rarest tenth of tokens, by their frequency in the real world
distinct_3              share of distinct trigrams of words among those of the rows that the model writes
valid_share             of these rows those whose question the world's verifiers can read
right_share             those whose answer is right as well
refused                 share of models that the guard refused; its other figures are those of the model that stands

Every training has as many steps, whatever it is trained on, so that arms differ by their rows alone: an arm with more rows
sees each of them less often. With a quarter fewer steps (32) the model of a first seed had not learned its real rows, the
guarded ones saw them half as often, and the guard refused all five; so the steps suffice for some four passes. Subjects are
generations, intervals are over seeds. A seed that an interrupted study has finished is not run again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import NamedTuple

from synth_assets.embedded.leaf_kinds import LeafKind
from synth_assets.embedded.leaves import TAUGHT
from synth_assets.model_folder import model_fingerprint
from synth_assets.quality.collapse import perplexity, perplexity_ratio, rare_tokens
from synth_assets.quality.estimates import hold
from synth_assets.recipe import Gate, Recipe, resolve_path, warehouse_path
from synth_assets.records import content_id
from synth_assets.studies.generations import Row, RowModel, Schedule, instance_in, real_rows, token_frequencies
from synth_assets.studies.results import StudyRow, mean_over_seeds

ARMS = ("replace", "accumulate", "half_real", "guarded")
#: Knowledge is left out: its texts are long, and an hour is short.
KINDS: tuple[LeafKind, ...] = tuple(kind for kind in TAUGHT if kind.branch != "knowledge")
METRICS = (
    "holdout_perplexity", "perplexity_ratio", "rare_token_perplexity", "distinct_3", "valid_share", "right_share", "refused",
)  # fmt: skip
_IS_SHARE = {"distinct_3", "valid_share", "right_share", "refused"}
_VERSION = 1


@dataclass(frozen=True)
class Experiment:
    """How large it is."""

    num_rows: int = 300
    num_generations: int = 5
    holdout_rows_per_kind: int = 10
    num_reference_rows: int = 3000
    schedule: Schedule = field(default_factory=lambda: Schedule(num_steps=44, learning_rate=4e-3))


class Figures(NamedTuple):
    """Of one generation, as METRICS."""

    holdout_perplexity: float
    perplexity_ratio: float
    rare_token_perplexity: float
    distinct_3: float
    valid_share: float
    right_share: float
    refused: float = 0.0


class Generation(NamedTuple):
    """The rows that a model wrote, its log-probabilities on the holdout, and its figures."""

    written: list[Row]
    log_probabilities: list[list[float]]
    figures: Figures


def run_collapse_study(
    recipe: Recipe, seeds: Sequence[int], report: Callable[[str], None] = print, experiment: Experiment | None = None
) -> Iterator[StudyRow]:
    experiment = experiment or Experiment()
    runs = [_of_seed(recipe, seed, experiment, report) for seed in seeds]
    for arm in ARMS:
        for number in range(experiment.num_generations + 1):
            for metric in METRICS:
                if metric == "refused" and arm != "guarded":
                    continue
                values = [getattr(run[arm][number], metric) for run in runs]
                bounds = (0.0, 1.0 if metric in _IS_SHARE else math.inf)
                yield mean_over_seeds(metric, arm, f"generation {number}", values, bounds)


def _of_seed(recipe: Recipe, seed: int, experiment: Experiment, report: Callable[[str], None]) -> dict[str, list[Figures]]:
    """By arm, the figures of each generation."""
    base = resolve_path(recipe.student.path)
    gate = recipe.trust.gate("perplexity_ratio")
    made_of = content_id("collapse", _VERSION, seed, asdict(experiment), gate.value, model_fingerprint(base))
    file = warehouse_path() / "studies" / "collapse" / f"{seed}-{made_of}.json"
    if file.is_file():
        return {arm: [Figures(*row) for row in rows] for arm, rows in json.loads(file.read_text()).items()}
    lineage = Lineages(recipe, seed, experiment)
    first = lineage.begin()
    found: dict[str, list[Figures]] = {}
    for arm in ARMS:
        found[arm] = [first.figures, *lineage.descend(arm, first, gate)]
        ratios = ", ".join(f"{figures.perplexity_ratio:.2f}" for figures in found[arm])
        report(f"seed {seed}, {arm}: perplexity over that of generation 0: {ratios}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(found))
    return found


class Lineages:
    """One seed's world: its real rows, its holdout, and the lines of models that descend from them."""

    def __init__(self, recipe: Recipe, seed: int, experiment: Experiment) -> None:
        self.seed, self.experiment = seed, experiment
        self.base = resolve_path(recipe.student.path)
        self.real = real_rows(KINDS, experiment.num_rows, Random(f"real-{seed}"), held_out=False)
        num_held_out = experiment.holdout_rows_per_kind * len(KINDS)
        self.holdout = real_rows(KINDS, num_held_out, Random("holdout"), held_out=True)
        self.leaf_of = [KINDS[at % len(KINDS)].leaf_path for at in range(num_held_out)]
        reference = real_rows(KINDS, experiment.num_reference_rows, Random("reference"), held_out=False)
        self.frequencies = token_frequencies(reference)

    def begin(self) -> Generation:
        return self._generation(self.real, 0, None)

    def descend(self, arm: str, first: Generation, gate: Gate) -> Iterator[Figures]:
        """Generation 1 and on."""
        standing, pool = first, [*self.real, *first.written]
        for number in range(1, self.experiment.num_generations + 1):
            made = self._generation(self._rows(arm, standing.written, pool, number), number, first)
            if arm == "guarded" and self._is_refused(made, first, gate):
                yield standing.figures._replace(refused=1.0)
                continue
            yield made.figures
            standing = made
            pool += made.written

    def _rows(self, arm: str, written: list[Row], pool: list[Row], number: int) -> list[Row]:
        """What the generation is trained on."""
        if arm == "replace":
            return written
        if arm == "accumulate":
            return pool
        if arm == "guarded":
            return [*self.real, *written]
        half = len(self.real) // 2
        return [*Random(f"half-{self.seed}-{number}").sample(self.real, half), *written[: len(self.real) - half]]

    def _generation(self, rows: Sequence[Row], number: int, first: Generation | None) -> Generation:
        model = RowModel(self.base, rows, self.experiment.schedule, 100 * self.seed + number)
        written = model.write_rows(self.experiment.num_rows, 100 * self.seed + number)
        found = model.log_probabilities(self.holdout)
        log_probabilities = [values for _, values in found]
        rare = rare_tokens([ids for ids, _ in found], self.frequencies)
        value = perplexity(log_probabilities)
        read = [instance_in(row, KINDS) for row in written]
        num_right = sum(each[1].answer == row.answer for each, row in zip(read, written, strict=True) if each)
        figures = Figures(
            value, value / (first.figures.holdout_perplexity if first else value), perplexity(log_probabilities, rare),
            _distinct_3(written), sum(map(bool, read)) / len(written), num_right / len(written),
        )  # fmt: skip
        return Generation(written, log_probabilities, figures)

    def _is_refused(self, made: Generation, first: Generation, gate: Gate) -> bool:
        """By the recipe's gate, with the measure that a run is judged by."""
        (estimate,) = perplexity_ratio(first.log_probabilities, made.log_probabilities, self.leaf_of, least=1)
        return hold(estimate, "collapse_report", gate.value, "at_most", gate.severity).verdict != "passed"


def _distinct_3(rows: Sequence[Row]) -> float:
    words = [row.text.split() for row in rows]
    trigrams = [tuple(row[at : at + 3]) for row in words for at in range(len(row) - 2)]
    return len(set(trigrams)) / len(trigrams) if trigrams else math.nan
