"""Recipes with few leaf nodes: what is shifted does not pass, and the shares of verdicts are of all seeds."""

from pathlib import Path

from synth_assets.recipe import read_recipe
from synth_assets.studies.documents import render_document
from synth_assets.studies.gates.few_leaves import verdicts_of
from synth_assets.studies.gates.trust_world import TrustWorld
from synth_assets.studies.results import share, write_study

RECIPE = read_recipe("data/recipes/embedded.yaml", "demo")


def test_a_shift_in_five_leaf_nodes_does_not_pass_and_clean_rows_do_not_fail() -> None:
    shifted, clean = verdicts_of(TrustWorld(RECIPE, 71), 5)
    assert shifted in ("failed", "insufficient_reference") and clean in ("passed", "insufficient_reference")


def test_worlds_have_a_table_of_their_own(tmp_path: Path) -> None:
    rows = [share("verdict_share", arm, "mean_shift, 5 leaf nodes", num, 4) for arm, num in (("failed", 3), ("passed", 1))]
    write_study(tmp_path, "gates", rows, [1], 1.0, {})
    table = render_document("<!-- study gates: verdict_share by world -->\n<!-- end -->", tmp_path)
    assert "| measure, leaf nodes, world | verdict_share, failed | verdict_share, passed |" in table
    assert "| mean_shift, 5 leaf nodes | 75.0 % | 25.0 % |" in table
