"""The training mix: splits, replay and order."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from synth_assets.errors import TuningError
from synth_assets.recipe import PhaseSpec, PhaseTake, TuningSection, read_recipe
from synth_assets.records import BRANCHES, GENERATED_BRANCH, KeptSample, SeedExample, leaf_or_area
from synth_assets.tuning import ReplayExample, mix_phases, read_replay_buffer

SETTINGS = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml").tuning
REPLAY = [ReplayExample(f"Repeat {n}", f"{n}", "known/echo") for n in range(1000)]


def _settings(**changes: Any) -> TuningSection:
    return SETTINGS.model_copy(update=changes)


def _phase(name: str, replay_share: float, *takes: tuple[Any, Any]) -> PhaseSpec:
    taken = tuple(PhaseTake(branch=branch, responses=responses) for branch, responses in takes)
    return PhaseSpec(name=name, takes=taken, replay_share=replay_share, max_steps=1)


def _kept(leaf: str, count: int, context: str | None = None) -> list[KeptSample]:
    return [
        KeptSample(f"{leaf}-{n}", leaf, leaf, "compositional_skills", context, f"Do {leaf} {n}", f"Done {n}", 1.0)
        for n in range(count)
    ]


def test_each_leaf_is_held_out_in_its_share_and_replay_has_its_share_of_the_training_rows() -> None:
    kept = [*_kept("a", 50), *_kept("b", 20), *_kept("c", 1)]
    mix = mix_phases(kept, REPLAY, _settings(validation_share=0.1, replay_share=0.3), 7, "brief")
    held_out = Counter(row.leaf_path for row in mix if row.split == "validation")
    assert held_out == {"a": 5, "b": 2}
    train = Counter(row.source for row in mix if row.split == "train")
    assert train == {"synthetic": 64, "replay": 27}  # 27 / 91 = 0.297
    assert sorted(row.synthetic_sample_id for row in mix if row.source == "synthetic") == sorted(
        k.synthetic_sample_id for k in kept
    )
    assert [row.position for row in mix] == list(range(len(mix)))
    assert len({row.training_example_id for row in mix}) == len(mix)


def test_topics_are_held_out_by_area_and_leaves_as_they_were() -> None:
    """A tenth of four rows of a topic would be none, and no row of any topic would ever be held out."""
    kept = [*_kept("a", 50), *(row for n in range(10) for row in _kept(f"{GENERATED_BRANCH}/general/topic_{n}", 4))]
    settings = _settings(validation_share=0.1, replay_share=0.0)
    mix = mix_phases(kept, [], settings, 7, "brief")
    held_out = Counter(leaf_or_area(row.leaf_path) for row in mix if row.split == "validation")
    assert held_out == {"a": 5, f"{GENERATED_BRANCH}/general": 4}
    alone = {row.prompt: row.split for row in mix_phases(_kept("a", 50), [], settings, 7, "brief")}
    assert alone == {row.prompt: row.split for row in mix if row.leaf_path == "a"}


def test_the_split_does_not_depend_on_the_seed_but_the_order_does() -> None:
    mixes = [mix_phases(_kept("a", 40), REPLAY, SETTINGS, seed, "brief") for seed in (7, 7, 8)]
    assert mixes[0] == mixes[1] != mixes[2]
    splits = [{r.synthetic_sample_id: r.split for r in mix if r.source == "synthetic"} for mix in mixes]
    assert splits[0] == splits[2]
    order = [row.synthetic_sample_id for row in mixes[0] if row.synthetic_sample_id]
    assert order != sorted(order)


def test_replay_rows_repeat_only_when_the_buffer_is_used_up_and_they_may() -> None:
    settings = _settings(validation_share=0.0, replay_share=0.5, upsample=True)
    once = [r.prompt for r in mix_phases(_kept("a", 100), REPLAY, settings, 7, "brief") if r.source == "replay"]
    assert len(once) == len(set(once)) == 100
    mix = mix_phases(_kept("a", 100), REPLAY[:30], settings, 7, "brief")
    counts = Counter(row.prompt for row in mix if row.source == "replay")
    assert set(counts.values()) == {3, 4} and len(counts) == 30
    assert len({row.training_example_id for row in mix}) == 200
    short = mix_phases(_kept("a", 100), REPLAY[:30], settings.model_copy(update={"upsample": False}), 7, "brief")
    assert Counter(row.source for row in short) == {"synthetic": 100, "replay": 30}
    assert len({row.prompt for row in short if row.source == "replay"}) == 30


def test_a_context_stands_before_its_instruction_and_seeds_may_take_part() -> None:
    seed = SeedExample("s", "l", "a", 0, None, "What is it?", "That.")
    settings = _settings(validation_share=0.0, replay_share=0.0)
    mix = mix_phases(_kept("a", 1, "The text."), [], settings, 7, "brief", seeds=[seed])
    assert {row.source: (row.prompt, row.response) for row in mix} == {
        "synthetic": ("The text.\nDo a 0", "Done 0"), "seed": ("What is it?", "That."),
    }  # fmt: skip


PHASES = (
    _phase("short_knowledge", 0.0, ("knowledge", "short")),
    _phase("long_knowledge", 0.2, ("knowledge", "long"), ("foundational_skills", "all")),
    _phase("skills", 0.3, ("compositional_skills", "all")),
)
KEPT = [
    *(replace(row, response="word " * (1 + n % 2 * 30)) for n, row in enumerate(_kept("knowledge/a", 40))),
    *_kept("foundational_skills/b", 30),
    *_kept("compositional_skills/c", 50),
]


def test_each_phase_has_its_rows_and_its_shares_of_replay() -> None:
    settings = _settings(strategy="phased", phases=PHASES, replay_share=0.2, validation_share=0.1, upsample=False)
    mix = mix_phases(KEPT, REPLAY, settings, 7, "brief")
    assert [row.position for row in mix] == list(range(len(mix))) and len({row.training_example_id for row in mix}) == len(
        mix
    )
    assert list(dict.fromkeys(row.phase for row in mix)) == [phase.name for phase in PHASES]
    earlier: set[str] = set()
    for phase in PHASES:
        rows = [row for row in mix if row.phase == phase.name]
        train = [row for row in rows if row.split == "train"]
        new = [row.synthetic_sample_id for row in train if row.source == "synthetic"]
        taught = [row.synthetic_sample_id for row in train if row.source == "earlier_phase"]
        known = [row for row in train if row.source == "replay"]
        assert all(row.source == "synthetic" for row in rows if row.split == "validation")
        assert len(known) == pytest.approx(0.2 * len(train), abs=1.01) and len({row.prompt for row in known}) == len(known)
        assert len(set(taught)) == len(taught) and set(taught) <= earlier
        assert len(taught) == pytest.approx(phase.replay_share * len(train), abs=1.01)
        earlier |= set(new)
    kinds = {(r.phase, r.leaf_path[0], len(r.response.split()) > 20) for r in mix if r.source == "synthetic"}
    assert kinds == {
        ("short_knowledge", "k", False), ("long_knowledge", "k", True), ("long_knowledge", "f", False),
        ("skills", "c", False),
    }  # fmt: skip
    held_out = {row.synthetic_sample_id for row in mix if row.split == "validation"}
    assert not held_out & {row.synthetic_sample_id for row in mix if row.split == "train"}


def test_leaf_nodes_that_a_phase_names_are_its_own_and_replayed_in_a_later_one() -> None:
    code = PhaseSpec(name="code", takes=(PhaseTake(leaves=("foundational_skills/coding/*",)),), max_steps=1)
    general = _phase("general", 0.2, *((branch, "all") for branch in BRANCHES))
    settings = _settings(strategy="phased", phases=(code, general), validation_share=0.0, replay_share=0.0)
    kept = [*_kept("foundational_skills/coding/loops", 40), *_kept("foundational_skills/maths", 80)]
    mix = mix_phases(kept, [], settings, 7, "brief")
    rows = Counter((row.phase, row.source, row.leaf_path.split("/")[1]) for row in mix)
    assert rows == {
        ("code", "synthetic", "coding"): 40, ("general", "synthetic", "maths"): 80,
        ("general", "earlier_phase", "coding"): 20,
    }  # fmt: skip


def test_stacked_is_the_union_of_the_phases_with_the_same_rows_held_out() -> None:
    said = {"phases": PHASES, "validation_share": 0.1}
    phased, stacked = (
        mix_phases(KEPT, REPLAY, _settings(strategy=strategy, **said), 7, "brief") for strategy in ("phased", "stacked")
    )
    new = [
        Counter((row.synthetic_sample_id, row.split) for row in mix if row.source == "synthetic")
        for mix in (phased, stacked)
    ]
    assert new[0] == new[1] and set(new[0].values()) == {1}
    assert {row.phase for row in stacked} == {"stacked"}
    assert {row.source for row in stacked} == {"synthetic", "replay"}


@pytest.mark.parametrize("upsample", [False, True])
def test_a_phase_without_rows_is_left_out_and_nothing_is_replayed_of_it(upsample: bool) -> None:
    settings = _settings(strategy="phased", phases=PHASES, upsample=upsample)
    skills = [row for row in KEPT if row.leaf_path.startswith("compositional")]
    mix = mix_phases(skills, REPLAY, settings, 7, "brief")
    assert {row.phase for row in mix} == {"skills"} and {row.source for row in mix} == {"synthetic", "replay"}


def test_nothing_to_train_on_and_nothing_to_replay_are_errors() -> None:
    with pytest.raises(TuningError, match="nothing to train on"):
        mix_phases([], REPLAY, SETTINGS, 7, "brief")
    with pytest.raises(TuningError, match=r"tuning\.replay_buffer"):
        mix_phases(_kept("a", 10), [], SETTINGS, 7, "brief")


def test_a_replay_buffer_is_read_line_by_line(tmp_path: Path) -> None:
    file = tmp_path / "replay.jsonl"
    row = {"prompt": "Repeat x", "response": "x", "leaf_path": "known/echo"}
    file.write_text(
        json.dumps(row) + "\n\n" + json.dumps(row | {"prompt": "é"}, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    assert read_replay_buffer(file) == [ReplayExample("Repeat x", "x", "known/echo"), ReplayExample("é", "x", "known/echo")]


@pytest.mark.parametrize(
    "line",
    [
        "{", '"text"', '{"prompt": "a", "response": "b"}', '{"prompt": "a", "response": "", "leaf_path": "c"}',
        '{"prompt": "a", "response": "b", "leaf_path": "c", "generation_depth": -1}',
        '{"prompt": "a", "response": "b", "leaf_path": "c", "generation_depth": "people"}',
        '{"prompt": "a", "response": "b", "leaf_path": "c", "depth": 0}',
    ],
)  # fmt: skip
def test_a_faulty_replay_line_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "replay.jsonl"
    file.write_text('{"prompt": "a", "response": "b", "leaf_path": "c"}\n' + line + "\n")
    with pytest.raises(TuningError) as caught:
        read_replay_buffer(file)
    assert f"{file}:2: " in str(caught.value) and "->" in str(caught.value)


def test_a_missing_or_empty_replay_buffer_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(TuningError, match="replay_share to 0"):
        read_replay_buffer(tmp_path / "nowhere.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(TuningError, match="holds no example"):
        read_replay_buffer(tmp_path / "empty.jsonl")


def test_rows_keep_the_depth_of_what_they_are_made_of() -> None:
    kept = [replace(row, generation_depth=2) for row in _kept("a", 4)]
    seeds = [SeedExample(f"s{n}", "a", "a", n, None, f"Ask {n}", "Said", generation_depth=n % 2) for n in range(4)]
    mix = mix_phases(kept, REPLAY, _settings(validation_share=0.0, replay_share=0.2), 7, "brief", seeds=seeds)
    found = Counter((row.source, row.generation_depth) for row in mix)
    assert found == {("synthetic", 2): 4, ("seed", 0): 2, ("seed", 1): 2, ("replay", 0): 2}


def test_a_replayed_row_is_as_deep_as_it_says_else_as_the_recipe_says_else_nobody_knows(tmp_path: Path) -> None:
    file = tmp_path / "replay.jsonl"
    row = {"prompt": "Repeat x", "response": "x", "leaf_path": "known/echo"}
    file.write_text(json.dumps(row) + "\n" + json.dumps(row | {"prompt": "y", "generation_depth": 2}) + "\n")
    replay = read_replay_buffer(file)
    assert [each.generation_depth for each in replay] == [None, 2]
    for said in (None, 0, 1):
        settings = _settings(validation_share=0.0, replay_share=0.5, replay_depth=said)
        mix = mix_phases(_kept("a", 2), replay, settings, 7, "brief")
        assert {row.generation_depth for row in mix if row.source == "replay"} == {said, 2}
