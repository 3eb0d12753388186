"""The arms of the filter study: equal counts a leaf, and nothing but the filter between them."""

from collections import Counter

from synth_assets.recipe import read_recipe
from synth_assets.records import KeptSample, SeedExample
from synth_assets.studies.filter import equal_arms
from synth_assets.taxonomy import Material

RECIPE = read_recipe(scale="smoke")  # a quota of eight rows a leaf


def _rows(leaf: str, num_rows: int) -> list[KeptSample]:
    return [
        KeptSample(f"{leaf}-{n}", leaf, leaf, "compositional_skills", None, f"Do {leaf} {n}", f"Done {n}", 1.0)
        for n in range(num_rows)
    ]


def test_kept_and_unfiltered_arms_have_the_quota_or_what_the_filter_leaves_of_it() -> None:
    clean = [*_rows("easy", 20), *_rows("hard", 20), *_rows("lost", 20)]
    kept = [row for row in clean if row.leaf_path == "easy" or row.synthetic_sample_id in ("hard-0", "hard-1", "hard-2")]
    seeds = tuple(SeedExample(f"s{n}", "easy", "easy", n, None, f"Q {n}", f"A {n}") for n in range(7))
    arms = equal_arms(RECIPE, Material((), seeds, ()), 3, clean, kept)
    rows = {arm: [row for row in mix if row.source != "replay"] for arm, mix in arms.items()}
    quota = RECIPE.generation.num_samples_per_leaf
    assert Counter(row.leaf_path for row in rows["kept"]) == {"easy": quota, "hard": 3}
    assert Counter(row.leaf_path for row in rows["unfiltered"]) == {"easy": quota, "hard": 3}
    kept_ids = {row.synthetic_sample_id for row in kept}
    assert {row.synthetic_sample_id for row in rows["kept"]} <= kept_ids
    assert not {row.synthetic_sample_id for row in rows["unfiltered"] if row.leaf_path == "hard"} <= kept_ids
    assert [row.prompt for row in rows["seeds"]] == [row.prompt for row in rows["seeds"] if "Q 5" not in row.prompt]
    assert len(rows["seeds"]) == 5
    again = equal_arms(RECIPE, Material((), seeds, ()), 3, clean, kept)
    assert again == arms
