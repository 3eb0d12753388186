"""The part of `synth-assets trace` that is about prompts from topics: topic, prompt and its forerunners, and their calls.

Topics and prompts carry their calls with them; the answer's is looked up in the journal. Of a candidate that was turned away
before it was a prompt there is the row with its reason, and the topic.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from synth_assets.assets.journaling import JOURNAL, generation_key
from synth_assets.assets.recipe_parts import has_prompts
from synth_assets.frames import from_frame
from synth_assets.generation.prompt_synthesis import AnswerSettings, answer_request
from synth_assets.inference import fingerprint_of
from synth_assets.recipe import Recipe
from synth_assets.records import SyntheticPrompt, is_generated
from synth_assets.storage import Warehouse, read_journal

Row = dict[str, Any]
_FROM_THE_ROW = "as the row holds it"


def trace_prompt(recipe: Recipe, warehouse: Warehouse, row: Row) -> Row:
    """`topic`, `prompts` (the sample's own last) and `calls`, in the order in which they were made; empty of other samples.

    `row`: a sample, or a row of rejected_samples.
    """
    if not has_prompts(recipe) or not is_generated(row["leaf_path"]):
        return {"topic": None, "prompts": [], "calls": []}
    chain = _chain(warehouse, row.get("synthetic_prompt_id") or row["synthetic_sample_id"])
    topics = warehouse.read_table("prompt_topics").filter(pl.col("leaf_path") == row["leaf_path"]).to_dicts()
    own = [topic for topic in topics if chain and topic["topic_id"] == chain[-1].topic_id]
    topic = next(iter([*own, *topics]), None)
    lines = [*(topic["calls"] if topic else []), *(line for prompt in chain for line in prompt.calls)]
    calls = [_call(line) for line in lines]
    if chain:
        calls += _answer(recipe, warehouse, chain[-1])
    return {"topic": topic, "prompts": [vars(prompt) for prompt in chain], "calls": calls}


def prompt_lines(traced: Row) -> list[str]:
    """The same for people, without the calls."""
    lines, topic = [], traced["topic"]
    if topic:
        within = f", within {topic['parent']}" if topic["parent"] else ""
        lines.append(f"topic       {topic['name']}{within} ({topic['area']}, {topic['origin']})")
    for prompt in traced["prompts"]:
        said = [f"{key} {prompt[key]}" for key in ("document_type", "persona") if prompt[key]]
        lines.append(f"prompt      {prompt['synthetic_prompt_id']}  {', '.join([prompt['kind'], *said])}")
        lines += [f"constraint  {line}" for line in prompt["constraints"]]
    return lines


def _chain(warehouse: Warehouse, prompt_id: str) -> list[SyntheticPrompt]:
    """The prompt of that id and those that it went on from, the first one first; empty if there is none."""
    if not warehouse.has_table("synthetic_prompts"):
        return []
    prompts = from_frame(warehouse.read_table("synthetic_prompts"), SyntheticPrompt)
    by_id = {prompt.synthetic_prompt_id: prompt for prompt in prompts}
    chain: list[SyntheticPrompt] = []
    while found := by_id.get(prompt_id):
        chain.insert(0, found)
        prompt_id = found.parent_prompt_id or ""
    return chain


def _call(line: str) -> Row:
    said = json.loads(line)
    return {"step": said["step"], "prompt": said["prompt"], "text": said["answer"], "finish_reason": _FROM_THE_ROW}


def _answer(recipe: Recipe, warehouse: Warehouse, prompt: SyntheticPrompt) -> list[Row]:
    """The call of the response, if the journal has it; of a dialogue it stands among the prompt's own."""
    assert recipe.prompt_synthesis is not None
    if prompt.kind == "dialogue":
        return []
    request = answer_request(prompt, AnswerSettings(recipe.generation, recipe.prompt_synthesis, recipe.seed))
    key = generation_key(recipe.teacher, fingerprint_of(recipe.teacher), request)
    found = next((value for known, value in read_journal(warehouse.folder / JOURNAL) if known == key), None)
    shown = ("prompt", "text", "finish_reason")
    return [{"step": "response", **{name: found[name] for name in shown}}] if found else []
