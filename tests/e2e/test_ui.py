"""The Dagster UI in a real browser, as `synth-assets dev` starts it: one small pipeline serves all tests of this module.

The tests follow one another: what one has made the next one looks at. Where there is no browser, each is reported as not
run, by its name.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from ui import CHROMIUM, ask, running_ui, runs, wait_for

from synth_assets.storage import Warehouse
from synth_assets.studies.killing import LEAVES, small_recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(CHROMIUM is None, reason="not run: there is no chromium on this machine"),
]
GROUPS = ("stage_1_taxonomy", "stage_2_generation", "stage_3_reward", "stage_4_tuning", "stage_5_evaluation")
LEAF = LEAVES[0].replace("/", ".")


class Made:
    """A UI over a pipeline, and a page in a browser."""

    def __init__(self, address: str, page: Any, recipe: Path, warehouse: Path) -> None:
        self.address, self.page, self.recipe, self.warehouse = address, page, recipe, Warehouse(warehouse)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def see(self, text: str) -> None:
        self.page.locator(f"text={text} >> visible=true").first.wait_for(timeout=60_000)

    def click(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def wait_for_backfill(self, number: int) -> None:
        def has_ended() -> bool:
            found = ask(self.address, "{partitionBackfillsOrError { ... on PartitionBackfills { results { status } } }}")
            states = [row["status"] for row in found["partitionBackfillsOrError"]["results"]]
            return len(states) == number and states[0] in ("COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED")

        wait_for(f"the end of backfill {number}", has_ended)


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    from playwright.sync_api import sync_playwright

    folder = tmp_path_factory.mktemp("ui")
    recipe = small_recipe(folder, num_samples=6, num_steps=15)
    with running_ui(recipe, folder / "warehouse") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1800, "height": 950})
        yield Made(address, page, recipe, folder / "warehouse")
        browser.close()


def test_the_graph_shows_the_pipeline(ui: Made) -> None:
    expanded = ",".join(f"global@global:{group}" for group in GROUPS)
    ui.open(f"/asset-groups?expanded={quote(expanded)}")
    for name in ("taxonomy", "seed_examples", "document_chunks", "synthetic_samples", "training_mix", "run_report"):
        ui.see(name)


def test_schedule_and_sensor_are_listed_as_running(ui: Made) -> None:
    ui.open("/automation")
    ui.see("nightly")
    ui.see("taxonomy_files")
    ui.see("report_of_failed_runs")
    ui.see("At 02:00 AM UTC")
    switches = ui.page.locator("input[type=checkbox]:checked, [role=switch][aria-checked=true]")
    wait_for("three switches that are on", lambda: switches.count() >= 3, 30)


def test_materialize_all_runs_to_green(ui: Made) -> None:
    ui.open("/asset-groups")
    ui.page.get_by_text("Materialize all").first.click()
    ui.click("All")
    ui.click("Launch backfill")
    ui.wait_for_backfill(1)
    assert {run["status"] for run in runs(ui.address)} == {"SUCCESS"}
    assert ui.warehouse.read_table("evaluation").height > 0
    ui.open("/assets/synthetic_samples?view=partitions")
    ui.see("Materialized (3)")
    ui.open("/assets/reward_filtered_set?view=checks")
    ui.see("Succeeded")


def test_the_report_opens(ui: Made) -> None:
    (report,) = (ui.warehouse.folder / "artefacts/reports").glob("*/report.html")
    ui.page.goto(report.as_uri())
    for text in ("Turned away because", "Right answers to held-out questions", LEAVES[0], "from the journal"):
        ui.see(text)
    ui.open("/assets/run_report?view=events")
    ui.see(report.parent.name)


def test_one_leaf_can_be_backfilled(ui: Made) -> None:
    num_runs = len(runs(ui.address))
    ui.open("/assets/synthetic_samples?view=partitions")
    ui.page.get_by_text("Materialize…").last.click()
    ui.page.get_by_text("Select a partition or create one").first.click()
    ui.page.locator(f"text={LEAF} >> visible=true").last.click()
    ui.page.get_by_text("Launch runs to materialize").click()  # closes the list
    ui.click("Launch 1 run")
    wait_for("one more run", lambda: len(runs(ui.address)) == num_runs + 1)
    wait_for("its end", lambda: runs(ui.address)[0]["status"] in ("SUCCESS", "FAILURE"))
    newest = runs(ui.address)[0]
    assert newest["status"] == "SUCCESS"
    assert {"key": "dagster/partition", "value": LEAF} in newest["tags"]


def test_a_failing_check_is_red_and_its_downstream_does_not_run(ui: Made) -> None:
    recipe = yaml.safe_load(ui.recipe.read_text(encoding="utf-8"))
    recipe["quality"]["min_kept_share"]["value"] = 1.0
    recipe["reward"]["cut"] = {"mode": "leaf_quantile", "value": 0.5}
    ui.recipe.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    ask(ui.address, "mutation {reloadWorkspace { __typename }}")
    num_mixes = _num_made(ui, "training_mix")
    num_runs = len(runs(ui.address))
    ui.open("/assets/reward_filtered_set?view=overview")
    ui.page.locator('text="Materialize" >> visible=true').first.click()
    wait_for("one more run", lambda: len(runs(ui.address)) == num_runs + 1)
    wait_for("its end", lambda: runs(ui.address)[0]["status"] in ("SUCCESS", "FAILURE"))
    report = ui.warehouse.folder / "artefacts/reports" / runs(ui.address)[0]["runId"] / "report.html"
    ui.open("/assets/reward_filtered_set?view=checks")
    ui.see("Failed")
    ui.open("/assets/training_mix?view=overview")
    ui.page.locator('text="Materialize" >> visible=true').first.click()
    wait_for("a second run", lambda: len(runs(ui.address)) == num_runs + 2)
    wait_for("its end", lambda: runs(ui.address)[0]["status"] in ("SUCCESS", "FAILURE"))
    assert runs(ui.address)[0]["status"] == "FAILURE" and _num_made(ui, "training_mix") == num_mixes
    wait_for("the report of the run that failed", report.is_file, 180)
    assert "This run failed" in report.read_text(encoding="utf-8")


def _num_made(ui: Made, asset: str) -> int:
    query = f'{{assetOrError(assetKey: {{path: ["{asset}"]}}) {{ ... on Asset {{ assetMaterializations {{ runId }} }} }}}}'
    return len(ask(ui.address, query)["assetOrError"]["assetMaterializations"])
