"""A plan for people, and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from synth_assets.planning import RecipePlan, in_short


def plan_json(plan: RecipePlan) -> dict[str, Any]:
    return asdict(plan)


def plan_text(plan: RecipePlan) -> str:
    """For a terminal."""
    lines = [plan.recipe, "", f"{'Branch':<24}{'leaf nodes':>12}{'samples':>12}"]
    for branch, num_samples in plan.samples.items():
        num = f"{plan.leaf_nodes[branch]:,}" if branch in plan.leaf_nodes else "?"
        lines.append(f"  {branch:<22}{num:>12}{num_samples:>12,}")
    if plan.num_faults:
        lines.append(f"  {plan.num_faults} faults in files: see `synth-assets taxonomy check`")
    heads = f"{'least':>12}{'most':>12}{'read':>9}{'written':>9}{'GPU-hours':>22}"
    lines += ["", f"{'Calls':<38}{heads}"]
    for row in plan.calls:
        name = row.purpose if row.purpose.startswith("judge") else f"{row.role.replace('_', ' ')}, {row.purpose}"
        tokens = f"{in_short(row.prompt_tokens):>9}{in_short(row.new_tokens):>9}"
        hours = _range(row.gpu_hours_least, row.gpu_hours_most)
        lines.append(f"  {name:<36}{row.num_calls_least:>12,}{row.num_calls_most:>12,}{tokens}{hours:>22}")
    heads = f"{'rows':>12}{'steps':>9}{'a step':>9}{'rate':>9}{'tokens':>9}{'GPU-hours':>12}"
    lines += ["", f"{'Tuning, ' + plan.strategy:<24}{heads}"]
    for phase in plan.phases:
        hours = "?" if phase.gpu_hours is None else _hours_text(phase.gpu_hours)
        numbers = f"{phase.num_rows:>12,}{phase.num_steps:>9,}{phase.rows_a_step:>9,}{phase.learning_rate:>9.1e}"
        lines.append(f"  {phase.phase:<22}{numbers}{in_short(phase.num_tokens):>9}{hours:>12}")
    lines += ["", *(f"Warning: {warning}" for warning in plan.warnings)] if plan.warnings else []
    return "\n".join([*lines, "", "This assumes", *(f"  {line}" for line in plan.assumptions)])


def _range(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return "?"
    return _hours_text(least) if least == most else f"{_hours_text(least)} to {_hours_text(most)}"


def _hours_text(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2g}"
