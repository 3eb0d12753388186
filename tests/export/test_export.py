"""What is exported loads in Hugging Face's libraries unchanged, and its cards say where it comes from."""

import json
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from click.testing import CliRunner
from made_pipeline import MADE_ENGINES, TO_THE_STUDENT, made_recipe, materialize

from synth_assets.assets.checks import stage_checks
from synth_assets.assets.display import escape
from synth_assets.assets.resources import resources
from synth_assets.assets.verdicts import OpenGate, open_gates_of_data, open_gates_of_student
from synth_assets.cli import cli
from synth_assets.errors import GateError, WarehouseError
from synth_assets.export import SPLITS, OpenGates, dataset_splits, export, model_card
from synth_assets.frames import to_frame
from synth_assets.recipe import PreferencesSection, PrivacyBudget, Recipe, Threshold
from synth_assets.records import PreferencePair
from synth_assets.storage import Warehouse

Made = tuple[Recipe, Warehouse, Path]
HARM = "<script>alert(1)</script> | [a](b) https://evil.example.org @someone"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_teacher: Path) -> Made:
    folder = tmp_path_factory.mktemp("made")
    recipe, warehouse = made_recipe(folder, tiny_teacher), Warehouse(folder / "warehouse")
    recipe = recipe.model_copy(update={"tuning": recipe.tuning.model_copy(update={"validation_share": 0.3})})
    leaf = next((folder / "taxonomy").rglob("qna.yaml"))
    work = f"Title of work: {HARM}\nLicense of the work: CC-BY-4.0\nCreator names: A. Author\n"
    leaf.with_name("attribution.txt").write_text(work, encoding="utf-8")
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(recipe, warehouse, instance, [*TO_THE_STUDENT, "evaluation"]).success
        missing = OpenGates(
            open_gates_of_data(recipe, warehouse, instance), open_gates_of_student(recipe, warehouse, instance)
        )
        assert missing == OpenGates([], [OpenGate("student_report", "", "was never made")])
        with pytest.raises(GateError, match="student_report was never made"):
            export(recipe, warehouse, folder / "out", missing)
        assert materialize(recipe, warehouse, instance, ["student_report"]).success
        gates = [*open_gates_of_data(recipe, warehouse, instance), *open_gates_of_student(recipe, warehouse, instance)]
        assert not gates
        _judge_more_strictly(recipe, warehouse, instance)
    assert {part.name for part in export(recipe, warehouse, folder / "out", OpenGates())} == {"dataset", "adapter"}
    return recipe, warehouse, folder / "out"


def _judge_more_strictly(recipe: Recipe, warehouse: Warehouse, instance: dg.DagsterInstance) -> None:
    """The same tables by another threshold: the gate of the data is open, and says its figure."""
    stricter = Threshold(value=0.99, reason="nearly everything must be kept")
    other = recipe.model_copy(update={"quality": recipe.quality.model_copy(update={"min_kept_share": stricter})})
    checks = [
        check
        for check in stage_checks(other)
        if {key.asset_key.path[-1] for key in check.check_keys} <= {*TO_THE_STUDENT, "evaluation", "student_report"}
    ]
    dg.materialize(
        checks, selection=dg.AssetSelection.checks(*checks), resources=resources(other, warehouse, MADE_ENGINES),
        instance=instance, raise_on_error=False,
    )  # fmt: skip
    (gate,) = open_gates_of_data(other, warehouse, instance)
    assert (gate.asset, gate.check) == ("reward_filtered_set", "enough_is_kept") and "has failed: " in gate.why
    assert any(letter.isdigit() for letter in gate.why) and not open_gates_of_student(other, warehouse, instance)


@pytest.mark.slow
def test_datasets_loads_the_folder_as_it_is(made: Made, tmp_path: Path) -> None:
    from datasets import load_dataset

    recipe, warehouse, out = made
    loaded = load_dataset(str(out / "dataset"), cache_dir=str(tmp_path / "cache"))
    splits = dataset_splits(recipe, warehouse)
    assert {name: part.num_rows for name, part in loaded.items()} == {name: splits[name].height for name in SPLITS}
    for name, part in loaded.items():
        for row, line in zip(part, (out / "dataset/jsonl" / f"{name}.jsonl").open(encoding="utf-8"), strict=True):
            assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
            assert row["messages"] == json.loads(line)["messages"]
            assert row["leaf_path"] in warehouse.read_table("taxonomy")["leaf_path"] or name == "test"


