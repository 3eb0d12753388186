"""The first stage through Dagster: on the real public taxonomy, and on one with a leaf that is wrong."""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg
import pytest
from made_pipeline import MADE_ENGINES, made_recipe

from synth_assets.assets.checks import stage_checks
from synth_assets.assets.currency import material_of_files
from synth_assets.assets.resources import resources
from synth_assets.assets.taxonomy import document_chunks, seed_examples, taxonomy
from synth_assets.errors import TaxonomyError
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.storage import Warehouse

SKILL = """version: 2
created_by: someone
task_description: Add two numbers.
seed_examples:
{seeds}"""


def recipe_with(taxonomy_root: Path) -> Recipe:
    recipe = read_recipe()
    changed = recipe.taxonomy.model_copy(update={"paths": (str(taxonomy_root),)})
    return recipe.model_copy(update={"taxonomy": changed})


def write_leaf(root: Path, leaf_path: str, num_seeds: int) -> None:
    folder = root / leaf_path
    folder.mkdir(parents=True)
    seeds = "".join(f"  - question: What is {n} + 1?\n    answer: '{n + 1}'\n" for n in range(num_seeds))
    (folder / "qna.yaml").write_text(SKILL.format(seeds=seeds), encoding="utf-8")


def materialize(
    recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance,
    assets: Iterable[dg.AssetsDefinition] = (taxonomy, seed_examples),
) -> dg.ExecuteInProcessResult:  # fmt: skip
    names = {asset.key for asset in assets}
    checks = [check for check in stage_checks(recipe) if {key.asset_key for key in check.check_keys} <= names]
    return dg.materialize(
        [*assets, *checks], resources=resources(recipe, warehouse), instance=instance, raise_on_error=False
    )


def test_the_public_taxonomy(public_taxonomy: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "warehouse")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe_with(public_taxonomy), warehouse, instance)
        assert result.success
        (made,) = result.asset_materializations_for_node("taxonomy")
        assert made.metadata["dagster/row_count"].value == 16
    leaves = warehouse.read_table("taxonomy")
    assert set(leaves["branch"]) == {"knowledge", "foundational_skills", "compositional_skills"}
    assert warehouse.read_table("seed_examples").height == leaves["num_seed_examples"].sum() == 97
    assert warehouse.read_table("taxonomy_faults").height == 0


def test_the_bundled_taxonomy_with_its_documents(tmp_path: Path) -> None:
    recipe, warehouse = read_recipe(), Warehouse(tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, (taxonomy, seed_examples, document_chunks))
        assert result.success
        assert all(check.passed for check in result.get_asset_check_evaluations())
    assert warehouse.query("SELECT count(*) AS n FROM document_chunks")["n"][0] > 10


def test_a_wrong_leaf_is_reported_and_the_others_go_on(tmp_path: Path) -> None:
    root, warehouse = tmp_path / "taxonomy", Warehouse(tmp_path / "warehouse")
    write_leaf(root, "compositional_skills/adding", 6)
    write_leaf(root, "foundational_skills/counting", 5)
    broken = root / "compositional_skills/broken"
    broken.mkdir()
    (broken / "qna.yaml").write_text("created_by: [", encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe_with(root), warehouse, instance)
        (made,) = result.asset_materializations_for_node("taxonomy")
        assert made.metadata["num_faults"].value == 1
    assert warehouse.read_table("taxonomy").height == 2
    assert "broken" in warehouse.read_table("taxonomy_faults")["file"][0]


def test_the_same_files_give_the_same_data_version(tmp_path: Path) -> None:
    root = tmp_path / "taxonomy"
    write_leaf(root, "compositional_skills/adding", 6)
    versions = set()
    for name in ("first", "second"):
        with dg.DagsterInstance.ephemeral() as instance:
            result = materialize(recipe_with(root), Warehouse(tmp_path / name), instance, (taxonomy,))
            (made,) = result.asset_materializations_for_node("taxonomy")
            versions.add((made.tags or {})["dagster/data_version"])
    assert len(versions) == 1


def test_files_that_change_between_two_assets_are_noticed(tmp_path: Path) -> None:
    root, warehouse = tmp_path / "taxonomy", Warehouse(tmp_path / "warehouse")
    write_leaf(root, "compositional_skills/adding", 6)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe_with(root), warehouse, instance, (taxonomy,)).success
        write_leaf(root, "compositional_skills/counting", 6)
        given = resources(recipe_with(root), warehouse)
        result = dg.materialize([seed_examples], resources=given, instance=instance, raise_on_error=False)
        assert not result.success
    assert not warehouse.has_table("seed_examples")


def test_a_missing_document_is_reported_with_its_line_and_the_other_leaves_go_on(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    other = tmp_path / "taxonomy/knowledge/rivers/qna.yaml"
    other.parent.mkdir()
    towns = (tmp_path / "taxonomy/knowledge/towns/qna.yaml").read_text(encoding="utf-8")
    other.write_text(towns.replace("towns.md", "gone.md"), encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(recipe, warehouse, instance, (taxonomy, seed_examples, document_chunks))
        failed = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
        assert result.success and failed == {"knowledge_leaf_nodes_have_chunks", "documents_have_no_faults"}
    assert set(warehouse.read_table("document_chunks")["leaf_path"]) == {"knowledge/towns"}
    (fault,) = warehouse.read_table("document_faults").iter_rows(named=True)
    assert fault["file"] == "knowledge/rivers/qna.yaml" and "'gone.md'" in fault["message"]
    assert other.read_text(encoding="utf-8").splitlines()[fault["line"] - 1].strip().startswith("patterns")


def test_a_strict_recipe_stops_at_a_faulty_leaf_and_names_it(tmp_path: Path) -> None:
    recipe, warehouse = made_recipe(tmp_path), Warehouse(tmp_path / "warehouse")
    strict = recipe.model_copy(update={"taxonomy": recipe.taxonomy.model_copy(update={"strict": True})})
    (tmp_path / "taxonomy/compositional_skills/broken").mkdir(parents=True)
    (tmp_path / "taxonomy/compositional_skills/broken/qna.yaml").write_text("version: 3\ncreated_by: [\n", encoding="utf-8")
    assert len(material_of_files(recipe).faults) == 1
    with pytest.raises(TaxonomyError, match=r"(?s)strict.*broken/qna\.yaml:3:1"):
        material_of_files(strict)
    with dg.DagsterInstance.ephemeral() as instance:
        given = resources(strict, warehouse, MADE_ENGINES)
        assert not dg.materialize([taxonomy], resources=given, instance=instance, raise_on_error=False).success
    assert not warehouse.has_table("taxonomy")
