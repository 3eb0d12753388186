"""Figures about a stage that no single row shows: shares, gains, rows that are missing.

They are computed here, from the stored tables, and never in the asset that they judge; Great Expectations then holds
`value` against `threshold`, row by row. One table for all, so that a figure can be looked up where its verdict was
given: measure, subject (a leaf, a stage, a suite, or `all`), value, threshold. What the reports on trust have measured
stands in the stored table `measures` and is held against its thresholds here; of what could not be assessed the value is
null, and `words` say why.

A share whose denominator is zero is NaN, and so a failure of the check that reads it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from functools import partial

import polars as pl

from synth_assets.quality.counted import ALL, Measure, Tables, count_measures, ratio
from synth_assets.quality.gates import NEARER
from synth_assets.quality.preference_suites import ALIGNED, PAIRS, measure_aligned, measure_pairs
from synth_assets.quality.prompt_measures import PROMPT_MEASURES, with_prompted
from synth_assets.recipe import PhaseSpec, Recipe, RewardReportSection
from synth_assets.records import NEW_SOURCES, TRUST_REPORTS

MEASURES_SCHEMA = pl.Schema(
    {"measure": pl.String, "subject": pl.String, "value": pl.Float64, "threshold": pl.Float64, "words": pl.String}
)
_NUM_NAMED = 5


def measure_stage(suite: str, tables: Tables, recipe: Recipe) -> pl.DataFrame:
    """The measures of a suite; without rows where the suite has none. Raises KeyError for a table not given."""
    compute = _MEASURES.get(suite)
    return pl.DataFrame(compute(tables, recipe) if compute else [], schema=MEASURES_SCHEMA, orient="row")


def _seed_examples(tables: Tables, recipe: Recipe) -> list[Measure]:
    found = tables["seed_examples"].group_by("leaf_node_id").agg(num_found=pl.len())
    joined = tables["taxonomy"].join(found, on="leaf_node_id", how="left")
    other = joined.filter(pl.col("num_found").fill_null(0) != pl.col("num_seed_examples"))
    return [Measure("leaf_nodes_with_other_seed_count", ALL, other.height, 0)]


def _document_chunks(tables: Tables, recipe: Recipe) -> list[Measure]:
    knowledge = tables["taxonomy"].filter(pl.col("branch") == "knowledge")
    missing = knowledge.join(tables["document_chunks"], on="leaf_node_id", how="anti")
    return [Measure("knowledge_leaf_nodes_without_chunks", ALL, missing.height, 0)]


def _synthetic_samples(tables: Tables, recipe: Recipe) -> list[Measure]:
    samples, leaves = tables["synthetic_samples"], tables["taxonomy"]
    strangers = samples.join(leaves, on="leaf_node_id", how="anti").height
    seedless = samples.filter(pl.col("seed_example_ids").list.len() == 0).height
    counts = leaves.select("leaf_path").join(samples.group_by("leaf_path").len(), on="leaf_path", how="left")
    quota, least = recipe.generation.num_samples_per_leaf, recipe.quality.min_quota_share.value
    return [
        Measure("samples_of_unknown_leaf_nodes", ALL, strangers, 0),
        Measure("samples_without_seed_examples", ALL, seedless, 0),
        *(Measure("quota_share", leaf, (num or 0) / quota, least) for leaf, num in counts.sort("leaf_path").rows()),
        *count_measures(tables, recipe, "generation", samples.height),
    ]


def _reward_filtered_set(tables: Tables, recipe: Recipe) -> list[Measure]:
    kept, from_seeds, scored = (tables[name] for name in ("reward_filtered_set", "synthetic_samples", "scored_samples"))
    samples, all_scored = with_prompted(tables, "synthetic_samples", recipe), with_prompted(tables, "scored_samples", recipe)
    strangers = kept.join(samples, on="synthetic_sample_id", how="anti").height
    unscored = kept.join(all_scored, on="synthetic_sample_id", how="anti").height
    emptied = from_seeds.select("leaf_path").unique().join(kept, on="leaf_path", how="anti").height
    by_leaf = kept.group_by("leaf_path").len().sort("leaf_path").rows()
    num_leaves = samples["leaf_path"].n_unique()
    most = max(recipe.quality.max_leaf_share.value, min(0.9, 2 / max(2, num_leaves)))  # of few leaves each has a large share
    return [
        Measure("kept_rows_without_sample", ALL, strangers, 0),
        Measure("kept_rows_without_score", ALL, unscored, 0),
        Measure("leaf_nodes_without_kept_samples", ALL, emptied, 0),
        Measure("kept_share", ALL, ratio(kept.height, samples.height), recipe.quality.min_kept_share.value),
        *(Measure("leaf_share", leaf, ratio(num, kept.height), most) for leaf, num in by_leaf),
        *count_measures(tables, recipe, "scoring", scored.height, from_seeds.height),
        *count_measures(tables, recipe, "filter", kept.height, all_scored.height),
    ]


def _reward_report(tables: Tables, recipe: Recipe) -> list[Measure]:
    """The figures over all leaves, in size; null, with words, where too few samples have a reward that varies."""
    said = recipe.reward.report or RewardReportSection()
    rows = tables["reward_report"].filter(pl.col("subject") == ALL)
    bounds = {"length_correlation": said.max_length_correlation, "leaf_variance_share": said.max_leaf_variance_share}
    measures = []
    for metric, most in bounds.items():
        values = rows.filter(pl.col("metric") == metric)["value"].drop_nulls().to_list()
        words = "" if values else "too few samples of a leaf, or all with the same reward"
        measures.append(Measure(metric, ALL, abs(values[0]) if values else None, most.value, words))
    return measures


def _training_mix(tables: Tables, recipe: Recipe) -> list[Measure]:
    mix, kept = tables["training_mix"], tables["reward_filtered_set"]
    train = mix.filter(pl.col("split") == "train")
    held_out = mix.filter(pl.col("split") == "validation")
    shared = held_out.join(train, on=["prompt", "response"], how="semi").height
    new = mix.filter(pl.col("source").is_in(NEW_SOURCES))
    unused = kept.join(new, on="synthetic_sample_id", how="anti").height
    by_phase = {phase: train.filter(pl.col("phase") == phase.name) for phase in recipe.tuning.phases_to_run}
    return [
        Measure("train_rows", ALL, train.height, 1),
        *(Measure("rows_of_phase", phase.name, rows.height, 1) for phase, rows in by_phase.items()),
        Measure("validation_rows_also_in_train", ALL, shared, 0),
        Measure("kept_samples_not_in_mix", ALL, unused, 0),
        *(m for phase, rows in by_phase.items() if rows.height for m in _replay_measures(rows, phase, recipe)),
        *_branch_measures(new.filter(pl.col("split") == "train"), kept, recipe),
    ]


def _replay_measures(train: pl.DataFrame, phase: PhaseSpec, recipe: Recipe) -> list[Measure]:
    """Of what the base knew, and of earlier phases."""
    source = pl.col("source")
    shares = {
        phase.name: (train.filter(source == "replay"), recipe.tuning.replay_share),
        f"{phase.name}, of earlier phases": (train.filter(source == "earlier_phase"), phase.replay_share),
    }
    slack = max(0.01, ratio(1, train.height))  # rounding moves a share by less than one row
    return [
        Measure("replay_share_off_target", subject, abs(ratio(rows.height, train.height) - share), slack)
        for subject, (rows, share) in shares.items()
    ]


def _branch_measures(new: pl.DataFrame, kept: pl.DataFrame, recipe: Recipe) -> list[Measure]:
    branch = pl.col("leaf_path").str.split("/").list.first()
    rows_of = dict(new.group_by(branch).len().iter_rows())
    least = recipe.quality.min_branch_share.value
    branches = kept["branch"].unique().sort()
    return [Measure("branch_share", name, ratio(rows_of.get(name, 0), new.height), least) for name in branches]


def _lora_checkpoint(tables: Tables, recipe: Recipe) -> list[Measure]:
    measures = []
    trained = set(tables["training_mix"].filter(pl.col("split") == "train")["phase"])
    for phase in (phase for phase in recipe.tuning.phases_to_run if phase.name in trained):
        candidates = tables["lora_checkpoint"].filter(pl.col("phase") == phase.name)
        steps, examples, choices = (candidates[name].to_list() for name in ("num_steps", "num_examples", "is_chosen"))
        expected = _expected_steps(phase, max(examples, default=0), recipe)
        measures += [
            Measure("steps_done", phase.name, max(steps, default=0), expected),
            Measure("choices_off_one", phase.name, abs(sum(choices) - 1), 0),
        ]
    return measures


def _expected_steps(phase: PhaseSpec, num_examples: int, recipe: Recipe) -> int:
    """At least; of packed rows it is not known here how many there are."""
    if phase.max_steps:
        return phase.max_steps
    steps = 1 if recipe.tuning.packing else math.ceil(num_examples / recipe.tuning.of_phase(phase).rows_a_step)
    return max(1, steps) * (phase.num_epochs or 1)


def _evaluation(tables: Tables, recipe: Recipe) -> list[Measure]:
    """Gain in accuracy by tuning, and what is left of what the base knew: accuracies tuned / base."""
    answers, questions = tables["evaluation"], tables["benchmark_questions"]
    key = "benchmark_question_id"
    open_questions = [
        Measure("unanswered_questions", arm, questions.join(given, on=key, how="anti").height, 0)
        for arm in ("base", "tuned")
        for given in [answers.filter(pl.col("model") == arm)]
    ]
    accuracy = {
        (model, suite): value
        for model, suite, value in answers.group_by("model", "suite").agg(pl.col("is_right").mean()).rows()
    }
    nan = math.nan
    gain = accuracy.get(("tuned", "taxonomy"), nan) - accuracy.get(("base", "taxonomy"), nan)
    retained = ratio(accuracy.get(("tuned", "retained"), nan), accuracy.get(("base", "retained"), nan))
    return [
        *open_questions,
        Measure("accuracy_gain", "taxonomy", gain, recipe.quality.min_accuracy_gain.value),
        Measure("retained_share", "retained", retained, recipe.quality.min_retained_share.value),
    ]


def _comparisons(tables: Tables, recipe: Recipe) -> list[Measure]:
    """Half of the answers of a judge that looks at nothing but the order contradict each other."""
    rows = tables["comparisons"]
    split = rows.filter(pl.col("outcome").is_in(["inconsistent", "no_verdict"])).height
    return [Measure("inconsistent_share", ALL, ratio(split, rows.height), 0.5)]


def _harness_scores(tables: Tables, recipe: Recipe) -> list[Measure]:
    """By declared task and model: how many figures there are too many, or too few."""
    found = Counter(tables["harness_scores"].select("task", "model").iter_rows())
    declared = recipe.evaluation.harness.tasks if recipe.evaluation.harness else ()
    wanted = Counter((task.name, arm) for task in declared for arm in ("base", "tuned"))
    return [
        Measure("figures_off_count", f"{task}, {arm}", abs(found[task, arm] - wanted[task, arm]), 0)
        for task, arm in {**wanted, **found}
    ]


def _judge_calibration(tables: Tables, recipe: Recipe) -> list[Measure]:
    """Both rates by judge and branch, where there is a case."""
    assert recipe.judges is not None
    rows = tables["judge_calibration"].group_by("judge", "branch", "must_accept").agg(pl.col("is_accepted").mean())
    rates = {True: "judge_true_positive_rate", False: "judge_false_positive_rate"}
    bounds = {True: recipe.judges.min_true_positive_rate.value, False: recipe.judges.max_false_positive_rate.value}
    return [
        Measure(rates[good], f"{judge}, {branch}", share, bounds[good])
        for judge, branch, good, share in rows.sort("judge", "branch", "must_accept").iter_rows()
    ]


def _of_report(report: str, tables: Tables, recipe: Recipe) -> list[Measure]:
    """What a report has measured, as its checks read it: the bound, NaN where no figure could be computed."""
    rows = tables["measures"].filter(pl.col("report") == report)
    measures = []
    for row in rows.filter(pl.col("severity") != "info").iter_rows(named=True):
        name, held = row["measure"], _held(row["verdict"], row["bound"])
        measures.append(Measure(name, row["subject"], held, row["threshold"], row["detail"]))
        if (nearer := recipe.trust.gate(name).warn) is not None:
            measures.append(Measure(f"{name}{NEARER}", row["subject"], held, nearer, row["detail"]))
    return [*measures, _too_few(rows)]


def _too_few(rows: pl.DataFrame) -> Measure:
    """How many figures with a gate had too few rows, and of what."""
    of_what = rows.filter((pl.col("verdict") == "insufficient_reference") & (pl.col("severity") != "info"))
    names = of_what["measure"].unique(maintain_order=True).to_list()
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return Measure("measures_with_too_few_rows", ALL, of_what.height, 0, ", ".join(names[:_NUM_NAMED]) + more)


def _held(verdict: str, bound: float | None) -> float | None:
    if verdict in ("insufficient_reference", "not_assessed"):
        return None
    return math.nan if bound is None or verdict == "not_computable" else bound


_MEASURES: dict[str, Callable[[Tables, Recipe], list[Measure]]] = {
    "seed_examples": _seed_examples,
    "document_chunks": _document_chunks,
    "judge_calibration": _judge_calibration,
    "synthetic_samples": _synthetic_samples,
    **PROMPT_MEASURES,
    "reward_filtered_set": _reward_filtered_set,
    "reward_report": _reward_report,
    "training_mix": _training_mix,
    "lora_checkpoint": _lora_checkpoint,
    PAIRS: measure_pairs,
    ALIGNED: measure_aligned,
    "evaluation": _evaluation,
    "comparisons": _comparisons,
    "harness_scores": _harness_scores,
    **{report: partial(_of_report, report) for report in TRUST_REPORTS},
}
