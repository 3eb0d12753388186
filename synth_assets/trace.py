"""`synth-assets trace SAMPLE_ID`: all that made one sample, and all that was made of it.

From the files of the taxonomy to the student's present answer; everything is read from the warehouse and its journal.
A sample that went nowhere is traced as well: the id stands in `rejected_samples`.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from synth_assets.assets.journaling import JOURNAL, journaled_text_model
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import ASSET_OF_STAGE
from synth_assets.assets.tuning import tuned_student_folder
from synth_assets.errors import WarehouseError
from synth_assets.frames import from_frame
from synth_assets.prompts import render_prompt
from synth_assets.recipe import Recipe
from synth_assets.records import REWARD_ATTRIBUTES, Checkpoint
from synth_assets.roles import GenerationRequest, Message
from synth_assets.storage import Warehouse, read_journal

ID = "synthetic_sample_id"
Row = dict[str, Any]


def find_sample(warehouse: Warehouse, prefix: str) -> str:
    """The one sample id that begins so. Raises WarehouseError if there is none, or more than one."""
    tables = [name for name in ("synthetic_samples", "rejected_samples") if warehouse.has_table(name)]
    ids = {str(each) for name in tables for each in warehouse.read_table(name)[ID] if each.startswith(prefix)}
    if len(ids) != 1:
        remedy = "take an id from synthetic_samples or rejected_samples; a beginning that no other id has will do"
        what = "more than one sample id begins so" if ids else "no sample id begins so"
        raise WarehouseError(what, value=sorted(ids)[:5] or prefix, remedy=remedy)
    return ids.pop()


def trace_sample(recipe: Recipe, warehouse: Warehouse, sample_id: str, engines: Engines | None = None) -> Row:
    """Everything about one sample, as plain data. With `engines` the tuned student is asked as well."""
    sample = _one(warehouse, "synthetic_samples", sample_id) or {}
    ended = _rows(warehouse, "rejected_samples", sample_id)
    leaf_path = sample.get("leaf_path") or ended[0]["leaf_path"]
    traced: Row = {
        ID: sample_id,
        "leaf_node": _one(warehouse, "taxonomy", leaf_path, "leaf_path"),
        "seed_examples": _listed(warehouse, "seed_examples", sample.get("seed_example_ids", ())),
        "document_chunk": _one(warehouse, "document_chunks", sample.get("document_chunk_id"), "document_chunk_id"),
        "sample": sample or None,
        "raw_instruction": _raw_output(warehouse, sample.get("instruction_prompt", ""), sample.get("instruction", "")),
        "reward": _reward(warehouse, sample_id),
        "decisions": _decisions(warehouse, sample_id, ended),
        "training": [
            {key: row[key] for key in ("split", "phase", "source", "position")}
            for row in _rows(warehouse, "training_mix", sample_id)
        ],
        "checkpoint": None,
        "student_answers": None,
    }
    if traced["training"] and warehouse.has_table("lora_checkpoint"):
        (checkpoint,) = from_frame(warehouse.read_table("lora_checkpoint"), Checkpoint)
        traced["checkpoint"] = {"checkpoint_id": checkpoint.checkpoint_id, "adapter_path": checkpoint.adapter_path}
        if engines:
            traced["student_answers"] = _student_answer(recipe, warehouse, checkpoint, sample, engines)
    return traced


def trace_text(traced: Row) -> str:
    """The same for people."""
    sample, leaf = traced["sample"] or {}, traced["leaf_node"] or {}
    parts = [f"sample {traced[ID]}", f"leaf node   {leaf.get('leaf_path', '?')}  ({leaf.get('file', 'no longer there')})"]
    for seed in traced["seed_examples"]:
        parts.append(f"seed        {seed['seed_example_id']}  {_line(seed['question'])} -> {_line(seed['answer'])}")
    if chunk := traced["document_chunk"]:
        parts.append(f"document    {chunk['source']}, characters {chunk['char_start']} to {chunk['char_end']}")
    if sample:
        parts += [
            f"teacher     {sample['teacher']}, candidate {sample['candidate_index']}, seed {sample['request_seed']}",
            _block("instruction prompt", sample["instruction_prompt"]),
            _block("raw output", traced["raw_instruction"] or "not in the journal"),
            f"instruction {sample['instruction']}",
            *([_block("context", sample["context"])] if sample["context"] else []),
            _block("response prompt", sample["response_prompt"]),
            f"response    {sample['response']}  (mean log-probability {sample['response_logprob']:.4f})",
        ]
    if reward := traced["reward"]:
        values = ", ".join(f"{name} {reward[name]:.2f}" for name in REWARD_ATTRIBUTES)
        parts.append(f"reward      {reward['reward']:.3f} by {reward['reward_model']}: {values}")
    for decision in traced["decisions"]:
        why = f": {decision['rejection_reason']}, {decision['detail']}" if decision["rejection_reason"] else ""
        parts.append(f"{decision['stage']:<11} {decision['outcome']}{why}")
    for row in traced["training"]:
        parts.append(f"training    {row['split']}, phase {row['phase']}, position {row['position']}")
    if traced["checkpoint"]:
        parts.append(f"checkpoint  {traced['checkpoint']['checkpoint_id']}")
    if traced["student_answers"] is not None:
        parts.append(f"student now {traced['student_answers']}")
    return "\n".join(parts)


def _rows(warehouse: Warehouse, table: str, key: object, column: str = ID) -> list[Row]:
    if key is None or not warehouse.has_table(table):
        return []
    return warehouse.read_table(table).filter(pl.col(column) == key).to_dicts()


def _one(warehouse: Warehouse, table: str, key: object, column: str = ID) -> Row | None:
    return next(iter(_rows(warehouse, table, key, column)), None)


def _listed(warehouse: Warehouse, table: str, ids: object) -> list[Row]:
    rows = {row["seed_example_id"]: row for row in warehouse.read_table(table).to_dicts()} if ids else {}
    return [rows[each] for each in ids if each in rows]  # type: ignore[attr-defined]


def _reward(warehouse: Warehouse, sample_id: str) -> Row | None:
    row = _one(warehouse, "scored_samples", sample_id)
    return row and {name: row[name] for name in (*REWARD_ATTRIBUTES, "reward", "reward_model")}


def _decisions(warehouse: Warehouse, sample_id: str, ended: list[Row]) -> list[Row]:
    """What each stage decided, in pipeline order."""
    decisions = []
    for stage, table in ASSET_OF_STAGE.items():
        if row := next((row for row in ended if row["stage"] == stage), None):
            decisions.append({key: row[key] for key in ("stage", "outcome", "rejection_reason", "detail")})
        elif _one(warehouse, table, sample_id):
            decisions.append({"stage": stage, "outcome": "kept", "rejection_reason": "", "detail": ""})
    return decisions


def _raw_output(warehouse: Warehouse, prompt: str, instruction: str) -> str | None:
    """What the teacher wrote before it was parsed; the journal has it under the prompt."""
    for _, value in read_journal(warehouse.folder / JOURNAL) if prompt else ():
        if value.get("prompt") == prompt and instruction in value["text"]:
            return str(value["text"])
    return None


def _student_answer(
    recipe: Recipe, warehouse: Warehouse, checkpoint: Checkpoint, sample: Row, engines: Engines
) -> str:  # fmt: skip
    prompt = render_prompt(
        recipe.generation.prompts, "question", context=sample["context"], instruction=sample["instruction"]
    )
    request = GenerationRequest((Message("user", prompt),), recipe.evaluation.max_new_tokens, 0.0, 0)
    folder = tuned_student_folder(warehouse, recipe, checkpoint)
    with journaled_text_model(engines, warehouse, recipe.student, folder) as student:
        (result,) = student.generate([request])
    return result.error or result.text


def _block(title: str, text: str) -> str:
    return "\n".join([title, *(f"  | {line}" for line in text.splitlines())])


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
