"""`synth-assets trace SAMPLE_ID`: all that made one sample, and all that was made of it.

From the files of the taxonomy to the student's present answer; everything is read from the warehouse and its journal.
A sample that went nowhere is traced as well: the id stands in `rejected_samples`, and since a candidate follows from its
leaf and number alone, its seeds and its calls are found again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import polars as pl

from synth_assets.assets.both_methods import LEAVES, SAMPLES, SCORES
from synth_assets.assets.ingredients import student_asset
from synth_assets.assets.journaling import JOURNAL, generation_key, journaled_text_model
from synth_assets.assets.resources import Engines
from synth_assets.assets.storing import stages_of
from synth_assets.assets.tuning import load_student, tuned_student_folder
from synth_assets.errors import WarehouseError
from synth_assets.frames import from_frame, schema_of
from synth_assets.generation import STEPS, plan_leaves
from synth_assets.generation.candidates import Candidate, LeafPlan
from synth_assets.inference import fingerprint_of
from synth_assets.judging import judge_request, seated
from synth_assets.prompt_trace import prompt_lines, trace_prompt
from synth_assets.prompts.conversations import shown_prompt, turns_of_prompt
from synth_assets.recipe import Recipe
from synth_assets.records import REWARD_ATTRIBUTES, TABLES, Checkpoint, DocumentChunk, LeafNode, SeedExample
from synth_assets.roles import GenerationRequest, GenerationResult, conversation
from synth_assets.storage import Warehouse, read_journal

RecordT = TypeVar("RecordT")
ID = "synthetic_sample_id"
Row = dict[str, Any]


def find_sample(warehouse: Warehouse, prefix: str) -> str:
    """The one sample id that begins so. Raises WarehouseError if there is none, or more than one."""
    tables = [name for name in (*SAMPLES, "rejected_samples") if warehouse.has_table(name)]
    ids = {str(each) for name in tables for each in warehouse.read_table(name)[ID] if each.startswith(prefix)}
    if len(ids) != 1:
        remedy = "take an id from synthetic_samples or rejected_samples; a beginning that no other id has will do"
        what = "more than one sample id begins so" if ids else "no sample id begins so"
        raise WarehouseError(what, value=sorted(ids)[:5] or prefix, remedy=remedy)
    return ids.pop()


def trace_sample(recipe: Recipe, warehouse: Warehouse, sample_id: str, engines: Engines | None = None) -> Row:
    """Everything about one sample, as plain data. With `engines` the tuned student is asked as well."""
    sample = _first(warehouse, SAMPLES, sample_id) or {}
    ended = _rows(warehouse, "rejected_samples", sample_id)
    row = sample or ended[0]
    leaf_path = row["leaf_path"]
    plan = _plan(recipe, warehouse, leaf_path)
    candidate = _candidate(plan, row) if plan else None
    seed_ids = sample.get("seed_example_ids") or (candidate.seed_example_ids if candidate else ())
    chunk = candidate.chunk if candidate else None
    chunk_id = sample.get("document_chunk_id") or (chunk.document_chunk_id if chunk else None)
    prompted = trace_prompt(recipe, warehouse, row)
    traced: Row = {
        ID: sample_id,
        "leaf_node": _first(warehouse, LEAVES, leaf_path, "leaf_path"),
        "seed_examples": _listed(warehouse, "seed_examples", seed_ids),
        "document_chunk": _one(warehouse, "document_chunks", chunk_id, "document_chunk_id"),
        "sample": sample or None,
        "rejected": None if sample else row,
        "calls": _calls(recipe, warehouse, plan, candidate) if plan and candidate else prompted["calls"],
        **({name: prompted[name] for name in ("topic", "prompts")} if prompted["topic"] else {}),
        "reward": _reward(warehouse, sample_id),
        "decisions": _decisions(recipe, warehouse, sample_id, ended),
        "training": [
            {key: row[key] for key in ("split", "phase", "source", "position")}
            for row in _rows(warehouse, "training_mix", sample_id)
        ],
        "checkpoint": None,
        "student_answers": None,
    }
    if traced["training"] and warehouse.has_table(student_asset(recipe)):
        checkpoint = load_student(warehouse, recipe)
        traced["checkpoint"] = {"checkpoint_id": checkpoint.checkpoint_id, "adapter_path": checkpoint.adapter_path}
        if engines:
            traced["student_answers"] = _student_answer(recipe, warehouse, checkpoint, sample, engines)
    return traced


def trace_text(traced: Row) -> str:
    """The same for people."""
    sample, leaf = traced["sample"] or {}, traced["leaf_node"] or {}
    parts = [
        f"sample {traced[ID]}",
        f"leaf node   {leaf.get('leaf_path', '?')}  ({leaf.get('file', 'no longer there') or 'generated'})",
    ]
    parts += prompt_lines(traced) if "topic" in traced else []
    for seed in traced["seed_examples"]:
        parts.append(f"seed        {seed['seed_example_id']}  {_line(seed['question'])} -> {_line(seed['answer'])}")
    if chunk := traced["document_chunk"]:
        parts.append(f"document    {chunk['source']}, characters {chunk['char_start']} to {chunk['char_end']}")
    if sample:
        parts.append(
            f"teacher     {sample['teacher']}, candidate {sample['candidate_index']}, seed {sample['request_seed']}"
        )
    for call in traced["calls"]:
        parts.append(_block(f"prompt for the {call['step']}", call["prompt"]))
        parts.append(_block(f"what came of it ({call['finish_reason']})", call["text"]))
    if not traced["calls"]:
        parts.append("calls       the journal has none that this recipe and taxonomy would make now")
    text = sample or traced["rejected"]
    if text["context"]:
        parts.append(_block("context", text["context"]))
    parts += [f"{name:<11} {text[name]}" for name in ("instruction", "response") if text[name]]
    if sample:
        parts.append(f"logprob     {sample['response_logprob']:.4f} a token of the response, on average")
    if reward := traced["reward"]:
        values = ", ".join(f"{name} {reward[name]:.2f}" for name in REWARD_ATTRIBUTES if reward[name] is not None)
        by = f"{reward['reward_model']}: {values}" if values else "the judges"
        parts.append(f"reward      {reward['reward']:.3f} by {by}")
    for decision in traced["decisions"]:
        why = f": {decision['rejection_reason']}, {decision['detail']}" if decision["rejection_reason"] else ""
        parts.append(f"{decision['stage']:<11} {decision['outcome']}{why}")
    for row in traced["training"]:
        parts.append(f"training    {row['split']}, {row['source']}, phase {row['phase']}, position {row['position']}")
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


def _first(warehouse: Warehouse, tables: Sequence[str], key: object, column: str = ID) -> Row | None:
    """Of the first table that has it."""
    return next(filter(None, (_one(warehouse, table, key, column) for table in tables)), None)


def _listed(warehouse: Warehouse, table: str, ids: object) -> list[Row]:
    rows = {row["seed_example_id"]: row for row in warehouse.read_table(table).to_dicts()} if ids else {}
    return [rows[each] for each in ids if each in rows]  # type: ignore[attr-defined]


def _reward(warehouse: Warehouse, sample_id: str) -> Row | None:
    row = _first(warehouse, SCORES, sample_id)
    return row and {name: row[name] for name in (*REWARD_ATTRIBUTES, "reward", "reward_model")}


def _decisions(recipe: Recipe, warehouse: Warehouse, sample_id: str, ended: list[Row]) -> list[Row]:
    """What each stage decided, in pipeline order."""
    decisions = []
    for stage, table in stages_of(recipe).items():
        if row := next((row for row in ended if row["stage"] == stage), None):
            decisions.append({key: row[key] for key in ("stage", "outcome", "rejection_reason", "detail")})
        elif (column := _column_of(table)) and _one(warehouse, table, sample_id, column):
            decisions.append({"stage": stage, "outcome": "kept", "rejection_reason": "", "detail": ""})
    return decisions


def _column_of(table: str) -> str | None:
    """That in which the table tells of which sample a row is; None for tables of other things."""
    columns = schema_of(TABLES[table])
    return next((name for name in (ID, "prompt_id") if name in columns), None)


def _plan(recipe: Recipe, warehouse: Warehouse, leaf_path: str) -> LeafPlan | None:
    """What the leaf's candidates are made of; None if it is there no more."""

    def own(table: str, record_type: type[RecordT]) -> list[RecordT]:
        rows = warehouse.read_table(table).filter(pl.col("leaf_path") == leaf_path)
        return from_frame(rows, record_type)

    leaves, seeds = own("taxonomy", LeafNode), own("seed_examples", SeedExample)
    plans = plan_leaves(leaves, seeds, own("document_chunks", DocumentChunk), recipe.generation, recipe.seed)
    return plans[0] if plans and not plans[0].obstacle else None


