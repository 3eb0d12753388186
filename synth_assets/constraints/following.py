"""Does a response follow its constraints: strictly and loosely, as IFEval counts (arXiv 2311.07911, sections 2.2 and 3).

Loosely: one of eight forms of the response holds: as it is, without its first line, without its last, without both (an
opening such as "Sure, here it is:" and a closing remark), each also without asterisks (the marks of Markdown). Loose figures
forgive too much now and then: an answer with one comma too many in its last line follows loosely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from synth_assets.constraints.constraint import Constraint
from synth_assets.errors import ConstraintError


@dataclass(frozen=True)
class Following:
    """Shares from 0 to 1. Prompt: all its constraints hold. Constraint: each counts by itself, over all prompts."""

    num_prompts: int
    num_constraints: int
    prompt_strict: float
    prompt_loose: float
    constraint_strict: float
    constraint_loose: float


def follows_loosely(constraint: Constraint, response: str) -> bool:
    """Whether one of the response's eight forms holds to the constraint."""
    return any(constraint.holds(form) for form in loose_forms(response))


def broken_constraints(constraints: Sequence[Constraint], response: str) -> list[Constraint]:
    """Those that the response does not hold to, in their order; strictly."""
    return [each for each in constraints if not each.holds(response)]


def measure_following(answered: Sequence[tuple[Sequence[Constraint], str]]) -> Following:
    """Over pairs of a prompt's constraints and its response. Raises ConstraintError for none, and for a prompt without."""
    if not answered or not all(constraints for constraints, _ in answered):
        raise ConstraintError(
            "there is a prompt without constraints, or no prompt at all",
            value=len(answered),
            remedy="give pairs of a prompt's constraints, one at least, and its response",
        )
    strict = [[each.holds(response) for each in constraints] for constraints, response in answered]
    loose = [[follows_loosely(each, response) for each in constraints] for constraints, response in answered]
    return Following(
        len(strict), sum(map(len, strict)), _of_prompts(strict), _of_prompts(loose), _of_all(strict), _of_all(loose)
    )


def loose_forms(response: str) -> list[str]:
    lines = response.split("\n")
    cut = [response, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys(form for text in cut for form in (text, text.replace("*", ""))))


def _of_prompts(held: Sequence[Sequence[bool]]) -> float:
    return sum(map(all, held)) / len(held)


def _of_all(held: Sequence[Sequence[bool]]) -> float:
    return sum(map(sum, held)) / sum(map(len, held))
