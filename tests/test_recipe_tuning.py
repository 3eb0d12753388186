"""The section `tuning`: phases are declared once, and what cannot be trained is refused at its line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from synth_assets.errors import Fault, RecipeError
from synth_assets.recipe import SCALES, TuningSection, length_of, phase_taking, read_recipe

EMBEDDED = Path(__file__).parent.parent / "data/recipes/embedded.yaml"


def _recipe(folder: Path, **changes: Any) -> Path:
    recipe = yaml.safe_load(EMBEDDED.read_text(encoding="utf-8"))
    recipe["tuning"] |= changes
    file = folder / "recipe.yaml"
    text = yaml.safe_dump(
        {**recipe, "tuning": {k: v for k, v in recipe["tuning"].items() if v is not None}}, sort_keys=False
    )
    file.write_text(text, encoding="utf-8")
    return file


def _tuning(folder: Path, **changes: Any) -> TuningSection:
    return read_recipe(_recipe(folder, **changes)).tuning


def _fault(folder: Path, **changes: Any) -> Fault:
    with pytest.raises(RecipeError) as caught:
        read_recipe(_recipe(folder, **changes))
    (fault,) = caught.value.faults
    assert fault.line
    return fault


def _phase(name: str, *takes: str, **more: Any) -> dict[str, Any]:
    """`takes`: branches, perhaps with the length of the responses."""
    said = [dict(zip(("branch", "responses"), take.split(), strict=False)) for take in takes]
    return {"name": name, "takes": said} | ({} if "num_epochs" in more else {"max_steps": 10}) | more


KNOWLEDGE = _phase("one", "knowledge")
SKILLS = _phase("two", "foundational_skills", "compositional_skills", replay_share=0.2)
LAB = [
    _phase("knowledge_short", "knowledge short"),
    _phase("knowledge_long", "knowledge long", "foundational_skills", replay_share=0.3),
    _phase("skills", "compositional_skills all", replay_share=0.4, learning_rate=1e-3),
]


def test_the_embedded_recipe_is_stacked_and_its_steps_are_the_sum_of_the_phases() -> None:
    steps = {scale: read_recipe(EMBEDDED, scale).tuning.phases_to_run for scale in SCALES}
    assert {scale: [(p.name, p.max_steps) for p in phases] for scale, phases in steps.items()} == {
        "smoke": [("stacked", 10)], "demo": [("stacked", 1000)], "full": [("stacked", 3000)],
    }  # fmt: skip


def test_the_phases_of_the_paper_can_be_declared_and_run_either_way(tmp_path: Path) -> None:
    phased = _tuning(tmp_path, phases=LAB, strategy="phased")
    assert [phase.name for phase in phased.phases_to_run] == ["knowledge_short", "knowledge_long", "skills"]
    (stacked,) = _tuning(tmp_path, phases=LAB, strategy="stacked").phases_to_run
    assert stacked.max_steps == 30 and stacked.replay_share == 0 and stacked.learning_rate is None
    assert set(stacked.kinds) == {kind for phase in phased.phases for kind in phase.kinds}
    by_epoch = [dict(_phase(p["name"], num_epochs=n), takes=p["takes"]) for n, p in enumerate(LAB, 2)]
    (stacked,) = _tuning(tmp_path, phases=by_epoch, strategy="stacked").phases_to_run
    assert (stacked.num_epochs, stacked.max_steps) == (4, None)


def test_a_phase_may_take_leaf_nodes_by_their_paths_with_a_rate_and_a_batch_of_its_own(tmp_path: Path) -> None:
    code = {
        "name": "code", "takes": [{"leaves": ["foundational_skills/coding/*"]}], "max_steps": 5, "learning_rate": 3e-7,
        "batch_size": 2, "gradient_accumulation": 3,
    }  # fmt: skip
    general = _phase("general", "knowledge", "foundational_skills", "compositional_skills", replay_share=0.02)
    tuning = _tuning(tmp_path, phases=[code, general], strategy="phased")
    leaves = ("foundational_skills/coding/loops", "foundational_skills/maths/sums", "knowledge/towns")
    assert [phase_taking(tuning.phases_to_run, leaf, "long") for leaf in leaves] == ["code", "general", "general"]
    assert [tuning.of_phase(phase).rows_a_step for phase in tuning.phases] == [6, 16]
    (stacked,) = _tuning(tmp_path, phases=[code, general], strategy="stacked").phases_to_run
    assert phase_taking([stacked], leaves[0], "long") == "stacked" and stacked.batch_size is None
    short = code | {"takes": [{"leaves": ["foundational_skills/coding/*"], "responses": "short"}]}
    phases = _tuning(tmp_path, phases=[short, general], strategy="phased").phases_to_run
    assert [phase_taking(phases, leaves[0], length_of(text, 2)) for text in ("a b", "a b c")] == ["code", "general"]


@pytest.mark.parametrize("take", [{}, {"branch": "knowledge", "leaves": ["knowledge/*"]}])
def test_a_phase_takes_a_branch_or_leaf_nodes(tmp_path: Path, take: dict[str, Any]) -> None:
    fault = _fault(tmp_path, phases=[KNOWLEDGE, SKILLS | {"takes": [*SKILLS["takes"], take]}])
    assert "exactly one of branch and leaves" in fault.expected + fault.message


def test_leaf_nodes_alone_leave_their_branch_to_be_taken(tmp_path: Path) -> None:
    fault = _fault(tmp_path, phases=[KNOWLEDGE, SKILLS | {"takes": [{"leaves": ["*_skills/*"]}]}])
    assert "foundational_skills short (0)" in fault.expected + fault.message


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([KNOWLEDGE, SKILLS | {"name": "one"}], "one stands more than once"),
        ([KNOWLEDGE, _phase("two", "foundational_skills")], "compositional_skills short (0), compositional_skills long (0)"),
        ([KNOWLEDGE, SKILLS, _phase("three", "knowledge long")], "knowledge long (2)"),
        ([KNOWLEDGE | {"replay_share": 0.1}, SKILLS], "replay_share 0 in the first phase"),
        ([KNOWLEDGE, dict(_phase("two", num_epochs=2), takes=SKILLS["takes"])], "max_steps in every phase"),
        ([], "at least 1"),
    ],
)
def test_phases_that_leave_out_repeat_or_mix_are_refused(tmp_path: Path, phases: list[Any], said: str) -> None:
    fault = _fault(tmp_path, phases=phases)
    assert fault.key == "tuning.phases" and said in fault.expected


@pytest.mark.parametrize("more", [{"max_steps": 5, "num_epochs": 2}, {"max_steps": None, "num_epochs": None}])
def test_a_phase_has_one_length(tmp_path: Path, more: dict[str, Any]) -> None:
    phase = {key: value for key, value in (KNOWLEDGE | more).items() if value is not None}
    fault = _fault(tmp_path, phases=[phase, SKILLS])
    assert fault.key == "tuning.phases[0]" and "exactly one of max_steps and num_epochs" in fault.expected


def test_a_misspelt_key_of_a_phase_is_told_with_its_neighbour(tmp_path: Path) -> None:
    fault = _fault(tmp_path, phases=[KNOWLEDGE | {"learning_rat": 0.1}, SKILLS])
    assert (fault.key, fault.message) == (
        "tuning.phases[0].learning_rat",
        "unknown key",
    ) and "learning_rate" in fault.expected


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"warmup_ratio": None}, "tuning.warmup_steps", "exactly one of"),
        ({"warmup_steps": 5}, "tuning.warmup_steps", "exactly one of"),
        ({"replay_share": 0.9}, "tuning.replay_share", "below 0.9"),
        ({"strategy": "staged"}, "tuning.strategy", "'stacked' or 'phased'"),
        ({"checkpoint_choice": {"by": "benchmark"}}, "tuning.checkpoint_choice.benchmark", "a folder of questions"),
        (
            {"checkpoint_choice": {"by": "benchmark", "num_candidates": 0, "benchmark": "data/selection"}},
            "tuning.checkpoint_choice.num_candidates",
            "greater than or equal to 1",
        ),
        ({"gradient_accumulation": 0}, "tuning.gradient_accumulation", "greater than or equal to 1"),
        (
            {"checkpoint_choice": {"by": "benchmark", "benchmark": "data//benchmark/"}},
            "evaluation",
            "other questions than those of tuning.checkpoint_choice",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(tmp_path: Path, changes: dict[str, Any], key: str, said: str) -> None:
    fault = _fault(tmp_path, **changes)
    assert fault.key == key and said in fault.expected


def test_the_warm_up_is_a_share_of_the_phase_or_a_number_of_steps(tmp_path: Path) -> None:
    assert _tuning(tmp_path).num_warmup_steps(101) == 6
    assert _tuning(tmp_path, warmup_ratio=None, warmup_steps=7).num_warmup_steps(101) == 7
    assert _tuning(tmp_path, batch_size=4, gradient_accumulation=3).rows_a_step == 12
