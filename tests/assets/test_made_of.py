"""What a report on the data set reads of the rejected rows, and is current by: those of the recipe's own stages."""

from pathlib import Path

from made_pipeline import made_recipe

from synth_assets.assets.made_of import inputs_id, rejected_before_pairs
from synth_assets.frames import to_frame
from synth_assets.recipe import Recipe
from synth_assets.records import RejectedSample
from synth_assets.storage import Warehouse
from tests.prompted_pipeline import with_prompts


def rejected(stage: str) -> RejectedSample:
    return RejectedSample(f"of {stage}", "leaf", stage, "rejected", "off_task", "", "", "", 0)


def test_what_stages_left_that_the_recipe_has_no_more_counts_for_nothing(tmp_path: Path, tiny_reward_model: Path) -> None:
    plain, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    assert plain.reward_model
    model = plain.reward_model.model_copy(update={"path": str(tiny_reward_model)})
    recipe = plain.model_copy(update={"reward_model": model})

    def read(of: Recipe) -> tuple[list[str], str]:
        return rejected_before_pairs(of, warehouse)["stage"].to_list(), inputs_id("diversity_report", of, warehouse)

    def write(*stages: str) -> None:
        warehouse.write_table("rejected_samples", to_frame([rejected(stage) for stage in stages], RejectedSample))

    write("generation", "filter")
    before = read(recipe)
    assert before[0] == ["generation", "filter"]
    write("generation", "filter", "preferences")
    with_pairs = read(recipe)
    assert with_pairs[0] == before[0]
    write("generation", "answering", "filter", "preferences")
    assert read(recipe) == with_pairs, "a stage of an earlier recipe changes nothing"
    assert read(with_prompts(recipe))[0] == ["generation", "answering", "filter"]
