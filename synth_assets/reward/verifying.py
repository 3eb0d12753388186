"""Ground truth about a response: an answer that is known, or constraints that a program can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from synth_assets.constraints import broken_constraints, read_constraint
from synth_assets.reward.responses import PreferencePrompt

#: Whether a response is right; None where nobody can tell.
Verify = Callable[[PreferencePrompt, str], bool | None]


def exact_verifier(answers: Mapping[str, str]) -> Verify:
    """By prompt id the one right answer: a response is right if it equals it, but for white space around it.

    As benchmark questions are judged; None for a prompt without an answer.
    """

    def verify(prompt: PreferencePrompt, response: str) -> bool | None:
        answer = answers.get(prompt.prompt_id)
        return None if answer is None else response.strip() == answer.strip()

    return verify


def first_to_tell(*verifiers: Verify) -> Verify:
    """What the first says that can tell, of each prompt."""

    def verify(prompt: PreferencePrompt, response: str) -> bool | None:
        return next((said for each in verifiers if (said := each(prompt, response)) is not None), None)

    return verify


def follows_constraints(prompt: PreferencePrompt, response: str) -> bool | None:
    """Whether a program finds that the response holds to all constraints of the prompt, strictly; None where it has none.

    Raises ConstraintError for a constraint that cannot be read.
    """
    if not prompt.constraints:
        return None
    return not broken_constraints([read_constraint(line) for line in prompt.constraints], response)