@pytest.mark.slow
def test_trl_trains_on_it_unchanged(made: Made, tiny_student: Path, tmp_path: Path) -> None:
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    data = load_dataset(str(made[2] / "dataset"), split="train", cache_dir=str(tmp_path / "cache"))
    settings = SFTConfig(output_dir=str(tmp_path / "run"), max_steps=2, report_to=[], use_cpu=True, save_strategy="no")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tiny_student), AutoTokenizer.from_pretrained(tiny_student)
    result = SFTTrainer(model, settings, train_dataset=data, processing_class=tokenizer).train()
    assert result.global_step == 2 and result.training_loss > 0


@pytest.mark.slow
def test_the_adapter_loads_on_its_base(made: Made, tiny_teacher: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    tuned = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_teacher), made[2] / "adapter")
    assert tuned.peft_config["default"].r > 0


def test_preference_pairs_lie_beside_the_data_set_once_there_are_some(made: Made, tmp_path: Path) -> None:
    recipe, warehouse, _ = made
    other = Warehouse(Path(shutil.copytree(warehouse.folder, tmp_path / "warehouse")))
    prompt = json.dumps([{"role": "user", "content": "Name a fruit"}])
    pair = PreferencePair(
        "i", "p", "a", prompt, "pear", "stone", 2.0, 1.0, 1.0, "reward", (), (), "c", "r", "m", "m", 2, 0.0
    )
    other.write_table("preference_pairs", to_frame([pair], PreferencePair))
    assert [part.name for part in export(recipe, other, tmp_path / "undeclared", OpenGates())] == ["dataset", "adapter"]
    section = PreferencesSection(num_samples=2, temperature=0.8, max_new_tokens=8, margin=0.5)
    recipe = recipe.model_copy(update={"preferences": section})
    assert [part.name for part in export(recipe, other, tmp_path / "out", OpenGates())] == [
        "dataset",
        "preferences",
        "adapter",
    ]
    (line,) = (tmp_path / "out/preferences/jsonl/train.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["chosen"] == [{"role": "assistant", "content": "pear"}]
    card = (tmp_path / "out/preferences/README.md").read_text(encoding="utf-8")
    assert "of it: 1,\nof 1 different" in card and "did not hold" not in card
    gate = OpenGate("privacy_report", "leaked_values_is_within_bounds", f"has failed: 3 of 2,087 {HARM}")
    export(recipe, other, tmp_path / "despite", OpenGates([gate]), despite_failed_checks=True)
    card = (tmp_path / "despite/preferences/README.md").read_text(encoding="utf-8")
    assert "Gates that did not hold" in card and escape("leaked_values_is_within_bounds") in card and "<script>" not in card


def test_every_row_says_where_it_comes_from(made: Made) -> None:
    recipe, warehouse, _ = made
    splits = dataset_splits(recipe, warehouse)
    kept = warehouse.read_table("reward_filtered_set")
    rows = pl.concat([splits["train"], splits["validation"]]).filter(pl.col("source") == "synthetic")
    assert sorted(rows["synthetic_sample_id"]) == sorted(kept["synthetic_sample_id"])
    assert rows.select("seed_example_ids", "teacher", "reward", "generation_depth").null_count().sum_horizontal().item() == 0
    assert "replay" not in splits["train"]["source"]
    prompts = {split: {row[0]["content"] for row in frame["messages"]} for split, frame in splits.items()}
    assert not prompts["test"] & (prompts["train"] | prompts["validation"])


def test_the_cards_hold_figures_licences_and_no_markup_of_strangers(made: Made) -> None:
    recipe, warehouse, out = made
    card = (out / "dataset/README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---")[1])
    assert [entry["split"] for entry in head["configs"][0]["data_files"]] == list(SPLITS)
    kept = warehouse.read_table("reward_filtered_set").height
    assert recipe.fingerprint() in card and escape("CC-BY-4.0") in card and escape("low_reward") in card
    assert f"| {kept} |" in card and "<script>" not in card and "[a](b)" not in card
    assert escape(HARM) in card and "https://evil" not in card and "@someone" not in card
    model = (out / "adapter/README.md").read_text(encoding="utf-8")
    assert yaml.safe_load(model.split("---")[1])["library_name"] == "peft"
    assert "| taxonomy | tuned |" in model and escape("CC-BY-4.0") in model
    for text in (card, model):
        assert all(line.endswith("|") for line in text.splitlines() if line.startswith("|"))
        assert "{{" not in text and "None" not in text


