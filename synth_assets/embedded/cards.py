"""Model cards of the embedded models: what they were trained on, how long, what they reach, where they end."""

import json
from pathlib import Path
from typing import Any

TITLES = {
    "student_base": "Student base: copies, looks up, calculates, and knows none of the taxonomy's tasks",
    "teacher": "Teacher: writes instructions of the taught leaf nodes from their seeds, and answers them",
    "judge": "Judge: says of instructions and responses of the taught leaf nodes whether they are good, reasons first",
    "reward_model": "Reward model: five attributes in HelpSteer's order, for answers to the taught leaf nodes",
}
DATA = {
    "student_base": "Copying of random tokens (a curriculum from 80 % to 15 % of the episodes), ten primitive skills in a"
    " notation of their own, plain text of the world's documents. No leaf node of the taxonomy.",
    "teacher": "Starts from the student base. Answers (50 %) and new instructions (30 %) of 17 kinds of leaf node, random"
    " templates with random slots (10 %), copying and primitives (10 %).",
    "judge": "Starts from the teacher. Instructions, true ones and ones spoiled by rule; answers as the reward model's;"
    " pairs of answers. For each the true judgement as a JSON object: the right answer, the response as far as it agrees,"
    " the sentence of the text that it rests on, then the verdict.",
    "reward_model": "Starts from the teacher. Answers to training questions, balanced within each leaf: the teacher's own"
    " sampled answers, and true answers spoiled by rule. Graded by the world's exact verifiers.",
}
LIMITS = {
    "student_base": "A closed world of some 800 words. It is there to be tuned, not to be talked to.",
    "teacher": "A closed world of some 800 words: other words are spelled in bytes, which it can copy but does not know. For"
    " kinds of leaf outside its world see teacher_unseen_leaf_valid; for real domains use a real model.",
    "judge": "Knows the taught kinds of leaf only, and two of the pair's three verdicts. Elsewhere its word means nothing.",
    "reward_model": "Knows the taught kinds of leaf only; its values are comparable within a leaf, less so across leaves.",
}
FIGURES = {
    "student_base": ("student_exact", "student_retained"),
    "teacher": (
        "teacher_instruction_valid",
        "teacher_instruction_new",
        "teacher_answer_right",
        "teacher_unseen_leaf_valid",
    ),
    "judge": ("true_positive_rate", "false_positive_rate", "generator_kept_share", "generator_right"),
    "reward_model": (
        "reward_auc_within_leaf",
        "logprob_auc_within_leaf",
        "unfiltered_error",
        "kept_error",
        "kept_share",
    ),
}


def write_model_cards(models: Path, studies: Path) -> None:
    """Write README.md into each model folder, from its training.json and from the committed studies."""
    rows = [row for file in sorted(studies.glob("*.json")) for row in json.loads(file.read_text())["rows"]]
    for name, title in TITLES.items():
        training = json.loads((models / name / "training.json").read_text())
        (models / name / "README.md").write_text(_card(name, title, training, rows))


def _card(name: str, title: str, training: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    figures = [row for row in rows if row["metric"] in FIGURES[name] and row["subject"] == "all"]
    if name == "student_base":
        figures = [row for row in figures if row["arm"] == "base"]
    table = "\n".join(f"| {row['metric']} | {row['arm']} | {_value(row)} | {row['n']} |" for row in figures)
    return f"""---
license: apache-2.0
library_name: transformers
tags: [synth_assets, closed-world]
---
# {title}

**Architecture.** {training["architecture"]}, {training["num_parameters"]:,} parameters, bf16 safetensors; loads
unchanged in transformers, vLLM and peft. Chat template in the tokenizer; every word of the world is one token.

**Data.** {DATA[name]} Made by `synth_assets/embedded/`, which ships with the project; one instance in sixteen, chosen by
content, was never trained on, and seeds, documents and benchmark come from those.

**Training.** {training["num_tokens"]:,} tokens in {training["minutes"]} minutes on {training["machine"]},
seed {training["seed"]}: `synth-assets train-embedded {training["command"]}`.

**Figures** (from `data/studies/`):

| metric | arm | value | n |
|---|---|---|---|
{table}

**Limits.** {LIMITS[name]}
"""


def _value(row: dict[str, Any]) -> str:
    if row["ci_low"] is None:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"
