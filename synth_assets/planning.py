"""`synth-assets plan`: what a recipe would take, before anything is run: calls, tokens, GPU-hours, and what that assumes.

Nothing is fetched and no model is opened. Calls and rows are a range: from `least`, where no candidate is turned away, to
`most`, where every leaf spends its budget and no sample is rejected afterwards. Prompts are rendered from the taxonomy's own
seeds; lengths are counted by a model's tokenizer where its folder is here, else TOKENS_PER_WORD is assumed. What is
written is taken to be as long as the seeds are.

GPU-hours are floating-point operations over what a GPU does in an hour: 2 N for each token read or written by a model
with N active parameters, 4 N for each token of LoRA training (forward and backward through frozen weights; 6 N would be
full training, Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Rough: loading, idle time and evaluation are left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass

from synth_assets.assets.recipe_parts import read_declared_taxonomy
from synth_assets.generation import plan_leaves
from synth_assets.generation.candidates import STEPS, LeafPlan
from synth_assets.judging import judge_request, seated
from synth_assets.model_folder import active_parameters
from synth_assets.prompt_planning import num_by_area, num_by_kind, plan_prompt_calls
from synth_assets.recipe import ModelSpec, Recipe, length_of, phase_taking, resolve_path
from synth_assets.records import BRANCHES, DocumentChunk
from synth_assets.roles import Conversation, GenerationResult
from synth_assets.taxonomy import Taxonomy

TOKENS_PER_WORD = 4 / 3
JUDGEMENT_TOKENS = 80
GPU_TFLOPS = 989.0  # H100 SXM, bf16 without sparsity, by its data sheet
USED_READING, USED_WRITING, USED_TRAINING = 0.4, 0.1, 0.35
_NUM_DRAWN = 3  # candidates of a leaf that are rendered to measure its prompts

CountTokens = Callable[[str], float]


@dataclass(frozen=True)
class PlannedCalls:
    """Calls of one model for one purpose. Token counts are of `least` calls; gpu_hours None where the size is unknown."""

    role: str
    purpose: str
    num_calls_least: int
    num_calls_most: int
    prompt_tokens: int
    new_tokens: int
    gpu_hours_least: float | None
    gpu_hours_most: float | None


@dataclass(frozen=True)
class PlannedPhase:
    """One phase of tuning. Rows are new ones and replayed ones, as many as there are if every leaf reaches its quota."""

    phase: str
    num_rows: int
    num_steps: int
    rows_a_step: int
    learning_rate: float
    num_tokens: int
    gpu_hours: float | None


@dataclass(frozen=True)
class RecipePlan:
    recipe: str
    leaf_nodes: dict[str, int]
    samples: dict[str, int]
    num_faults: int
    calls: list[PlannedCalls]
    strategy: str
    phases: list[PlannedPhase]
    assumptions: list[str]
    warnings: list[str]


def plan_recipe(recipe: Recipe) -> RecipePlan:
    """Raises TaxonomyError where the taxonomy cannot be read at all."""
    found = read_declared_taxonomy(recipe)
    plans = plan_leaves(found.leaf_nodes, found.seed_examples, _stand_ins(found, recipe), recipe.generation, recipe.seed)
    plans = [plan for plan in plans if not plan.obstacle]
    quota = recipe.generation.num_samples_per_leaf
    leaves: dict[str, int] = {branch: sum(plan.leaf_node.branch == branch for plan in plans) for branch in BRANCHES}
    phases = _phases(recipe, plans)
    prompts = {"from topics": sum(num_by_kind(recipe.prompt_synthesis).values())} if recipe.prompt_synthesis else {}
    return RecipePlan(
        recipe=recipe.label,
        leaf_nodes=leaves,
        samples={branch: num * quota for branch, num in leaves.items()} | prompts,
        num_faults=len(found.faults),
        calls=_calls(recipe, plans),
        strategy=recipe.tuning.strategy,
        phases=phases,
        assumptions=_assumptions(recipe, sum(leaves.values()) * quota),
        warnings=list(_warnings(recipe, phases)),
    )


def _stand_ins(found: Taxonomy, recipe: Recipe) -> list[DocumentChunk]:
    """A chunk for each knowledge leaf, as long as the recipe allows: documents may be far away."""
    text = " ".join(["word"] * recipe.taxonomy.max_chunk_tokens)
    return [
        DocumentChunk(leaf.leaf_path, leaf.leaf_node_id, leaf.leaf_path, "", "", 0, len(text), text)
        for leaf in found.leaf_nodes
        if leaf.branch == "knowledge"
    ]


def _calls(recipe: Recipe, plans: Sequence[LeafPlan]) -> list[PlannedCalls]:
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    counters = {role: token_counter(spec) for role, spec in recipe.models.items()}
    judge = "judge" if recipe.judges and recipe.judges.model else "teacher"
    quota = recipe.generation.num_samples_per_leaf
    for plan in plans:
        for role, purpose, prompt, answer in _drawn_calls(recipe, plan, judge):
            count = counters[role]
            share = quota / _NUM_DRAWN
            row = sums[role, purpose]
            row[0] += share
            row[1] += share * sum(count(message.content) for message in prompt)
            row[2] += share * (JUDGEMENT_TOKENS if answer is None else count(answer))
    planned = [_planned(recipe, role, purpose, *row) for (role, purpose), row in sums.items()]
    of_prompts = plan_prompt_calls(recipe, counters, judge, JUDGEMENT_TOKENS)
    return [*planned, *(_planned(recipe, *astuple(each)) for each in of_prompts)]


def _drawn_calls(recipe: Recipe, plan: LeafPlan, judge: str) -> Iterable[tuple[str, str, Conversation, str | None]]:
    """Role, purpose, prompt and expected answer (None: a judgement) of the calls of a few candidates."""
    for index in range(_NUM_DRAWN):
        candidate = plan.candidate(index)
        model_seed = candidate.seeds[0]
        candidate.context = candidate.context or model_seed.context
        candidate.instruction = model_seed.question
        for step in STEPS:
            expected = {"context": model_seed.context or "", "instruction": model_seed.question}.get(step, model_seed.answer)
            if step != "context" or candidate.writes_context:
                yield "teacher", step, plan.request(candidate, step).messages, expected
            if step == "response":
                candidate.response = GenerationResult(model_seed.answer, "stop")
            for case in seated(plan.cases(candidate, step), recipe.judges):
                assert recipe.judges is not None
                yield judge, f"judge of {case.judge}", judge_request(case, recipe.judges).messages, None
        if recipe.reward_model:
            yield "reward_model", "reward", plan.request(candidate, "response").messages[-1:], ""


def _planned(
    recipe: Recipe, role: str, purpose: str, calls: float, prompts: float, answers: float, most: float | None = None
) -> PlannedCalls:  # fmt: skip
    size = parameters_of(recipe.models[role])
    if most is None:
        most = recipe.generation.budget_factor if purpose != "reward" else 1.0
    hours = None
    if size is not None:
        hours = _hours(2 * size * prompts, USED_READING) + _hours(2 * size * answers, USED_WRITING)
    return PlannedCalls(
        role, purpose, round(calls), round(calls * most), round(prompts), round(answers), hours,
        None if hours is None else hours * most,
    )  # fmt: skip


def _phases(recipe: Recipe, plans: Sequence[LeafPlan]) -> list[PlannedPhase]:
    """As mixing would have it: new rows by leaf node and length, replayed ones by their shares."""
    tuning, student = recipe.tuning, recipe.student
    count, size = token_counter(student), parameters_of(student)
    rows: dict[str, list[float]] = defaultdict(list)
    for plan in plans:
        seeds = plan.freeform + plan.grounded
        share = recipe.generation.num_samples_per_leaf / len(seeds) * (1 - tuning.validation_share)
        for seed in seeds:
            length = length_of(seed.answer, tuning.short_response_words)
            tokens = sum(map(count, (seed.context or "", seed.question, seed.answer)))
            rows[phase_taking(tuning.phases_to_run, plan.leaf_node.leaf_path, length)] += [share, share * tokens]
    if recipe.prompt_synthesis:  # as long as allowed
        tokens = recipe.generation.max_new_tokens.response
        length = "short" if tokens / TOKENS_PER_WORD <= tuning.short_response_words else "long"
        for path, num in num_by_area(recipe.prompt_synthesis).items():
            num_trained = num * (1 - tuning.validation_share)
            rows[phase_taking(tuning.phases_to_run, path, length)] += [num_trained, num_trained * 2 * tokens]
    phases, earlier = [], 0.0
    for phase in tuning.phases_to_run:
        num_new = sum(rows[phase.name][::2])
        per_row, rows_a_step = sum(rows[phase.name][1::2]) / max(1.0, num_new), tuning.of_phase(phase).rows_a_step
        replayed = min(earlier, num_new * phase.replay_share / (1 - phase.replay_share - tuning.replay_share))
        num_rows = num_new + replayed + num_new * tuning.replay_share / (1 - phase.replay_share - tuning.replay_share)
        steps = phase.max_steps or math.ceil(num_rows * (phase.num_epochs or 1) / rows_a_step)
        tokens = per_row * steps * rows_a_step
        earlier += num_new
        phases.append(PlannedPhase(
            phase.name, round(num_rows), steps, rows_a_step, phase.learning_rate or tuning.learning_rate,
            round(tokens), None if size is None else _hours(4 * size * tokens, USED_TRAINING),
        ))  # fmt: skip
    return phases


def _hours(operations: float, used: float) -> float:
    return operations / (GPU_TFLOPS * 1e12 * used) / 3600


def parameters_of(spec: ModelSpec) -> float | None:
    """Active parameters: counted where the folder is here, else what the recipe says."""
    if is_here(spec):
        return float(active_parameters(resolve_path(spec.path)))
    return None if spec.active_billions is None else spec.active_billions * 1e9


def is_here(spec: ModelSpec) -> bool:
    """Whether the model's folder is on this machine; one behind a server need not have any."""
    return bool(spec.path) and (resolve_path(spec.path) / "config.json").is_file()


