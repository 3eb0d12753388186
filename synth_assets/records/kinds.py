"""The closed sets of names that columns hold."""

import typing
from typing import Literal

Branch = Literal["knowledge", "foundational_skills", "compositional_skills"]
BRANCHES: tuple[Branch, ...] = typing.get_args(Branch)
Outcome = Literal["rejected", "failed"]
Split = Literal["train", "validation"]
Source = Literal["synthetic", "seed", "replay", "earlier_phase"]
NEW_SOURCES: tuple[Source, ...] = ("synthetic", "seed")
Suite = Literal["taxonomy", "retained"]
ModelArm = Literal["base", "tuned", "teacher"]
ComparisonOutcome = Literal["base", "tuned", "tie", "inconsistent", "no_verdict"]
DecidedBy = Literal["ground_truth", "judge", "reward"]
TrustReport = Literal["fidelity_report", "privacy_report", "diversity_report", "collapse_report", "student_report"]
TRUST_REPORTS: tuple[TrustReport, ...] = typing.get_args(TrustReport)
Direction = Literal["at_most", "at_least"]
Severity = Literal["block", "warn", "info"]
RealSplit = Literal["reference", "holdout"]
Verdict = Literal["passed", "failed", "insufficient_reference", "not_assessed", "not_computable"]
PromptKind = Literal[
    "open_question", "writing_task", "closed_question", "maths_problem", "coding_problem", "instruction_following",
    "two_turn", "dialogue",
]  # fmt: skip
PROMPT_KINDS: tuple[PromptKind, ...] = typing.get_args(PromptKind)
TopicArea = Literal["general", "maths", "coding", "documents"]
TopicOrigin = Literal["manual", "model", "document"]