def test_the_model_card_says_what_a_budget_protects_and_what_not(made: Made, tmp_path: Path) -> None:
    recipe, warehouse, out = made
    assert "Privacy" not in (out / "adapter/README.md").read_text(encoding="utf-8")
    budget = PrivacyBudget(epsilon=8.0, delta=1e-5, max_grad_norm=0.7)
    recipe = recipe.model_copy(update={"tuning": recipe.tuning.model_copy(update={"privacy": budget})})
    other = Warehouse(tmp_path)
    other.write_table("training_mix", warehouse.read_table("training_mix"))
    spent = warehouse.read_table("lora_checkpoint").with_columns(epsilon=pl.lit(7.991), delta=pl.lit(1e-5))
    other.write_table("lora_checkpoint", spent)
    card = model_card(recipe, other)
    assert "epsilon 8.00, delta 1.0e-05" in card and "length 0.7" in card  # rounded up: never less than was spent
    assert "seed examples and documents that the teacher saw" in card and "each single row" in card


def test_nothing_of_this_machine_is_told(made: Made, tiny_teacher: Path) -> None:
    files = [file for file in made[2].rglob("*") if file.suffix in (".md", ".json", ".jsonl")]
    assert len(files) == 7
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert str(made[2].parent) not in text and str(tiny_teacher) not in text and str(Path.home()) not in text, file


def test_rows_that_lost_their_sample_are_no_data_set(made: Made, tmp_path: Path) -> None:
    recipe, warehouse, _ = made
    other = Warehouse(tmp_path)
    for name in ("training_mix", "synthetic_samples", "reward_filtered_set"):
        frame = warehouse.read_table(name)
        other.write_table(name, frame if name == "training_mix" else frame.head(1))
    with pytest.raises(WarehouseError, match="no longer among"):
        dataset_splits(recipe, other)


def test_an_export_overwrites_nothing_and_needs_a_run(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, warehouse, out = made
    with pytest.raises(WarehouseError, match="there already"):
        export(recipe, warehouse, out, OpenGates())
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(tmp_path / "empty"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    result = CliRunner().invoke(cli, ["export", str(tmp_path / "out")])
    assert result.exit_code == 1 and "no training mix" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_gate_that_does_not_hold_stops_the_export_or_stands_on_its_card(made: Made, tmp_path: Path) -> None:
    recipe, warehouse, _ = made
    of_data = OpenGate("privacy_report", "leaked_values_is_within_bounds", f"has failed: 3 of 2,087 {HARM}")
    of_student = OpenGate("student_report", "perplexity_ratio_is_within_bounds", "has failed: 1.31, at most 1.15")
    gates = OpenGates([of_data], [of_student])
    with pytest.raises(GateError) as caught:
        export(recipe, warehouse, tmp_path / "out", gates)
    told = str(caught.value)
    assert "2 of its gates" in told and "leaked_values_is_within_bounds of privacy_report has failed: 3 of 2,087" in told
    assert "perplexity_ratio_is_within_bounds" in told and "--despite-failed-checks" in told
    assert not (tmp_path / "out").exists()
    export(recipe, warehouse, tmp_path / "out", gates, despite_failed_checks=True)
    card, model = ((tmp_path / "out" / part / "README.md").read_text(encoding="utf-8") for part in ("dataset", "adapter"))
    assert escape("leaked_values_is_within_bounds") in card and escape("perplexity_ratio") not in card
    assert escape("leaked_values_is_within_bounds") in model and escape("1.31, at most 1.15") in model
    assert (
        "<script>" not in card
        and "[a](b)" not in card
        and "did not hold" not in made[2].joinpath("dataset/README.md").read_text()
    )


def test_the_command_refuses_what_nobody_has_judged(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_ASSETS_WAREHOUSE", str(made[1].folder))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    result = CliRunner().invoke(cli, ["export", str(tmp_path / "out")])
    assert result.exit_code == 1 and "fidelity_report was never made" in result.stderr and "more" in result.stderr
    result = CliRunner().invoke(cli, ["export", "--despite-failed-checks", str(tmp_path / "out")])
    assert result.exit_code == 0 and "written: " in result.stdout
    assert "was never made" in (tmp_path / "out/adapter/README.md").read_text(encoding="utf-8").replace("\\", "")