def token_counter(spec: ModelSpec) -> CountTokens:
    """Tokens of a text by the model's own tokenizer, or by its words where the folder is not here."""
    file = resolve_path(spec.path) / "tokenizer.json"
    if not spec.path or not file.is_file():
        return lambda text: len(text.split()) * TOKENS_PER_WORD
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def _warnings(recipe: Recipe, phases: Sequence[PlannedPhase]) -> Iterable[str]:
    for key, path in recipe.trust.files.items():
        if not resolve_path(path).exists():
            yield f"{key}: {path} does not exist, and no run will begin without it"
    for phase in phases:
        warmup = recipe.tuning.num_warmup_steps(phase.num_steps)
        if warmup >= phase.num_steps:
            yield (
                f"phase {phase.phase} ends within its warm-up: {phase.num_steps:,} steps of {warmup:,}; generate more, take "
                "smaller steps (tuning.gradient_accumulation), or lower tuning.warmup_steps"
            )
        if not phase.num_rows:
            yield f"phase {phase.phase} has no rows: no leaf node gives it any"


def _assumptions(recipe: Recipe, num_samples: int) -> list[str]:
    lines = [
        f"a GPU of {GPU_TFLOPS:g} TFLOP/s, of which reading uses {USED_READING:.0%}, writing {USED_WRITING:.0%}, "
        f"training {USED_TRAINING:.0%}",
        "2 operations a parameter and token for reading and writing, 4 for LoRA training",
        f"texts as long as the seed examples; a judgement of {JUDGEMENT_TOKENS} tokens; chunks as long as allowed",
        f"least: no candidate is turned away; most: {recipe.generation.budget_factor:g} candidates for each sample",
    ]
    if recipe.prompt_synthesis:
        lines.append("prompts from topics: texts as long as max_new_tokens allows; most: budget_factor candidates for each")
    for role, spec in recipe.models.items():
        size = parameters_of(spec)
        known = "of unknown size: no GPU-hours" if size is None else f"{in_short(size)} active parameters"
        how = "counted" if is_here(spec) else "as the recipe says; not on this machine, so tokens are estimated from words"
        lines.append(f"{role.replace('_', ' ')} {spec.name}: {known} ({how})")
    return [*lines, *_not_counted(recipe, num_samples)]


def _not_counted(recipe: Recipe, num_samples: int) -> Iterable[str]:
    """How much of a recipe with preference pairs the table of calls leaves out, at most."""
    if (section := recipe.preferences) is None:
        return
    prompts = min(round(num_samples * (1 - recipe.tuning.validation_share)), section.max_prompts or num_samples)
    calls = [f"{prompts * section.num_samples:,} responses of the {name}" for name in section.responders]
    calls += [f"{prompts * section.num_responses:,} rewards"] if recipe.reward_model else []
    calls += [f"{2 * prompts * section.max_pairs:,} judgements"] if section.judges else []
    yield f"preference pairs come on top, and are not counted: at most {', '.join(calls)} on {prompts:,} prompts"
    if recipe.alignment:
        yield f"so does alignment: {len(recipe.alignment.stages_to_run)} iterations over these pairs"


def in_short(num: float) -> str:
    """12.9G, 3.4k, 17."""
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if num >= size:
            return f"{num / size:.1f}{unit}"
    return str(round(num))
