"""Which gates vouch for what is there now, and which do not.

A check that blocks stops what follows it within a run. Across runs that is not enough: a report may have been made of
earlier data, or without its checks, and "no check has failed" is then no verdict at all. So whoever goes on from judged
data (the student, the export) asks here: a gate is open as long as nobody can say that it holds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import dagster as dg

from synth_assets.assets.checks import check_keys, last_verdict
from synth_assets.assets.currency import STAGE_1, is_current, is_judged_alike, judged_by, last_made
from synth_assets.assets.ingredients import INGREDIENTS, made_before
from synth_assets.errors import GateError, ModelError
from synth_assets.quality import suite_id, suites_of
from synth_assets.recipe import Recipe
from synth_assets.records import TRUST_REPORTS
from synth_assets.storage import Warehouse

STUDENT, STUDENT_REPORT, PAIRS = "lora_checkpoint", "student_report", "preference_pairs"


@dataclass(frozen=True)
class OpenGate:
    """A gate that does not hold. `check` is empty where the whole asset is not of the present; `why` has the figure."""

    asset: str
    check: str
    why: str

    def __str__(self) -> str:
        return f"the check {self.check} of {self.asset} {self.why}" if self.check else f"{self.asset} {self.why}"


def require_verdicts(asset: str, recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """Refuse an asset that stands behind reports, unless these and all that stands before them hold (`open_gates`).

    Raises GateError naming the first that does not; ModelError for a missing model.
    """
    if not any(name in TRUST_REPORTS for name in INGREDIENTS[asset].after):
        return
    for gate in open_gates(all_before(made_before(asset, recipe), recipe), recipe, warehouse, instance):
        raise GateError(
            f"{asset} is not made: {gate}", remedy=f"materialize {gate.asset} with its checks, then {asset}"
        )  # fmt: skip


def open_gates(
    assets: Iterable[str], recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance
) -> Iterator[OpenGate]:  # fmt: skip
    """Of these assets: those that are not of the present, and checks that block and have failed or were not run.

    A table of stage 1 may be read again without a change, and what is made by leaf is held by those who read it: a report,
    the filter, the mix know what they were made of. Raises ModelError for a missing model.
    """
    keys, suites = check_keys(recipe, only_blocking=True), suites_of(recipe)
    for name in assets:
        made = last_made(dg.AssetKey(name), instance)
        if made is None:
            yield OpenGate(name, "", "was never made")
        elif not _is_held_by_others(name) and not is_current(name, made, recipe, warehouse):
            yield OpenGate(name, "", "was made of other data, or by another recipe, than is there now")
        else:
            judges = suite_id(suites[name], recipe) if name in suites else ""
            yield from (gate for key in keys.get(name, ()) if (gate := _open_gate(key, judges, instance)))


def open_gates_of_data(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> list[OpenGate]:
    """Of all that stands before a student: the data set's. Raises as `open_gates`."""
    return list(open_gates(all_before(made_before(STUDENT, recipe), recipe), recipe, warehouse, instance))


def open_gates_of_student(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> list[OpenGate]:
    """Of the tuned student itself, its report's included, without those of its data. Raises as `open_gates`."""
    before = all_before(made_before(STUDENT, recipe), recipe)
    own = [name for name in all_before([STUDENT_REPORT], recipe) if name not in before]
    return list(open_gates(own, recipe, warehouse, instance))


def open_gates_of_pairs(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> list[OpenGate]:
    """Of preference pairs, where the recipe has them, without those of the data. Raises as `open_gates`."""
    if not INGREDIENTS[PAIRS].is_declared(recipe):
        return []
    before = all_before(made_before(STUDENT, recipe), recipe)
    own = [name for name in all_before([PAIRS], recipe) if name not in before]
    return list(open_gates(own, recipe, warehouse, instance))


def require_held_student(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """Raises GateError unless the tuned student is that of the recipe, and all gates hold that an export asks of it.

    Those of its data, and of the student its own, its report's included: a student that recites is no teacher.
    """
    of_student = open_gates_of_student(recipe, warehouse, instance)
    for gate in (*open_gates_of_data(recipe, warehouse, instance), *of_student):
        raise GateError(
            f"the tuned student is no next teacher: {gate}", remedy=f"materialize {gate.asset} with its checks, then promote"
        )


def current_reports(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> list[str]:
    """The reports whose figures are those of the present data; of a model that is gone nobody can say so."""
    return [name for name in TRUST_REPORTS if _is_of_the_present(name, recipe, warehouse, instance)]


def all_before(assets: Iterable[str], recipe: Recipe) -> list[str]:
    """These assets and all that must have been made before them, in pipeline order."""
    waiting, seen = list(assets), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += made_before(name, recipe)
    return [name for name in INGREDIENTS if name in seen]


def _is_held_by_others(asset: str) -> bool:
    return asset in STAGE_1 or INGREDIENTS[asset].is_by_leaf


def _open_gate(key: dg.AssetCheckKey, judges: str, instance: dg.DagsterInstance) -> OpenGate | None:
    asset, verdict = key.asset_key.path[-1], last_verdict(key, instance)
    if verdict is None or not is_judged_alike(key, verdict, instance):
        return OpenGate(asset, key.name, "was not run on what is there now")
    if judged_by(verdict) != judges:
        return OpenGate(asset, key.name, "was run with other thresholds than the recipe's")
    return None if verdict.passed else OpenGate(asset, key.name, f"has failed: {verdict.description}")


def _is_of_the_present(report: str, recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> bool:
    try:
        return is_current(report, last_made(dg.AssetKey(report), instance), recipe, warehouse)
    except ModelError:
        return False
