"""Preference pairs leave the warehouse in TRL's form: `datasets` loads them, and DPOTrainer trains on them unchanged."""

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from synth_assets.assets.display import escape
from synth_assets.export.cards import preferences_card
from synth_assets.export.preferences import in_trl_form, preference_rows
from synth_assets.export.writing import write_preferences
from synth_assets.frames import to_frame
from synth_assets.recipe import PreferencesSection, read_recipe
from synth_assets.records import DecidedBy, PreferencePair, RejectedSample
from synth_assets.storage import Warehouse

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": 'Name a "fruit"\nplease'},
    {"role": "assistant", "content": "apple"},
    {"role": "user", "content": "Another é"},
]


def pair(number: int, decided_by: DecidedBy = "reward", agreement: tuple[str, ...] = ()) -> PreferencePair:
    prompt = json.dumps(TURNS[3 * (number % 2) :], ensure_ascii=False)
    margin = None if number == 3 else 1.0
    return PreferencePair(
        f"pair{number}", f"prompt{number}", "skills/a", prompt, f"pear {number}", f"stone {number}", 2.0, 1.0, margin,
        decided_by, agreement, (), f"c{number}", f"r{number}", "m", "m", 2, 0.5,
    )  # fmt: skip


RECIPE = read_recipe(scale="smoke").model_copy(
    update={"preferences": PreferencesSection(num_samples=2, temperature=0.8, max_new_tokens=8, margin=0.5)}
)
PAIRS = [pair(0), pair(2, "ground_truth", ("reward",)), pair(1), pair(3, "ground_truth"), pair(4, "ground_truth")]


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse")
    warehouse.write_table("preference_pairs", to_frame(PAIRS, PreferencePair))
    rejected = [
        RejectedSample("p", "skills/a", stage, "rejected", reason, "", "", "", 0)
        for stage, reason in (("preferences", "all_equal"), ("preferences", "all_equal"), ("filter", "low_reward"))
    ]
    warehouse.write_table("rejected_samples", to_frame(rejected, RejectedSample))
    return warehouse


def test_a_pair_becomes_messages_and_keeps_its_columns(warehouse: Warehouse) -> None:
    rows = preference_rows(RECIPE, warehouse)
    assert rows["preference_pair_id"].to_list() == [f"pair{n}" for n in range(5)]
    assert rows["prompt"].to_list()[:2] == [TURNS, TURNS[3:]]
    assert rows["chosen"].to_list()[1] == [{"role": "assistant", "content": "pear 1"}]
    assert rows["rejected"].to_list()[1] == [{"role": "assistant", "content": "stone 1"}]
    assert set(rows.columns) == set(to_frame(PAIRS, PreferencePair).columns)


def test_without_pairs_there_are_no_rows(tmp_path: Path) -> None:
    assert preference_rows(RECIPE, Warehouse(tmp_path)).height == 0
    assert in_trl_form(to_frame([], PreferencePair)).schema == in_trl_form(to_frame(PAIRS, PreferencePair)).schema


def test_pairs_that_the_recipe_declares_no_more_are_not_exported(warehouse: Warehouse) -> None:
    plain = RECIPE.model_copy(update={"preferences": None})
    rows = preference_rows(plain, warehouse)
    assert rows.height == 0 and rows.schema == preference_rows(RECIPE, warehouse).schema
    assert warehouse.read_table("preference_pairs").height == 5, "they stay where they are"


def test_the_card_counts_pairs_by_who_decided_and_prompts_by_why_not(warehouse: Warehouse) -> None:
    card = preferences_card(RECIPE, warehouse, preference_rows(RECIPE, warehouse))
    assert yaml.safe_load(card.split("---")[1])["configs"][0]["data_files"][0]["split"] == "train"
    assert "of it: 5,\nof 5 different" in card and "| reward | 2 | - |" in card
    assert f"| {escape('ground_truth')} | 3 | 50.0% |" in card, "of those that the reward model has an opinion on"
    assert f"| {escape('all_equal')} | 2 |" in card and "low" not in card
    assert all(line.endswith("|") for line in card.splitlines() if line.startswith("|"))


@pytest.mark.slow
def test_trl_takes_a_step_on_the_exported_folder(warehouse: Warehouse, tiny_student: Path, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    out = tmp_path / "preferences"
    write_preferences(RECIPE, warehouse, preference_rows(RECIPE, warehouse), out)
    data = load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    lines = (out / "jsonl/train.jsonl").read_text(encoding="utf-8").splitlines()
    assert [row["prompt"] for row in data] == [json.loads(line)["prompt"] for line in lines]
    assert pl.read_parquet(out / "data/train.parquet").height == data.num_rows == 5
    settings = DPOConfig(output_dir=str(tmp_path / "run"), max_steps=1, report_to=[], use_cpu=True, save_strategy="no")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_student), AutoTokenizer.from_pretrained(tiny_student)
    result = DPOTrainer(model, None, settings, train_dataset=data, processing_class=tokenizer).train()
    assert result.global_step == 1 and result.training_loss > 0
