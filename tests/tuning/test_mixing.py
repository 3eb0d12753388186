"""The training mix: splits, replay and order."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from synth_assets.errors import TuningError
from synth_assets.recipe import TuningSection, read_recipe
from synth_assets.records import KeptSample, SeedExample
from synth_assets.tuning import ReplayExample, mix_phases, read_replay_buffer

SETTINGS = read_recipe(Path(__file__).parents[2] / "data/recipes/embedded.yaml").tuning
REPLAY = [ReplayExample(f"Repeat {n}", f"{n}", "known/echo") for n in range(1000)]


def _settings(**changes: Any) -> TuningSection:
    return SETTINGS.model_copy(update=changes)


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


def test_the_split_does_not_depend_on_the_seed_but_the_order_does() -> None:
    mixes = [mix_phases(_kept("a", 40), REPLAY, SETTINGS, seed, "brief") for seed in (7, 7, 8)]
    assert mixes[0] == mixes[1] != mixes[2]
    splits = [{r.synthetic_sample_id: r.split for r in mix if r.source == "synthetic"} for mix in mixes]
    assert splits[0] == splits[2]
    order = [row.synthetic_sample_id for row in mixes[0] if row.synthetic_sample_id]
    assert order != sorted(order)


def test_replay_rows_repeat_only_when_the_buffer_is_used_up() -> None:
    settings = _settings(validation_share=0.0, replay_share=0.5)
    once = [r.prompt for r in mix_phases(_kept("a", 100), REPLAY, settings, 7, "brief") if r.source == "replay"]
    assert len(once) == len(set(once)) == 100
    mix = mix_phases(_kept("a", 100), REPLAY[:30], settings, 7, "brief")
    counts = Counter(row.prompt for row in mix if row.source == "replay")
    assert set(counts.values()) == {3, 4} and len(counts) == 30
    assert len({row.training_example_id for row in mix}) == 200


def test_a_context_stands_before_its_instruction_and_seeds_may_take_part() -> None:
    seed = SeedExample("s", "l", "a", 0, None, "What is it?", "That.")
    settings = _settings(validation_share=0.0, replay_share=0.0)
    mix = mix_phases(_kept("a", 1, "The text."), [], settings, 7, "brief", seeds=[seed])
    assert {row.source: (row.prompt, row.response) for row in mix} == {
        "synthetic": ("The text.\nDo a 0", "Done 0"), "seed": ("What is it?", "That."),
    }  # fmt: skip


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
    "line", ["{", '"text"', '{"prompt": "a", "response": "b"}', '{"prompt": "a", "response": "", "leaf_path": "c"}']
)
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