def _candidate(plan: LeafPlan, row: Row) -> Candidate:
    candidate = plan.candidate(row["candidate_index"])
    candidate.instruction = row["instruction"]
    if candidate.writes_context:
        candidate.context = row["context"]
    if row["response"]:
        candidate.response = GenerationResult(row["response"], "stop")
    return candidate


def _calls(recipe: Recipe, warehouse: Warehouse, plan: LeafPlan, candidate: Candidate) -> list[Row]:
    """The teacher's and the judges' calls that the journal holds: step, rendered prompt, raw output and how it ended."""
    steps = _keys_of_calls(recipe, plan, candidate)
    said = {steps[key]: value for key, value in read_journal(warehouse.folder / JOURNAL) if key in steps}
    shown = ("prompt", "text", "finish_reason")
    return [{"step": step, **{name: said[step][name] for name in shown}} for step in steps.values() if step in said]


def _keys_of_calls(recipe: Recipe, plan: LeafPlan, candidate: Candidate) -> dict[str, str]:
    """By what the journal knows each call of a candidate -> what it was for, in the order in which they are made."""
    teacher, judge = recipe.teacher, recipe.judge_model
    fingerprints = {spec: fingerprint_of(spec) for spec in (teacher, judge)}
    keys: dict[str, str] = {}
    for step in STEPS:
        if step != "context" or candidate.writes_context:
            keys[generation_key(teacher, fingerprints[teacher], plan.request(candidate, step))] = step
        if recipe.judges and (step != "response" or candidate.response):
            for case in seated(plan.cases(candidate, step), recipe.judges):
                request = judge_request(case, recipe.judges)
                keys[generation_key(judge, fingerprints[judge], request)] = f"judge of {case.judge}"
    return keys


def _student_answer(
    recipe: Recipe, warehouse: Warehouse, checkpoint: Checkpoint, sample: Row, engines: Engines
) -> str:  # fmt: skip
    path = sample["leaf_path"]
    prompt = shown_prompt(recipe.generation.prompts, path, sample["context"], sample["instruction"])
    request = GenerationRequest(conversation(turns_of_prompt(path, prompt)), recipe.evaluation.max_new_tokens, 0.0, 0)
    folder = tuned_student_folder(warehouse, recipe, checkpoint)
    with journaled_text_model(engines, warehouse, recipe.student, folder) as student:
        (result,) = student.generate([request])
    return result.error or result.text


def _block(title: str, text: str) -> str:
    return "\n".join([title, *(f"  | {line}" for line in text.splitlines())])


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
