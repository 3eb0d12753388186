"""How deep a training mix descends from models, how much of it is real, and whether what must stay has stayed.

These are counts of a whole table, not of a sample of it: they have no interval, and the value itself is held against the
gate. Real is what no model wrote: `generation_depth` 0, wherever the row stands in the mix. Where the depth of one row is
not known, nothing is said of depth or share.
"""

from __future__ import annotations

import hashlib
import json
import math

import polars as pl

from synth_assets.quality.estimates import Estimate, not_assessed

#: From this depth on rows descend from rows that a model wrote, and half of the mix has to be real.
DEEP = 2
_HOLDOUT_COLUMNS = ("leaf_path", "context", "question", "answer")
_NUM_NAMED = 3


def depth_measures(mix: pl.DataFrame) -> list[Estimate]:
    """`max_depth`: the greatest generation_depth among the rows; `words` names the first rows that have it.

    `mix`: a frame of TrainingExample. Of an empty one, or one with a row of unknown depth, the value is NaN.
    """
    deepest = _max_depth(mix)
    if not math.isfinite(deepest):
        unknown = mix["generation_depth"].null_count()
        return [Estimate("max_depth", "all", math.nan, words=_why_unknown(mix.height, unknown))]
    named = mix.filter(pl.col("generation_depth") == int(deepest))["training_example_id"]
    words = (
        f"{named.len()} rows of depth {int(deepest)}: {', '.join(named.head(_NUM_NAMED))}" if deepest else "real rows only"
    )
    return [Estimate("max_depth", "all", deepest, num_synthetic=_num_synthetic(mix), words=words)]


def real_share_measures(mix: pl.DataFrame) -> list[Estimate]:
    """The share of real rows among the distinct ones that train, as `real_share_below_depth_2` or `real_share_from_depth_2`.

    A row that stands several times, up-sampled or in two phases, counts once (`distinct_training_rows`): repeating what is
    real adds nothing to it.
    Which of the two depends on the mix's greatest depth, for each has a gate of its own; the other is not assessed. One
    estimate each with the subject `all`. Of a mix without training rows, or with one of unknown depth, both are NaN.
    """
    trained = distinct_training_rows(mix)
    deepest, num_real = _max_depth(trained), _num_real(trained)
    names = {True: "real_share_from_depth_2", False: "real_share_below_depth_2"}
    if not math.isfinite(deepest):
        words = _why_unknown(trained.height, trained["generation_depth"].null_count())
        return [Estimate(name, "all", math.nan, words=words) for name in sorted(names.values())]
    is_deep = deepest >= DEEP
    words = f"{num_real:,} of {trained.height:,} distinct training rows are real"
    share = Estimate(
        names[is_deep], "all", num_real / trained.height, num_reference=num_real, num_synthetic=_num_synthetic(trained),
        words=words,
    )  # fmt: skip
    return [share, not_assessed(names[not is_deep], "all", f"the greatest depth of the mix is {int(deepest)}")]


def distinct_training_rows(mix: pl.DataFrame) -> pl.DataFrame:
    """prompt, response and generation_depth of the rows that train, each pair of texts once.

    Of one that stands with several depths the greatest counts; null where one of them is not known.
    """
    depth = pl.col("generation_depth")
    greatest = pl.when(depth.null_count() == 0).then(depth.max())
    trained = mix.filter(pl.col("split") == "train")
    return trained.group_by("prompt", "response", maintain_order=True).agg(greatest)


def real_share(mix: pl.DataFrame) -> float | None:
    """The figure of `real_share_measures`, whichever gate holds it; None where it cannot be told."""
    trained = distinct_training_rows(mix)
    return _num_real(trained) / trained.height if math.isfinite(_max_depth(trained)) else None


def dropped_real_rows(previous: pl.DataFrame, current: pl.DataFrame) -> list[Estimate]:
    """`dropped_real_rows`: how many real rows (prompt and response) of an earlier mix stand no longer in this one.

    Both are frames of TrainingExample. A row that moved to the validation split is not dropped; what is replayed is
    drawn anew for each mix, and does not count.
    """
    texts = ["prompt", "response"]
    of_people = (pl.col("generation_depth") == 0) & (pl.col("source") != "replay")
    real = previous.filter(of_people).unique(texts, maintain_order=True)
    if not real.height:
        return [not_assessed("dropped_real_rows", "all", "the earlier mix has no real rows")]
    gone = real.join(current, on=texts, how="anti", maintain_order="left")
    words = f"first: {', '.join(gone['training_example_id'].head(_NUM_NAMED))}" if gone.height else ""
    return [Estimate(
        "dropped_real_rows", "all", float(gone.height), num_reference=real.height,
        num_synthetic=_num_synthetic(current), words=words,
    )]  # fmt: skip


def holdout_digest(holdout: pl.DataFrame) -> str:
    """SHA-256, as 64 hex digits, of a holdout's rows, whatever their order and further columns.

    `holdout`: leaf_path, question, answer, and perhaps context. Raises polars' ColumnNotFoundError without them.
    """
    rows = holdout if "context" in holdout.columns else holdout.with_columns(context=pl.lit(None, pl.String))
    lines = sorted(json.dumps(row, ensure_ascii=False) for row in rows.select(_HOLDOUT_COLUMNS).iter_rows())
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def holdout_measures(recorded: str | None, holdout: pl.DataFrame) -> list[Estimate]:
    """`holdout_changed`: 0 where the holdout is the `recorded` one (its digest), else 1. None: nothing is recorded yet."""
    if recorded is None:
        return [not_assessed("holdout_changed", "all", "no earlier run has recorded a holdout")]
    if not holdout.height:
        return [Estimate("holdout_changed", "all", math.nan, words="the holdout is empty")]
    now = holdout_digest(holdout)
    words = "" if now == recorded else f"digest {now[:16]}, recorded {recorded[:16]}"
    return [Estimate("holdout_changed", "all", float(now != recorded), num_reference=holdout.height, words=words)]


def _max_depth(mix: pl.DataFrame) -> float:
    depths = mix["generation_depth"]
    deepest = depths.max()
    return math.nan if depths.null_count() or not isinstance(deepest, int) else float(deepest)


def _why_unknown(num_rows: int, num_unknown: int) -> str:
    unknown = f"the depth of {num_unknown} rows is not known: say who wrote them (generation_depth of taxonomy.data_sets, "
    unknown += "tuning.replay_depth of the replay buffer, 0 for people)"
    return unknown if num_rows else "there are no rows"


def _num_real(mix: pl.DataFrame) -> int:
    return mix.filter(pl.col("generation_depth") == 0).height


def _num_synthetic(mix: pl.DataFrame) -> int:
    return mix.filter(pl.col("generation_depth") > 0).height
